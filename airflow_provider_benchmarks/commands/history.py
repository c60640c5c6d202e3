"""Show the scores of a benchmark in a score store, over its jobs, newest first.

Exits with 0 when there are jobs, and 2 when there are none, or they could not be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief_names, did_you_mean, followed, shortened
from airflow_provider_benchmarks.commands.output import show, to_stderr
from airflow_provider_benchmarks.commands.sheets import Sheet, add_format, shown
from airflow_provider_benchmarks.commands.stored_jobs import (
    add_store,
    benchmark_of,
    labels_of,
    no_jobs,
    require_store_there,
)
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
    parser.add_argument("--statistic", choices=_STATISTICS, help="of each score; default: mean, and all in json")
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
    store = require_store_there(options)
    workspace, benchmark = benchmark_of(options)
    jobs = store.history(workspace=workspace, benchmark=benchmark, limit=options.limit)
    if not jobs:
        raise no_jobs(store, workspace, benchmark)
    pinned = read_pin(f"{store.folder(workspace, benchmark)}/{PINNED}")
    labels = _labels(jobs, options.metric)
    data = [_record(job, labels, options.statistic, is_pinned=job.job == pinned) for job in jobs]
    return partial(shown, [_sheet(jobs, labels, pinned, options)], options.format, data)


def _labels(jobs: Sequence[StoredJob], metric: str | None) -> dict[tuple[str, str], str]:
    """The scores that are shown.

    :param metric: with or without its workspace; None for all
    :raises ScoreNotFound: no job has it
    """
    scores = labels_of(score for job in jobs for score in job.aggregate.scores)
    if metric is None:
        return scores
    chosen = {key: label for key, label in scores.items() if metric in (key[0], key[0].rpartition("/")[2])}
    if not chosen:
        references = list(dict.fromkeys(reference for reference, _ in scores))
        meant = did_you_mean(metric, [*references, *(each.rpartition("/")[2] for each in references)])
        words = f'no job has metric "{shortened(metric)}"{meant}'
        raise ScoreNotFound(followed(words, f"They have: {one_line(brief_names(references))}"))
    return chosen


def _sheet(
    jobs: Sequence[StoredJob], scores: dict[tuple[str, str], str], pinned: str | None, options: argparse.Namespace
) -> Sheet:
    statistic = options.statistic or "mean"
    rows = [
        [
            job.job,
            f"{job.created_at:%Y-%m-%d %H:%M}",
            _outcome(job),
            "pinned" if job.job == pinned else "",
            *_values(job.aggregate, scores, statistic),
        ]
        for job in jobs
    ]
    title = f"{options.benchmark}: {statistic} of {len(jobs)} job{'' if len(jobs) == 1 else 's'}, newest first"
    return Sheet(title=title, columns=("job", "created (UTC)", "gates", "baseline", *scores.values()), rows=rows)


def _values(aggregate: AggregateScores, scores: dict[tuple[str, str], str], statistic: str) -> list[float | None]:
    found = {(score.metric, score.name): getattr(score, statistic) for score in aggregate.scores}
    return [found.get(key) for key in scores]


def _outcome(job: StoredJob) -> str | None:
    """The worst outcome of the gates that judged a job; None where none has."""
    outcomes = set(job.outcomes.values())
    return next((each for each in _WORST_FIRST if each in outcomes), next(iter(sorted(outcomes)), None))


def _record(
    job: StoredJob, scores: dict[tuple[str, str], str], statistic: str | None, *, is_pinned: bool
) -> dict[str, Any]:
    """A job for the form ``json``.

    :param scores: those that are shown
    :param statistic: the one of each that is shown; None for all
    """
    records = [each for each in job.aggregate.to_records() if (each["metric_ref"], each["name"]) in scores]
    if statistic is not None:
        records = [{key: each[key] for key in ("metric_ref", "name", statistic)} for each in records]
    return {
        "job": job.job,
        "workspace": job.workspace,
        "benchmark": job.benchmark,
        "created_at": job.created_at.isoformat(),
        "gates": job.outcomes,
        "pinned": is_pinned,
        "scores": records,
    }
