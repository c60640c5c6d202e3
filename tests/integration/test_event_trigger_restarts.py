"""The state of watchers of finished jobs over restarts, and the polls that they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.jobs.finished import JobsPoll
from airflow_provider_benchmarks.testing import Fault, Seeder
from airflow_provider_benchmarks.triggers import _watcher_means, _watcher_poll, _watcher_state
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from tests.integration.conftest import WORKSPACE
from tests.support.contexts import until
from tests.support.watchers import LONG_BEFORE_SECONDS, Memory, Streams, names, polls, submit, trigger, watching

OTHERS: list[dict[str, Any]] = [{"conn_id": "other"}, {"workspace": "other"}, {"poll_interval": 7}]


@pytest.fixture
async def streams(monkeypatch):
    shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="from Airflow 3.3 on")
    made = Streams(shared_stream.SharedStreamManager())
    opened = BenchmarkJobEventTrigger.open_shared_stream

    async def counted(cls: Any, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        made.polls += 1
        async for poll in opened(kwargs):
            yield poll

    monkeypatch.setattr(BenchmarkJobEventTrigger, "open_shared_stream", classmethod(counted))
    yield made
    await made.stop()


@pytest.fixture
def service(service_with_clock):
    return service_with_clock


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(_watcher_state, "EVENT_STORED_SECONDS", 0.05)


async def test_after_a_restart_no_event_is_fired_twice_and_none_is_lost(service, client) -> None:
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


async def test_at_a_stop_right_after_an_event_it_is_fired_again_and_not_lost(service, client, monkeypatch) -> None:
    """Airflow drops the events of the last second before it stops."""
    memory = Memory()
    async with watching(service, trigger(memory)):
        await until(lambda: memory.kept)
    monkeypatch.setattr(_watcher_state, "EVENT_STORED_SECONDS", 60)
    async with watching(service, trigger(memory)) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = polls(service)
        await until(lambda: polls(service) > seen + 1)

    async with watching(service, trigger(memory)) as again:
        await until(lambda: again)
    assert names(events) == names(again) == ["job-1"]


async def test_the_state_of_a_burst_is_stored_event_by_event(service, client) -> None:
    """A triggerer that stops among the events of one poll fires only those later that it has not fired."""
    memory = Memory()
    async with watching(service, trigger(memory)):
        await until(lambda: memory.kept)
    jobs = [f"burst-{number}" for number in range(6)]
    for name in jobs:
        await submit(client, name)
    await until(lambda: all(job.is_finished for job in client.list_jobs()))
    # The scores of the last job don't arrive, so that its event is still pending at the stop.
    service.inject(Fault.delay(600).on("GET", f"*/{jobs[-1]}/results/aggregate-scores/download", times=None))
    async with watching(service, trigger(memory), polls_first=0) as events:
        await until(lambda: len(events) == 5 and memory.knows(jobs[-2]))
    service.clear_faults()

    async with watching(service, trigger(memory)) as again:
        await until(lambda: again)
        seen = polls(service)
        await until(lambda: polls(service) > seen + 1)
    assert (names(events), names(again)) == (jobs[:-1], jobs[-1:])


async def test_the_scores_of_a_few_jobs_are_requested_concurrently(service, client) -> None:
    slow = service.inject(Fault.delay(600).on("GET", "*/aggregate-scores/download", times=None))
    service.hold_jobs("active")
    for number in range(6):
        await submit(client, f"burst-{number}")
    async with watching(service, trigger()):
        with service._state.lock:  # so that one poll returns all of them
            for number in range(6):
                service.finish_job(WORKSPACE, f"burst-{number}", "completed")
        await until(lambda: slow.fired == _watcher_means.MAX_CONCURRENT_REQUESTS)
    service.clear_faults()


async def test_an_interval_can_be_changed_without_a_job_getting_lost(service, client) -> None:
    memory = Memory()
    async with watching(service, trigger(memory)):
        await until(lambda: memory.kept)
    await submit(client, "meanwhile")
    await until(lambda: client.get_job("meanwhile").is_finished)

    async with watching(service, trigger(memory, poll_interval=0.06)) as events:
        await until(lambda: events)
    assert names(events) == ["meanwhile"]


async def test_a_store_that_fails_ends_no_watcher(service, client) -> None:
    class Broken(Memory):
        async def aset(self, key: str, value: Any) -> None:
            raise RuntimeError("no such table")

    async with watching(service, trigger(Broken())) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        await submit(client, "job-2")
        await until(lambda: len(events) == 2)

    assert names(events) == ["job-1", "job-2"]


async def test_an_asset_state_that_can_not_be_used_is_logged_once(service, client, caplog) -> None:
    class Two(Memory):
        async def aget(self, key: str, default: Any = None) -> Any:
            raise ValueError("Task has 2 concrete inlets and outlets")

    async with watching(service, trigger(Two())) as events:
        await submit(client, "job-1")
        await until(lambda: events)

    assert caplog.text.count("Each asset needs a trigger of its own") == 1


async def test_loading_the_state_is_retried(service, client, monkeypatch) -> None:
    monkeypatch.setattr(_watcher_state, "LOAD_RETRY_SECONDS", 0.01)

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


async def test_a_state_is_stored_only_after_its_own_events(monkeypatch) -> None:
    """Not already when the events of an earlier state are."""
    passed = asyncio.Semaphore(0)

    async def sleep(seconds: float) -> None:
        await passed.acquire()

    memory = Memory()
    state = await _watcher_state.WatcherState.load(memory, "a trigger")
    with monkeypatch.context() as patch:
        patch.setattr(_watcher_state, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
        state.save_soon(lambda: {"reported": ["job-1"]})
        await asyncio.sleep(0)
        state.save_soon(lambda: {"reported": ["job-2"]})
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
        await until(lambda: polls(service) > 2)
        await submit(client, "job-1")
        await submit(client, "job-2", other)
        await until(lambda: mine and others and memory.knows("job-1") and memory.knows("job-2"))

        assert (mine, others) == (["job-1"], ["job-2"])
        assert len(memory.kept) == 2
        assert streams.polls == 1

    async def test_a_trigger_that_joins_late_gets_what_finished_while_none_was_running(
        self, service, client, streams
    ) -> None:
        memory = Memory()
        first = streams.watch(trigger(memory))
        await until(lambda: memory.kept)
        await streams.stop()
        await submit(client, "meanwhile")
        await until(lambda: client.get_job("meanwhile").is_finished)

        early = streams.watch(trigger(Memory(), name_pattern="*"))
        await until(lambda: early.polls > 2)
        late = streams.watch(trigger(memory))
        await until(lambda: late)
        await submit(client, "later")
        await until(lambda: early and len(late) == 2)

        assert (first, early, late) == ([], ["later"], ["meanwhile", "later"])

    async def test_a_job_older_than_the_first_poll_of_a_new_stream_makes_an_event(
        self, service, client, clock, streams, monkeypatch
    ) -> None:
        monkeypatch.setattr(_watcher_poll, "PAGE_SIZE", 2)
        monkeypatch.setattr(_watcher_poll, "MAX_PAGES_OF_FIRST_POLL", 1)
        memory = Memory()
        service.hold_jobs("active")
        await submit(client, "old")
        streams.watch(trigger(memory))
        await until(lambda: memory.knows("old", "running"))
        await streams.stop()
        clock.advance(LONG_BEFORE_SECONDS)
        for number in range(5):
            await submit(client, f"new-{number}")
            service.finish_job(WORKSPACE, f"new-{number}", "completed")

        events = streams.watch(trigger(memory))
        await until(lambda: len(events) == 5)
        service.finish_job(WORKSPACE, "old", "completed")
        await until(lambda: "old" in events)
        assert sorted(events) == ["new-0", "new-1", "new-2", "new-3", "new-4", "old"]

    async def test_a_poll_that_is_older_than_the_last_event_repeats_nothing(self, service, client) -> None:
        memory = Memory()
        service.hold_jobs("active")
        await submit(client, "job-1")
        async with watching(service, trigger(memory)):
            await until(lambda: memory.knows("job-1", "running"))
        running = client.get_job("job-1")
        service.finish_job(WORKSPACE, "job-1", "completed")

        async def stream() -> AsyncIterator[JobsPoll]:
            began = asyncio.get_running_loop().time()
            yield JobsPoll(jobs=(), started_at=began)  # it does not have job-1, so the trigger polls alone
            yield JobsPoll(jobs=(running,), started_at=began)
            for _ in range(2):
                yield JobsPoll(jobs=(client.get_job("job-1"),), started_at=asyncio.get_running_loop().time())

        events = [event.payload["job_name"] async for event in trigger(memory).filter_shared_stream(stream())]
        assert events == ["job-1"]
