"""BenchmarkJobTrigger on an event loop, against the local service."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobTimeout, NotFound, Unauthorized
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.integration.conftest import SPEC, WORKSPACE
from tests.support.contexts import events_of, stored, until
from tests.support.triggers import event_of, polls, trigger_for

STATUS = ("GET", "*/status")
LIMIT = 60.0


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        yield client


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"workspace": "other", "poll_interval": 30, "deadline": None},
        {"poll_interval": 0.25, "deadline": 1767225600.123456, "cancel_on_kill": True},
    ],
)
def test_a_stored_trigger_is_the_same_trigger(arguments):
    trigger = trigger_for(**arguments)
    path, kwargs = trigger.serialize()
    assert path == f"{BenchmarkJobTrigger.__module__}.{BenchmarkJobTrigger.__qualname__}"
    again = stored(trigger)
    assert type(again) is BenchmarkJobTrigger
    assert again.serialize() == (path, kwargs)
    assert {key: getattr(again, key) for key in kwargs} == {key: getattr(trigger, key) for key in kwargs}


class TestEvents:
    @pytest.mark.parametrize("status", ["completed", "error", "cancelled"])
    async def test_a_job_that_has_ended(self, client, service, status):
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", status)
        assert await events_of(trigger_for()) == [{"job_name": "job-1", "workspace": None, "status": status}]
        assert polls(service) == 1

    @pytest.mark.parametrize("status", ["completed", "error", "cancelled"])
    async def test_a_job_that_ends_while_it_is_waited_for(self, client, service, status):
        service.hold_jobs("active")
        waiting = asyncio.create_task(events_of(trigger_for(workspace=WORKSPACE)))
        await until(lambda: polls(service) >= 2)
        service.finish_job(WORKSPACE, "job-1", status)
        assert await waiting == [{"job_name": "job-1", "workspace": WORKSPACE, "status": status}]

    @pytest.mark.parametrize("word", ["paused", "archiving", "COMPLETED"])
    async def test_a_status_that_is_not_terminal_is_waited_through(self, client, service, word):
        service.pin_status(WORKSPACE, "job-1", word)
        waiting = asyncio.create_task(event_of(trigger_for()))
        await until(lambda: polls(service) >= 3)
        assert not waiting.done()
        service.pin_status(WORKSPACE, "job-1", None)
        assert (await waiting)["status"] == "completed"

    @pytest.mark.parametrize("past", [-5.0, 0.3])
    async def test_the_deadline(self, client, service, past):
        service.hold_jobs("active")
        event = await event_of(trigger_for(deadline=time.time() + past))
        assert event["status"] == "timed_out"
        assert 'benchmark job "job-1"' in event["message"]
        assert "did not end in time; last seen: " in event["message"]
        with pytest.raises(JobTimeout, match="did not end in time.*It still runs, and is left running"):
            await asyncio.to_thread(BenchmarkHook().finish_event, event, job_name="job-1")

    async def test_a_job_that_ended_before_a_deadline_that_has_passed_counts(self, client, service):
        # The triggerer was down meanwhile.
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", "completed")
        assert (await event_of(trigger_for(deadline=time.time() - 100)))["status"] == "completed"

    async def test_the_deadline_holds_over_restarts_and_faults(self, client, service):
        service.inject(Fault.answer(503).on(*STATUS, times=None))
        event = await event_of(stored(trigger_for(deadline=time.time() + 0.3)))
        assert event["status"] == "timed_out"
        assert "no poll of it succeeded" in event["message"]


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault.answer(500),
            Fault.answer(503),
            Fault.answer(429, headers={"Retry-After": "0"}),
            Fault.drop_connection(),
            Fault.cut_body(after_bytes=10),
            Fault.malformed(b"<html>"),
        ],
    )
    async def test_a_service_that_is_down_for_a_while(self, client, service, fault):
        injected = service.inject(fault.on(*STATUS, times=3))
        assert (await event_of(trigger_for()))["status"] == "completed"
        assert injected.fired == 3

    @pytest.mark.parametrize(
        ("status", "message", "kind", "times"),
        [
            (401, "Set a valid API token", Unauthorized, 5),
            (403, "rights", Unauthorized, 5),
            (404, "answered 404", NotFound, 1),
        ],
    )
    async def test_a_definite_answer_ends_the_wait(self, client, service, status, message, kind, times):
        service.inject(Fault.answer(status).on(*STATUS, times=None))
        event = await event_of(trigger_for(poll_interval=0.001))
        assert event["status"] == "failed_to_wait"
        assert message in event["message"]
        assert polls(service) == times
        with pytest.raises(kind, match=message) as caught:
            await asyncio.to_thread(BenchmarkHook().finish_event, event, job_name="job-1")
        assert (caught.value.status_code, caught.value.job) == (status, "job-1")

    async def test_a_job_that_is_deleted_meanwhile(self, client, service):
        service.hold_jobs("active")
        waiting = asyncio.create_task(event_of(trigger_for()))
        await until(lambda: polls(service) >= 1)
        await asyncio.to_thread(client.delete_job, "job-1")
        event = await waiting
        assert event["status"] == "failed_to_wait"
        assert "Job not found" in event["message"]

    async def test_a_url_that_is_no_service_ends_the_wait(self, service, monkeypatch):
        connection = json.dumps({"conn_type": "nemo_evaluator", "host": f"{service.url}/gateway"})
        monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", connection)
        event = await event_of(trigger_for(conn_id="elsewhere", poll_interval=0.001))
        assert event["status"] == "failed_to_wait"
        assert "check the connection's host" in event["message"]

    async def test_a_connection_that_can_not_be_used(self, service, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps({"conn_type": "nemo_evaluator", "host": ""}))
        event = await event_of(trigger_for(conn_id="broken"))
        assert event["status"] == "failed_to_wait"
        assert 'connection "broken": no host' in event["message"]


class TestEventLoop:
    async def test_others_go_on_while_the_service_takes_its_time(self, client, service):
        with service._state.lock:  # the service records the request, and responds when the lock is released
            waiting = asyncio.create_task(event_of(trigger_for()))
            await until(lambda: polls(service))
            for _ in range(1000):
                await asyncio.sleep(0)
            assert not waiting.done()
            assert polls(service) == 1
        assert (await waiting)["status"] == "completed"

    async def test_many_wait_on_one_loop(self, client, service):
        names = [f"job-{i}" for i in range(2, 22)]
        for name in names:
            await asyncio.to_thread(client.submit_job, SPEC, name=name)
        events = await asyncio.gather(*(event_of(trigger_for(name)) for name in names))
        assert [(event["job_name"], event["status"]) for event in events] == [(name, "completed") for name in names]

    @pytest.mark.parametrize("when", ["between two polls", "during a poll"])
    async def test_a_triggerer_that_stops_leaves_the_job_alone(self, client, service, when):
        service.hold_jobs("active")
        if when == "during a poll":
            service.inject(Fault.delay(30).on(*STATUS, after=1, times=None))
        interval = 30 if when == "between two polls" else 0.05
        waiting = asyncio.create_task(events_of(trigger_for(poll_interval=interval)))
        await until(lambda: polls(service) >= (1 if interval == 30 else 2))
        others = asyncio.all_tasks() - {waiting, asyncio.current_task()}
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.all_tasks() - {asyncio.current_task()} <= others
        service.clear_faults()
        assert [request.path for request in service.requests if request.path.endswith("/cancel")] == []
        assert not (await asyncio.to_thread(client.get_job, "job-1")).is_finished

    async def test_a_trigger_that_was_moved_goes_on(self, client, service):
        service.hold_jobs("active")
        trigger = trigger_for(deadline=time.time() + LIMIT)
        waiting = asyncio.create_task(events_of(trigger))
        await until(lambda: polls(service) >= 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        service.release_jobs()
        assert (await event_of(stored(trigger)))["status"] == "completed"
