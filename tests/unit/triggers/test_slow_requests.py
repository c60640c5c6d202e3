from __future__ import annotations

import asyncio

import pytest

from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.triggers import _slow_requests
from airflow_provider_benchmarks.triggers._slow_requests import MAX_SLOW_REQUESTS, SlowRequests
from tests.support.contexts import until

JOB = BenchmarkJob(name="job", workspace="ws", status="active")


class Service:
    """Answers when it is let to, and keeps count of the requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.reported: list[tuple[str, BenchmarkJob | Exception]] = []
        self.answer: asyncio.Future[BenchmarkJob] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> BenchmarkJob:
        self.requests += 1
        return await asyncio.shield(self.answer)

    def report(self, name: str, result: BenchmarkJob | Exception) -> None:
        self.reported.append((name, result))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(_slow_requests, "SLOW_SECONDS", 0.01)


async def test_a_slow_job_is_reported_later_while_others_are_answered():
    slow, service = SlowRequests(), Service()
    slow.note_response()
    assert await slow.request("a", service, service.report) is None
    assert "a" in slow
    assert await slow.request("a", service, service.report) is None  # its request goes on
    assert service.requests == 1
    service.answer.set_result(JOB)
    await until(lambda: service.reported == [("a", JOB)])
    assert "a" not in slow


async def test_an_error_is_reported_later_too():
    slow, service, error = SlowRequests(), Service(), ServiceUnavailable("late")
    slow.note_response()
    assert await slow.request("a", service, service.report) is None
    service.answer.set_exception(error)
    await until(lambda: service.reported == [("a", error)])
    assert slow.last(["a", "b"]) == ["b", "a"]


@pytest.mark.parametrize("outage", [True, False])
async def test_where_nothing_responds_it_is_the_service_that_is_slow(outage):
    slow, service = SlowRequests(), Service()
    if outage:
        slow.note_response()
        slow.note_outage()
    asyncio.get_running_loop().call_later(0.1, service.answer.set_result, JOB)
    assert await slow.request("a", service, service.report) == JOB
    assert not service.reported


async def test_a_few_slow_requests_go_on_at_a_time():
    slow, service = SlowRequests(), Service()
    slow.note_response()
    names = [f"job-{n}" for n in range(MAX_SLOW_REQUESTS + 2)]
    for _ in range(3):
        for name in names:
            assert await slow.request(name, service, service.report) is None
    assert sum(name in slow for name in names) == MAX_SLOW_REQUESTS
    assert service.requests == MAX_SLOW_REQUESTS + 2  # the others are not requested again before there is room
    await slow.close()
    assert not any(name in slow for name in names)
    assert not service.reported


async def test_who_stops_waiting_ends_the_request():
    slow, service = SlowRequests(), Service()
    ended = []

    async def request():
        try:
            return await service()
        finally:
            ended.append(True)

    task = asyncio.create_task(slow.request("a", request, service.report))
    await until(lambda: service.requests == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: ended == [True])
