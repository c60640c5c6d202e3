"""All triggers of a connection wait together: one client, one poll loop, few requests."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobTimeout
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _shared_polling, _status_requests
from tests.integration.conftest import SPEC, WORKSPACE
from tests.support.contexts import until
from tests.support.triggers import (
    CONN_ID,
    Telling,
    event_of,
    held_jobs,
    listings,
    polls,
    statuses_of,
    trigger_for,
    wait_for_all,
)

LIMIT = 60.0
#: More jobs than are requested one by one.
MANY = 20


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        yield client


def poll_tasks():
    return [task for task in asyncio.all_tasks() if task.get_name() == f"poll {CONN_ID}"]


@pytest.fixture
def held(client, service):
    """Make a number of jobs that stay active, at 100 %, until they are released."""
    return lambda count: held_jobs(service, client, count)


class TestSharing:
    async def test_two_share_a_connection_and_a_loop(self, held, service):
        names = held(2)
        before = service.connections
        waiting = wait_for_all(names)
        await until(lambda: polls(service) >= 20)
        assert len(poll_tasks()) == 1
        assert listings(service) == []
        assert service.connections - before <= 2
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * 2

    async def test_a_finished_job_fires_while_others_wait(self, held, service):
        names = held(MANY)
        before = service.connections
        waiting = wait_for_all(names)
        await until(lambda: len(listings(service)) >= 3)
        service.finish_job(WORKSPACE, names[7], "error")
        assert (await waiting[7])["status"] == "error"
        assert sum(task.done() for task in waiting) == 1
        assert {
            request.path.rpartition("/benchmark-jobs/")[2]
            for request in service.requests
            if request.path.endswith("/status")
        } == {f"{names[7]}/status"}
        service.release_jobs()
        await asyncio.gather(*waiting)
        assert service.connections - before <= 10

    async def test_progress_goes_to_each_triggers_own_log(self, held, service, caplog):
        caplog.set_level(logging.INFO)
        names = held(MANY)
        waiting = wait_for_all(names, kind=Telling)
        await until(lambda: len(listings(service)) >= 3)
        service.release_jobs()
        await asyncio.gather(*waiting)
        lines = [record.getMessage() for record in caplog.records if record.name == "trigger"]
        for name in names:
            own = [line for line in lines if line.startswith(f"{name}: ")]
            assert own[-1].startswith(f"{name}: completed")
            assert ", submitted 0:0" in own[-1]
            assert len(own) == len(set(own)) >= 2

    async def test_steps_are_requested_when_jobs_progress(self, client, service, caplog):
        caplog.set_level(logging.INFO)
        service.hold_jobs("pending")
        names = [f"job-{number}" for number in range(2, MANY)]
        for name in names:
            await asyncio.to_thread(client.submit_job, SPEC, name=name)
        waiting = wait_for_all(names, kind=Telling)

        def reported(progress: str) -> set[str]:
            lines = [record.getMessage() for record in caplog.records if record.name == "trigger"]
            return {line.partition(":")[0] for line in lines if progress in line}

        await until(lambda: reported(": pending") == set(names))
        service.clear_requests()
        service.release_jobs()
        service.hold_jobs("active")
        await until(lambda: reported("active, step evaluation, 100 %") == set(names))
        polls_made = len(listings(service))
        assert polls(service) <= _shared_polling.STEP_REQUESTS_PER_POLL * (polls_made + 1)
        # The last step stays the last one: it is not requested again and again.
        seen = polls(service)
        await until(lambda: len(listings(service)) > polls_made + 3)
        assert polls(service) == seen
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * len(names)

    async def test_a_timeout_among_many_says_the_step(self, held, service):
        names = held(MANY)
        waiting = wait_for_all(names)
        event = await event_of(trigger_for(names[0], deadline=time.time() + 0.3))
        with pytest.raises(JobTimeout, match="last seen: active, step evaluation, 100 %"):
            await asyncio.to_thread(BenchmarkHook().finish_event, event, job_name=names[0])
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def test_two_wait_for_the_same_job(self, held, service):
        (name,) = held(1)
        waiting = wait_for_all([name, name])
        await until(lambda: polls(service) >= 2)
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * 2


class TestComingAndGoing:
    async def test_one_that_is_cancelled_leaves_the_others_alone(self, held, service):
        names = held(MANY)
        waiting = wait_for_all(names)
        await until(lambda: len(listings(service)) >= 2)
        for task in waiting[::2]:
            task.cancel()
        service.release_jobs()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended[::2])
        assert [event["status"] for event in ended[1::2]] == ["completed"] * (MANY // 2)

    async def test_the_last_one_ends_the_loop(self, held, service):
        waiting = wait_for_all(held(2), poll_interval=30)
        await until(lambda: polls(service) >= 2)
        (poll,) = poll_tasks()
        for task in waiting:
            task.cancel()
        await asyncio.wait({poll, *waiting}, timeout=LIMIT)
        assert poll.done()
        assert poll_tasks() == []
        assert len(_shared_polling._polls) == 0

    async def test_one_that_comes_while_the_loop_ends_gets_its_own(self, held, service):
        (name,) = held(1)
        service.finish_job(WORKSPACE, "job-1")
        for _ in range(20):
            first = asyncio.create_task(event_of(trigger_for(name)))
            await until(poll_tasks)
            first.cancel()
            assert (await event_of(trigger_for("job-1")))["status"] == "completed"
            assert first.cancelled()

    async def test_come_and_go_at_any_time(self, held, service):
        names = held(MANY)
        waiting = []
        for i, name in enumerate(names):
            waiting += wait_for_all([name])
            await asyncio.sleep(0.005 * (i % 3))
            if i % 5 == 4:
                waiting[i - 2].cancel()
        service.release_jobs()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(isinstance(end, asyncio.CancelledError) for end in ended) == MANY // 5
        assert sum(isinstance(end, dict) and end["status"] == "completed" for end in ended) == MANY - MANY // 5

    def test_event_loops_of_two_threads(self, held, service):
        names = held(2 * MANY)
        ended = {}

        def wait(part):
            async def all_of_them():
                return await statuses_of(wait_for_all(part))

            ended[part[0]] = asyncio.run(all_of_them())

        threads = [threading.Thread(target=wait, args=(part,)) for part in (names[:MANY], names[MANY:])]
        for thread in threads:
            thread.start()
        limit = time.monotonic() + LIMIT
        while len(listings(service)) < 6:
            assert time.monotonic() < limit
            time.sleep(0.01)
        service.release_jobs()
        for thread in threads:
            thread.join(LIMIT)
        assert list(ended.values()) == [["completed"] * MANY] * 2

    async def test_a_loop_that_breaks_fails_all_who_wait(self, held, monkeypatch):
        async def broken(*args, **kwargs):
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(_status_requests.StatusRequests, "poll", broken)
        for event in await asyncio.gather(*wait_for_all(held(3))):
            assert (event["status"], event["error"]) == ("failed_to_wait", "BenchmarkError")
            assert "ZeroDivisionError('a bug')" in event["message"]

    async def test_a_loop_that_is_stopped_from_outside(self, held, service):
        waiting = wait_for_all(held(2))
        await until(lambda: polls(service) >= 1)
        poll_tasks()[0].cancel()
        for event in await asyncio.gather(*waiting):
            assert event["status"] == "failed_to_wait"
            assert "was stopped from outside" in event["message"]


class TestErrorsOfOne:
    async def test_a_missing_job_among_many(self, held, service):
        waiting = wait_for_all([*held(MANY), "nobody", ".."])
        for task, message in ((waiting[-1], "is not the name of a benchmark job"), (waiting[-2], "Job not found")):
            event = await task
            assert event["status"] == "failed_to_wait"
            assert message in event["message"]
        assert not any(task.done() for task in waiting[:-2])
        service.release_jobs()
        assert await statuses_of(waiting[:-2]) == ["completed"] * MANY

    async def test_a_word_that_lists_do_not_know(self, held, service):
        names = held(MANY)
        service.pin_status(WORKSPACE, names[3], "archiving")
        waiting = wait_for_all(names)
        await until(lambda: polls(service) >= 3)
        service.release_jobs()
        await asyncio.gather(*(task for task in waiting if task is not waiting[3]))
        assert not waiting[3].done()
        service.pin_status(WORKSPACE, names[3], None)
        assert (await waiting[3])["status"] == "completed"

    async def test_a_job_that_the_service_fails_on(self, held, service, caplog):
        names = held(MANY)
        service.pin_status(WORKSPACE, names[1], "archiving")
        injected = service.inject(Fault.answer(500).on("GET", f"*/{names[1]}/status", times=3))
        waiting = wait_for_all(names, kind=Telling)
        await until(lambda: injected.fired == 3)
        service.pin_status(WORKSPACE, names[1], None)
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * MANY
        own = [record.getMessage() for record in caplog.records if record.name == "trigger"]
        assert sum("polls fail since" in text for text in own) == 1
        assert sum("the service answers again, after" in text and "3 polls failed" in text for text in own) == 1
        assert not [
            record
            for record in caplog.records
            if record.name == _shared_polling.logger.name and record.levelno >= logging.WARNING
        ]
