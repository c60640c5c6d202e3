"""Old jobs that a watcher requests by name, on a virtual clock: no job delays another."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, ClientConfig
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.triggers import _watcher_poll
from airflow_provider_benchmarks.triggers._watcher_poll import MAX_REQUEST_SECONDS, _request_each
from tests.support.virtual_time import in_virtual_time

GOOD = [f"good-{number}" for number in range(5)]


class Service:
    """Jobs that hang, take some seconds, are deleted, or answer at once, by the word that their name begins with."""

    def __init__(self) -> None:
        self.open = self.most_open = 0
        self.received: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        self.received.append(name)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if name.startswith("hang"):
                await asyncio.Event().wait()
            if name.startswith("late"):
                await asyncio.sleep(MAX_REQUEST_SECONDS - 2)
            if name.startswith("down"):
                return httpx.Response(503)
            if name.startswith("deleted"):
                return httpx.Response(404, json={"detail": "Job not found"})
        finally:
            self.open -= 1
        return httpx.Response(200, json={"name": name, "workspace": "ws", "status": "active"})


async def requested(service: Service, names: list[str]) -> tuple[set[str], frozenset[str]]:
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", retry_seconds=0, api="benchmark-jobs")
    found: dict[str, BenchmarkJob] = {}
    async with AsyncBenchmarkClient(config, httpx.MockTransport(service)) as client:
        deleted = await _request_each(client, frozenset(names), found)
    assert len(asyncio.all_tasks()) == 1
    return set(found), deleted


@pytest.fixture
def in_order(monkeypatch):
    """The order of the names in place of a random one: those with trouble first."""
    monkeypatch.setattr(_watcher_poll.random, "sample", lambda names, _: sorted(names, key=lambda name: "good" in name))


@pytest.mark.parametrize("count", [1, 3, 20])
@in_virtual_time
async def test_jobs_that_hang_delay_no_other(in_order, count):
    service = Service()
    found, deleted = await requested(service, [*GOOD, "deleted-0", *[f"hang-{number}" for number in range(count)]])
    assert (found, deleted) == (set(GOOD), {"deleted-0"})
    assert asyncio.get_running_loop().time() <= MAX_REQUEST_SECONDS + 0.1
    assert service.most_open <= 8


@in_virtual_time
async def test_a_late_one_is_waited_for(in_order):
    found, _ = await requested(Service(), [*GOOD, "late-0", "hang-0"])
    assert found == {*GOOD, "late-0"}


@in_virtual_time
async def test_healthy_ones_take_no_time(in_order):
    found, _ = await requested(Service(), GOOD)
    assert found == set(GOOD)
    assert asyncio.get_running_loop().time() == 0


@in_virtual_time
async def test_a_service_that_is_down_gets_few_requests(in_order):
    service = Service()
    await requested(service, [f"down-{number}" for number in range(50)])
    assert len(service.received) <= 8


@in_virtual_time
async def test_an_error_that_is_none_of_the_service_is_raised(in_order, monkeypatch):
    async def fail(*_, **__):
        raise RuntimeError("broken")

    monkeypatch.setattr(AsyncBenchmarkClient, "get_job", fail)
    with pytest.raises(RuntimeError, match="broken"):
        await requested(Service(), GOOD)
