"""Odd answers about one job, over real sockets, while triggers wait: they are that job's own trouble."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.client import GENERATIONS
from airflow_provider_benchmarks.client._choice import forget_choices
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.fuzz.budget import examples
from tests.fuzz.odd_answers import Response
from tests.fuzz.right_service import NAME, WORKSPACE, recorded, right_answer
from tests.fuzz.right_values import check_event
from tests.fuzz.test_client_verbs import APIS
from tests.fuzz.wire import ODD_BYTES, OddBytes, OddServer

CONN_ID = "fuzz"
#: Seconds between two polls, far less than a test may take.
INTERVAL = 0.02
#: Number of answers that say that a job is active, before one says that it has completed.
ACTIVE = 3
#: Seconds until all other jobs must have been seen to complete: hundreds of intervals.
LIMIT = 20.0
#: Seconds after them that the job with the odd answers may take, if it is to be seen to its end.
PATIENCE = 0.3
#: The job with the odd answers may be polled alone, too.
INTERVALS = st.sampled_from([INTERVAL, INTERVAL, INTERVAL / 3, 0.001])
TIMES = st.sampled_from([1, 2, 3, 11, 10_000])
#: The job that is submitted after some polls of the list, more than get odd answers.
NEXT, POLLS_BEFORE = "run-99", 5
RIGHT_BYTES = OddBytes()


class Jobs:
    """Answers about jobs that complete after some polls, right but for those that a test chooses.

    :param is_odd: chooses them, by their path
    :param times: number of them
    :param first: number of right answers before them
    :param names: of the jobs in lists, oldest first
    """

    def __init__(
        self,
        api: str,
        odd: OddBytes,
        is_odd: Callable[[str], bool],
        times: int,
        *,
        names: Sequence[str] = (),
        first: int = 0,
    ) -> None:
        self._api, self._odd, self._is_odd, self._left = api, odd, is_odd, times
        self._right_before = first
        self._shown: Counter[str] = Counter()
        self._polls = 0
        self._created = {name: f"2026-11-23T06:22:{number:02}" for number, name in enumerate(names, 10)}
        self._lock = threading.Lock()

    def __call__(self, method: str, target: str, content: bytes) -> bytes:
        path, _, query = target.partition("?")
        with self._lock:
            is_chosen = self._is_odd(path)
            if is_chosen and self._right_before:
                self._right_before -= 1
            elif is_chosen and self._left:
                self._left -= 1
                return self._odd.of(self._right(method, path, query, content))
            return RIGHT_BYTES.of(self._right(method, path, query, content))

    def add(self, name: str) -> None:
        """A job is submitted now."""
        self._created[name] = datetime.now(UTC).replace(tzinfo=None).isoformat()

    def _right(self, method: str, path: str, query: str, content: bytes) -> Response:
        right = right_answer(self._api, method, path, content)
        if path.endswith("jobs"):
            self._polls += 1
            return _with(right, {"data": self._listed(query), "pagination": {"total_pages": 1}})
        name = path.removesuffix("/status").rpartition("/")[2]
        return _with(right, {**json.loads(right.body), **self._job(name)}) if name.startswith("run-") else right

    def _listed(self, query: str) -> list[dict[str, Any]]:
        """The jobs of a list, newest first."""
        if self._polls > POLLS_BEFORE and NEXT not in self._created and NAME in self._created:
            self.add(NEXT)
        since = parse_qs(query).get("filter[created_at][$gte]", [""])[0]
        return [self._job(name) for name, at in reversed(self._created.items()) if at >= since]

    def _job(self, name: str) -> dict[str, Any]:
        self._shown[name] += 1
        return {
            **json.loads(recorded(self._api, "job")),
            "name": name,
            "id": f"platform-job-{name}",
            "status": "completed" if self._shown[name] > ACTIVE else "active",
            "created_at": self._created.get(name),
        }


def _with(right: Response, document: Any) -> Response:
    return Response(right.status, right.headers, json.dumps(document).encode())


@pytest.fixture(scope="module")
def server() -> Iterator[OddServer]:
    with OddServer(lambda *_: b"") as server, patch.dict(os.environ):
        yield server


def connect(server: OddServer, answer: Any, api: str) -> None:
    forget_choices()
    server.answer = answer
    os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = server.connection_json(workspace=WORKSPACE, api=api, timeout=5)


async def event_of(name: str, interval: float) -> dict[str, Any]:
    trigger = BenchmarkJobTrigger(conn_id=CONN_ID, workspace=None, job_name=name, poll_interval=interval)
    (event,) = [event async for event in trigger.run()]
    return event.payload


@examples(15)
@given(odd=ODD_BYTES, api=APIS, times=TIMES, first=st.sampled_from([0, 0, 1, 2]), interval=INTERVALS)
def test_no_other_wait_is_touched(server, odd, api, times, first, interval):
    async def wait() -> None:
        mine = asyncio.create_task(event_of(NAME, interval))
        others = [asyncio.create_task(event_of(f"run-{number}", INTERVAL)) for number in (2, 3)]
        await _all_complete(others)
        await _end(mine)

    connect(server, Jobs(api, odd, lambda path: f"/{NAME}/" in path, times, first=first), api)
    asyncio.run(wait())


@examples(10)
@given(odd=ODD_BYTES, api=APIS, times=TIMES)
def test_an_odd_list_ends_no_wait(server, odd, api, times):
    async def wait() -> None:
        await _all_complete([asyncio.create_task(event_of(name, INTERVAL)) for name in names])

    names = [f"run-{number}" for number in range(1, 25)]
    connect(server, Jobs(api, odd, lambda path: path.endswith("jobs"), times, names=names), api)
    asyncio.run(wait())


async def _all_complete(waits: list[asyncio.Task[dict[str, Any]]]) -> None:
    await asyncio.wait(waits, timeout=LIMIT)
    assert all(wait.done() for wait in waits), "a wait does not end"
    assert [wait.result()["status"] for wait in waits] == ["completed"] * len(waits)


async def _end(wait: asyncio.Task[dict[str, Any]]) -> None:
    """The wait for the job with the odd answers ends as its answers say, or goes on."""
    await asyncio.wait([wait], timeout=PATIENCE)
    if wait.done():
        check_event(wait.result(), NAME)
        return
    wait.cancel()
    await asyncio.wait([wait])


@examples(15)
@given(
    odd=ODD_BYTES,
    api=APIS,
    times=st.sampled_from([1, 2, 3]),
    what=st.sampled_from(["jobs", f"/{NAME}", "/download", "/cluster-info"]),
)
def test_a_watcher_lives(server, odd, api, times, what):
    """Whatever it is answered, a job that is submitted later makes its event."""

    async def watch() -> None:
        trigger = BenchmarkJobEventTrigger(benchmark=benchmark_of(api), conn_id=CONN_ID, poll_interval=INTERVAL)
        async for event in trigger.run():
            assert event.payload["job_name"].startswith("run-")
            assert event.payload["status"] == "completed"
            json.dumps(event.payload, allow_nan=False, ensure_ascii=False).encode()
            if event.payload["job_name"] == NEXT:
                return

    async def short_sleep(seconds: float, result: Any = None) -> Any:
        return await sleep(min(seconds, INTERVAL), result)

    sleep = asyncio.sleep

    async def limited() -> bool:
        watching = asyncio.create_task(watch())
        done, _ = await asyncio.wait([watching], timeout=LIMIT)
        watching.cancel()
        await asyncio.wait([watching])
        return bool(done) and watching.result() is None

    connect(server, Jobs(api, odd, lambda path: path.endswith(what), times, names=[NAME, "run-2"]), api)
    with patch("asyncio.sleep", short_sleep):
        assert asyncio.run(limited()), "the event of the next job does not come"


def benchmark_of(api: str) -> str:
    """The benchmark of the recorded job."""
    return GENERATIONS[api].read_job(json.loads(recorded(api, "job")), workspace=WORKSPACE).benchmark
