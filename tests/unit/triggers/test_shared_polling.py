"""Triggers that wait together on a virtual clock: their intervals, pauses and deadlines are those of users."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.triggers import _shared_polling
from airflow_provider_benchmarks.triggers._job_lists import LIST_PAUSE_SECONDS, MAX_LIST_FAILURES
from airflow_provider_benchmarks.triggers._shared_polling import LAST_POLL_TIMEOUT_SECONDS
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.support.jobs_in_memory import JobsInMemory
from tests.support.triggers import Telling, trigger_for
from tests.support.virtual_time import in_virtual_time, until

INTERVAL = 30.0
#: More jobs than are requested one by one.
MANY = 40

Task = asyncio.Task[dict[str, Any]]


def names_of(count: int) -> list[str]:
    return [f"job-{number}" for number in range(count)]


@pytest.fixture
def service(monkeypatch) -> JobsInMemory:
    made = JobsInMemory(names_of(MANY))
    monkeypatch.setattr(_shared_polling, "open_client", made.open_client)
    return made


async def event_of(trigger: BenchmarkJobTrigger) -> dict[str, Any]:
    (event,) = [event.payload async for event in trigger.run()]
    return event


def wait_for_all(names: Iterable[str], **arguments: Any) -> list[Task]:
    arguments = {"poll_interval": INTERVAL, **arguments}
    return [asyncio.create_task(event_of(trigger_for(name, **arguments))) for name in names]


async def statuses_of(waiting: Iterable[Task]) -> list[str]:
    return [event["status"] for event in await asyncio.gather(*waiting)]


async def cancel(waiting: Iterable[Task]) -> None:
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def answer(status: int, **headers: str) -> Any:
    return lambda request: httpx.Response(status, headers=headers)


def dropped(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("the connection was closed", request=request)


def now() -> float:
    return asyncio.get_running_loop().time()


class TestRequests:
    @in_virtual_time
    async def test_few_jobs_are_requested_one_by_one(self, service):
        waiting = wait_for_all(names_of(2))
        await until(lambda: len(service.polls) >= 20)
        assert service.lists == []
        assert service.opened == 1
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * 2

    @in_virtual_time
    async def test_many_take_few_requests(self, monkeypatch):
        service = JobsInMemory(names_of(300))
        monkeypatch.setattr(_shared_polling, "open_client", service.open_client)
        waiting = wait_for_all(names_of(300))
        await until(lambda: len(service.lists) >= 8)
        # Two pages a poll, with a status filter. After the first poll only jobs since the oldest are listed.
        assert service.polls == []
        assert all("completed" not in sent.query["filter[status][$in]"][0] for sent in service.lists)
        assert "filter[created_at][$gte]" not in service.lists[0].query
        assert "filter[created_at][$gte]" in service.lists[-1].query
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * 300
        assert len(service.sent) < 60
        assert service.opened == 1

    @in_virtual_time
    async def test_waits_of_an_interval_are_polled_together(self, service):
        waiting = []
        for name in names_of(MANY):
            waiting += wait_for_all([name])
            await asyncio.sleep(INTERVAL / 7)
        service.sent.clear()
        begun = now()
        await until(lambda: now() > begun + 10.5 * INTERVAL)
        times = [sent.at for sent in service.lists]
        assert len(times) in (10, 11)
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert pauses == pytest.approx([INTERVAL] * len(pauses))
        await cancel(waiting)

    @in_virtual_time
    async def test_each_trigger_has_its_own_interval(self, service):
        waiting = [*wait_for_all(["job-0"], poll_interval=5), *wait_for_all(["job-1"], poll_interval=600)]
        await until(lambda: now() > 3600)
        polls = [sent.job for sent in service.polls]
        assert polls.count("job-0") == pytest.approx(720, abs=5)
        assert polls.count("job-1") in (6, 7)
        await cancel(waiting)


def warnings_of_connection(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    """Warnings with these words, but those of each job's own trigger, which are records of Python on older Airflows."""
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING and record.module != "jobs"]
    return [record.getMessage() for record in warnings if words in record.getMessage()]


