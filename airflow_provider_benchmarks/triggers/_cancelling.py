"""Cancel the jobs of killed tasks: thousands at once, through one client, a few requests at a time."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import ConfigurationError, ServiceUnavailable
from airflow_provider_benchmarks.triggers._client import open_client
from airflow_provider_benchmarks.triggers._event_loop_registry import EventLoopRegistry

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

#: For one cancel request with its retries, seconds from when it is sent; also for one lookup of the connection.
CANCEL_TIMEOUT_SECONDS = 15.0
#: Seconds in which the client retries a cancel request, within the timeout.
CANCEL_RETRY_SECONDS = 8.0
#: Number of concurrent cancel requests. Each may open a connection.
MAX_CONCURRENT_CANCELS = 4
#: Number of attempts to look up the Airflow connection.
CONNECTION_ATTEMPTS = 3
#: Seconds between two of these attempts.
CONNECTION_RETRY_SECONDS = 2.0
#: Seconds after which a service that does not answer is given up for all jobs that are still queued.
MAX_OUTAGE_SECONDS = 60.0


async def cancel_job(job_name: str, *, conn_id: str, workspace: str | None) -> None:
    """Ask the service to cancel a job, in its turn.

    :raises BenchmarkError: the service refuses, or does not answer
    :raises TimeoutError: the request does not end within ``CANCEL_TIMEOUT_SECONDS``
    """
    key = conn_id, workspace
    canceller = _cancellers.get(key, lambda: _Canceller(conn_id, workspace))
    canceller.users += 1
    try:
        await canceller.cancel(job_name)
    finally:
        canceller.users -= 1
        if not canceller.users:
            _cancellers.remove(key, canceller)
            await canceller.close()


async def wait_despite_cancellation(task: asyncio.Task[None]) -> None:
    """Wait until a task has ended, however often the caller is cancelled.

    Airflow cancels a trigger again every second until it has ended.
    """
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])


class _Canceller:
    """Cancels jobs of one connection and workspace in one event loop, as long as it has users."""

    def __init__(self, conn_id: str, workspace: str | None) -> None:
        self.users = 0
        self._conn_id, self._workspace = conn_id, workspace
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_CANCELS)
        # An empty context: its log lines belong to no task.
        self._opening = asyncio.get_running_loop().create_task(self._open(), context=contextvars.Context())
        self._down_since: float | None = None

    @property
    def is_done(self) -> bool:
        """True if its client could not be opened, so that it can't be used any more."""
        return self._opening.done() and (self._opening.cancelled() or self._opening.exception() is not None)

    async def cancel(self, job_name: str) -> None:
        client = await asyncio.shield(self._opening)
        async with self._slots:
            now = asyncio.get_running_loop().time
            if self._down_since is not None and now() - self._down_since > MAX_OUTAGE_SECONDS:
                raise ServiceUnavailable(f"The service of connection {self._conn_id} has not answered for too long.")
            try:
                async with asyncio.timeout(CANCEL_TIMEOUT_SECONDS):
                    await client.cancel_job(job_name)
            except (ServiceUnavailable, TimeoutError):
                self._down_since = self._down_since or now()
                raise
            self._down_since = None

    async def close(self) -> None:
        self._opening.cancel()
        with suppress(Exception, asyncio.CancelledError):
            await (await self._opening).close()

    async def _open(self) -> AsyncBenchmarkClient:
        for attempt in range(1, CONNECTION_ATTEMPTS + 1):
            try:
                async with asyncio.timeout(CANCEL_TIMEOUT_SECONDS):
                    return await open_client(self._conn_id, self._workspace, retry_seconds=CANCEL_RETRY_SECONDS)
            except ConfigurationError:
                raise
            except Exception:
                if attempt == CONNECTION_ATTEMPTS:
                    raise
            await asyncio.sleep(CONNECTION_RETRY_SECONDS)
        raise AssertionError("unreachable: the last attempt returns or raises")


_cancellers: EventLoopRegistry[_Canceller] = EventLoopRegistry()
