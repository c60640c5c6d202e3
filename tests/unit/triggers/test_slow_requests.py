"""Slow requests on a virtual clock: which go on, which begin again, and in which order."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.triggers._slow_requests import (
    MAX_SILENT_REQUESTS,
    MAX_SLOW_REQUESTS,
    SHORT_SECONDS,
    SLOW_SECONDS,
    TURN_SECONDS,
    UNSURE_SECONDS,
    SlowRequests,
)
from tests.support.virtual_time import in_virtual_time, until

TIMEOUT = 30.0


class Service:
    """Answers for each job after a number of seconds, or not before a timeout."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.timeout = seconds, TIMEOUT
        self.requests: list[str] = []
        self.open = self.most_open = 0
        self.reported: dict[str, BenchmarkJob | Exception] = {}

    async def answer(self, name: str) -> BenchmarkJob:
        self.requests.append(name)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(min(self.seconds.get(name, 0.0), self.timeout))
        finally:
            self.open -= 1
        if self.seconds.get(name, 0.0) >= self.timeout:
            raise ServiceUnavailable(f"no answer for {name}")
        return BenchmarkJob(name=name, workspace="ws", status="active")

    def report(self, name: str, result: BenchmarkJob | Exception) -> None:
        self.reported[name] = result

    async def poll(self, slow: SlowRequests, name: str) -> BenchmarkJob | None:
        return await slow.request(name, lambda: self.answer(name), self.report)


def now() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_a_slow_job_is_reported_later_also_where_nothing_has_responded():
    slow, service = SlowRequests(), Service(a=8)
    assert await service.poll(slow, "a") is None
    assert now() == SLOW_SECONDS
    assert "a" in slow
    assert await service.poll(slow, "a") is None  # its request goes on
    assert service.requests == ["a"]
    await until(lambda: service.reported)
    assert service.reported["a"].status == "active"
    assert 8 <= now() < 9
    assert "a" not in slow


@in_virtual_time
async def test_an_error_is_reported_later_too():
    slow, service = SlowRequests(), Service(a=TIMEOUT)
    assert await service.poll(slow, "a") is None
    await until(lambda: service.reported)
    assert isinstance(service.reported["a"], ServiceUnavailable)
    assert slow.is_slow("a")


@in_virtual_time
async def test_a_job_that_was_slow_is_not_waited_for_again_until_it_is_quick():
    slow, service = SlowRequests(), Service(a=8)
    assert await service.poll(slow, "a") is None
    await until(lambda: service.reported.pop("a", None))
    service.seconds["a"] = 0.1
    begun = now()
    assert await service.poll(slow, "a") is None
    assert now() == begun
    await until(lambda: service.reported)
    assert not slow.is_slow("a")
    assert await service.poll(slow, "a") is not None


@in_virtual_time
async def test_a_quick_timeout_makes_a_job_slow_too():
    slow = SlowRequests()

    async def time_out() -> BenchmarkJob:
        await asyncio.sleep(SHORT_SECONDS)
        raise ServiceUnavailable("no answer after 1 s")

    with pytest.raises(ServiceUnavailable):
        await slow.request("a", time_out, Service().report)
    assert slow.is_slow("a")
    with pytest.raises(ServiceUnavailable):
        await slow.request("b", fail, Service().report)
    assert not slow.is_slow("b")  # it costs no time


async def fail() -> BenchmarkJob:
    raise ServiceUnavailable("the connection was closed")


@in_virtual_time
async def test_many_hanging_jobs_take_little_time_and_few_places():
    names = [f"job-{number}" for number in range(20)]
    slow, service = SlowRequests(), Service(**dict.fromkeys(names, TIMEOUT))
    for name in names:
        assert await service.poll(slow, name) is None
    assert now() == SLOW_SECONDS + 19 * UNSURE_SECONDS
    assert service.most_open <= MAX_SLOW_REQUESTS + 1
    assert await service.poll(slow, "healthy") is not None
    slow.begin_poll()
    begun = now()
    for name in names:
        assert await service.poll(slow, name) is None
    assert now() == begun
    await until(lambda: service.reported.keys() == set(names))  # each gets its turn
    assert now() < begun + 20 * (TURN_SECONDS + 2 * TURN_SECONDS + TIMEOUT) / MAX_SILENT_REQUESTS + TIMEOUT
    assert service.most_open <= MAX_SLOW_REQUESTS + 1


@in_virtual_time
async def test_a_job_that_is_silent_once_does_not_wait_until_others_have_timed_out():
    names = [f"job-{number}" for number in range(6)]
    slow, service = SlowRequests(), Service(**dict.fromkeys([*names, "once"], 600.0))
    service.timeout = 600.0
    for name in [*names, "once"]:
        slow.begin_poll()  # so that each is waited for as long as the first
        assert await service.poll(slow, name) is None
    service.seconds["once"] = 0.1
    begun = now()
    await until(lambda: "once" in service.reported)
    assert now() <= begun + 2 * TURN_SECONDS + 2 * SHORT_SECONDS
    assert isinstance(service.reported["once"], BenchmarkJob)
    await slow.close()


