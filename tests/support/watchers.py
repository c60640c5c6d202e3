"""Watchers of finished jobs on an event loop, alone and as a triggerer of Airflow 3.3 runs them together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from tests.integration.conftest import BENCHMARK, SPEC
from tests.support.contexts import stored, until


class Memory:
    """Airflow's state of an asset."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value, allow_nan=False)

    def knows(self, job_name: str, part: str = "reported") -> bool:
        return any(job_name in json.loads(state)[part] for state in self.kept.values())


def trigger(memory: Memory | None = None, **arguments: Any) -> BenchmarkJobEventTrigger:
    """A trigger as a triggerer gets it."""
    made = stored(BenchmarkJobEventTrigger(**{"benchmark": BENCHMARK, "poll_interval": 0.05, **arguments}))
    made.asset_state_store = memory
    return made


#: More than a job may get into the list after a job that was created after it; see jobs/finished.py.
LONG_BEFORE_SECONDS = 180.0


def polls(service: Any) -> int:
    return sum(request.method == "GET" and request.path.endswith("/benchmark-jobs") for request in service.requests)


@asynccontextmanager
async def watching(
    service: Any, made: BenchmarkJobEventTrigger, *, polls_first: int = 2
) -> AsyncIterator[list[dict[str, Any]]]:
    """Let a trigger run until the end of the block; return the events so far.

    :param polls_first: number of polls that begin before the block does; the events of all but the last are there
    """
    events: list[dict[str, Any]] = []

    async def collect() -> None:
        async for event in made.run():
            events.append(json.loads(json.dumps(event.payload)))

    before = polls(service)
    task = asyncio.create_task(collect())
    await until(lambda: polls(service) >= before + polls_first)
    try:
        yield events
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def submit(client: BenchmarkClient, name: str, benchmark: str = BENCHMARK) -> None:
    await asyncio.to_thread(client.submit_job, {**SPEC, "benchmark": benchmark}, name=name)


async def next_second(client: BenchmarkClient) -> None:
    """Wait until later jobs are distinct from the newest: the service's filter is one of whole seconds."""
    newest = max(job.created_at for job in client.list_jobs())
    await until(lambda: datetime.now(UTC) > newest + timedelta(seconds=2))


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["job_name"] for event in events]


class Events(list[str]):
    polls = 0


class Streams:
    """Triggers as a triggerer of Airflow 3.3 runs them."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._tasks: list[asyncio.Task[None]] = []
        self.polls = 0

    def watch(self, made: BenchmarkJobEventTrigger) -> Events:
        events = Events()

        async def counted(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for poll in stream:
                events.polls += 1
                yield poll

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
