"""A job's scores in the log of a task: a small table, the statistics that people look for first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.storable import storable_text
from airflow_provider_benchmarks.views.log import WIDTH, LogRecord, folded

if TYPE_CHECKING:
    from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores

#: Number of scores that are not folded.
MOST_SCORES = 20
#: Number of scores that are shown at all: the task's results have the others.
MOST_FOLDED = 500
#: Rows: those with a value. NaN: those without.
_HEADINGS = ("metric", "score", "mean", "std dev", "min", "max", "rows", "NaN")
_TEXTS = 2
_GAP = "  "
_CUT = "…"
_UNKNOWN = "-"


def score_records(scores: AggregateScores, *, title: str) -> list[LogRecord]:
    """The scores as lines no longer than ``WIDTH``; many are folded, in the order of the service.

    :param title: the line above them
    """
    shown = scores.scores[:MOST_FOLDED]
    lines = _table([_HEADINGS, *map(_cells, shown)])
    heading, *rows = [LogRecord(line) for line in lines]
    found = [LogRecord(_cut(_inert(title), WIDTH))]
    if not rows:
        return [LogRecord(_cut(_inert(f"{title} none"), WIDTH))]
    found += [heading, *rows[:MOST_SCORES], *folded("more scores", rows[MOST_SCORES:])]
    if left_out := len(scores.scores) - len(shown):
        found.append(LogRecord(f"{left_out:,} more scores are not shown here"))
    return found


def _cells(score: AggregateScore) -> tuple[str, ...]:
    statistics = (score.mean, score.std_dev, score.min, score.max)
    counts = (score.count, score.nan_count)
    return (
        _inert(score.metric),
        _inert(score.name),
        *map(_number, statistics),
        *(_UNKNOWN if count is None else f"{count:,}" for count in counts),
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines in columns. What of the names does not fit is cut: the metric's beginning, and the score's end."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = WIDTH - sum(widths[_TEXTS:]) - len(_GAP) * (len(widths) - 1)
    metric, score = widths[:_TEXTS]
    if metric + score > room:
        score = min(score, max(room // 3, room - metric))
        metric = min(metric, room - score)
        widths[:_TEXTS] = metric, score
    return [_row(row, widths) for row in rows]


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    metric, score, *numbers = row
    # A workspace is the same for most metrics; their names tell them apart.
    cut = metric if len(metric) <= widths[0] else f"{_CUT}{metric[len(metric) - widths[0] + 1 :]}"
    texts = [f"{cut:{widths[0]}}", f"{_cut(score, widths[1]):{widths[1]}}"]
    texts += [f"{text:>{width}}" for text, width in zip(numbers, widths[_TEXTS:], strict=True)]
    return _GAP.join(texts).rstrip()


def _number(value: float | None) -> str:
    return f"{value:.4g}" if value is not None and is_number(value) else _UNKNOWN


def _inert(text: str) -> str:
    return one_line(storable_text(text)).replace("\t", " ")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}{_CUT}"
