"""What a wait reports after status requests, which have a job's steps, and lists, which do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_benchmarks.client import GENERATIONS
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.triggers._job_wait import JobWait


@pytest.fixture
def job(recorded) -> Callable[..., BenchmarkJob]:
    def make(*, steps: list[dict[str, Any]], progress: float | None, status: str = "active") -> BenchmarkJob:
        details = {} if progress is None else {"progress": progress}
        # The wait of an older job goes on with one that another triggerer has begun, and says less at first.
        times = {"created_at": datetime.now(UTC).isoformat()}
        return GENERATIONS["benchmark-jobs"].read_job(
            {**recorded(147), **times, "status": status, "steps": steps, "status_details": details},
            workspace="my-workspace",
        )

    return make


@pytest.fixture
def wait(job) -> JobWait:
    """A wait that has polled its job once."""
    made = JobWait("slow-1", "my-workspace", interval=1.0, deadline=None)
    made.update(job(status="pending", steps=[], progress=None))
    return made


async def lines(wait: JobWait, count: int) -> list[str]:
    reports = [await asyncio.wait_for(wait.next_report(), 60) for _ in range(count)]
    return [report.text.partition(": ")[2].partition(", submitted ")[0] for report in reports]


async def test_the_first_step_alone_is_not_the_last_one(wait, job, recorded):
    first, _ = recorded(147)["steps"]
    wait.update(job(steps=[{**first, "status": "active"}], progress=None))
    assert not wait.wants_steps
    wait.update(job(steps=[], progress=20.0))
    assert wait.wants_steps
    assert await lines(wait, 3) == ["pending", "active, step dataset-download", "active, 20 %"]


async def test_the_last_step_stays_the_last_one(wait, job, recorded):
    wait.update(job(steps=recorded(147)["steps"], progress=20.0))
    wait.update(job(steps=[], progress=40.0))
    assert not wait.wants_steps
    assert await lines(wait, 3) == ["pending", "active, step evaluation, 20 %", "active, step evaluation, 40 %"]
