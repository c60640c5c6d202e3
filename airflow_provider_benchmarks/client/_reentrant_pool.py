"""Close answers that Python collects after the request in whose midst it collects them.

Python closes an answer that nobody reads to its end when it collects it. That can happen at any moment, also while the
same thread is in the pool of connections for another request. httpcore's lock would then wait for itself for ever; and
if it let the thread in, the pool would change under the request's hands. So the pool is left alone until the request
has left it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import httpcore
import httpx
from httpcore._sync.connection_pool import PoolByteStream

T = TypeVar("T")


def allow_reentry(client: httpx.Client) -> None:
    """Let the pools of a client be entered by a thread that is in them already.

    A transport of the caller's own is left as it is.
    """
    for transport in (client._transport, *client._mounts.values()):
        # httpx and httpcore have no argument for it.
        pool = getattr(transport, "_pool", None)
        if isinstance(pool, httpcore.ConnectionPool):
            reentrant: Any = pool
            reentrant.__class__ = _reentrant(reentrant.__class__)
            reentrant.visits = _Visits()


class _Visits(threading.local):
    """Visits of one thread to one pool, one after the other."""

    def __init__(self) -> None:
        self._is_inside = False
        self._postponed: deque[Callable[[], object]] = deque()

    def run(self, visit: Callable[[], T]) -> T | None:
        """Visit the pool; a visit in the midst of another one comes after it, and returns None."""
        if self._is_inside:
            self._postponed.append(visit)
            return None
        self._is_inside = True
        try:
            return visit()
        finally:
            self._is_inside = False
            while self._postponed:
                self.run(self._postponed.popleft())


class _Stream(PoolByteStream):
    visits: _Visits

    def close(self) -> None:
        self.visits.run(super().close)


@cache
def _reentrant(pool: Any) -> Any:
    """A class of pools, made so that no visit meets another one of its thread."""

    class Reentrant(pool):  # type: ignore[misc]  # httpx makes pools of several classes
        visits: _Visits

        def handle_request(self, request: httpcore.Request) -> Any:
            response: Any = self.visits.run(lambda: super(Reentrant, self).handle_request(request))
            response.stream.__class__ = _Stream
            response.stream.visits = self.visits
            return response

    return Reentrant
