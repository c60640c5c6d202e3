from __future__ import annotations

import ast
import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_benchmarks
from airflow_provider_benchmarks.triggers import _airflow_requests
from airflow_provider_benchmarks.triggers._airflow_requests import request_airflow, request_airflow_in_thread

PACKAGE = Path(airflow_provider_benchmarks.__file__).parent
#: The module for requests to Airflow, and the one that it calls for a client.
ALLOWED = {"triggers/_airflow_requests.py", "hooks/connection.py"}
CHANNELS = {"sync_to_async", "async_to_sync", "get_async_connection", "aget_connection", "asend", "SUPERVISOR_COMMS"}
#: Asynchronous requests, which only ``request_airflow`` calls.
ASYNC = {"open_async_client", "aget", "aset", "adelete", "aclear", "aget_uri", "get_async_extra_dejson"}
#: Blocking requests: only in plain functions, which ``request_airflow_in_thread`` calls.
BLOCKING = {"get_task_states", "get_ti_count", "get_dr_count", "get_one", "get_connection", "get_variable"}


@pytest.fixture(autouse=True)
async def _nothing_is_left():
    yield
    async with asyncio.timeout(60):
        while _airflow_requests._pending:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Request:
    """A request that gets its response when the test wants."""

    def __init__(self) -> None:
        self.started, self.response, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(self, fails: bool = False) -> str:
        self.started.set()
        await self.response.wait()
        self.ended.set()
        if fails:
            raise LookupError("no such thing")
        return "response"


async def test_a_response_and_an_error_reach_the_caller() -> None:
    request = Request()
    request.response.set()
    assert await request_airflow(request.send) == "response"
    with pytest.raises(LookupError):
        await request_airflow(request.send, fails=True)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_caller_that_is_cancelled_waits_no_longer_and_the_request_goes_on(fails, caplog) -> None:
    request = Request()
    caller = asyncio.create_task(request_airflow(request.send, fails=fails))
    await request.started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    request.response.set()
    await asyncio.wait_for(request.ended.wait(), 60)
    assert "never retrieved" not in caplog.text


async def test_a_request_that_had_not_started_is_sent_all_the_same() -> None:
    request = Request()
    request.response.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await request_airflow(request.send)
    await asyncio.wait_for(request.ended.wait(), 60)


async def test_a_thread_that_is_not_free_or_does_not_respond_in_time() -> None:
    free, asked = threading.Event(), []

    def ask(number: int) -> None:
        free.wait(60)
        asked.append(number)

    for number in range(3):
        with pytest.raises(TimeoutError):
            await request_airflow_in_thread(lambda number=number: ask(number), timeout_seconds=0.05)
    free.set()
    assert await request_airflow_in_thread(lambda: "response", timeout_seconds=60) == "response"
    assert asked == [0, 1, 2]


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.alias):
        return {node.name.rpartition(".")[2]}
    name = getattr(node, "id", None) or getattr(node, "attr", None)
    return {name} if isinstance(name, str) else set()


def _offences(tree: ast.AST, *, allowed: bool) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if not allowed:
            found |= _names(node) & CHANNELS
        if isinstance(node, ast.Call):
            found |= _names(node.func) & ASYNC
        if isinstance(node, ast.AsyncFunctionDef):
            found |= {name for inner in ast.walk(node) for name in _names(inner)} & BLOCKING
    return found


@pytest.mark.parametrize(
    "code",
    [
        "from asgiref.sync import sync_to_async",
        "async def f(): await compat.get_async_connection('c')",
        "async def f(): await open_async_client('c', None)",
        "async def f(store): await store.aset('key', 1)",
        "async def f(ti): return await to_thread(ti.get_task_states)",
    ],
)
def test_the_check_finds_what_it_is_for(code: str) -> None:
    assert _offences(ast.parse(code), allowed=False)


def test_no_other_module_sends_requests_to_airflow() -> None:
    found: dict[str, Any] = {}
    for path in [
        *PACKAGE.glob("triggers/*.py"),
        *PACKAGE.glob("hooks/*.py"),
        PACKAGE / "links.py",
        PACKAGE / "job_xcom.py",
    ]:
        name = str(path.relative_to(PACKAGE))
        if offences := _offences(ast.parse(path.read_text()), allowed=name in ALLOWED):
            found[name] = offences
    assert found == {}
