"""Close answers that Python collects while their thread has the lock of the pool of connections after it has left it.

Python closes an answer that nobody reads to its end when it collects it. That can happen at any moment, also while the
same thread has the pool's lock for another request. httpcore's lock would then wait for itself for ever; and if it let
the thread in, the pool would change under the request's hands. So the close is postponed until the lock is free again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Self

import httpcore
import httpx
from httpcore._sync.connection_pool import PoolByteStream


def allow_reentry(client: httpx.Client) -> None:
    """Let the pools of a client be entered by a thread that is in them already, to close an answer.

    A transport of the caller's own is left as it is.
    """
    for transport in (client._transport, *client._mounts.values()):
        # httpx and httpcore have no argument for it.
        pool: Any = getattr(transport, "_pool", None)
        if isinstance(pool, httpcore.ConnectionPool) and not isinstance(pool._optional_thread_lock, _Lock):
            reentrant: Any = pool
            reentrant._optional_thread_lock = _Lock()
            reentrant.__class__ = _reentrant(reentrant.__class__)


class _Here(threading.local):
    """What one thread does with a lock. It has no ``__init__``, in whose midst an answer could be collected."""

    #: Above 0 while the thread has the lock, waits for it, or gives it back.
    depth = 0
    is_closing = False


class _Lock:
    """The lock of a pool, and the closes that threads postpone while they have it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = _Here()
        self._postponed: deque[Callable[[], object]] = deque()

    def __enter__(self) -> Self:
        self._here.depth += 1  # first: an answer can be collected between any two instructions
        try:
            self._lock.acquire()
        except BaseException:  # of a handler of a signal
            self._here.depth -= 1
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        here = self._here
        here.depth -= 1
        # In one loop, since closing takes the lock again: thousands of answers can be collected at once.
        while self._postponed and not here.is_closing:
            here.is_closing = True
            try:
                # What is wrong with an answer that nobody reads is no error of the request that this thread makes.
                with suppress(Exception):
                    self._postponed.popleft()()
            finally:
                here.is_closing = False

    def close(self, close: Callable[[], object]) -> None:
        """Close an answer; while this thread has the lock, after that."""
        if self._here.depth:
            self._postponed.append(close)
        else:
            close()


class _Stream(PoolByteStream):
    def close(self) -> None:
        if not self._closed:
            lock: Any = self._pool._optional_thread_lock
            lock.close(super().close)


@cache
def _reentrant(pool: Any) -> Any:
    """A class of pools whose answers are closed while their thread has not the lock."""

    class Reentrant(pool):  # type: ignore[misc]  # httpx makes pools of several classes
        def handle_request(self, request: httpcore.Request) -> Any:
            response: Any = super().handle_request(request)
            response.stream.__class__ = _Stream
            return response

    return Reentrant
