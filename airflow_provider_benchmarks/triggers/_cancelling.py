"""Cancel the jobs of tasks that were ended: of thousands at once, through one client, a few at a time."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import ConfigurationError, ServiceUnavailable
from airflow_provider_benchmarks.triggers._client import open_client
from airflow_provider_benchmarks.triggers._per_loop import PerLoop

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

#: For one call, seconds from when it is sent; it is tried again within.
_LIMIT, _RETRY = 15.0, 8.0
#: Calls at the same time; each may open a connection.
_AT_ONCE = 4
#: The connection is looked up so often, with a pause between, seconds.
_LOOK_UPS, _PAUSE = 3, 2.0
#: A service that has been down for so long is not waited for by all others in turn.
_PATIENCE = 60.0


async def cancel_job(job_name: str, *, conn_id: str, workspace: str | None) -> None:
    """Ask the service to cancel a job, when its turn has come.

    :raises BenchmarkError: the service refuses, or does not answer
    :raises TimeoutError: it takes too long
    """
    key = conn_id, workspace
    canceller = _cancellers.get(key, lambda: _Canceller(conn_id, workspace))
    canceller.users += 1
    try:
        await canceller.cancel(job_name)
    finally:
        canceller.users -= 1
        if not canceller.users:
            _cancellers.drop(key, canceller)
            await canceller.close()


async def to_the_end(task: asyncio.Task[None]) -> None:
    """Wait until a task has ended, however often the one that waits is cancelled.

    Airflow cancels a trigger anew every second until it has ended.
    """
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])


class _Canceller:
    """Cancels jobs of one connection and workspace in one event loop, until it has no users."""

    def __init__(self, conn_id: str, workspace: str | None) -> None:
        self.users = 0
        self._conn_id, self._workspace = conn_id, workspace
        self._free = asyncio.Semaphore(_AT_ONCE)
        # A context of its own: what it logs belongs to no task.
        self._opening = asyncio.get_running_loop().create_task(self._open(), context=contextvars.Context())
        self._down_since: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether it can't be used any more."""
        return self._opening.done() and (self._opening.cancelled() or self._opening.exception() is not None)

    async def cancel(self, job_name: str) -> None:
        client = await asyncio.shield(self._opening)
        async with self._free:
            now = asyncio.get_running_loop().time
            if self._down_since is not None and now() - self._down_since > _PATIENCE:
                raise ServiceUnavailable(f"The service of connection {self._conn_id} has not answered for too long.")
            try:
                async with asyncio.timeout(_LIMIT):
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
        for attempt in range(1, _LOOK_UPS + 1):
            try:
                async with asyncio.timeout(_LIMIT):
                    return await open_client(self._conn_id, self._workspace, retry_seconds=_RETRY)
            except ConfigurationError:
                raise
            except Exception:
                if attempt == _LOOK_UPS:
                    raise
            await asyncio.sleep(_PAUSE)
        raise AssertionError("unreachable: the last try returns or raises")


_cancellers: PerLoop[_Canceller] = PerLoop()