class TestOutage:
    @pytest.mark.parametrize("count", [2, MANY])
    @pytest.mark.parametrize("fault", [answer(503), answer(500), dropped])
    @in_virtual_time
    async def test_is_logged_once_and_survived(self, service, caplog, fault, count):
        waiting = wait_for_all(names_of(count))
        await until(lambda: len(service.sent) >= 2)
        service.inject(fault)
        await until(lambda: service.faults >= 5)
        service.clear_fault()
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * count
        warnings = warnings_of_connection(caplog, "benchmark-jobs")
        assert [f"Jobs waited for: {count}." in text for text in warnings] == [True]

    @in_virtual_time
    async def test_that_begins_between_two_lists_is_logged_once(self, service, caplog):
        """The list of finished jobs is requested where that of running ones does not have a job."""
        service.statuses |= dict.fromkeys(names_of(MANY)[:20], "hidden")  # from lists
        respond = service._respond
        is_near = False

        async def down_after_a_page(request: httpx.Request) -> httpx.Response:
            nonlocal is_near
            if is_near and service.lists:
                is_near = False
                service.inject(dropped)
            return await respond(request)

        service._respond = down_after_a_page
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.lists) >= 4)
        service.sent.clear()
        is_near = True
        await until(lambda: "Jobs waited for" in caplog.text)
        assert "Polling again" not in "".join(r.getMessage() for r in caplog.records if r.name == "trigger")
        service.clear_fault()
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY

    @in_virtual_time
    async def test_requests_one_job_until_the_service_responds_less_and_less_often(self, service):
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.lists) >= 2)
        service.inject(answer(503))
        await until(lambda: len(service.sent) >= 9)
        assert len(service.lists) <= 2
        pauses = [later.at - earlier.at for earlier, later in itertools.pairwise(service.sent)]
        assert max(pauses) > 3 * INTERVAL
        assert max(pauses) < 400
        service.clear_fault()
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY

    @in_virtual_time
    async def test_waits_as_long_as_the_service_asks(self, service):
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.lists) >= 2)
        service.inject(answer(503, **{"Retry-After": "200"}))
        await until(lambda: service.faults)
        asked = now()
        assert service.faults <= 6  # the list, single requests at a time, and the cheap one
        service.clear_fault()
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY
        assert next(sent.at for sent in service.sent if sent.at > asked) >= asked + 199

    @in_virtual_time
    async def test_deadlines_hold_meanwhile(self, service):
        late = wait_for_all(names_of(MANY)[2:])
        await until(lambda: len(service.lists) >= 2)
        service.inject(answer(503, **{"Retry-After": "280"}))
        deadlines = [time.time() + seconds for seconds in (40, 95)]
        soon = [task for i in (0, 1) for task in wait_for_all([f"job-{i}"], deadline=deadlines[i])]
        for task, deadline in zip(soon, deadlines, strict=True):
            assert (await task)["status"] == "timed_out"
            assert time.time() == pytest.approx(deadline, abs=1)
        assert not any(task.done() for task in late)
        await cancel(late)

    @in_virtual_time
    async def test_a_deadline_holds_while_a_response_does_not_come(self, service):
        service.is_silent = True
        deadline = time.time() + 100
        assert await statuses_of(wait_for_all(["job-0"], deadline=deadline)) == ["timed_out"]
        assert deadline <= time.time() <= deadline + 2 * LAST_POLL_TIMEOUT_SECONDS

    @in_virtual_time
    async def test_a_deadline_in_the_middle_of_an_interval(self, service):
        deadline = time.time() + 2.5 * INTERVAL
        assert await statuses_of(wait_for_all(["job-0"], deadline=deadline)) == ["timed_out"]
        assert time.time() == pytest.approx(deadline, abs=1)

    @in_virtual_time
    async def test_refusals_for_a_while_are_survived(self, service, caplog):
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.lists) >= 2)
        service.inject(answer(401))
        # A whole poll of refusals: among other responses a refusal concerns one job only.
        await until(lambda: service.faults >= 4 and "Jobs waited for" in caplog.text)
        service.clear_fault()
        await until(lambda: len(service.lists) >= 4)  # and lists are read again at once
        assert not any(task.done() for task in waiting)
        assert len(service.polls) < MANY
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY
        warnings = warnings_of_connection(caplog, "answered 401")
        assert [f"Jobs waited for: {MANY}." in text for text in warnings] == [True]

    @in_virtual_time
    async def test_refusals_that_go_on_end_all_waits(self, service):
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.lists) >= 2)
        service.inject(answer(403))
        for event in await asyncio.gather(*waiting):
            assert (event["status"], event["error"]) == ("failed_to_wait", "Unauthorized")
        assert service.faults < MANY


class TestList:
    @pytest.mark.parametrize("status", [400, 403, 422])
    @in_virtual_time
    async def test_one_that_is_refused_leaves_single_requests(self, service, caplog, status):
        service.lists_fail_with = status
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.polls) >= 2 * MANY)
        assert len(service.lists) <= 2
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY
        assert sum("can't be used" in r.getMessage() for r in caplog.records) == 1

    @in_virtual_time
    async def test_one_that_always_fails_leaves_single_requests(self, service):
        service.lists_fail_with = 504
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.polls) >= (MAX_LIST_FAILURES + 2) * MANY)
        assert len(service.lists) == MAX_LIST_FAILURES
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY

    @in_virtual_time
    async def test_one_that_failed_is_read_again_later(self, service):
        service.lists_fail_with = 422
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: service.lists)
        service.lists_fail_with = None
        await until(lambda: len(service.lists) >= 3)
        assert service.lists[1].at - service.lists[0].at >= LIST_PAUSE_SECONDS
        await cancel(waiting)

    @in_virtual_time
    async def test_a_service_that_can_not_filter_by_time(self, service):
        waiting = wait_for_all(names_of(MANY))
        await until(lambda: len(service.lists) >= 2)
        service.inject(answer(400), times=1)
        await until(lambda: len(service.lists) >= 4)
        assert "filter[created_at][$gte]" in service.lists[0].query
        assert all("filter[created_at][$gte]" not in sent.query for sent in service.lists[1:])
        assert service.polls == []
        service.finish_all()
        assert await statuses_of(waiting) == ["completed"] * MANY


@in_virtual_time
async def test_a_job_that_the_service_fails_on_is_waited_for(service, caplog):
    healthy = service._job
    failures: list[str] = []

    def job(name: str) -> Any:
        if name == "job-1" and len(failures) < 3:
            failures.append(name)
            raise httpx.ReadError("broken")
        return healthy(name)

    service._job = job
    waiting = wait_for_all(names_of(2), kind=Telling)
    await until(lambda: len(failures) == 3)
    service.finish_all()
    assert await statuses_of(waiting) == ["completed"] * 2
    own = [r.getMessage() for r in caplog.records if r.name == "trigger"]
    assert sum("the service does not answer since" in text for text in own) == 1
    assert sum("the service answers again, after" in text and "3 polls failed" in text for text in own) == 1
    assert not [r for r in caplog.records if r.name == _shared_polling.logger.name and r.levelno >= logging.WARNING]
