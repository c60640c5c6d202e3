"""The work of the worker of a job that brings its metrics along, since 0.2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_benchmarks.testing._jobs.bundles import metric_keys
from airflow_provider_benchmarks.testing._jobs.datasets import DatasetError, load_dataset
from airflow_provider_benchmarks.testing._jobs.evaluate_logs import EvaluateLog
from airflow_provider_benchmarks.testing._jobs.evaluate_results import (
    RowCounts,
    count_rows,
    evaluate_bundles,
    pretty,
    read_scores,
    whole_result,
)
from airflow_provider_benchmarks.testing._jobs.evaluation import EvaluationError, Item
from airflow_provider_benchmarks.testing._jobs.result_files import add_result
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.identifiers import new_id
from airflow_provider_benchmarks.testing._state.job import Job, Task
from airflow_provider_benchmarks.testing._state.outcome import (
    EXIT_CODE_1,
    Failure,
    Outcome,
    ResultFiles,
    requested_outcome,
)
from airflow_provider_benchmarks.testing._state.state import State


def decide_outcome(state: State, job: Job, requested: ResultFiles | Failure | None) -> Outcome:
    """Decide how a job will end: as a test requested, or by evaluating it."""
    if requested is not None:
        return requested_outcome(requested)
    try:
        items = _load_items(state, job)
        results = evaluate_bundles(state.release, _metrics(job), items)
    except EvaluationError as error:
        return Outcome(error=("EvaluationError", str(error)), failed_row=error.row)
    except DatasetError:
        # The wording is not the service's.
        return Outcome(error=("ValueError", f"Failed to load dataset '{job.spec['dataset']}': it has no rows."))
    except NotImplementedError as error:
        return Outcome(error=("NotImplementedError", str(error)))
    return Outcome(results=results, rows=len(items))


def _metrics(job: Job) -> dict[str, dict[str, Any]]:
    """Return the metrics of a job by their keys in its results."""
    bundles = job.spec["metrics"]
    keys = metric_keys([bundle["metric_type"] for bundle in bundles])
    return {key: bundle["payload"]["metric"] for key, bundle in zip(keys, bundles, strict=True)}


def _load_items(state: State, job: Job) -> list[Item]:
    if job.spec["target"] is not None or job.spec["field_mapping"] is not None:
        raise NotImplementedError(
            "the local service calls no model and maps no fields: give the results with "
            "EvaluationService.give_results()"
        )
    dataset = job.spec["dataset"]
    if isinstance(dataset, str):
        workspace, _, name = dataset.partition("#")[0].rpartition("/")
        items = load_dataset(state.filesets.get((workspace or job.workspace, name)), dataset)
    else:
        items = list(dataset)
    return items[: (job.spec["params"] or {}).get("limit_samples")]


def log_start(state: State, job: Job, task: Task, rows: int | None) -> None:
    """Write the log lines with which an evaluation starts."""
    EvaluateLog(state, job, task).start()


def finish_work(state: State, job: Job, task: Task | None, outcome: Outcome) -> Outcome:
    """Store results and write log lines; return the outcome, which storing can still change."""
    if task is None:
        return outcome
    log = EvaluateLog(state, job, task)
    if outcome.results is None:
        if outcome.error is not None:
            log.failure(outcome)
        return outcome
    counts = count_rows(outcome.results)
    log.evaluated()
    _store(state, job, outcome.results, log)
    _register_entity(state, job, outcome.results, counts)
    failed = state.release.fails_without_scores and counts is not None and counts.scored == 0
    log.result(_result(state, job, counts, failed=failed))
    if counts is None or not state.release.counts_rows:
        return outcome
    job.status_details["evaluation"] = counts.details()
    return Outcome(message=EXIT_CODE_1, error=("EvaluationError", counts.message)) if failed else outcome


def _store(state: State, job: Job, results: ResultFiles, log: EvaluateLog) -> None:
    """Store the results in the service's order."""
    started = datetime.fromtimestamp(state.clock(), UTC).isoformat(timespec="microseconds")
    whole = StoredFile(whole_result(results))
    files: dict[str, StoredFile | None] = {"evaluation-results": whole}
    files["aggregate-scores"] = StoredFile(results.aggregate)
    if results.rows is not None:
        files["row-scores"] = results.rows
    if state.release.has_run_metadata:
        files["run-metadata"] = StoredFile(pretty({"run_id": job.name, "started_at": started}))
    files["artifacts"] = None
    for name, stored in files.items():
        path = add_result(state, job, name, stored)
        log.saved(name, job.results[name].artifact_url)
    state.filesets[job.workspace, job.fileset].files[f"{path}/evaluation-results.json"] = whole


def _register_entity(state: State, job: Job, results: ResultFiles, counts: RowCounts | None) -> None:
    """Store the scores as an entity of the job's name; an earlier one of a deleted job is replaced."""
    if not state.release.has_stored_results:
        return
    dataset = job.spec["dataset"]
    fields: dict[str, Any] = {
        "scores": {"scores": read_scores(results) or []},
        "bundle_ref": job.results["evaluation-results"].artifact_url,
        "dataset_ref": dataset if isinstance(dataset, str) else None,
        "metric_types": [bundle["metric_type"] for bundle in job.spec["metrics"]],
    }
    if state.release.counts_rows and counts is not None:
        fields |= {"row_count": counts.total, "error_row_count": counts.errored}
    entity = Entity(job.name, job.workspace, state.now(), new_id("evaluate-result"), fields)
    state.job_results[job.workspace, job.name] = entity


def _result(state: State, job: Job, counts: RowCounts | None, *, failed: bool) -> dict[str, Any]:
    """Return the result of a job as its log has it."""
    artifact = {"name": "evaluation-results", "artifact_url": job.results["evaluation-results"].artifact_url}
    result: dict[str, Any] = {"status": "failed" if failed else "completed", "artifact": artifact}
    if state.release.counts_rows and counts is not None:
        result["evaluation"] = counts.details()
    if failed and counts is not None:
        result["reason"] = counts.message
    return result
