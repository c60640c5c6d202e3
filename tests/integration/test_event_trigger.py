"""BenchmarkJobEventTrigger on an event loop, against the local service."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import finished
from airflow_provider_benchmarks.jobs.finished import Look
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

    def knows(self, job_name: str, part: str = "told") -> bool:
        return any(job_name in json.loads(state)[part] for state in self.kept.values())


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


async def next_second(client: BenchmarkClient) -> None:
    """Wait until later jobs are told from the newest: the service's filter is one of whole seconds."""
    newest = max(job.created_at for job in client.list_jobs())
    await until(lambda: datetime.now(UTC) > newest + timedelta(seconds=2))


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
        await until(lambda: events and memory.knows("told"))
    await submit(client, "meanwhile")
    await until(lambda: client.get_job("meanwhile").status == "completed")

    async with watching(service, trigger(memory)) as later:
        await until(lambda: later)
        await submit(client, "later")
        await until(lambda: len(later) == 2)

    assert (names(events), names(later)) == (["told"], ["meanwhile", "later"])


async def test_at_a_stop_right_after_an_event_the_job_is_told_again_and_not_lost(service, client, monkeypatch) -> None:
    """Airflow drops the events of the last second before it stops."""
    memory = Memory()
    async with watching(service, trigger(memory)):
        await until(lambda: memory.kept)
    monkeypatch.setattr(_watching, "_HANDED_OVER", 60)
    async with watching(service, trigger(memory)) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = looks(service)
        await until(lambda: looks(service) > seen + 1)

    async with watching(service, trigger(memory)) as again:
        await until(lambda: again)
    assert names(events) == names(again) == ["job-1"]


async def test_an_interval_can_be_changed_without_a_job_getting_lost(service, client) -> None:
    memory = Memory()
    async with watching(service, trigger(memory)):
        await until(lambda: memory.kept)
    await submit(client, "meanwhile")
    await until(lambda: client.get_job("meanwhile").is_finished)

    async with watching(service, trigger(memory, poll_interval=0.06)) as events:
        await until(lambda: events)
    assert names(events) == ["meanwhile"]


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


async def test_a_connection_that_is_not_there_yet_is_waited_for(service, client, monkeypatch, caplog) -> None:
    connection = os.environ["AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT")
    events: list[str] = []

    async def collect() -> None:
        async for event in trigger().run():
            events.append(event.payload["job_name"])

    task = asyncio.create_task(collect())
    await until(lambda: "nemo_evaluator_default can't be used" in caplog.text)
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection)
    await until(lambda: looks(service))
    await submit(client, "job-1")
    await until(lambda: events)
    task.cancel()

    assert events == ["job-1"]


async def test_a_look_does_not_walk_the_history(service, client, monkeypatch) -> None:
    monkeypatch.setattr(finished, "_LATE", timedelta(0))  # all jobs here are younger than what it is
    for number in range(230):  # more than a page
        await submit(client, f"old-{number}")
    await until(lambda: all(job.is_finished for job in client.list_jobs()))
    await next_second(client)

    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = looks(service)
        await until(lambda: looks(service) > seen + 5)

    pages = [r.query["page"] for r in service.requests if r.method == "GET" and r.path.endswith("/benchmark-jobs")]
    assert pages[-5:] == [["1"]] * 5
    assert names(events) == ["job-1"]


@pytest.mark.parametrize("stuck", [1, 5])
async def test_jobs_that_never_finish_do_not_make_looks_long(service, client, monkeypatch, stuck) -> None:
    monkeypatch.setattr(finished, "_LATE", timedelta(0))
    monkeypatch.setattr(_watching, "_PAGE", 15)
    service.hold_jobs("active")
    for number in range(stuck):
        await submit(client, f"stuck-{number}")
    await next_second(client)
    for number in range(60):
        await submit(client, f"old-{number}")
        service.finish_job(WORKSPACE, f"old-{number}", "completed")
    await next_second(client)

    async with watching(service, trigger()) as events:
        await until(lambda: looks(service) > 10)
        before = len(service.requests)
        seen = looks(service)
        await until(lambda: looks(service) > seen + 10)
        requests = [request for request in service.requests[before:] if request.method == "GET"]
        service.finish_job(WORKSPACE, "stuck-0", "completed")
        await until(lambda: events)

    pages = [request.query["page"] for request in requests if request.path.endswith("/benchmark-jobs")]
    assert pages == [["1"]] * len(pages)
    assert len(requests) - len(pages) <= stuck * (len(pages) + 1)  # those of the look that was under way count, too
    assert names(events) == ["stuck-0"]


