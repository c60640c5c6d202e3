"""A request to Airflow goes on, whoever stops waiting for it: before 3.2 a cancelled one would end the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.triggers import _cancelling, _on_kill, _watcher_means, _watcher_state
from tests.integration.conftest import SPEC, WORKSPACE, cancels
from tests.support import watchers
from tests.support.contexts import until
from tests.support.supervisor_line import SupervisorLine
from tests.support.triggers import trigger_for

task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner", reason="from Airflow 3.0 on")

CONNECTION = {"conn_id": "known_to_airflow_alone", "workspace": WORKSPACE}


@pytest.fixture
def jobs(service) -> list[Any]:
    """A job that stays active, and one that has completed."""
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="done")
        done = client.get_job("done")
        while not done.is_finished:
            done = client.get_job("done")
        service.hold_jobs("active")
        held = client.submit_job(SPEC, name="held")
    service.clear_requests()
    return [held, done]


@pytest.fixture
async def line(service, monkeypatch):
    """An Airflow that does not respond until it is released. In the end it must have responded to every request."""
    line = SupervisorLine(host=service.url)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", line, raising=False)
    yield line
    line.is_free.set()
    await until(lambda: line.is_quiet)
    assert line.sent
    assert line.cancelled == []


async def exhaust(events: Any) -> None:
    async for event in events:
        raise AssertionError(event)


def wait(jobs: list[Any]) -> Coroutine[Any, Any, None]:
    return exhaust(trigger_for("held", **CONNECTION).run())


def watch(jobs: list[Any]) -> Coroutine[Any, Any, None]:
    return exhaust(watchers.trigger(**CONNECTION).run())


def read_means(jobs: list[Any]) -> Coroutine[Any, Any, None]:
    return exhaust(_watcher_means.with_means(jobs[1:], **CONNECTION))


def cancel_job(jobs: list[Any]) -> Coroutine[Any, Any, None]:
    return _cancelling.cancel_job("held", **CONNECTION)


@pytest.mark.parametrize("begin", [wait, watch, read_means, cancel_job])
async def test_a_caller_that_is_cancelled_while_the_connection_is_looked_up(begin, line, jobs, service) -> None:
    """The last one that waits, too: its poll loop ends with it."""
    asking = asyncio.create_task(begin(jobs))
    await until(lambda: line.sent)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert line.sent == ["GetConnection"]
    assert service.requests == []


async def test_the_lookup_of_the_connection_for_a_cancel_takes_too_long(line, jobs, service, monkeypatch):
    monkeypatch.setattr(_cancelling, "CANCEL_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(_cancelling, "CONNECTION_RETRY_SECONDS", 0.01)
    # Imports are not part of the timeout.
    await (await _cancelling.open_client("nemo_evaluator_default", None, retry_seconds=0)).close()
    with pytest.raises(TimeoutError):
        await cancel_job(jobs)
    assert cancels(service) == []


async def test_the_state_of_a_killed_task_is_not_known_in_time(line, jobs, service, monkeypatch) -> None:
    monkeypatch.setattr(_on_kill, "AIRFLOW_TIMEOUT_SECONDS", 0.01)
    trigger = trigger_for("held", poll_interval=0.05, cancel_on_kill=True)
    trigger.task_instance = SimpleNamespace(dag_id="nightly", run_id="r", task_id="run", map_index=-1)
    waiting = asyncio.create_task(exhaust(trigger.run()))
    await until(lambda: service.requests)
    waiting.cancel("user-action")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: line.sent)
    assert line.sent == ["GetTaskStates"]
    line.is_free.set()
    await until(lambda: line.is_quiet)
    assert cancels(service) == []  # nobody waits for the response any more


class StateOfAnAsset:
    """As Airflow's, where every request goes through the channel to the supervisor."""

    def __init__(self, line: SupervisorLine) -> None:
        self._line = line

    async def aget(self, key: str) -> Any:
        return await self._line.asend({"key": key})

    async def aset(self, key: str, value: Any) -> None:
        await self._line.asend({"key": key, "value": value})


async def test_a_watcher_is_cancelled_while_it_loads_its_state(line) -> None:
    loading = asyncio.create_task(_watcher_state.WatcherState.load(StateOfAnAsset(line)))
    await until(lambda: line.sent)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading


@pytest.mark.parametrize("stop", ["closed", "timed-out"])
async def test_a_watcher_stops_while_it_stores_its_state_or_that_takes_too_long(
    stop, line, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(_watcher_state, "EVENT_STORED_SECONDS", 0.0)
    monkeypatch.setattr(_watcher_state, "STORE_TIMEOUT_SECONDS", 0.01 if stop == "timed-out" else 60.0)
    state = _watcher_state.WatcherState(None, StateOfAnAsset(line), "key")
    state.save_soon(lambda: {"reported": []})
    await until(lambda: line.sent)
    if stop == "timed-out":
        await until(lambda: "can't be stored" in caplog.text)
    await state.close()
