"""Show the scores of a job, or a verdict.

A job is a folder of scores, a file of aggregate scores, or the name of a job in the score store. A verdict is a report
in JSON, or with --gate that of a gate on a job of the store.

Exits with 0 when it could be shown, whatever the verdict, and 2 when not.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.commands.output import show, to_stderr
from airflow_provider_benchmarks.commands.sheets import Sheet, add_format, shown
from airflow_provider_benchmarks.commands.stored_jobs import Job, add_store, find_job, require_store
from airflow_provider_benchmarks.commands.verdicts import verdict_text
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, NotStored

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates import Verdict
    from airflow_provider_benchmarks.scores import AggregateScores

NAME = "show"
FAILURE = "could not show"
EXAMPLE = "show nightly-2026-03-01 --store s3://bucket/benchmark-scores"
#: The columns of scores: the keys of records.
SCORE_COLUMNS = ("metric_ref", "name", "mean", "std_dev", "min", "max", "count", "nan_count")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", metavar="JOB|FILE", help="name or folder of a job, or a file of scores or of a verdict")
    add_store(parser)
    parser.add_argument("--gate", metavar="DAG_ID.TASK_ID", help="show the verdict of this gate on the job")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print it, and return the exit code."""
    with to_stderr():
        page = _text(options)
    show(page())
    return 0


def scores_sheet(aggregate: AggregateScores, title: str = "") -> Sheet:
    """A table of scores, one a line."""
    records = aggregate.to_records()
    rows = [[record.get(column) for column in SCORE_COLUMNS] for record in records]
    return Sheet(title=title, columns=SCORE_COLUMNS, rows=rows)


def _text(options: argparse.Namespace) -> Callable[[], str]:
    from airflow_provider_benchmarks.gates.sources import load_scores

    if (verdict := _verdict_in(options.what)) is not None:
        if options.gate is not None:
            raise ConfigurationError(f"{options.what} is a verdict: leave --gate out, or name a job")
        return partial(verdict_text, verdict, options.format)
    job = find_job(options.what, options)
    if options.gate is not None:
        verdict = _verdict_of(job, options.gate, _verdict_path(job, options.gate))
        return partial(verdict_text, verdict, options.format)
    outcomes = require_store(options).outcomes(job.stored) if job.stored and options.store else {}
    aggregate = job.stored.aggregate if job.stored else load_scores(job.path, ()).scores.aggregate
    data = {**_about(job), "gates": outcomes, "scores": aggregate.to_records()}
    title = ", ".join(f"{name} {value}" for name, value in _about(job).items() if value is not None)
    sheets = [scores_sheet(aggregate, title)]
    if outcomes:
        sheets.append(Sheet(columns=("gate", "outcome"), rows=[list(each) for each in outcomes.items()]))
    return partial(shown, sheets, options.format, data)


def _about(job: Job) -> dict[str, Any]:
    stored = job.stored
    if stored is None:
        return {"job": job.name}
    return {
        "job": stored.job,
        "benchmark": stored.benchmark,
        "created": f"{stored.created_at:%Y-%m-%d %H:%M} UTC",
        "rows": None if stored.rows is None else stored.rows.rows,
    }


def _verdict_in(path: str) -> Verdict | None:
    """The verdict in a file; None where there is no file, or it is of something else."""
    from airflow_provider_benchmarks.scores.json_values import parse_json

    if not path.endswith(".json") or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        content = file.read()
    try:
        data = parse_json(content)
    except ValueError:
        return None
    if not isinstance(data, dict) or "results" not in data:
        return None
    results = data["results"] if isinstance(data["results"], list) else []
    # One that is damaged is told as what it was.
    is_verdict = "outcome" in data or any(isinstance(each, dict) and "check" in each for each in results)
    return _read_verdict(data, path) if is_verdict else None


def _verdict_path(job: Job, gate: str) -> str:
    from urllib.parse import quote

    from airflow_provider_benchmarks.store.folder_names import gate_name

    return f"{job.path.rstrip('/')}/verdict-{quote(gate_name(gate), safe='')}.json"


def _verdict_of(job: Job, gate: str, path: str) -> Verdict:
    from airflow_provider_benchmarks.scores.json_values import parse_json
    from airflow_provider_benchmarks.store.stored_file import read_if_there

    content = read_if_there(path)
    if content is None:
        raise NotStored(f'gate "{shortened(gate)}" has not judged job "{job.name}": {path} is not there')
    try:
        data = parse_json(content)
    except ValueError as error:
        raise IncompleteResults(f"{path} holds no verdict: {shortened(error)}") from error
    return _read_verdict(data, path)


def _read_verdict(data: Any, path: str) -> Verdict:
    from airflow_provider_benchmarks.gates import Verdict

    try:
        return Verdict.from_dict(data)
    except ConfigurationError as error:
        raise IncompleteResults(f"{path} is of another release of this package: {shortened(error)}") from error
    except IncompleteResults as error:
        raise IncompleteResults(f"{path} holds no verdict: {error}") from error
