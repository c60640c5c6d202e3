"""A limit for the time that a whole request takes: its connection, every header and every byte of its answer.

httpx's own limits are for one read of the network, and begin anew with every byte that comes. The asynchronous client
has asyncio's limits; for the synchronous one the reads themselves look at the time.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit of so many seconds, and the moment at which they are over, on the monotonic clock."""

    seconds: float
    ends: float

    def within(self, timeout: float | None, fault: type[httpcore.TimeoutException]) -> float | None:
        """The timeout of one call of the network, which ends with the whole.

        :raises httpcore.TimeoutException: of the kind ``fault``: there is no time left
        """
        left = self.ends - time.monotonic()
        if left <= 0:
            raise fault(overtime(self.seconds))
        return timeout if left == math.inf else left if timeout is None else min(timeout, left)


_UNLIMITED = _Limit(math.inf, math.inf)
_limit: ContextVar[_Limit] = ContextVar("limit of the request", default=_UNLIMITED)


def overtime(seconds: float) -> str:
    """Say that an answer took too long."""
    return f"the whole answer was not there after {seconds:.3g} s"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let what a client of :func:`keep_time_limits` does in this block take so many seconds in all.

    :raises httpx.TimeoutException: it takes longer
    """
    token = _limit.set(_Limit(seconds, time.monotonic() + seconds))
    try:
        yield
    finally:
        _limit.reset(token)


def keep_time_limits(client: httpx.Client) -> None:
    """Let a client keep to :func:`time_limit`, through proxies too."""
    for transport in (client._transport, *client._mounts.values()):
        # httpx has no argument for httpcore's backends. One that keeps them elsewhere has its own limits only.
        pool = getattr(transport, "_pool", None)
        if isinstance(pool, httpcore.ConnectionPool) and hasattr(pool, "_network_backend"):
            pool._network_backend = _LimitedBackend(pool._network_backend)


class _LimitedBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _limit.get().within(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limit = _limit.get()
        allowed = limit.within(timeout, httpcore.ReadTimeout)
        try:
            return self._stream.read(max_bytes, allowed)
        except httpcore.ReadTimeout:
            limit.within(timeout, httpcore.ReadTimeout)  # says so where it is the whole that took too long
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _limit.get().within(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _limit.get().within(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
