"""Many deferred tasks are ended at once: each job is cancelled, with few questions, one client, and nobody left out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _cancelling, _killed
from airflow_provider_benchmarks.triggers._asking import ask_in_thread
from tests.integration.conftest import SPEC, WORKSPACE, cancels
from tests.support.contexts import until
from tests.support.triggers import trigger_for

States = list[tuple[bool, str | None]]


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


@pytest.fixture
def questions(monkeypatch) -> list[list[Any]]:
    """What Airflow is asked, which knows all tasks as failed."""
    asked: list[list[Any]] = []

    def states_of(tis: Sequence[Any]) -> States:
        asked.append(list(tis))
        return [(True, "failed")] * len(tis)

    monkeypatch.setattr(_killed, "_states_of", states_of)
    return asked


def task_of(number: int, **fields: Any) -> Any:
    known = {"dag_id": "nightly", "run_id": "r", "task_id": "run", "map_index": number}
    return SimpleNamespace(**{**known, **fields})


@pytest.fixture
def ended(service, client):
    """Let triggers wait for jobs of their own, each in a task, and end all of the tasks; gives the jobs' names."""

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


async def test_all_map_indexes_of_a_task(service, questions, ended) -> None:
    before = service.connections
    names = await ended(300)
    assert sorted(cancels(service)) == sorted(names)
    assert len(questions) == 1
    assert service.connections - before <= 10
    assert (len(_killed._questions), len(_cancelling._cancellers)) == (0, 0)


async def test_all_runs_of_a_task(service, questions, ended) -> None:
    names = await ended(120, lambda number: task_of(-1, run_id=f"run-{number}"))
    assert sorted(cancels(service)) == sorted(names)
    assert [len(asked) for asked in questions] == [50, 50, 20]


async def test_a_limit_is_for_one_call_and_not_for_the_wait_for_its_turn(
    service, questions, ended, monkeypatch
) -> None:
    monkeypatch.setattr(_cancelling, "_LIMIT", 3.0)
    monkeypatch.setattr(_killed, "_LIMIT", 3.0)
    answers = _killed._states_of

    def slowly(tis: Sequence[Any]) -> States:
        time.sleep(0.4)
        return answers(tis)

    monkeypatch.setattr(_killed, "_states_of", slowly)
    service.inject(Fault.delay(0.8).on("POST", "*/cancel", times=None))
    names = await ended(20, lambda number: task_of(-1, task_id=f"task-{number % 10}", run_id=f"run-{number}"))
    assert sorted(cancels(service)) == sorted(names)
    assert len(questions) == 10


async def test_two_tasks_whose_states_have_the_same_key(service, ended, monkeypatch) -> None:
    """One is mapped, the other is called like the first one's map index."""
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner", reason="from Airflow 3.0 on")
    known = {("run", 1): "deferred", ("run", 2): "failed", ("run_1", -1): "failed", ("run_2", -1): "deferred"}

    def get_task_states(dag_id: str, map_index: int | None, task_ids: list[str], run_ids: list[str]) -> Any:
        found = {
            task if index < 0 else f"{task}_{index}": state
            for (task, index), state in known.items()
            if task in task_ids and map_index in (None, index)
        }
        return dict.fromkeys(run_ids, found)

    monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
    monkeypatch.setattr(_killed, "_job_urls_of", lambda tis: [None] * len(tis))
    tasks = [task_of(index, task_id=task) for task, index in known]
    await ended(4, lambda number: tasks[number])
    assert sorted(cancels(service)) == ["held-1", "held-2"]


async def test_tasks_that_wait_for_another_job_by_now(service, ended, monkeypatch) -> None:
    monkeypatch.setattr(_killed, "_states_of", lambda tis: [(True, "deferred")] * len(tis))
    links = lambda tis: [f"https://host/benchmark-jobs/held-{ti.map_index // 2 * 2}" for ti in tis]
    monkeypatch.setattr(_killed, "_job_urls_of", links)
    await ended(30)
    assert sorted(cancels(service)) == sorted(f"held-{number}" for number in range(1, 30, 2))


async def test_a_connection_that_is_not_found_at_once(service, questions, ended, monkeypatch) -> None:
    monkeypatch.setattr(_cancelling, "_PAUSE", 0.01)
    opened = []
    open_client = _cancelling.open_client

    async def late(*args: Any, **options: Any) -> Any:
        opened.append(args)
        if len(opened) == 1:
            raise RuntimeError("the API server restarts")
        return await open_client(*args, **options)

    monkeypatch.setattr(_cancelling, "open_client", late)
    names = await ended(10)
    assert sorted(cancels(service)) == sorted(names)
    assert len(opened) == 2


async def test_a_service_that_stays_down_is_not_asked_for_every_job_in_turn(
    service, questions, ended, monkeypatch
) -> None:
    monkeypatch.setattr(_cancelling, "_PATIENCE", -1.0)
    monkeypatch.setattr(_cancelling, "_RETRY", 0.0)
    down = service.inject(Fault.answer(503).on("POST", "*/cancel", times=None))
    await ended(40)
    assert down.fired <= _cancelling._AT_ONCE


async def test_an_airflow_that_does_not_answer_leaves_the_jobs_alone_and_holds_nobody_up(
    service, ended, monkeypatch
) -> None:
    monkeypatch.setattr(_killed, "_LIMIT", 2.0)
    silent, asked = threading.Event(), []

    def states_of(tis: Sequence[Any]) -> States:
        asked.append(tis)
        silent.wait(30)
        return [(True, "failed")] * len(tis)

    monkeypatch.setattr(_killed, "_states_of", states_of)
    await ended(10, lambda number: task_of(-1, task_id=f"task-{number}"))
    silent.set()
    await ask_in_thread(lambda: None, limit=60.0)  # after whatever else was to be asked
    assert cancels(service) == []
    assert len(asked) == 1
