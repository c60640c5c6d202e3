"""Ask Airflow from a trigger: what was sent goes on to its end, whoever stops waiting for the answer.

A triggerer has one line to its supervisor. On Airflow 3.0 and 3.1 a request that is cancelled there leaves its answer
unread; the next one takes that for its own, and the whole triggerer dies, with the triggers of all deferred tasks.
So task states, connections, XComs and states of assets are asked for through here only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: What is under way; an event loop by itself keeps no task alive.
_requests: set[asyncio.Task[Any]] = set()


async def ask_airflow(ask: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await what asks Airflow; if this is cancelled, or timed out, that goes on, and its answer is dropped."""
    return await asyncio.shield(_send(ask(*args, **kwargs)))


async def ask_in_thread(ask: Callable[[], T], *, limit: float) -> T:
    """Call what asks Airflow in the thread for that; if this ends first, the call goes on, and its answer is dropped.

    :param limit: seconds for others, which use the thread before, and again for the call itself
    :raises TimeoutError: it has begun and does not end in time, or does not even begin
    """
    from asgiref.sync import sync_to_async

    loop = asyncio.get_running_loop()
    begun = asyncio.Event()

    def call() -> T:
        loop.call_soon_threadsafe(begun.set)
        return ask()

    # Where triggerers talk to their supervisor, that takes asgiref's way from a thread back to the event loop.
    request = _send(sync_to_async(call)())
    async with asyncio.timeout(limit):
        await begun.wait()
    async with asyncio.timeout(limit):
        return await asyncio.shield(request)


def _send(asking: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    request = asyncio.get_running_loop().create_task(asking)
    _requests.add(request)
    request.add_done_callback(_drop)
    return request


def _drop(request: asyncio.Task[Any]) -> None:
    _requests.discard(request)
    if not request.cancelled():
        request.exception()  # whoever still waits is told; else nobody is left to be
