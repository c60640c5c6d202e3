"""What ends a task ends its job, and nothing else does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobTimeout
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator, identity_of
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _killed, jobs
from tests.integration.conftest import SPEC, WORKSPACE, Crash, cancels, wait_until_finished
from tests.support.contexts import run_task, stored, task_context, until

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
    def start(self, make, crash_at, **arguments):
        """Kill the worker while it waits, or looks whether it must; gives the operator."""
        operator = make(**arguments)()
        disarm = crash_at("GET", "/status", when="before")
        with pytest.raises(Crash):
            operator.execute(task_context())
        disarm()
        return operator

    def test_the_job_is_cancelled(self, make, service, client, crash_at):
        service.hold_jobs("active")
        operator = self.start(make, crash_at)
        operator.on_kill()
        name = identity_of(task_context()).job_name()
        assert cancels(service) == [name]
        assert wait_until_finished(client, name).status == "cancelled"

    def test_a_kill_in_the_middle_of_the_submit_reaches_the_job(self, make, service, client, crash_at):
        service.hold_jobs("active")
        operator = make()()
        disarm = crash_at("POST", "/benchmark-jobs", when="after")
        with pytest.raises(Crash):
            operator.execute(task_context())
        disarm()
        operator.on_kill()
        assert wait_until_finished(client, identity_of(task_context()).job_name()).status == "cancelled"

    def test_not_if_it_is_not_wanted(self, make, service, crash_at):
        service.hold_jobs("active")
        self.start(make, crash_at, cancel_on_kill=False).on_kill()
        assert cancels(service) == []

    def test_not_if_nothing_was_submitted(self, make, service):
        make()().on_kill()
        assert service.requests == []

    def test_not_if_it_has_completed(self, service):
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, poll_interval=0.05, timeout=60)
        operator.execute(task_context())
        operator.on_kill()
        assert cancels(service) == []

    def test_a_service_that_does_not_answer_holds_nobody_up(self, make, service, crash_at, monkeypatch):
        operator = self.start(make, crash_at)
        delay = service.inject(Fault.answer(503, headers={"Retry-After": "3600"}).on("POST", "*/cancel", times=None))
        operator.on_kill()
        assert delay.fired == 1

    def test_a_service_that_can_not_be_reached_holds_nobody_up_either(self, make, service, crash_at, monkeypatch):
        operator = self.start(make, crash_at)
        slow = service.inject(Fault.delay(600).on("POST", "*/cancel", times=None))
        operator.on_kill()
        assert slow.fired == 1


class TestTimeout:
    def test_a_job_that_takes_too_long_is_cancelled(self, make, service, client):
        service.hold_jobs("active")
        context = task_context()
        with pytest.raises(JobTimeout):
            run_task(make(timeout=0.3, cancel_on_timeout=True), context)
        assert cancels(service) == [identity_of(context).job_name()]
        assert wait_until_finished(client, identity_of(context).job_name()).status == "cancelled"

    @pytest.mark.parametrize("status", ["cancelling", "cancelled"])
    def test_a_retry_submits_the_next_job(self, make, service, names, status):
        service.hold_jobs("active")
        with pytest.raises(JobTimeout):
            run_task(make(timeout=0.3, cancel_on_timeout=True), task_context())
        service.pin_status(WORKSPACE, names()[0], status)
        service.release_jobs()
        assert run_task(make(), task_context()) == names()[1]

    def test_a_cancel_that_fails_changes_nothing_about_the_error(self, make, service):
        service.hold_jobs("active")
        refusal = service.inject(Fault.answer(403).on("POST", "*/cancel", times=None))
        with pytest.raises(JobTimeout, match="did not end in time"):
            run_task(make(timeout=0.3, cancel_on_timeout=True), task_context())
        assert refusal.fired == 1

    def test_the_error_says_what_the_job_was_doing(self, make, service):
        service.hold_jobs("active")
        context = task_context()
        with pytest.raises(JobTimeout) as caught:
            run_task(make(timeout=3), context)
        assert caught.value.job == identity_of(context).job_name()
        seen, _, lines = str(caught.value).partition("\nLast log lines:")
        assert "last seen: active, step evaluation" in seen
        assert ", submitted 0:00:0" in seen
        assert lines.strip()


class TestKilledWhileDeferred:
    """The triggerer's part, with the task's state given; the system tests do the same with real triggerers."""

    @pytest.fixture
    def trigger(self, service, monkeypatch):
        """Defer, and give the trigger as a triggerer gets it, in a task of the given state."""
        service.hold_jobs("active")

        def deferred(state: Any, link: str | None = None, **arguments: Any) -> Any:
            operator = RunBenchmarkJobOperator(
                task_id="run", spec=SPEC, deferrable=True, poll_interval=0.05, **arguments
            )
            with pytest.raises(TaskDeferred) as caught:
                operator.execute(task_context())
            return self.in_task(stored(caught.value.trigger), state, monkeypatch, link)

        return deferred

    def in_task(self, trigger: Any, state: Any, monkeypatch: Any, link: str | None = None) -> Any:
        def state_of(ti: Any) -> tuple[bool, str | None]:
            assert ti.task_id == "run"
            if isinstance(state, Exception):
                raise state
            return state != "unknown", state

        monkeypatch.setattr(_killed, "_state_of", state_of)
        monkeypatch.setattr(_killed, "_job_url_of", lambda ti: link)
        trigger.task_instance = SimpleNamespace(dag_id="nightly", run_id="r", task_id="run", map_index=-1)
        return trigger

    async def stopped(self, trigger: Any, service: Any, *reason: str, every: float | None = None) -> None:
        """Let it wait, then cancel it as a triggerer does.

        :param every: cancel it anew after so many seconds until it has ended
        """

        async def wait() -> None:
            async for event in trigger.run():
                raise AssertionError(event)

        looks = len(service.requests)
        waiting = asyncio.create_task(wait())
        await until(lambda: len(service.requests) > looks)
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

    async def test_a_task_that_was_cleared_and_waits_for_another_job_by_now(self, trigger, service):
        waiting = trigger("deferred", "https://host/benchmark-jobs/nightly-run-2")
        await self.stopped(waiting, service, "user-action")
        assert cancels(service) == [identity_of(task_context()).job_name()]

    async def test_a_task_that_waits_for_the_same_job_again(self, trigger, service):
        name = identity_of(task_context()).job_name()
        waiting = trigger("deferred", f"https://host/benchmark-jobs/{name}")
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


class TestTaskState:
    """Airflow's memory of a task over its retries, from 3.3 on."""

    class Store(dict[str, Any]):
        def set(self, key: str, value: Any) -> None:
            self[key] = value

    def posts(self, service: Any) -> int:
        return sum(r.method == "POST" and r.path.endswith("/benchmark-jobs") for r in service.requests)

    def test_a_retry_finds_its_job_without_a_submit(self, make, service, crash_at, names):
        context = {**task_context(), "task_state_store": self.Store()}
        disarm = crash_at("GET", "/status", when="before")
        with pytest.raises(Crash):
            make()().execute(context)
        disarm()
        service.clear_requests()
        name = run_task(make(), context)
        first, second = service.requests[:2]
        assert (first.method, first.path.rpartition("/")[2]) == ("GET", name)
        assert second.path.endswith(("/status", f"/{name}"))
        assert (self.posts(service), names()) == (0, [name])

    def again(self, store: Any, **fields: Any) -> dict[str, Any]:
        """The context of another try of the same task run."""
        return {**task_context(try_number=2, **fields), "task_state_store": store}

    def test_after_a_clear_it_is_another_run(self, make, names):
        store = self.Store()
        first = run_task(make(), {**task_context(), "task_state_store": store})
        again = run_task(make(), self.again(store, clear_number=1, max_tries=1))
        assert names() == [first, again]

    def test_a_clear_of_another_task_of_the_run_changes_nothing(self, make, service, crash_at, names):
        store = self.Store()
        disarm = crash_at("GET", "/status", when="before")
        with pytest.raises(Crash):
            make()().execute({**task_context(), "task_state_store": store})
        disarm()
        assert [run_task(make(), self.again(store, clear_number=1))] == names()
        assert cancels(service) == []

    def test_another_spec_is_another_job(self, make, names):
        store = self.Store()
        first = run_task(make(), {**task_context(), "task_state_store": store})
        other = {**SPEC, "params": {"limit_samples": 2}}
        again = run_task(make(spec=other), self.again(store, clear_number=1))
        assert names() == [first, again]

    @pytest.mark.parametrize("cleared", [False, True])
    def test_a_name_that_is_somebody_elses_by_now_is_left_alone(self, make, service, client, names, cleared):
        store = self.Store()
        run_task(make(), {**task_context(), "task_state_store": store})
        service.hold_jobs("active")
        client.submit_job(SPEC, name="theirs")
        store["benchmark_job"]["name"] = "theirs"
        with pytest.raises(JobTimeout) as caught:
            run_task(
                make(timeout=0.3, cancel_on_timeout=False), self.again(store, clear_number=1, max_tries=int(cleared))
            )
        assert [caught.value.job] == names()[2:]
        assert cancels(service) == []

    def test_a_retry_that_goes_on_with_its_job_cancels_it_when_it_is_killed(self, make, service, crash_at, names):
        store = self.Store()
        service.hold_jobs("active")
        disarm = crash_at("GET", "/status", when="before")
        for context in ({**task_context(), "task_state_store": store}, self.again(store)):
            operator = make()()
            with pytest.raises(Crash):
                operator.execute(context)
        disarm()
        operator.on_kill()
        assert cancels(service) == names()

    @pytest.mark.parametrize("kept", ["a text", {}, {"name": "job-1"}, {"name": "job-1", "unknown": 1}])
    def test_what_is_not_understood_is_passed_over(self, make, names, kept):
        store = self.Store(benchmark_job=kept)
        assert [run_task(make(), self.again(store))] == names()

    @pytest.mark.parametrize(
        ("arguments", "cancelled"),
        [
            ({}, True),
            ({"cancel_on_kill": False}, False),
            ({"reuse_job": False}, False),
            ({"deferrable": False, "wait_for_completion": False}, False),
        ],
    )
    def test_a_clear_that_no_trigger_has_seen_still_cancels_the_job(self, service, names, arguments, cancelled):
        def submit(**fields: Any) -> str:
            operator = RunBenchmarkJobOperator(**{"task_id": "run", "spec": SPEC, "deferrable": True, **arguments})
            with suppress(TaskDeferred):
                operator.execute(self.again(store, **fields))
            return store["benchmark_job"]["name"]

        store = self.Store()
        service.hold_jobs("active")
        first, second = submit(), submit(clear_number=1, max_tries=1)
        assert names() == [first, second]
        assert cancels(service) == ([first] if cancelled else [])

    @pytest.mark.parametrize("gone", ["failed", "deleted"])
    def test_a_job_that_can_not_go_on_is_not_waited_for(self, make, names, service, client, gone):
        store = self.Store()
        service.hold_jobs("active")
        with pytest.raises(JobTimeout):
            run_task(make(timeout=0.2, cancel_on_timeout=True), {**task_context(), "task_state_store": store})
        first = wait_until_finished(client, store["benchmark_job"]["name"]).name
        if gone == "deleted":
            client.delete_job(first)
        service.release_jobs()
        assert run_task(make(), {**task_context(), "task_state_store": store}) == names()[-1]
        assert store["benchmark_job"]["name"] == names()[-1]

    @pytest.mark.parametrize("fails", [["get"], ["set"], ["get", "set"]])
    def test_a_store_that_fails_fails_no_task_and_is_told_of_once(self, names, caplog, fails):
        def fail(self: Any, key: str, value: Any = None) -> Any:
            raise RuntimeError("no such table")

        broken = type("Broken", (self.Store,), dict.fromkeys(fails, fail))()
        name = RunBenchmarkJobOperator(task_id="run", spec=SPEC, wait_for_completion=False).execute(
            {**task_context(), "task_state_store": broken}
        )
        assert names() == [name]
        (told,) = [record.getMessage() for record in caplog.records if "no such table" in record.getMessage()]
        assert told.startswith("Airflow's task state can't be used")

    def test_every_try_has_a_job_of_its_own_where_reuse_is_off(self, make, names):
        context = {**task_context(), "task_state_store": self.Store()}
        assert [run_task(make(reuse_job=False), context) for _ in range(2)] == names()


def test_the_execution_timeout_of_a_task_that_waits_inline_cancels_its_job(service, client):
    service.hold_jobs("active")
    operator = RunBenchmarkJobOperator(
        task_id="run", spec=SPEC, deferrable=False, poll_interval=0.05, execution_timeout=timedelta(seconds=3)
    )
    # As Airflow's own runner does it.
    with pytest.raises(AirflowTaskTimeout), timeout(operator.execution_timeout.total_seconds()):
        operator.execute(task_context())
    operator.on_kill()
    assert wait_until_finished(client, identity_of(task_context()).job_name()).status == "cancelled"
