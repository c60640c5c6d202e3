"""Compare the scores of two jobs: the second one's, less the first one's.

A job is a folder with aggregate-scores.json and, where there are row scores, row-scores.parquet or .jsonl; a file of
aggregate scores; or the name of a job in the score store. Rows of both jobs are compared in pairs; the interval of a
difference is of 95 % confidence, and needs the extra stats. It is for reading: whether a model may ship is for a gate
to say, which allows for a margin and for the number of checks.

Exits with 0 when the jobs could be compared, whatever the difference, and 2 when they could not.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.commands.output import show, to_stderr
from airflow_provider_benchmarks.commands.sheets import Sheet, add_format, shown
from airflow_provider_benchmarks.commands.stored_jobs import Job, add_store, find_job, labels_of
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.extras import missing

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates import CheckResult, NoRegression
    from airflow_provider_benchmarks.gates.sources import FolderSource
    from airflow_provider_benchmarks.scores import AggregateScore, JobScores

NAME = "compare"
FAILURE = "could not compare"
EXAMPLE = "compare release-7 nightly-2026-03-01 --store s3://bucket/benchmark-scores"
#: Of each end of an interval: 95 % for both.
_CONFIDENCE = 0.975
_COLUMNS = ("score", "first", "second", "difference", "95 % interval", "rows", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A score in both jobs; None where it is not known."""

    label: str
    first: AggregateScore | None
    second: AggregateScore | None
    difference: float | None
    interval: tuple[float, float] | None = None
    count: int | None = None
    note: str = ""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("first", metavar="A", help="the job to compare with")
    parser.add_argument("second", metavar="B", help="the other job")
    add_store(parser)
    parser.add_argument("--key", action="append", metavar="FIELD", help="of items: rows with the same value are a pair")
    parser.add_argument(
        "--cluster-by", metavar="FIELD", help="of items: rows with the same value depend on one another"
    )
    parser.add_argument("--repeat-by", metavar="FIELD", help="of items: it numbers the repeats of one item")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print the comparison, and return the exit code."""
    with to_stderr():
        page = _compared(options)
    show(page())
    return 0


def _compared(options: argparse.Namespace) -> Callable[[], str]:
    from airflow_provider_benchmarks.gates.sources import load_scores

    first, second = find_job(options.first, options), find_job(options.second, options)
    scores = [load_scores(job.path, ()).scores for job in (first, second)]
    lines = _lines(scores, _results(first, second, _checks(scores, options)))
    if not lines:
        raise ScoreNotFound("neither job has a score")
    names = [each.job or job.name for each, job in zip(scores, (first, second), strict=True)]
    sheet = Sheet(title=f"{names[0]} (first) → {names[1]} (second)", columns=_COLUMNS, rows=list(map(_row, lines)))
    data = {"first": names[0], "second": names[1], "confidence": 0.95, "scores": list(map(_record, lines))}
    return partial(shown, [_without_empty_columns(sheet)], options.format, data)


def _checks(scores: Sequence[JobScores], options: argparse.Namespace) -> list[NoRegression]:
    """A comparison of each score that both jobs have; none where what it needs is not installed."""
    from airflow_provider_benchmarks.gates import NoRegression
    from airflow_provider_benchmarks.gates.run import modules_of

    keys = [[(score.metric, score.name) for score in job.aggregate.scores] for job in scores]
    # Rows without a score are for a gate to judge.
    limits: dict[str, Any] = {
        "max_nan_fraction": 1.0,
        "max_error_rate": 1.0,
        "max_unpaired": 1.0,
        "confidence": _CONFIDENCE,
    }
    fields = {"key": options.key, "cluster_by": options.cluster_by, "repeat_by": options.repeat_by}
    checks = [
        NoRegression(metric, score=name, **limits, **fields) for metric, name in keys[0] if (metric, name) in keys[1]
    ]
    return [] if missing(*modules_of(checks)) else checks


def _results(first: Job, second: Job, checks: Sequence[NoRegression]) -> dict[tuple[str, str | None], CheckResult]:
    from airflow_provider_benchmarks.gates.run import run_gate
    from airflow_provider_benchmarks.gates.sources import FolderSource

    if not checks:
        return {}
    source = FolderSource(
        checks=checks, candidate_path=second.path, baseline_paths={"": first.path, "pinned": first.path}
    )
    results = run_gate(checks, source).results
    if any(result.observed is None or result.interval is None for result in results):
        _require_fields(source, [*checks[0].keys, checks[0].cluster_by, checks[0].repeat_by])
    return {(result.metric, result.score): result for result in results}


def _require_fields(source: FolderSource, names: Sequence[str | None]) -> None:
    """Refuse a field that the items of a job do not have.

    :raises ScoreNotFound: names it, and the nearest that there is
    """
    from airflow_provider_benchmarks.gates.evidence import NoBaseline
    from airflow_provider_benchmarks.gates.row_values import field_column

    for loaded in (*source.baselines([""]).values(), source.candidate()) if any(names) else ():
        if isinstance(loaded, NoBaseline) or loaded.scores.rows is None:
            continue
        for name in filter(None, names):
            try:
                field_column(loaded.scores.rows, name)
            except ScoreNotFound as error:
                raise ScoreNotFound(f"{loaded.scores.job}: {error}") from error


def _lines(scores: Sequence[JobScores], results: dict[tuple[str, str | None], CheckResult]) -> list[_Line]:
    first, second = ({(s.metric, s.name): s for s in job.aggregate.scores} for job in scores)
    labels = labels_of([*first.values(), *second.values()])
    return [_line(label, first.get(key), second.get(key), results.get(key)) for key, label in labels.items()]


def _line(label: str, first: AggregateScore | None, second: AggregateScore | None, result: CheckResult | None) -> _Line:
    means = [None if score is None else score.mean for score in (first, second)]
    known = [mean for mean in means if mean is not None]
    difference = known[1] - known[0] if len(known) == 2 else None
    if result is None:
        note = "" if first and second else f"only the {'first' if first else 'second'} job has it"
        return _Line(label=label, first=first, second=second, difference=difference, note=note)
    if result.observed is None:
        return _Line(label=label, first=first, second=second, difference=difference, note=result.reason)
    low, high = result.interval or (math.nan, math.nan)
    interval = (low, high) if math.isfinite(low) and math.isfinite(high) else None
    return _Line(
        label=label,
        first=first,
        second=second,
        difference=result.observed,
        interval=interval,
        count=result.count,
        note=_left_out(result),
    )


def _left_out(result: CheckResult) -> str:
    """What is not in the difference of the pairs, which the means are of all rows."""
    unpaired = result.details.get("missing")
    if not unpaired:
        return ""
    return (
        f"without {unpaired} rows that have no pair with the same item: --key names the fields that tell which is which"
    )


def _row(line: _Line) -> list[Any]:
    interval = None if line.interval is None else f"{line.interval[0]:+.4g} to {line.interval[1]:+.4g}"
    difference = None if line.difference is None else f"{line.difference:+.4g}"
    means = [None if score is None else score.mean for score in (line.first, line.second)]
    return [line.label, *means, difference, interval, line.count, line.note or None]


def _record(line: _Line) -> dict[str, Any]:
    some = line.first or line.second
    return {
        "metric_ref": some.metric if some else None,
        "name": some.name if some else None,
        "first": None if line.first is None else line.first.mean,
        "second": None if line.second is None else line.second.mean,
        "difference": line.difference,
        "interval": line.interval,
        "count": line.count,
        "note": line.note,
    }


def _without_empty_columns(sheet: Sheet) -> Sheet:
    """The same without the columns of which no row has anything."""
    kept = [i for i in range(len(sheet.columns)) if i < 4 or any(row[i] is not None for row in sheet.rows)]
    return Sheet(
        title=sheet.title,
        columns=[sheet.columns[i] for i in kept],
        rows=[[row[i] for i in kept] for row in sheet.rows],
    )