async def test_the_trouble_of_one_job_does_not_hide_others(service, client, monkeypatch) -> None:
    monkeypatch.setattr(finished, "_LATE", timedelta(0))
    service.hold_jobs("active")
    await submit(client, "troubled")
    await next_second(client)
    await submit(client, "newest")
    await next_second(client)
    async with watching(service, trigger()) as events:
        fault = service.inject(Fault.answer(500).on("GET", "*/benchmark-jobs/troubled", times=None))
        await until(lambda: fault.fired > 1)
        service.finish_job(WORKSPACE, "newest", "completed")
        await until(lambda: events)
        service.finish_job(WORKSPACE, "troubled", "completed")
        service.clear_faults()
        await until(lambda: len(events) == 2)

    assert names(events) == ["newest", "troubled"]


async def test_a_job_that_is_deleted_is_forgotten(service, client) -> None:
    memory = Memory()
    service.hold_jobs("active")
    await submit(client, "deleted")
    async with watching(service, trigger(memory)) as events:
        await until(lambda: memory.knows("deleted", "running"))
        await asyncio.to_thread(client.delete_job, "deleted")
        await until(lambda: not memory.knows("deleted", "running"))

    assert events == []


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


async def test_an_asset_state_that_can_not_be_used_is_said_once(service, client, caplog) -> None:
    class Two(Memory):
        async def aget(self, key: str, default: Any = None) -> Any:
            raise ValueError("Task has 2 concrete inlets and outlets")

    async with watching(service, trigger(Two())) as events:
        await submit(client, "job-1")
        await until(lambda: events)

    assert caplog.text.count("Each asset needs a trigger of its own") == 1


async def test_a_memory_that_answers_late_is_asked_again(service, client, monkeypatch) -> None:
    monkeypatch.setattr(_watching, "_LOAD_PAUSE", 0.01)

    class Late(Memory):
        tries = 0

        async def aget(self, key: str, default: Any = None) -> Any:
            self.tries += 1
            if self.tries % 3:
                raise RuntimeError("no connection")
            return await super().aget(key, default)

    memory = Late()
    async with watching(service, trigger(memory)):
        await until(lambda: memory.kept)
    await submit(client, "meanwhile")
    await until(lambda: client.get_job("meanwhile").is_finished)
    async with watching(service, trigger(memory)) as events:
        await until(lambda: events)
    assert names(events) == ["meanwhile"]


