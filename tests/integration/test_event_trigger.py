"""BenchmarkJobEventTrigger on an event loop, against the local service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import finished
from airflow_provider_benchmarks.testing import Fault, Seeder
from airflow_provider_benchmarks.triggers import _watching
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE
from tests.support.contexts import stored, until

MEANS = {f"{WORKSPACE}/exact-match:exact-match": 0.6, f"{WORKSPACE}/string-check:string-check": 0.8}


class Memory:
    """Airflow's state of an asset."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value, allow_nan=False)


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(_watching, "_HANDED_OVER", 0.05)


def trigger(memory: Memory | None = None, **arguments: Any) -> BenchmarkJobEventTrigger:
    """A trigger as a triggerer gets it."""
    made = stored(BenchmarkJobEventTrigger(**{"benchmark": BENCHMARK, "poll_interval": 0.05, **arguments}))
    made.asset_state_store = memory
    return made


def looks(service: Any) -> int:
    return sum(request.method == "GET" and request.path.endswith("/benchmark-jobs") for request in service.requests)


@asynccontextmanager
async def watching(service: Any, made: BenchmarkJobEventTrigger) -> AsyncIterator[list[dict[str, Any]]]:
    """Let a trigger run until the end of the block; gives the events so far. It has looked once before it begins."""
    events: list[dict[str, Any]] = []

    async def collect() -> None:
        async for event in made.run():
            events.append(json.loads(json.dumps(event.payload)))

    before = looks(service)
    task = asyncio.create_task(collect())
    await until(lambda: looks(service) > before + 1)
    try:
        yield events
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def submit(client: BenchmarkClient, name: str, benchmark: str = BENCHMARK) -> None:
    await asyncio.to_thread(client.submit_job, {**SPEC, "benchmark": benchmark}, name=name)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["job_name"] for event in events]


async def test_a_job_that_finishes_is_told_of_once_with_its_means(service, client) -> None:
    await submit(client, "before")
    await until(lambda: client.get_job("before").status == "completed")

    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = looks(service)
        await until(lambda: looks(service) > seen + 3)

    assert events == [
        {
            "job_name": "job-1",
            "workspace": WORKSPACE,
            "benchmark": BENCHMARK,
            "status": "completed",
            "means": MEANS,
        }
    ]


async def test_a_job_that_ran_already_is_told_of_when_it_finishes(service, client) -> None:
    service.hold_jobs("active")
    await submit(client, "running")

    async with watching(service, trigger()) as events:
        service.release_jobs()
        await until(lambda: events)

    assert names(events) == ["running"]


async def test_only_what_was_asked_for(service, client) -> None:
    with Seeder(service.url) as seeder:
        other = seeder.benchmark(WORKSPACE, "other", metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa")
    chosen = trigger(statuses=["error", "completed"], name_pattern="nightly-*")
    async with watching(service, trigger()) as completed, watching(service, chosen) as events:
        await submit(client, "elsewhere-1", other)
        await submit(client, "release-1")
        await until(lambda: completed)
        service.hold_jobs("active")
        for name, status in (("nightly-1", "cancelled"), ("nightly-2", "error"), ("nightly-3", "completed")):
            await submit(client, name)
            service.finish_job(WORKSPACE, name, status)
        await until(lambda: len(events) == 2 and len(completed) == 2)

    assert [(event["job_name"], event["status"]) for event in events] == [
        ("nightly-2", "error"),
        ("nightly-3", "completed"),
    ]
    assert names(completed) == ["release-1", "nightly-3"]


async def test_after_a_restart_nothing_is_told_twice_and_nothing_is_lost(service, client) -> None:
    memory = Memory()
    async with watching(service, trigger(memory)) as events:
        await submit(client, "told")
        await until(lambda: events)
    await submit(client, "meanwhile")
    await until(lambda: client.get_job("meanwhile").status == "completed")

    async with watching(service, trigger(memory)) as later:
        await until(lambda: later)
        await submit(client, "later")
        await until(lambda: len(later) == 2)

    assert (names(events), names(later)) == (["told"], ["meanwhile", "later"])


async def test_without_means_the_event_comes_all_the_same(service, client) -> None:
    service.inject(Fault.answer(404).on("GET", "*/aggregate-scores/download", times=None))
    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)

    assert "404" in events[0].pop("means_error")
    assert "means" not in events[0]


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_a_service_that_fails_is_asked_again_with_one_warning(service, client, status, caplog) -> None:
    async with watching(service, trigger()) as events:
        fault = service.inject(Fault.answer(status).on("GET", "*/benchmark-jobs", times=3))
        await until(lambda: fault.fired == 3)
        await submit(client, "job-1")
        await until(lambda: events)

    assert names(events) == ["job-1"]
    assert sum("Finished jobs are not seen" in record.getMessage() for record in caplog.records) == 1


