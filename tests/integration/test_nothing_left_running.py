"""What ends a task ends its job, and nothing else does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred, XCom

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.job_xcom import JOB_XCOM_KEY
from airflow_provider_benchmarks.operators._task_identity import identity_of
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _on_kill, jobs
from tests.integration.conftest import SPEC, WORKSPACE, Crash, cancels, wait_until_finished
from tests.support.contexts import stored, task_context, until

try:
    from airflow.sdk.exceptions import AirflowTaskTimeout
    from airflow.sdk.execution_time.timeout import timeout
except ImportError:  # Airflow 2
    from airflow.exceptions import AirflowTaskTimeout
    from airflow.utils.timeout import timeout


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


class TestKill:
    def start(self, make, dies_while_waiting, **arguments):
        """Kill the worker while it waits, or checks whether it must; return the operator. The job goes on running."""
        operator = make(**arguments)()
        with dies_while_waiting():
            operator.execute(task_context())
        return operator

    def die_at_submit(self, make, crash_at, *, when):
        """Kill the worker before its submit is sent, or after the service has answered it; return the operator."""
        operator = make()()
        disarm = crash_at("POST", "/benchmark-jobs", when=when)
        with pytest.raises(Crash):
            operator.execute(task_context())
        disarm()
        return operator

    def test_the_job_is_cancelled(self, make, service, client, dies_while_waiting):
        operator = self.start(make, dies_while_waiting)
        operator.on_kill()
        name = identity_of(task_context()).job_name()
        assert cancels(service) == [name]
        assert wait_until_finished(client, name).status == "cancelled"

    def test_a_kill_in_the_middle_of_the_submit_reaches_the_job(self, make, service, client, crash_at):
        service.hold_jobs("active")
        operator = self.die_at_submit(make, crash_at, when="after")
        operator.on_kill()
        assert wait_until_finished(client, identity_of(task_context()).job_name()).status == "cancelled"

    def test_a_job_that_appears_only_after_the_kill_is_reached_too(self, make, service, client, crash_at, monkeypatch):
        monkeypatch.setattr("airflow_provider_benchmarks.hooks.inline_wait.CREATION_POLL_INTERVAL_SECONDS", 0.01)
        service.hold_jobs("active")
        operator = self.die_at_submit(make, crash_at, when="after")
        name = identity_of(task_context()).job_name()
        body = f'{{"detail": "Job {name} not found"}}'.encode()
        unseen = service.inject(Fault.answer(404, body=body).on("GET", f"*/{name}", times=3))
        operator.on_kill()
        assert unseen.fired == 3
        assert wait_until_finished(client, name).status == "cancelled"

    def test_a_job_that_never_appears_holds_nobody_up(self, make, service, crash_at, monkeypatch):
        monkeypatch.setattr("airflow_provider_benchmarks.hooks.inline_wait.CREATION_POLL_INTERVAL_SECONDS", 0.01)
        monkeypatch.setattr("airflow_provider_benchmarks.hooks.inline_wait.CREATION_TIMEOUT_SECONDS", 0.1)
        operator = self.die_at_submit(make, crash_at, when="before")
        operator.on_kill()
        assert cancels(service) == []

    def test_not_if_it_is_not_wanted(self, make, service, dies_while_waiting):
        self.start(make, dies_while_waiting, cancel_on_kill=False).on_kill()
        assert cancels(service) == []

    def test_not_if_nothing_was_submitted(self, make, service):
        make()().on_kill()
        assert service.requests == []

    def test_not_if_it_has_completed(self, service):
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, poll_interval=0.05, timeout=60)
        operator.execute(task_context())
        operator.on_kill()
        assert cancels(service) == []

    def test_a_service_that_does_not_answer_holds_nobody_up(self, make, service, dies_while_waiting):
        operator = self.start(make, dies_while_waiting)
        delay = service.inject(Fault.answer(503, headers={"Retry-After": "3600"}).on("POST", "*/cancel", times=None))
        operator.on_kill()
        assert delay.fired == 1

    def test_a_service_that_can_not_be_reached_holds_nobody_up_either(self, make, service, dies_while_waiting):
        operator = self.start(make, dies_while_waiting)
        slow = service.inject(Fault.delay(600).on("POST", "*/cancel", times=None))
        operator.on_kill()
        assert slow.fired == 1


class TestKilledWhileDeferred:
    """The triggerer's part, with the task's state given; the system tests do the same with real triggerers."""

    @pytest.fixture
    def trigger(self, service, monkeypatch):
        """Defer, and give the trigger as a triggerer gets it, in a task of the given state."""
        service.hold_jobs("active")

        def deferred(state: Any, xcom: Any = None, **arguments: Any) -> Any:
            operator = RunBenchmarkJobOperator(
                task_id="run", spec=SPEC, deferrable=True, poll_interval=0.05, **arguments
            )
            with pytest.raises(TaskDeferred) as caught:
                operator.execute(task_context())
            return self.in_task(stored(caught.value.trigger), state, monkeypatch, xcom)

        return deferred

    def in_task(self, trigger: Any, state: Any, monkeypatch: Any, xcom: Any = None) -> Any:
        def states_of(tis: Any) -> list[tuple[bool, str | None]]:
            assert [ti.task_id for ti in tis] == ["run"]
            if isinstance(state, Exception):
                raise state
            return [(state != "unknown", state)]

        def get_one(*, key: str, **of_task: Any) -> Any:
            assert (key, of_task["task_id"], of_task["run_id"], of_task["map_index"]) == (JOB_XCOM_KEY, "run", "r", -1)
            return xcom

        monkeypatch.setattr(_on_kill, "_task_states", states_of)
        monkeypatch.setattr(XCom, "get_one", get_one)
        trigger.task_instance = SimpleNamespace(dag_id="nightly", run_id="r", task_id="run", map_index=-1)
        return trigger

    async def stopped(self, trigger: Any, service: Any, *reason: str, every: float | None = None) -> None:
        """Let it wait, then cancel it as a triggerer does.

        :param every: cancel it anew after this number of seconds until it has ended
        """

        async def wait() -> None:
            async for event in trigger.run():
                raise AssertionError(event)

        before = len(service.requests)
        waiting = asyncio.create_task(wait())
        await until(lambda: len(service.requests) > before)
        waiting.cancel(*reason)
        while every is not None and not waiting.done():
            await asyncio.sleep(every)
            waiting.cancel(*reason)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    @pytest.mark.parametrize("state", [None, "failed", "success", "scheduled", "running"])
    async def test_a_task_that_was_ended_has_its_job_cancelled_once(self, trigger, service, state):
        waiting = trigger(state)
        await self.stopped(waiting, service, "user-action")
        await waiting.on_kill()
        assert cancels(service) == [identity_of(task_context()).job_name()]

    async def test_airflow_stops_a_trigger_again_and_again_until_it_has_ended(self, trigger, service, client):
        waiting = trigger("failed")
        busy = service.inject(Fault.answer(503).on("POST", "*/cancel", times=2))
        await self.stopped(waiting, service, "user-action", every=0.01)
        assert busy.fired == 2
        name = identity_of(task_context()).job_name()
        assert (await asyncio.to_thread(wait_until_finished, client, name)).status == "cancelled"

    @pytest.mark.parametrize("other", [{"name": "nightly-run-2"}, {"workspace": "elsewhere"}])
    async def test_a_task_that_was_cleared_and_waits_for_another_job_by_now(self, trigger, service, other):
        mine = {"name": identity_of(task_context()).job_name(), "workspace": WORKSPACE}
        waiting = trigger("deferred", {**mine, **other})
        await self.stopped(waiting, service, "user-action")
        assert cancels(service) == [identity_of(task_context()).job_name()]

    async def test_a_task_that_waits_for_the_same_job_again(self, trigger, service):
        name = identity_of(task_context()).job_name()
        waiting = trigger("deferred", {"name": name, "workspace": WORKSPACE})
        await self.stopped(waiting, service, "user-action")
        assert cancels(service) == []

    @pytest.mark.parametrize("xcom", [None, "a text", {"name": "another"}])
    async def test_a_task_that_deferred_before_its_job_was_pushed_leaves_it_running(self, trigger, service, xcom):
        """Under a release without that XCom: a task that is deferred may wait for this job."""
        waiting = trigger("deferred", xcom)
        await self.stopped(waiting, service, "user-action")
        assert cancels(service) == []

    @pytest.mark.parametrize("state", ["deferred", "unknown", RuntimeError("the supervisor is gone")])
    async def test_a_trigger_that_moves_to_another_triggerer_leaves_its_job_alone(self, trigger, service, state):
        waiting = trigger(state)
        await self.stopped(waiting, service, "user-action")
        await waiting.on_kill()
        assert cancels(service) == []

    @pytest.mark.skipif(
        not hasattr(jobs.BaseTrigger, "on_kill"), reason="only newer triggerers tell a stop from a kill"
    )
    async def test_a_triggerer_that_stops_asks_for_no_state(self, trigger, service):
        await self.stopped(trigger(AssertionError("asked")), service)
        assert cancels(service) == []

    async def test_not_if_it_is_not_wanted(self, trigger, service):
        waiting = trigger("failed", cancel_on_kill=False)
        await self.stopped(waiting, service, "user-action")
        await waiting.on_kill()
        assert cancels(service) == []

    async def test_a_service_that_refuses_holds_no_triggerer_up(self, trigger, service):
        waiting = trigger("failed")
        refusal = service.inject(Fault.answer(500).on("POST", "*/cancel", times=None))
        await self.stopped(waiting, service, "user-action")
        assert refusal.fired >= 1

    async def test_the_job_of_a_sensor_is_somebody_elses(self, service, client, monkeypatch):
        service.hold_jobs("active")
        await asyncio.to_thread(client.submit_job, SPEC, name="job-1")
        sensor = BenchmarkJobSensor(task_id="run", job_name="job-1", deferrable=True, poke_interval=0.05)
        with pytest.raises(TaskDeferred) as caught:
            sensor.execute(task_context())
        waiting = self.in_task(stored(caught.value.trigger), "failed", monkeypatch)
        await self.stopped(waiting, service, "user-action")
        await waiting.on_kill()
        assert cancels(service) == []


def test_the_execution_timeout_of_a_task_that_waits_inline_cancels_its_job(service, client, task_log):
    service.hold_jobs("active")
    operator = RunBenchmarkJobOperator(
        task_id="run", spec=SPEC, deferrable=False, poll_interval=0.05, execution_timeout=timedelta(seconds=3)
    )
    assert operator.hook.client  # what it takes to import that is not part of the three seconds
    # As Airflow's own runner does it.
    with pytest.raises(AirflowTaskTimeout), timeout(operator.execution_timeout.total_seconds()):
        operator.execute(task_context())
    operator.on_kill()
    said = task_log()
    assert "execution_timeout (0:00:03) has ended this try: benchmark job" in said
    assert "is cancelled (cancel_on_kill). It counts for each try" in said
    assert wait_until_finished(client, identity_of(task_context()).job_name()).status == "cancelled"
