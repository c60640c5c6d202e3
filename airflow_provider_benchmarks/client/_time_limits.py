"""A limit for the time that a whole request takes: its connection, every header and every byte of its answer.

httpx's own limits are for one read of the network, and begin anew with every byte that comes. The asynchronous client
has asyncio's limits; for the synchronous one every call of the network checks the time. Downloads, which may take any
time, have a least speed instead, which the reads of the network measure.
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

from airflow_provider_benchmarks.client._addresses import addresses_of
from airflow_provider_benchmarks.client._download_speed import measured_download

#: Of what is sent in one call of the network: the time is checked before each.
_WRITE_BYTES = 16 * 1024
#: Seconds for the attempt to connect to one of several addresses, at least.
_MIN_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit in seconds, and the moment on the monotonic clock at which it is reached.

    :param is_total: True if it is for several requests
    """

    seconds: float
    ends: float
    is_total: bool = False

    def timeout_within(self, timeout: float | None, fault: type[httpcore.TimeoutException]) -> float | None:
        """The timeout of one call of the network: at most the time that is left.

        :raises httpcore.TimeoutException: of the class ``fault``: no time is left
        """
        left = self.ends - time.monotonic()
        if left <= 0:
            raise fault(f"{overtime(self.seconds)}{_TOGETHER if self.is_total else ''}")
        return timeout if left == math.inf else left if timeout is None else min(timeout, left)


#: What is said of seconds that are for several requests.
_TOGETHER = ", which is the limit for all requests together"
_UNLIMITED = _Limit(math.inf, math.inf)
_limit: ContextVar[_Limit] = ContextVar("limit of the request", default=_UNLIMITED)


def overtime(seconds: float) -> str:
    """Say that an answer took too long."""
    return f"the whole answer was not there after {seconds:.3g} s"


def is_total_over(fault: BaseException) -> bool:
    """True for the timeout of a limit for several requests: the request at which it ended may have had hardly any."""
    return str(fault).endswith(_TOGETHER)


@contextmanager
def time_limit(seconds: float, *, is_total: bool = False) -> Iterator[None]:
    """Limit the time of all that a client of :func:`keep_time_limits` does in this block.

    Within another block the limit that ends first holds.

    :param is_total: True for a block of several requests
    :raises httpx.TimeoutException: it takes longer
    """
    limit = _Limit(seconds, time.monotonic() + seconds, is_total)
    token = _limit.set(min(limit, _limit.get(), key=lambda each: each.ends))
    try:
        yield
    finally:
        _limit.reset(token)


def time_left() -> float:
    """Seconds until the limit of this block; infinite where it has none."""
    return _limit.get().ends - time.monotonic()


def keep_time_limits(client: httpx.Client) -> None:
    """Let :func:`time_limit` hold for a client, through proxies too.

    It holds for no transport of the caller that does not read the network through httpcore.
    """
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
        limit = _limit.get()
        timeout = limit.timeout_within(timeout, httpcore.ConnectTimeout)
        ends = math.inf if timeout is None else time.monotonic() + timeout
        try:
            addresses = addresses_of(host, port, timeout)
            while True:
                address = addresses.pop(0)
                left = None if timeout is None else _share(ends - time.monotonic(), 1 + len(addresses))
                try:
                    stream = self._backend.connect_tcp(address, port, left, local_address, socket_options)
                    return _LimitedStream(stream)
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    if not addresses or time.monotonic() >= ends:
                        raise
        except httpcore.ConnectTimeout:
            limit.timeout_within(None, httpcore.ConnectTimeout)  # raises where it is the whole that took too long
            raise

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limit = _limit.get()
        allowed = limit.timeout_within(timeout, httpcore.ReadTimeout)
        began = time.monotonic()
        try:
            data = self._stream.read(max_bytes, allowed)
        except httpcore.ReadTimeout:
            limit.timeout_within(timeout, httpcore.ReadTimeout)  # raises where it is the whole that took too long
            raise
        if (download := measured_download()) is not None:
            download.add(len(data), time.monotonic() - began)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            allowed = _limit.get().timeout_within(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + _WRITE_BYTES], allowed)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _limit.get().timeout_within(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _share(left: float, addresses: int) -> float:
    """Seconds for the first of several addresses: one that does not answer must leave time for the others."""
    return max(left / addresses, min(left, _MIN_CONNECT_SECONDS), 0.001)
