from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig

Answers = Callable[[httpx.Request], httpx.Response]


class Service:
    """What answers in place of a service: a function, which the requests are kept for."""

    def __init__(self, answer: Answers) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)


@pytest.fixture(params=["sync", "async"])
def ask(request) -> Callable[..., Any]:
    """Call a method of a client of either kind, which talks to a service without sockets."""

    def call(service: Answers, method: str, *args: Any, workspace: str | None = None, **fields: Any) -> Any:
        known = {"base_url": "http://evaluator.invalid", "workspace": "ws", "api": "benchmark-jobs"}
        config = ClientConfig(**{**known, **fields})
        transport = httpx.MockTransport(service)
        arguments = {} if workspace is None else {"workspace": workspace}
        if request.param == "sync":
            with BenchmarkClient(config, transport) as client:
                return getattr(client, method)(*args, **arguments)

        async def ask_asynchronously() -> Any:
            async with AsyncBenchmarkClient(config, transport) as client:
                return await getattr(client, method)(*args, **arguments)

        return asyncio.run(ask_asynchronously())

    return call


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that clients make, in seconds; they take no time."""
    made: list[float] = []
    yields = asyncio.sleep

    async def sleep(seconds: float, result: Any = None) -> Any:
        if seconds:
            made.append(seconds)
        return await yields(0, result)

    monkeypatch.setattr(time, "sleep", made.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made
