from __future__ import annotations

import ast
import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_benchmarks
from airflow_provider_benchmarks.triggers import _asking
from airflow_provider_benchmarks.triggers._asking import ask_airflow, ask_in_thread

PACKAGE = Path(airflow_provider_benchmarks.__file__).parent
#: The one way to Airflow, and what it asks for a client.
MAY_SEND = {"triggers/_asking.py", "hooks/connection.py"}
SENDS = {"sync_to_async", "async_to_sync", "get_async_connection", "aget_connection", "asend", "SUPERVISOR_COMMS"}
#: Asynchronous, and so given to ``ask_airflow``, which calls them.
ASK = {"open_async_client", "aget", "aset", "adelete", "aclear", "aget_uri", "get_async_extra_dejson"}
#: Only in plain functions, which ``ask_in_thread`` calls.
ASK_AND_BLOCK = {"get_task_states", "get_ti_count", "get_dr_count", "get_one", "get_connection", "get_variable"}


@pytest.fixture(autouse=True)
async def _nothing_is_left():
    yield
    async with asyncio.timeout(60):
        while _asking._requests:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Question:
    """What asks, and is answered when the test wants."""

    def __init__(self) -> None:
        self.begun, self.answer, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ask(self, fails: bool = False) -> str:
        self.begun.set()
        await self.answer.wait()
        self.ended.set()
        if fails:
            raise LookupError("no such thing")
        return "answer"


async def test_an_answer_and_an_error_reach_whoever_asks() -> None:
    question = Question()
    question.answer.set()
    assert await ask_airflow(question.ask) == "answer"
    with pytest.raises(LookupError):
        await ask_airflow(question.ask, fails=True)


@pytest.mark.parametrize("fails", [False, True])
async def test_who_is_cancelled_waits_no_longer_and_the_request_goes_on(fails, caplog) -> None:
    question = Question()
    asking = asyncio.create_task(ask_airflow(question.ask, fails=fails))
    await question.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    question.answer.set()
    await asyncio.wait_for(question.ended.wait(), 60)
    assert "never retrieved" not in caplog.text


async def test_a_request_that_was_not_begun_is_sent_all_the_same() -> None:
    question = Question()
    question.answer.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await ask_airflow(question.ask)
    await asyncio.wait_for(question.ended.wait(), 60)


async def test_a_thread_that_is_not_free_or_gives_no_answer_in_time() -> None:
    free, asked = threading.Event(), []

    def ask(number: int) -> None:
        free.wait(60)
        asked.append(number)

    for number in range(3):
        with pytest.raises(TimeoutError):
            await ask_in_thread(lambda number=number: ask(number), limit=0.05)
    free.set()
    assert await ask_in_thread(lambda: "answer", limit=60) == "answer"
    assert asked == [0, 1, 2]


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.alias):
        return {node.name.rpartition(".")[2]}
    name = getattr(node, "id", None) or getattr(node, "attr", None)
    return {name} if isinstance(name, str) else set()


def _offences(tree: ast.AST, *, may_send: bool) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if not may_send:
            found |= _names(node) & SENDS
        if isinstance(node, ast.Call):
            found |= _names(node.func) & ASK
        if isinstance(node, ast.AsyncFunctionDef):
            found |= {name for inner in ast.walk(node) for name in _names(inner)} & ASK_AND_BLOCK
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
def test_the_guard_sees_what_it_is_for(code: str) -> None:
    assert _offences(ast.parse(code), may_send=False)


def test_nothing_asks_airflow_in_another_way() -> None:
    found: dict[str, Any] = {}
    for path in [*PACKAGE.glob("triggers/*.py"), *PACKAGE.glob("hooks/*.py"), PACKAGE / "links.py"]:
        name = str(path.relative_to(PACKAGE))
        if offences := _offences(ast.parse(path.read_text()), may_send=name in MAY_SEND):
            found[name] = offences
    assert found == {}
