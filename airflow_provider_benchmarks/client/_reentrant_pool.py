"""Close answers that Python collects after the request in whose midst it collects them.

Python closes an answer that nobody reads to its end when it collects it. That can happen at any moment, also while the
same thread is in the pool of connections for another request. httpcore's lock would then wait for itself for ever; and
if it let the thread in, the pool would change under the request's hands. So the pool is left alone until the request
has left it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpcore
import httpx
from httpcore._sync.connection_pool import PoolByteStream


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
    """Visits of one thread to one pool."""

    def __init__(self) -> None:
        self._depth = 0
        self._postponed: deque[Callable[[], object]] = deque()

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Be in the pool in the block. A request may come in the midst of another one, from a handler of a signal."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            while self._postponed and not self._depth:
                self.close(self._postponed.popleft())

    def close(self, close: Callable[[], object]) -> None:
        """Close an answer; in the midst of a visit, when that is over."""
        if self._depth:
            self._postponed.append(close)
            return
        with self.visit():
            close()


class _Stream(PoolByteStream):
    visits: _Visits

    def close(self) -> None:
        self.visits.close(super().close)


@cache
def _reentrant(pool: Any) -> Any:
    """A class of pools that close no answer in the midst of what their thread does in them."""

    class Reentrant(pool):  # type: ignore[misc]  # httpx makes pools of several classes
        visits: _Visits

        def handle_request(self, request: httpcore.Request) -> Any:
            with self.visits.visit():
                response: Any = super().handle_request(request)
            response.stream.__class__ = _Stream
            response.stream.visits = self.visits
            return response

    return Reentrant
