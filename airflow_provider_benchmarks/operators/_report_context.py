"""What an HTML report says besides the verdict: where its gate ran, on which model, and the scores of earlier jobs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.gates.report_context import PastJob, ReportContext
from airflow_provider_benchmarks.hooks.quick_requests import short_timeout_client
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.links import job_address
from airflow_provider_benchmarks.scores import JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.operators._service_source import ServiceSource

#: Earlier jobs that a report shows.
_JOBS = 30
#: For the request for the service's release.
_SECONDS = 10.0

logger = logging.getLogger(__name__)


def report_context(source: ServiceSource, *, task: str, ti: Any, policy: str | None) -> ReportContext:
    """Collect it; what can't be had is left out, with a warning.

    :param task: id of the gate, with ``[map_index]`` where it is mapped
    :param ti: its task instance
    :param policy: path of its policy file; None where the DAG has the checks
    """
    job = source.job
    model = job.spec.get("model") if isinstance(job, BenchmarkJob) else None
    return ReportContext(
        dag=str(ti.dag_id),
        task=task,
        run=str(getattr(ti, "run_id", "")),
        submitted="" if job.created_at is None else f"{job.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        model=_model_name(model),
        policy=policy or "in the DAG file",
        versions=_versions(source),
        links=_links(source, ti),
        history=_history(source),
    )


def _model_name(model: Any) -> str:
    """A model is a name, or an object that has one."""
    if isinstance(model, Mapping):
        model = next((model[name] for name in ("name", "model_id", "model") if model.get(name)), "")
    return model if isinstance(model, str) else ""


def _versions(source: ServiceSource) -> tuple[str, ...]:
    """Of Airflow, and of the service where it was asked for the job and does not hide its release."""
    from airflow import __version__ as airflow_version

    versions: tuple[str, ...] = (f"Airflow {airflow_version}",)
    if isinstance(source.job, BenchmarkJob):
        with suppress(BenchmarkError), short_timeout_client(source.hook.config) as client, client.within(_SECONDS):
            versions += (client.get_generation().title_of(client.get_platform_version()),)
    return versions


def _links(source: ServiceSource, ti: Any) -> dict[str, str]:
    links = {}
    try:
        if isinstance(source.job, BenchmarkJob):
            links["Benchmark job"] = job_address(source.hook, source.job.name, source.job.benchmark)
        links["Task log"] = str(getattr(ti, "log_url", ""))
    except Exception as error:  # noqa: BLE001  of whatever makes addresses: a report is worth more than its links
        logger.warning("The report lacks links: %s", error)
    return links


def _history(source: ServiceSource) -> tuple[PastJob, ...]:
    if source.store is None:
        return ()
    where = {"workspace": source.job.workspace, "benchmark": source.job.benchmark}
    try:
        found = source.store.history(**where, before=source.job.created_at, limit=_JOBS)
        return tuple(
            PastJob(
                scores=JobScores(job.aggregate.with_aliases(source.hook.aliases), job=job.job, content=job.content),
                outcome=_outcome(set(job.outcomes.values())),
                submitted=job.created_at.isoformat(),
            )
            for job in found
        )
    except Exception as error:  # noqa: BLE001  of any storage: a report is worth more than its history
        logger.warning("The report lacks earlier jobs, as the score store fails: %s", error)
        return ()


def _outcome(outcomes: set[str]) -> str:
    return next((outcome for outcome in ("fail", "inconclusive", "pass") if outcome in outcomes), "")