async def test_a_look_does_not_walk_the_history(service, client, monkeypatch) -> None:
    monkeypatch.setattr(finished, "_LATE", timedelta(0))  # all jobs here are younger than what it is
    for number in range(230):  # more than a page
        await submit(client, f"old-{number}")
    await until(lambda: all(job.is_finished for job in client.list_jobs()))
    newest = max(job.created_at for job in client.list_jobs())
    await until(lambda: datetime.now(UTC) > newest + timedelta(seconds=2))  # the filter is one of whole seconds

    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = looks(service)
        await until(lambda: looks(service) > seen + 5)

    pages = [r.query["page"] for r in service.requests if r.method == "GET" and r.path.endswith("/benchmark-jobs")]
    assert pages[-5:] == [["1"]] * 5
    assert names(events) == ["job-1"]


async def test_a_memory_that_fails_is_no_end(service, client) -> None:
    class Broken(Memory):
        async def aset(self, key: str, value: Any) -> None:
            raise RuntimeError("no such table")

    async with watching(service, trigger(Broken())) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        await submit(client, "job-2")
        await until(lambda: len(events) == 2)

    assert names(events) == ["job-1", "job-2"]


class TestSharedStream:
    def test_triggers_of_one_workspace_share_and_others_do_not(self) -> None:
        key = trigger().shared_stream_key()
        assert trigger(benchmark="w/other", statuses=["error"]).shared_stream_key() == key
        assert len({key, *(trigger(**other).shared_stream_key() for other in OTHERS)}) == 1 + len(OTHERS)
        hash(key)

    async def test_each_takes_its_own_from_one_poll(self, service, client) -> None:
        with Seeder(service.url) as seeder:
            other = seeder.benchmark(
                WORKSPACE, "other", metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa"
            )
        memory = Memory()
        events: dict[str, list[str]] = {BENCHMARK: [], other: []}
        rounds: dict[str, asyncio.Queue[Any]] = {name: asyncio.Queue() for name in events}

        async def subscribe(benchmark: str) -> None:
            async def stream() -> AsyncIterator[Any]:
                while True:
                    yield await rounds[benchmark].get()

            async for event in trigger(memory, benchmark=benchmark).filter_shared_stream(stream()):
                events[benchmark].append(event.payload["job_name"])

        async def poll() -> None:
            made = trigger()
            async for jobs in type(made).open_shared_stream(made.serialize()[1]):
                for queue in rounds.values():
                    queue.put_nowait(jobs)

        tasks = [asyncio.create_task(call) for call in (subscribe(BENCHMARK), subscribe(other), poll())]
        await until(lambda: looks(service) > 2)
        await submit(client, "job-1")
        await submit(client, "job-2", other)
        await until(lambda: all(events.values()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        assert events == {BENCHMARK: ["job-1"], other: ["job-2"]}
        assert len(memory.kept) == 2


OTHERS: list[dict[str, Any]] = [{"conn_id": "other"}, {"workspace": "other"}, {"poll_interval": 7}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"statuses": ["active"]}, "statuses must be some of cancelled, completed, error, found"),
        ({"statuses": []}, "statuses must be"),
        ({"poll_interval": 0}, "poll_interval must be more than 0"),
    ],
)
def test_wrong_arguments_are_told_when_the_dag_is_parsed(arguments, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BenchmarkJobEventTrigger(benchmark=BENCHMARK, **arguments)
