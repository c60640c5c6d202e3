"""Which tasks were killed, by their states and XComs, with few requests to an Airflow that takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import XCom

from airflow_provider_benchmarks.job_xcom import JOB_XCOM_KEY
from airflow_provider_benchmarks.triggers import _on_kill
from tests.support import virtual_time

WORKSPACE = "my-workspace"
TASK_STATES = _on_kill._task_states
JOB = {"name": "job-1", "workspace": WORKSPACE}


def task_of(number: int, **fields: Any) -> Any:
    known = {"dag_id": "nightly", "run_id": "r", "task_id": "run", "map_index": number}
    return SimpleNamespace(**{**known, **fields})


class Airflow:
    """Responds to one request at a time, after a number of seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0
        self.state: Callable[[Any], tuple[bool, str | None]] = lambda ti: (True, "failed")
        self.state_requests: list[Sequence[Any]] = []
        self.xcoms: dict[int, Any] = {}
        self.xcom_requests = 0

    async def request(self, request: Callable[[], Any], *, timeout_seconds: float) -> Any:
        self.calls += 1
        async with asyncio.timeout(timeout_seconds):
            await asyncio.sleep(self.seconds)
        return request()

    def task_states(self, tis: Sequence[Any]) -> list[tuple[bool, str | None]]:
        self.state_requests.append(tis)
        return [self.state(ti) for ti in tis]

    def xcom(self, *, key: str, map_index: int, dag_id: str, task_id: str, run_id: str) -> Any:
        assert (key, dag_id) == (JOB_XCOM_KEY, "nightly")
        self.xcom_requests += 1
        return self.xcoms.get(map_index)


@pytest.fixture
def airflow(monkeypatch) -> Airflow:
    made = Airflow()
    monkeypatch.setattr(_on_kill, "request_airflow_in_thread", made.request)
    monkeypatch.setattr(_on_kill, "_task_states", made.task_states)
    monkeypatch.setattr(XCom, "get_one", made.xcom)
    return made


def killed(tis: Sequence[Any], workspace: str | None = WORKSPACE) -> tuple[list[bool], float]:
    """Look all tasks up at the same time; returns which were killed, and the seconds that this took."""

    async def main() -> tuple[list[bool], float]:
        found = await asyncio.gather(*(_on_kill.was_killed(ti, "job-1", workspace) for ti in tis))
        assert len(_on_kill._batches) == 0
        return found, asyncio.get_running_loop().time()

    return virtual_time.run(main())


def test_all_map_indexes_of_a_task_take_one_request(airflow):
    assert killed([task_of(number) for number in range(300)])[0] == [True] * 300
    assert len(airflow.state_requests) == 1


def test_all_runs_of_a_task_take_few_requests(airflow):
    assert killed([task_of(-1, run_id=f"run-{number}") for number in range(120)])[0] == [True] * 120
    assert [len(tis) for tis in airflow.state_requests] == [50, 50, 20]


def test_a_timeout_is_for_one_request_and_not_for_the_wait_for_its_turn(airflow):
    airflow.seconds = _on_kill.AIRFLOW_TIMEOUT_SECONDS - 1
    tis = [task_of(-1, task_id=f"task-{number % 10}", run_id=f"run-{number}") for number in range(20)]
    found, seconds = killed(tis)
    assert found == [True] * 20
    assert len(airflow.state_requests) == 10
    assert seconds > 9 * _on_kill.AIRFLOW_TIMEOUT_SECONDS


def test_an_airflow_that_does_not_respond_is_waited_for_once(airflow):
    airflow.seconds = 3600
    found, seconds = killed([task_of(-1, task_id=f"task-{number}") for number in range(10)])
    assert found == [False] * 10
    assert airflow.calls == 1
    assert seconds <= _on_kill.AIRFLOW_TIMEOUT_SECONDS + 1


@pytest.mark.parametrize("state", ["failed", "success", "scheduled", "running", None])
@pytest.mark.parametrize("xcom", [None, JOB])
def test_a_task_that_is_not_deferred_was_killed(airflow, state, xcom):
    """Also one that deferred under a release without the XCom."""
    airflow.state = lambda ti: (True, state)
    airflow.xcoms[-1] = xcom
    assert killed([task_of(-1)])[0] == [True]


def test_a_task_whose_state_is_unknown_was_not_killed(airflow):
    airflow.state = lambda ti: (False, None)
    assert killed([task_of(-1)])[0] == [False]


@pytest.mark.parametrize(
    ("xcom", "workspace", "was_killed"),
    [
        (JOB, WORKSPACE, False),
        (JOB, None, False),  # the trigger names no workspace
        ({**JOB, "name": "job-1-2"}, WORKSPACE, True),
        ({**JOB, "name": "job-1-2"}, None, True),
        ({**JOB, "workspace": "elsewhere"}, WORKSPACE, True),
        # Deferred under a release without the XCom, or with another one: what the task waits for is unknown.
        (None, WORKSPACE, False),
        ("https://host/benchmark-jobs/job-1-2", WORKSPACE, False),
        ({"name": "job-1-2"}, WORKSPACE, False),
    ],
)
def test_a_deferred_task_was_killed_if_it_waits_for_another_job(airflow, xcom, workspace, was_killed):
    airflow.state = lambda ti: (True, "deferred")
    airflow.xcoms[-1] = xcom
    assert killed([task_of(-1)], workspace)[0] == [was_killed]


def test_the_jobs_of_many_deferred_tasks(airflow):
    airflow.state = lambda ti: (True, "deferred")
    airflow.xcoms = {number: {**JOB, "name": f"job-{1 + number % 2}"} for number in range(30)}
    assert killed([task_of(number) for number in range(30)])[0] == [number % 2 == 1 for number in range(30)]
    assert (len(airflow.state_requests), airflow.xcom_requests) == (1, 30)
    assert airflow.calls == 1 + 30 / _on_kill.XCOMS_PER_CALL


def test_two_tasks_whose_states_have_the_same_key(airflow, monkeypatch):
    """One is mapped, the other has the name of the first one's map index."""
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner", reason="from Airflow 3.0 on")
    known = {("run", 1): "deferred", ("run", 2): "failed", ("run_1", -1): "failed", ("run_2", -1): "deferred"}

    def get_task_states(dag_id: str, map_index: int | None, task_ids: list[str], run_ids: list[str]) -> Any:
        found = {
            task if index < 0 else f"{task}_{index}": state
            for (task, index), state in known.items()
            if task in task_ids and map_index in (None, index)
        }
        return dict.fromkeys(run_ids, found)

    monkeypatch.setattr(_on_kill, "_task_states", TASK_STATES)
    monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
    assert killed([task_of(index, task_id=task) for task, index in known])[0] == [False, True, True, False]
