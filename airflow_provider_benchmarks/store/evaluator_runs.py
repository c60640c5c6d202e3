"""Put the results of other evaluators into a score store, as the jobs of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_benchmarks.benchmarks.recorded import RecordedBenchmark
from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.extras import PARQUET, require
from airflow_provider_benchmarks.formats import RowFormat
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.scores.json_values import json_text
from airflow_provider_benchmarks.scores.results_files import EvaluatorRun, read_runs
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.row_files import store_rows
from airflow_provider_benchmarks.store.score_store import ScoreStore
from airflow_provider_benchmarks.store.stored_file import StoredFile
from airflow_provider_benchmarks.store.stored_job import StoredJob


def store_results(
    path: Any, store: ScoreStore, *, benchmark: str | None = None, format: str = "auto", task: str | None = None
) -> list[StoredJob]:
    """Put the results of another evaluator into a score store: a job for each benchmark that it has run.

    A job is named by the model, the day and a hash of all that was read, so that the same results are the same job, and
    are stored once. What defines the task is kept with it, so that two versions of it are not compared silently.

    :param path: as :func:`~airflow_provider_benchmarks.scores.read_results` takes it
    :param benchmark: reference ``workspace/name`` to store a single benchmark as; ``evaluator/task`` when None
    :param task: store this benchmark only
    :raises ConfigurationError: there are no results, an extra is missing, or the reference is none or is for several
    :raises IncompleteResults: the results are damaged, cut short, or of a run that did not end well
    """
    require("a score store keeps rows as Parquet, and for the results of other evaluators needs", *PARQUET)
    _check_reference(benchmark)
    runs = read_runs(path, format, task=task)
    if benchmark is not None and len(runs) > 1:
        raise ConfigurationError(
            f'{path} has the results of {len(runs)} benchmarks, which can\'t all be "{benchmark}": '
            f"{brief_names(run.task for run in runs)}. Name one with task=, or leave benchmark= out."
        )
    return [store_run(run, store, benchmark=benchmark or run.benchmark, path=str(path)) for run in runs]


def store_run(run: EvaluatorRun, store: ScoreStore, *, benchmark: str, path: str) -> StoredJob:
    """Put one benchmark of a run into a score store, unless it is there already.

    :param benchmark: reference ``workspace/name``; the job is in this workspace
    :param path: where the results were read from, for people
    """
    job = BenchmarkJob(
        name=run.job,
        workspace=benchmark.partition("/")[0],
        benchmark=benchmark,
        status=JobStatus.COMPLETED,
        created_at=run.created_at,
        spec={"evaluator": run.tool, "task": run.task, "model": run.model, **run.version},
        custom_fields=_custom_fields(run, benchmark, path),
    )

    def write(place: Place) -> StoredFile:
        lines = _lines(run)
        return store_rows(lines, place, row_format=RowFormat(name="parquet"), expected_rows=len(run.rows))

    return store.add(job, run.aggregate, store_rows=write)


def _custom_fields(run: EvaluatorRun, benchmark: str, path: str) -> dict[str, Any]:
    recorded = {} if run.content is None else RecordedBenchmark(benchmark, run.content).to_custom_fields()
    return {"results": path, **recorded}


def _lines(run: EvaluatorRun) -> Iterator[bytes]:
    return (f"{json_text(row.to_dict())}\n".encode() for row in run.rows)


def _check_reference(benchmark: str | None) -> None:
    if benchmark is not None:
        workspace, slash, name = benchmark.partition("/")
        if not (workspace and slash and name) or "/" in name:
            raise ConfigurationError(f'expected a benchmark as "workspace/name", found "{shortened(benchmark)}"')