@in_virtual_time
async def test_where_the_service_responds_to_others_hanging_jobs_take_less_time():
    names = [f"job-{number}" for number in range(20)]
    slow, service = SlowRequests(), Service(**dict.fromkeys(names, TIMEOUT))
    assert await service.poll(slow, "healthy") is not None
    for name in names:
        assert await service.poll(slow, name) is None
    assert now() == SLOW_SECONDS + 19 * SHORT_SECONDS


@in_virtual_time
async def test_a_late_job_does_not_wait_for_silent_ones():
    names = [f"job-{number}" for number in range(12)]
    slow, service = SlowRequests(), Service(**dict.fromkeys(names, TIMEOUT), late=SLOW_SECONDS + 1)
    assert await service.poll(slow, "late") is None
    for name in names:
        await service.poll(slow, name)
    await until(lambda: sum(name in service.reported for name in names) >= 6)  # the places are taken by silent ones
    for _ in range(3):
        service.reported.pop("late", None)
        begun = now()
        for name in [*names, "late"]:
            await service.poll(slow, name)
        await until(lambda: "late" in service.reported)
        assert now() <= begun + SLOW_SECONDS + 3


@in_virtual_time
async def test_late_jobs_leave_a_place_for_silent_ones():
    late = [f"late-{number}" for number in range(12)]
    slow, service = SlowRequests(), Service(**dict.fromkeys(late, SLOW_SECONDS + 3), silent=TIMEOUT)
    for name in [*late, "silent"]:
        await service.poll(slow, name)
    await until(lambda: len(service.reported) == 13)
    service.seconds["silent"] = SLOW_SECONDS + 3
    service.reported.clear()
    begun = now()
    while "silent" not in service.reported:
        for name in [*late, "silent"]:  # more often than the late ones come to their ends
            await service.poll(slow, name)
        await asyncio.sleep(1)
    assert now() < begun + 2 * TIMEOUT
    await slow.close()


@in_virtual_time
async def test_a_job_that_was_ended_early_begins_again_before_silent_ones():
    names = [f"job-{number}" for number in range(10)]
    slow, service = SlowRequests(), Service(**dict.fromkeys(names, TIMEOUT), middling=SHORT_SECONDS + 0.5)
    assert await service.poll(slow, "healthy") is not None
    for name in [*names, "middling"]:
        assert await service.poll(slow, name) is None
    begun = now()
    await until(lambda: "middling" in service.reported)
    assert now() < begun + TIMEOUT
    assert not slow.is_slow("middling")


@in_virtual_time
async def test_whether_the_service_responds_at_all():
    async def cheap(seconds: float, error: ServiceUnavailable | None) -> ServiceUnavailable | None:
        await asyncio.sleep(seconds)
        return error

    down = ServiceUnavailable("down")
    for seconds, check, responds, ends in (
        (TIMEOUT, cheap(1, None), True, SLOW_SECONDS + 1),
        (8, cheap(20, down), True, 8),  # the job responds first
        (TIMEOUT, cheap(1, down), False, TIMEOUT),
    ):
        slow, service, begun = SlowRequests(), Service(a=seconds), now()
        assert await service.poll(slow, "a") is None
        task = asyncio.ensure_future(check)
        assert await slow.wait_for_response(task) is responds
        assert now() - begun == pytest.approx(ends, abs=0.1)
        task.cancel()
        await slow.close()


@in_virtual_time
async def test_a_request_that_begins_later_may_get_the_first_response():
    slow, service = SlowRequests(), Service(a=8)
    silent = asyncio.create_task(asyncio.sleep(TIMEOUT, ServiceUnavailable("down")))
    waiting = asyncio.create_task(slow.wait_for_response(silent))
    await asyncio.sleep(0)
    assert await service.poll(slow, "a") is None
    assert await waiting
    assert now() == pytest.approx(8, abs=0.1)
    silent.cancel()


@in_virtual_time
async def test_what_nobody_waits_for_any_more_is_forgotten():
    names = [f"job-{number}" for number in range(8)]
    slow, service = SlowRequests(), Service(**dict.fromkeys(names, TIMEOUT))
    for name in names:
        await service.poll(slow, name)
    slow.keep_only({"job-0"})
    await until(lambda: service.open == 1)
    assert [name for name in names if name in slow or slow.is_slow(name)] == ["job-0"]
    await slow.close()
    assert service.open == 0
    assert not service.reported


@in_virtual_time
async def test_who_stops_waiting_ends_the_request():
    slow, service = SlowRequests(), Service(a=TIMEOUT)
    task = asyncio.create_task(service.poll(slow, "a"))
    await until(lambda: service.open == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: service.open == 0)