async def test_a_state_is_kept_only_when_its_own_events_are_safe(monkeypatch) -> None:
    """Not already when those of an earlier one are."""
    passed = asyncio.Semaphore(0)

    async def sleep(seconds: float) -> None:
        await passed.acquire()

    memory = Memory()
    state = await _watching.WatcherState.load(memory, "a trigger")
    with monkeypatch.context() as patch:
        patch.setattr(_watching, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
        state.save_soon({"told": ["job-1"]})
        await asyncio.sleep(0)
        state.save_soon({"told": ["job-2"]})
        passed.release()
        await until(lambda: memory.kept)
        assert memory.knows("job-1")
        passed.release()
        await until(lambda: memory.knows("job-2"))
        await state.close()


class TestSharedStream:
    def test_triggers_of_one_workspace_share_and_others_do_not(self) -> None:
        key = trigger().shared_stream_key()
        assert trigger(benchmark="w/other", statuses=["error"]).shared_stream_key() == key
        assert len({key, *(trigger(**other).shared_stream_key() for other in OTHERS)}) == 1 + len(OTHERS)
        hash(key)

    async def test_each_takes_its_own_from_one_poll(self, service, client, streams) -> None:
        with Seeder(service.url) as seeder:
            other = seeder.benchmark(
                WORKSPACE, "other", metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa"
            )
        memory = Memory()
        mine, others = streams.watch(trigger(memory)), streams.watch(trigger(memory, benchmark=other))
        await until(lambda: looks(service) > 2)
        await submit(client, "job-1")
        await submit(client, "job-2", other)
        await until(lambda: mine and others and memory.knows("job-1") and memory.knows("job-2"))

        assert (mine, others) == (["job-1"], ["job-2"])
        assert len(memory.kept) == 2
        assert streams.polls == 1

    async def test_what_finished_while_nobody_looked_is_told_of_to_whoever_joins_late(
        self, service, client, streams
    ) -> None:
        memory = Memory()
        first = streams.watch(trigger(memory))
        await until(lambda: memory.kept)
        await streams.stop()
        await submit(client, "meanwhile")
        await until(lambda: client.get_job("meanwhile").is_finished)

        early = streams.watch(trigger(Memory(), name_pattern="*"))
        await until(lambda: early.looks > 2)
        late = streams.watch(trigger(memory))
        await until(lambda: late)
        await submit(client, "later")
        await until(lambda: early and len(late) == 2)

        assert (first, early, late) == ([], ["later"], ["meanwhile", "later"])

    async def test_a_job_older_than_the_first_look_of_a_new_stream_is_told_of(
        self, service, client, streams, monkeypatch
    ) -> None:
        monkeypatch.setattr(finished, "_LATE", timedelta(0))
        monkeypatch.setattr(_watching, "_PAGE", 2)
        monkeypatch.setattr(_watching, "_FIRST_LOOK_PAGES", 1)
        memory = Memory()
        service.hold_jobs("active")
        await submit(client, "old")
        streams.watch(trigger(memory))
        await until(lambda: memory.knows("old", "running"))
        await streams.stop()
        await next_second(client)
        for number in range(5):
            await submit(client, f"new-{number}")
            service.finish_job(WORKSPACE, f"new-{number}", "completed")

        events = streams.watch(trigger(memory))
        await until(lambda: len(events) == 5)
        service.finish_job(WORKSPACE, "old", "completed")
        await until(lambda: "old" in events)
        assert sorted(events) == ["new-0", "new-1", "new-2", "new-3", "new-4", "old"]

    async def test_a_look_that_is_older_than_what_was_told_repeats_nothing(self, service, client) -> None:
        memory = Memory()
        service.hold_jobs("active")
        await submit(client, "job-1")
        async with watching(service, trigger(memory)):
            await until(lambda: memory.knows("job-1", "running"))
        running = client.get_job("job-1")
        service.finish_job(WORKSPACE, "job-1", "completed")

        async def stream() -> AsyncIterator[Look]:
            began = asyncio.get_running_loop().time()
            yield Look(jobs=(), began=began)  # it does not show job-1, so the trigger looks by itself
            yield Look(jobs=(running,), began=began)
            for _ in range(2):
                yield Look(jobs=(client.get_job("job-1"),), began=asyncio.get_running_loop().time())

        events = [event.payload["job_name"] async for event in trigger(memory).filter_shared_stream(stream())]
        assert events == ["job-1"]


class Events(list[str]):
    looks = 0


class Streams:
    """Triggers as a triggerer of Airflow 3.3 runs them."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._tasks: list[asyncio.Task[None]] = []
        self.polls = 0

    def watch(self, made: BenchmarkJobEventTrigger) -> Events:
        events = Events()

        async def counted(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for look in stream:
                events.looks += 1
                yield look

        async def run(number: int) -> None:
            key = made.shared_stream_key()
            stream = self._manager.subscribe(trigger_id=number, trigger=made, key=key)
            try:
                async for event in made.filter_shared_stream(counted(stream)):
                    events.append(event.payload["job_name"])
            finally:
                await self._manager.unsubscribe(number, key)

        self._tasks.append(asyncio.create_task(run(len(self._tasks))))
        return events

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def streams(monkeypatch):
    shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="from Airflow 3.3 on")
    made = Streams(shared_stream.SharedStreamManager())
    opened = BenchmarkJobEventTrigger.open_shared_stream

    async def counted(cls: Any, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        made.polls += 1
        async for look in opened(kwargs):
            yield look

    monkeypatch.setattr(BenchmarkJobEventTrigger, "open_shared_stream", classmethod(counted))
    yield made
    await made.stop()


OTHERS: list[dict[str, Any]] = [{"conn_id": "other"}, {"workspace": "other"}, {"poll_interval": 7}]


def test_a_set_of_statuses_makes_the_same_trigger_in_every_process() -> None:
    """Airflow takes other arguments for another trigger; sets of texts come in another order in each process."""
    made = [
        trigger(statuses=order).serialize() for order in itertools.permutations(["error", "completed", "cancelled"])
    ]
    assert made == [made[0]] * 6


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
