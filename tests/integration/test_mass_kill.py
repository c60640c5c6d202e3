"""Many deferred tasks are killed at once: each job is cancelled, with few requests and one client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.triggers import _cancelling, _on_kill
from airflow_provider_benchmarks.triggers._airflow_requests import request_airflow_in_thread
from tests.integration.conftest import SPEC, WORKSPACE, cancels
from tests.support.contexts import until
from tests.support.triggers import trigger_for

States = list[tuple[bool, str | None]]


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


@pytest.fixture
def requests(monkeypatch) -> list[list[Any]]:
    """The requests to Airflow, which returns all tasks as failed."""
    asked: list[list[Any]] = []

    def states_of(tis: Sequence[Any]) -> States:
        asked.append(list(tis))
        return [(True, "failed")] * len(tis)

    monkeypatch.setattr(_on_kill, "_task_states", states_of)
    return asked


def task_of(number: int, **fields: Any) -> Any:
    known = {"dag_id": "nightly", "run_id": "r", "task_id": "run", "map_index": number}
    return SimpleNamespace(**{**known, **fields})


@pytest.fixture
def killed(service, client):
    """Start a number of triggers, each with a task and a job, and kill all tasks. Returns the jobs' names."""

    async def end(count: int, task: Callable[[int], Any] = task_of) -> list[str]:
        service.hold_jobs("active")
        names = [f"held-{number}" for number in range(count)]
        triggers = []
        for number, name in enumerate(names):
            await asyncio.to_thread(client.submit_job, SPEC, name=name)
            triggers.append(trigger_for(name, poll_interval=5, cancel_on_kill=True))
            triggers[-1].task_instance = task(number)

        async def run(trigger: Any) -> None:
            async for event in trigger.run():
                raise AssertionError(event)

        service.clear_requests()
        waiting = [asyncio.create_task(run(trigger)) for trigger in triggers]
        await until(lambda: service.requests)
        for each in waiting:
            each.cancel("user-action")
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)
        return names

    return end


async def test_all_map_indexes_of_a_task(service, requests, killed) -> None:
    before = service.connections
    names = await killed(300)
    assert sorted(cancels(service)) == sorted(names)
    assert len(requests) == 1
    assert service.connections - before <= 10
    assert (len(_on_kill._batches), len(_cancelling._cancellers)) == (0, 0)


async def test_an_airflow_that_does_not_respond_leaves_the_jobs_running_without_long_waits(
    service, killed, monkeypatch
) -> None:
    monkeypatch.setattr(_on_kill, "AIRFLOW_TIMEOUT_SECONDS", 0.1)
    silent, asked = threading.Event(), []

    def states_of(tis: Sequence[Any]) -> States:
        asked.append(tis)
        silent.wait(30)
        return [(True, "failed")] * len(tis)

    monkeypatch.setattr(_on_kill, "_task_states", states_of)
    await killed(10, lambda number: task_of(-1, task_id=f"task-{number}"))
    silent.set()
    await request_airflow_in_thread(lambda: None, timeout_seconds=60.0)  # after all other requests
    assert cancels(service) == []
    assert len(asked) == 1
