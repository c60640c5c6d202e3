"""Scores as a notebook and a debugger show them: a line, or a small table, whatever names and values they have."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.storable import storable_text

if TYPE_CHECKING:
    from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores
    from airflow_provider_benchmarks.scores.job import JobScores

_WIDEST_LINE = 120
_WIDEST_CELL = 60
#: Number of scores that a table has.
_MOST_SCORES = 50
_COLUMNS = ("metric", "score", "mean", "std_dev", "min", "max", "count", "nan_count")


def line(kind: str, text: str) -> str:
    """One line for a debugger: ``<Verdict PASS: 2 of 2 checks hold>``.

    :param kind: name of the class
    """
    return f"<{kind} {_cut(text, _WIDEST_LINE - len(kind) - 3)}>"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def line_of_scores(scores: AggregateScores) -> str:
    """How many scores there are, and the first ones."""
    first = ", ".join(f"{each.metric}/{each.name} {_number(each.mean)}" for each in scores.scores[:3])
    return f"{counted(len(scores.scores), 'score')}{f': {first}' if first else ''}"


def line_of_job(job: JobScores) -> str:
    """The job, and how many scores and rows there are."""
    of = f" of {_cut(job.benchmark, 40)}" if job.benchmark else ""
    rows = "no rows" if job.rows is None else counted(len(job.rows), "row")
    return f'"{_cut(job.job, 40)}"{of}: {counted(len(job.aggregate.scores), "score")}, {rows}'


def table_of_scores(scores: AggregateScores) -> str:
    """A small table in HTML."""
    shown = scores.scores[:_MOST_SCORES]
    more = len(scores.scores) - len(shown)
    body = "".join(_row(_cells(each), "td") for each in shown)
    note = f"<p>and {counted(more, 'more score')}</p>" if more else ""
    return f"<table><thead>{_row(_COLUMNS, 'th')}</thead><tbody>{body}</tbody></table>{note}"


def _cells(score: AggregateScore) -> tuple[str, ...]:
    statistics = (score.mean, score.std_dev, score.min, score.max, score.count, score.nan_count)
    return score.metric, score.name, *map(_number, statistics)


def _row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(_cut(cell, _WIDEST_CELL))}</{tag}>' for cell in cells)}</tr>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else f"{value:,}"


def _cut(text: str, limit: int) -> str:
    text = one_line(storable_text(text[: 8 * limit]))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
