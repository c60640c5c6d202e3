"""The work of 0.1's worker at the end of a job: score the rows, store the results, log errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_benchmarks.testing._jobs import logs
from airflow_provider_benchmarks.testing._jobs.datasets import DatasetError, load_dataset
from airflow_provider_benchmarks.testing._jobs.evaluation import Evaluation, EvaluationError, evaluate
from airflow_provider_benchmarks.testing._jobs.result_files import add_result
from airflow_provider_benchmarks.testing._jobs.result_schemas import validate_aggregate
from airflow_provider_benchmarks.testing._jobs.scenarios import result_files
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.identifiers import new_id
from airflow_provider_benchmarks.testing._state.job import Job, Task
from airflow_provider_benchmarks.testing._state.outcome import Failure, Outcome, ResultFiles, requested_outcome
from airflow_provider_benchmarks.testing._state.state import State

_STEP = "evaluation"


def decide_outcome(state: State, job: Job, requested: ResultFiles | Failure | None) -> Outcome:
    """Decide how a job will end: as a test requested, or by evaluating it."""
    if requested is not None:
        return requested_outcome(requested)
    try:
        evaluation = _evaluate(state, job)
    except EvaluationError as error:
        return Outcome(error=("EvaluationError", str(error)), failed_row=error.row)
    except DatasetError as error:
        return Outcome(error=("ValueError", _dataset_message(state, job, error)))
    except NotImplementedError as error:
        return Outcome(error=("NotImplementedError", str(error)))
    return Outcome(results=result_files(evaluation.aggregate, evaluation.rows), rows=len(evaluation.rows))


def _benchmark(state: State, job: Job) -> Mapping[str, Any]:
    workspace, _, name = job.benchmark.partition("/")
    benchmark = state.benchmarks.get((workspace, name))
    return benchmark.fields if benchmark else {}


def _evaluate(state: State, job: Job) -> Evaluation:
    benchmark = _benchmark(state, job)
    if "model" in job.spec or "agent" in job.spec or "dataset" not in benchmark:
        raise NotImplementedError(
            "the local service calls no model and knows no industry benchmark: give the results with "
            "EvaluationService.give_results()"
        )
    metrics = {}
    for reference in benchmark["metrics"]:
        workspace, _, name = reference.partition("/")
        metrics[reference] = state.metrics[workspace, name].fields
    reference = benchmark["dataset"]
    workspace, _, name = reference.partition("#")[0].partition("/")
    items = load_dataset(state.filesets.get((workspace, name)), reference)
    limit = (job.spec.get("params") or {}).get("limit_samples")
    return evaluate(metrics, items[:limit])


def _dataset_message(state: State, job: Job, error: DatasetError) -> str:
    reference = _benchmark(state, job)["dataset"]
    folder = f"{job.storage}/datasets/{reference.partition('#')[0]}"
    return (
        f"Failed to load benchmark dataset '{reference}': No data could be loaded from {folder} "
        f"(pattern: {error.pattern}). The dataset should have been downloaded by the dataset-download step."
    )


def finish_work(state: State, job: Job, task: Task | None, outcome: Outcome) -> Outcome:
    """Store results and write log lines; return the outcome, which storing can still change."""
    if task is None:
        return outcome
    if outcome.results is not None:
        outcome = _store(state, job, task, outcome)
    if outcome.error is not None:
        _log_error(state, job, task, outcome)
    return outcome


def _store(state: State, job: Job, task: Task, outcome: Outcome) -> Outcome:
    results = outcome.results
    assert results is not None
    job.status_details["progress"] = 100.0
    if outcome.rows is not None:
        job.status_details["samples_processed"] = outcome.rows
    try:
        aggregate = validate_aggregate(results.aggregate)
    except ValueError:  # given as damaged bytes: stored as they are, and the download fails
        aggregate = None
    _log_scores(state, job, task, aggregate)
    if (job.workspace, job.name) in state.job_results:
        message = f"Entity with name '{job.name}' already exists in workspace '{job.workspace}'"
        return Outcome(error=("EntityConflictError", message))
    if aggregate is not None:
        _register_entity(state, job, aggregate)
    _store_files(state, job, results)
    if aggregate is not None and not any(score["count"] for entry in aggregate for score in entry["scores"]):
        message = f"Job {job.name} completed but no evaluation results detected. Job marked as failed."
        return Outcome(error=("ValueError", message))
    return outcome


def _store_files(state: State, job: Job, results: ResultFiles) -> None:
    artifacts = {"job.json": StoredFile(json.dumps(job.spec, indent=2).encode())}
    add_result(state, job, "aggregate-scores", StoredFile(results.aggregate))
    artifacts["aggregate-scores.json"] = StoredFile(results.aggregate)
    if results.rows is not None:
        add_result(state, job, "row-scores", results.rows)
        artifacts["row-scores.jsonl"] = results.rows
    path = add_result(state, job, "artifacts", None)
    files = state.filesets[job.workspace, job.fileset].files
    files.update({f"{path}/{name}": stored for name, stored in artifacts.items()})


def _register_entity(state: State, job: Job, aggregate: list[dict[str, Any]]) -> None:
    benchmark = _benchmark(state, job)
    fields = {
        "dataset": benchmark.get("dataset"),
        "labels": benchmark.get("labels", {}),
        "benchmark": job.benchmark,
        "metrics": benchmark.get("metrics"),
        "model": job.spec.get("model") if isinstance(job.spec.get("model"), str) else None,
        "results": aggregate,
    }
    entity = Entity(job.name, job.workspace, state.now(), new_id("benchmark-job-result"), fields)
    state.job_results[job.workspace, job.name] = entity


def log_start(state: State, job: Job, task: Task, rows: int | None) -> None:
    logs.add_import_warning(job, _STEP, task, "evaluate_benchmark")
    benchmark = _benchmark(state, job)
    count = len(benchmark.get("metrics") or ())
    _log(state, job, task, "Starting benchmark evaluation", benchmark_name=job.benchmark, metric_count=count)
    if rows is not None:
        _log(state, job, task, f"Loaded {rows} items from benchmark dataset '{benchmark.get('dataset')}'")


def _log(state: State, job: Job, task: Task, message: str, *, level: str = "info", **fields: Any) -> None:
    logs.add_record(state, job, _STEP, task, message, level=level, **fields)


def _log_scores(state: State, job: Job, task: Task, aggregate: list[dict[str, Any]] | None) -> None:
    for entry in aggregate or ():
        means = {s["name"]: None if s["mean"] is None else round(s["mean"], 4) for s in entry["scores"]}
        _log(state, job, task, "Metric evaluation completed", metric_ref=entry["metric"], scores=means)
    _log(state, job, task, "Benchmark evaluation completed", benchmark_name=job.benchmark)
    path = f"{job.storage}/results/aggregate-scores.json"
    logger = "nmp.evaluator.app.jobs.metric_results"
    _log(state, job, task, "Registering result entity", logger=logger, aggregate_scores_path=path)


def _log_error(state: State, job: Job, task: Task, outcome: Outcome) -> None:
    assert outcome.error is not None
    error_type, message = outcome.error
    if outcome.failed_row is not None:
        error = {"root_error_type": error_type, "root_error": message, "raw_error_type": "ExceptionGroup"}
        _log(state, job, task, "Benchmark streaming pipeline failed", level="error", **error)
        _log(
            state,
            job,
            task,
            "Benchmark evaluation failed",
            level="error",
            phase="metric_scoring",
            metric_key=outcome.failed_row.metric,
            row_index=outcome.failed_row.row_index,
            error=outcome.failed_row.cause,
            exception=logs.traceback_text(error_type, message),
        )
    logs.add_task_error(state, job, _STEP, task, error_type=error_type, message=message)
