"""The jobs of a service as its client sees them, without sockets and threads: for tests on a virtual clock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, ClientConfig
from tests.support.virtual_time import START

Fault = Callable[[httpx.Request], httpx.Response]


@dataclass
class Sent:
    """A request that the service received.

    :param at: seconds, on the event loop's clock
    :param what: the last part of its path
    """

    at: float
    what: str
    job: str | None
    query: dict[str, list[str]] = field(default_factory=dict)


class JobsInMemory:
    """Status requests and lists of jobs.

    :param names: of the jobs, oldest first
    """

    def __init__(self, names: list[str]) -> None:
        self.statuses = dict.fromkeys(names, "active")
        self.sent: list[Sent] = []
        self._fault: Fault | None = None
        self._fault_times = math.inf
        #: Number of requests that the fault has met.
        self.faults = 0
        self.lists_fail_with: int | None = None
        self.is_silent = False
        #: Of the connection, seconds.
        self.timeout = 30.0
        self.opened = 0

    async def open_client(self, conn_id: str, workspace: str | None, *, retry_seconds: float) -> AsyncBenchmarkClient:
        """Stand in for the function that opens a client of a connection."""
        self.opened += 1
        config = ClientConfig(
            base_url="http://evaluator.invalid",
            workspace="ws",
            retry_seconds=retry_seconds,
            api="benchmark-jobs",
            timeout=self.timeout,
        )
        return AsyncBenchmarkClient(config, httpx.MockTransport(self._respond))

    @property
    def lists(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.what == "benchmark-jobs"]

    @property
    def polls(self) -> list[Sent]:
        """The requests for single jobs."""
        return [sent for sent in self.sent if sent.job is not None]

    def inject(self, fault: Fault, *, times: float = math.inf) -> None:
        """Let a fault make the responses, or raise, for a number of requests from now on."""
        self._fault, self._fault_times, self.faults = fault, times, 0
        self.sent.clear()

    def clear_fault(self) -> None:
        self._fault = None

    def finish_all(self, status: str = "completed") -> None:
        self.statuses = dict.fromkeys(self.statuses, status)

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        *_, last, end = request.url.path.split("/")
        name = last if end == "status" else None
        query = {key: request.url.params.get_list(key) for key in request.url.params}
        self.sent.append(Sent(asyncio.get_running_loop().time(), end, name, query))
        if self.is_silent:
            await asyncio.Event().wait()
        if self._fault is not None and self.faults < self._fault_times:
            self.faults += 1
            return self._fault(request)
        if end == "cluster-info":
            return httpx.Response(200, json={"platform_version": "0.1.0"})
        if name is None:
            return self._list(query)
        if name not in self.statuses:
            return httpx.Response(404, json={"detail": "Job not found"})
        return httpx.Response(200, json=self._job(name))

    def _list(self, query: dict[str, list[str]]) -> httpx.Response:
        if self.lists_fail_with is not None:
            return httpx.Response(self.lists_fail_with, json={"detail": "no lists today"})
        size, page = int(query["page_size"][0]), int(query["page"][0])
        names = list(self.statuses)[::-1]
        chosen = names[(page - 1) * size : page * size]
        statuses = [
            text for key, texts in query.items() if "status" in key for value in texts for text in value.split(",")
        ]
        jobs = [self._job(name) for name in chosen if self.statuses[name] in statuses]
        return httpx.Response(200, json={"data": jobs, "pagination": {"total_pages": -(-len(names) // size)}})

    def _job(self, name: str) -> dict[str, Any]:
        at = datetime.fromtimestamp(START, UTC).replace(tzinfo=None).isoformat()
        return {"name": name, "workspace": "ws", "status": self.statuses[name], "created_at": at}
