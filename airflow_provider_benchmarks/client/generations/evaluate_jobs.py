"""NeMo Evaluator from 0.2 on: jobs that bring their metrics and their dataset along.

Its results name a metric by its type. The reference ``workspace/name`` that the submitter knows is kept in the job's
custom fields.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_benchmarks.benchmarks import JobRequest, JobSpec, bundle_spec, derived_name, is_reference
from airflow_provider_benchmarks.benchmarks.benchmark import hash_of
from airflow_provider_benchmarks.client.generations._job_json import dataset_of
from airflow_provider_benchmarks.client.generations._log_text import read_text_lines
from airflow_provider_benchmarks.client.generations.generation import Generation, Params, Release, quoted
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import BENCHMARK, METRIC_NAMES, BenchmarkJob, LogLine
from airflow_provider_benchmarks.scores.metric_names import MetricNames, checked_references

logger = logging.getLogger(__name__)


class EvaluateJobs(Generation):
    """Speak to the releases that have one prefix.

    :param service: what the platform calls its service, which its paths and its scopes are named after
    :param releases: first two numbers of the oldest and of the newest release that is known to have it
    :param is_newest: True if later releases are expected to have it, too
    """

    name = "evaluate-jobs"
    results_have_references = False
    reports_rows = True  # from 0.7 on
    fails_where = (
        f"{Generation.fails_where}, and at a submit where the params are those of another kind of job: with a target, "
        f'one of "ignore_request_failure", "max_retries" and "request_timeout" has to be there; without, none may'
    )
    can_tail_logs = True  # from 0.6 on; earlier releases ignore it and return the whole log

    def __init__(self, service: str, *, releases: tuple[Release, Release], is_newest: bool = False) -> None:
        self.prefix = f"/apis/{service}"
        self.releases = releases
        self.is_newest = is_newest
        oldest, newest = (".".join(map(str, release)) for release in releases)
        until = "and later" if is_newest else f"to {newest}"
        self.description = f'NeMo Evaluator {oldest} {until} ("{service}" v2)'
        self.scopes = (
            '"evaluator:read" and "evaluator:write"'  # those keep their name where the service is called evals
        )

    def jobs_path(self, workspace: str) -> str:
        return f"{self._home(workspace)}/evaluate/jobs"

    def job_spec(self, request: JobRequest) -> JobSpec:
        return bundle_spec(request)

    def stored_scores_path(self, workspace: str, job: str) -> str:
        return f"{self._home(workspace)}/eval-results/{quoted(job, 'benchmark job')}"

    def stored_dataset_params(self) -> Params:
        return {}

    def read_stored_dataset(self, payload: Any) -> str:
        return dataset_of(payload.get("dataset_ref"))

    def read_job(self, payload: Any, *, workspace: str) -> BenchmarkJob:
        job = super().read_job(payload, workspace=workspace)
        benchmark = job.custom_fields.get(BENCHMARK)
        rows = job.spec.get("dataset")
        return replace(
            job,
            benchmark=benchmark if benchmark and isinstance(benchmark, str) else _derived_name(job),
            dataset=_rows_digest(rows) if isinstance(rows, list) else job.dataset,
        )

    def read_log_lines(self, payload: Any) -> list[LogLine]:
        return [line for entry in super().read_log_lines(payload) for line in read_text_lines(entry)]

    def metric_names(self, job: BenchmarkJob) -> MetricNames:
        references = job.custom_fields.get(METRIC_NAMES)
        try:
            known = {} if references is None else checked_references(references)
        except ConfigurationError as error:
            logger.warning('%s: its field "%s" is not used: %s', job, METRIC_NAMES, error)
            known = {}
        return MetricNames(scores={**dict.fromkeys(known, ()), **_scores_of_keys(job.spec)}, references=known)

    def is_name_taken(self, detail: str) -> bool:
        # The latter says the platform of two submits at once, and of any conflict that it has no words for.
        return super().is_name_taken(detail) or "conflicts with existing platform state" in detail

    def _home(self, workspace: str) -> str:
        return f"{self.prefix}/v2/workspaces/{quoted(workspace, 'workspace')}"


def _scores_of_keys(spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Names of the scores by the key that results have for a metric: its type, and a number where the type repeats."""
    metrics = spec.get("metrics")
    found: dict[str, tuple[str, ...]] = {}
    for bundle in metrics if isinstance(metrics, list) else ():
        kind = bundle.get("metric_type") if isinstance(bundle, dict) else None
        if not isinstance(kind, str):
            continue
        key, number = kind, 1
        while key in found:
            number += 1
            key = f"{kind}_{number}"
        outputs = bundle.get("outputs")
        names = (each.get("name") for each in outputs if isinstance(each, dict)) if isinstance(outputs, list) else ()
        found[key] = tuple(name for name in names if isinstance(name, str))
    return found


def _derived_name(job: BenchmarkJob) -> str:
    """The name of a benchmark that the submitter has not named; empty where the spec is not known."""
    metrics = job.spec.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        return _name_without_metrics(job)
    keys = list(_scores_of_keys(job.spec))
    definitions = [_definition(metric) for metric in metrics]
    if mapping := job.spec.get("field_mapping"):  # it says which fields of the dataset the metrics read
        definitions.append({"field_mapping": mapping})
    return derived_name(job.workspace, dataset=job.spec.get("dataset"), keys=keys, metrics=definitions)


def _name_without_metrics(job: BenchmarkJob) -> str:
    """The name for a spec of a release that is not known: the benchmark that it names, or one of what there is."""
    if not job.spec:
        return ""
    if is_reference(job.benchmark):
        return job.benchmark
    rest = {key: value for key, value in job.spec.items() if key not in ("dataset", "params")}
    return derived_name(job.workspace, dataset=job.spec.get("dataset"), keys=(), metrics=rest)


def _definition(metric: Any) -> Any:
    """What defines a metric of a spec: its body, without what the service has added around it."""
    payload = metric.get("payload") if isinstance(metric, dict) else None
    return payload.get("metric", metric) if isinstance(payload, dict) else metric


def _rows_digest(rows: list[Any]) -> str:
    """Stands for a dataset that a spec holds itself, so that two jobs on the same rows have the same dataset."""
    return f"{len(rows)} rows, sha256 {hash_of(rows)}"
