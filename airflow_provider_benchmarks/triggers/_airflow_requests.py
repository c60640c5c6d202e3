"""Requests from a trigger to Airflow, which always run to their end, whoever stops waiting for the response.

A triggerer has one channel to its supervisor. On Airflow 3.0 and 3.1 a request that is cancelled there leaves its
response unread. The next request takes that response for its own, and the whole triggerer dies, with the triggers of
all deferred tasks. So task states, connections, XComs and asset states are requested through this module only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: The pending requests. An event loop by itself keeps no reference to its tasks.
_pending: set[asyncio.Task[Any]] = set()


async def request_airflow(request: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await an asynchronous request to Airflow.

    If the caller is cancelled or times out, the request goes on, and its response is dropped.
    """
    return await asyncio.shield(_start(request(*args, **kwargs)))


async def request_airflow_in_thread(request: Callable[[], T], *, timeout_seconds: float) -> T:
    """Call a blocking request to Airflow in the thread for such requests.

    If the caller ends first, the request goes on, and its response is dropped.

    :param timeout_seconds: how long to wait until the thread is free, and again for the request itself
    :raises TimeoutError: the thread does not become free in time, or the request does not end in time
    """
    from asgiref.sync import sync_to_async

    loop = asyncio.get_running_loop()
    started = asyncio.Event()

    def call() -> T:
        loop.call_soon_threadsafe(started.set)
        return request()

    # A triggerer's channel to its supervisor goes from the thread back to the event loop, through asgiref.
    task = _start(sync_to_async(call)())
    async with asyncio.timeout(timeout_seconds):
        await started.wait()
    async with asyncio.timeout(timeout_seconds):
        return await asyncio.shield(task)


def _start(request: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.get_running_loop().create_task(request)
    _pending.add(task)
    task.add_done_callback(_forget)
    return task


def _forget(task: asyncio.Task[Any]) -> None:
    _pending.discard(task)
    if not task.cancelled():
        task.exception()  # marks it as retrieved: a caller that still waits raises it, and else nobody is left to
