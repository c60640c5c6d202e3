"""Make triggers that wait for jobs, and count what they ask the service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from airflow_provider_benchmarks.client import BenchmarkClient
from airflow_provider_benchmarks.testing import EvaluationService, RecordedRequest
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.integration.conftest import SPEC
from tests.support.contexts import events_of

CONN_ID = "nemo_evaluator_default"
LIMIT = 60.0


class Telling(BenchmarkJobTrigger):
    """Logs through the standard library, which tests can listen to on every version of Airflow."""

    log = logging.getLogger("trigger")


def trigger_for(
    job_name: str = "job-1", kind: type[BenchmarkJobTrigger] = BenchmarkJobTrigger, **arguments: Any
) -> BenchmarkJobTrigger:
    known = {"conn_id": CONN_ID, "workspace": None, "poll_interval": 0.05}
    return kind(**{**known, "job_name": job_name, **arguments})


async def event_of(trigger: BenchmarkJobTrigger) -> dict[str, Any]:
    (event,) = await events_of(trigger)
    return event


def polls(service: EvaluationService) -> int:
    """How many single jobs were looked at."""
    return sum(request.path.endswith("/status") for request in service.requests)


def listings(service: EvaluationService) -> list[RecordedRequest]:
    """The requests for lists of jobs."""
    lists = (request for request in service.requests if request.path.endswith("/benchmark-jobs"))
    return [request for request in lists if request.method == "GET"]


def held_jobs(service: EvaluationService, client: BenchmarkClient, count: int) -> list[str]:
    """Make a number of jobs that stay active, as far as they can get, until they are released."""
    service.hold_jobs("active")
    names = [f"held-{i}" for i in range(count)]
    for name in names:
        client.submit_job(SPEC, name=name)
    limit = time.monotonic() + LIMIT
    while any(job.progress != 100 for job in client.list_jobs() if job.name in names):
        assert time.monotonic() < limit
        time.sleep(0.01)
    service.clear_requests()
    return names


def wait_for_all(names: Iterable[str], **arguments: Any) -> list[asyncio.Task[dict[str, Any]]]:
    """Let triggers wait for jobs."""
    return [asyncio.create_task(event_of(trigger_for(name, **arguments))) for name in names]


async def statuses_of(waiting: Iterable[asyncio.Task[dict[str, Any]]]) -> list[str]:
    return [event["status"] for event in await asyncio.gather(*waiting)]
