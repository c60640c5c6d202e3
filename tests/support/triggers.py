"""Make triggers that wait for jobs, and count what they ask the service."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing import EvaluationService
from airflow_provider_benchmarks.testing.server import RecordedRequest
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.support.contexts import events_of

CONN_ID = "nemo_evaluator_default"


def trigger_for(
    job_name: str = "job-1", kind: type[BenchmarkJobTrigger] = BenchmarkJobTrigger, **arguments: Any
) -> BenchmarkJobTrigger:
    known = {"conn_id": CONN_ID, "workspace": None, "poll_interval": 0.05}
    return kind(**{**known, "job_name": job_name, **arguments})


async def event_of(trigger: BenchmarkJobTrigger) -> dict[str, Any]:
    (event,) = await events_of(trigger)
    return event


def looks(service: EvaluationService) -> int:
    """How many single jobs were looked at."""
    return sum(request.path.endswith("/status") for request in service.requests)


def listings(service: EvaluationService) -> list[RecordedRequest]:
    """The requests for lists of jobs."""
    return [request for request in service.requests if request.path.endswith("/benchmark-jobs")]
