"""Status requests that take long: they go on while other jobs are polled, so that a slow job delays no other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable

from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from airflow_provider_benchmarks.jobs import BenchmarkJob

#: Seconds after which a request counts as slow. The service answers in less than a tenth of a second, under load in
#: some seconds.
SLOW_SECONDS = 5.0
#: Number of slow requests that go on at a time, beside those of the poll. Each holds a connection.
MAX_SLOW_REQUESTS = 4
#: Seconds for which a response to one request shows that the service responds, so that it is a job that is slow. Waits
#: with longer intervals than that can wait for a slow request to its end.
RESPONSIVE_SECONDS = 15.0

#: Called with the status of a job whose request was slow, or why that is not known.
Report = Callable[[str, BenchmarkJob | Exception], None]


class SlowRequests:
    """The slow requests of one poll loop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[BenchmarkJob]] = {}
        #: Jobs whose last request was slow.
        self._known: set[str] = set()
        self._responded_at = -math.inf

    def __contains__(self, name: str) -> bool:
        """True while a slow request for a job goes on."""
        return name in self._running

    def note_response(self) -> None:
        """Take note that the service has responded to a request."""
        self._responded_at = asyncio.get_running_loop().time()

    def note_outage(self) -> None:
        """Take note that the service does not respond at all: it is no job that is slow then."""
        self._responded_at = -math.inf

    def last(self, names: Iterable[str]) -> list[str]:
        """Put the jobs whose last request was slow behind the others."""
        return sorted(names, key=self._known.__contains__)

    async def request(
        self, name: str, request: Callable[[], Awaitable[BenchmarkJob]], report: Report
    ) -> BenchmarkJob | None:
        """Request the status of a job.

        :param report: called later if the request is slow and the service responds to others
        :return: the status; None if it comes later, or the job must be polled again since too many others are slow
        """
        is_full = len(self._running) >= MAX_SLOW_REQUESTS
        if name in self._running or (is_full and name in self._known and self._is_responsive()):
            return None
        task = asyncio.ensure_future(request())
        try:
            while not task.done():
                # A job that was slow before is not waited for again.
                patience = 0.0 if name in self._known and self._is_responsive() else SLOW_SECONDS
                await asyncio.wait([task], timeout=patience)
                if task.done() or not self._is_responsive():
                    continue
                self._known.add(name)
                if len(self._running) >= MAX_SLOW_REQUESTS:
                    task.cancel()
                    return None
                self._running[name] = task
                task.add_done_callback(lambda _: self._end(name, task, report))
                return None
        except asyncio.CancelledError:
            task.cancel()
            raise
        self._note(name, task)
        return task.result()

    async def close(self) -> None:
        """End the requests that go on."""
        running, self._running = self._running, {}
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)

    def _is_responsive(self) -> bool:
        return asyncio.get_running_loop().time() < self._responded_at + RESPONSIVE_SECONDS

    def _end(self, name: str, task: asyncio.Task[BenchmarkJob], report: Report) -> None:
        if self._running.pop(name, None) is None or task.cancelled():
            return
        self._note(name, task)
        error = task.exception()
        if error is None:
            report(name, task.result())
        elif isinstance(error, Exception):
            report(name, error)

    def _note(self, name: str, task: asyncio.Task[BenchmarkJob]) -> None:
        """Forget that a job was slow, once it is answered for."""
        if not isinstance(task.exception(), ServiceUnavailable):
            self._known.discard(name)
