"""Show the scores of a benchmark in a score store, over its jobs, newest first.

Exits with 0 when there are jobs, and 2 when there are none, or they could not be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.commands.output import show, to_stderr
from airflow_provider_benchmarks.commands.sheets import Sheet, add_format, shown
from airflow_provider_benchmarks.commands.stored_jobs import add_store, benchmark_of, labels_of, no_jobs, require_store
from airflow_provider_benchmarks.exceptions import ConfigurationError, ScoreNotFound
from airflow_provider_benchmarks.inert import one_line

if TYPE_CHECKING:
    from airflow_provider_benchmarks.scores import AggregateScores
    from airflow_provider_benchmarks.store import StoredJob

NAME = "history"
FAILURE = "could not show the history"
EXAMPLE = "history my-workspace/qa-bench --store s3://bucket/benchmark-scores --limit 30"
_STATISTICS = ("mean", "std_dev", "min", "max", "sum", "count", "nan_count")
#: The outcome that stands for several, the first that is among them.
_WORST_FIRST = ("fail", "inconclusive", "pass")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("benchmark", metavar="WORKSPACE/NAME", help="the benchmark")
    add_store(parser)
    parser.add_argument("--limit", type=int, default=20, help="maximum number of jobs; default: 20")
    parser.add_argument("--metric", help="only scores of this metric, with or without its workspace; default: all")
    parser.add_argument("--statistic", choices=_STATISTICS, default="mean", help="of each score; default: mean")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print the history, and return the exit code."""
    with to_stderr():
        page = _history(options)
    show(page())
    return 0


def _history(options: argparse.Namespace) -> Callable[[], str]:
    from airflow_provider_benchmarks.store.pins import PINNED, read_pin

    if options.limit < 1:
        raise ConfigurationError(f"--limit must be 1 or more, found {options.limit}")
    store = require_store(options)
    workspace, benchmark = benchmark_of(options)
    jobs = store.history(workspace=workspace, benchmark=benchmark, limit=options.limit)
    if not jobs:
        raise no_jobs(store, workspace, benchmark)
    pinned = read_pin(f"{store.folder(workspace, benchmark)}/{PINNED}")
    data = [_record(job, is_pinned=job.job == pinned) for job in jobs]
    return partial(shown, [_sheet(jobs, pinned, options)], options.format, data)


def _sheet(jobs: Sequence[StoredJob], pinned: str | None, options: argparse.Namespace) -> Sheet:
    scores = labels_of(score for job in jobs for score in job.aggregate.scores)
    names = (options.metric, None)
    chosen = {key: label for key, label in scores.items() if key[0] in names or key[0].rpartition("/")[2] in names}
    if options.metric and not chosen:
        known = one_line(brief_names(dict.fromkeys(metric for metric, _ in scores)))
        raise ScoreNotFound(f'no job has metric "{shortened(options.metric)}"; they have: {known}')
    scores = chosen or scores
    rows = [
        [
            job.job,
            f"{job.created_at:%Y-%m-%d %H:%M}",
            _outcome(job),
            "pinned" if job.job == pinned else "",
            *_values(job.aggregate, scores, options.statistic),
        ]
        for job in jobs
    ]
    title = f"{options.benchmark}: {options.statistic} of {len(jobs)} job{'' if len(jobs) == 1 else 's'}, newest first"
    return Sheet(title=title, columns=("job", "created (UTC)", "gates", "baseline", *scores.values()), rows=rows)


def _values(aggregate: AggregateScores, scores: dict[tuple[str, str], str], statistic: str) -> list[float | None]:
    found = {(score.metric, score.name): getattr(score, statistic) for score in aggregate.scores}
    return [found.get(key) for key in scores]


def _outcome(job: StoredJob) -> str | None:
    """The worst outcome of the gates that judged a job; None where none has."""
    outcomes = set(job.outcomes.values())
    return next((each for each in _WORST_FIRST if each in outcomes), next(iter(sorted(outcomes)), None))


def _record(job: StoredJob, *, is_pinned: bool) -> dict[str, Any]:
    return {
        "job": job.job,
        "workspace": job.workspace,
        "benchmark": job.benchmark,
        "created_at": job.created_at.isoformat(),
        "gates": job.outcomes,
        "pinned": is_pinned,
        "scores": job.aggregate.to_records(),
    }
