"""Status requests that take long: they go on while other jobs are polled, so that a slow job delays no other.

A poll waits for each request for a short time only. A request that takes longer goes on in one of a few places beside
the poll. Where these are taken it is ended, and begins again in its turn. A job whose last request was slow is
requested in such a place only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from enum import Enum, auto
from typing import Any

from airflow_provider_benchmarks.exceptions import ServiceError, ServiceUnavailable, Unauthorized
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.retry_policy import is_recoverable

#: Seconds after which a request counts as slow. The service answers in less than a tenth of a second, under load in
#: some seconds.
SLOW_SECONDS = 5.0
#: The same for the rest of a poll in which a request was slow: 20 such jobs must not take 20 times as long.
UNSURE_SECONDS = 3.0
#: The same, where the service has responded to others at once, so that it is not the service that is slow.
SHORT_SECONDS = 1.0
#: Seconds for a request that begins again, after it was ended so soon, before its job counts as silent.
TRIAL_SECONDS = 2.0
#: Seconds after which a silent job's request may be ended for that of another that waits for its place; twice as many
#: at its next turn. A job that is silent once, on a busy machine, must not wait until others have timed out.
TURN_SECONDS = 10.0
#: Seconds within which a response has come at once. The list of 200 jobs takes 1.8 s.
QUICK_SECONDS = 2.0
#: Number of slow requests that go on at a time, beside those of the poll. Each holds a connection.
MAX_SLOW_REQUESTS = 4
#: Number of these for silent jobs, so that a job that answers late need not wait until silent ones time out. One place
#: is theirs before it is any other's.
MAX_SILENT_REQUESTS = 3

#: Called with the result of a poll for one job: its status, or why that is not known.
Report = Callable[[str, BenchmarkJob | Exception], None]
Request = Callable[[], Awaitable[BenchmarkJob]]


class _Pace(Enum):
    """What is known of a job whose last request was slow."""

    #: The request was ended, after less than ``SLOW_SECONDS``.
    UNKNOWN = auto()
    LATE = auto()
    SILENT = auto()


class SlowRequests:
    """The slow requests of one poll loop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        #: Requests that wait for a place, in their order.
        self._queue: dict[str, tuple[Request, Report]] = {}
        self._paces: dict[str, _Pace] = {}
        #: Number of times that a silent job's request was ended for that of another.
        self._turns: dict[str, int] = {}
        self._was_slow = self._is_quick = False
        self._responses_before = 0
        #: Number of requests that the service has responded to.
        self.responses = 0
        #: Set with each response, for who waits for one.
        self._arrival = asyncio.Event()

    def __contains__(self, name: str) -> bool:
        """True while a slow request for a job goes on, or waits for its place."""
        return name in self._running or name in self._queue

    def is_slow(self, name: str) -> bool:
        """True if a job's last request was slow."""
        return name in self._paces

    @property
    def has_responded(self) -> bool:
        """True if the service has responded to any request since the poll began."""
        return self.responses > self._responses_before

    def begin_poll(self) -> None:
        self._was_slow = self._is_quick = False
        self._responses_before = self.responses

    def note_response(self, seconds: float) -> None:
        """Take note that the service has responded to a request, and how long that took."""
        self.responses += 1
        self._arrival.set()
        self._is_quick |= seconds <= QUICK_SECONDS

    def end_queue(self) -> None:
        """Forget the requests that wait for a place. Their jobs are due again with all others."""
        self._queue.clear()

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other jobs."""
        for known in (self._queue, self._paces, self._turns):
            for name in known.keys() - names:
                del known[name]
        for name in self._running.keys() - names:
            self._running.pop(name).cancel()
        self._fill_places()

    async def request(self, name: str, request: Request, report: Report) -> BenchmarkJob | None:
        """Request the status of a job.

        :param report: called later if the request is slow
        :return: the status; None if it comes later
        """
        if name in self:
            return None
        if name in self._paces:
            self._queue[name] = request, report
            self._fill_places()
            return None
        patience, began = self._patience(), _now()
        task = asyncio.ensure_future(request())
        try:
            await asyncio.wait([task], timeout=patience)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            self._note(name, task, _now() - began)
            return task.result()
        self._was_slow = True
        self._paces[name] = _Pace.UNKNOWN if patience < SLOW_SECONDS else _Pace.SILENT
        if self._has_place(name):
            self._run(name, task, request, report, began)
        else:
            task.cancel()
            self._queue[name] = request, report
        return None

    async def wait_for_response(self, others: asyncio.Task[ServiceError | None]) -> bool:
        """Wait until the service responds, or until the requests that go on now have ended without a response.

        The first response may be that of a request that begins, or becomes slow, later.

        :param others: a further request, whose result is an error if the service did not respond
        """
        began = _now()
        pending: set[asyncio.Task[Any]] = {others, *self._running.values()}
        while pending and not self.has_responded:
            self._arrival.clear()
            arrival = asyncio.create_task(self._arrival.wait())
            try:
                done, left = await asyncio.wait({arrival, *pending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                arrival.cancel()
            pending = left - {arrival}
            if others in done and others.result() is None:
                self.note_response(_now() - began)
        return self.has_responded

    async def close(self) -> None:
        """End the requests that go on."""
        self._queue.clear()
        running, self._running = self._running, {}
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)

    def _patience(self) -> float:
        if not self._was_slow:
            return SLOW_SECONDS
        return SHORT_SECONDS if self._is_quick else UNSURE_SECONDS

    def _silent(self) -> int:
        """Number of silent jobs whose requests go on."""
        return sum(self._paces.get(name) is _Pace.SILENT for name in self._running)

    def _silent_in_queue(self) -> list[str]:
        return [name for name in self._queue if self._paces.get(name) is _Pace.SILENT]

    def _turn(self, name: str) -> int:
        return self._turns.get(name, 0)

    def _must_leave(self, name: str, seconds: float) -> bool:
        """True if a request has gone on for its turn, and one of a job that had no more turns waits for its place."""
        is_over = self._paces.get(name) is _Pace.SILENT and seconds >= TURN_SECONDS * 2 ** self._turn(name)
        return is_over and any(self._turn(other) <= self._turn(name) for other in self._silent_in_queue())

    def _has_place(self, name: str) -> bool:
        is_full = len(self._running) >= MAX_SLOW_REQUESTS
        return not is_full and (self._paces.get(name) is not _Pace.SILENT or self._silent() < MAX_SILENT_REQUESTS)

    def _fill_places(self) -> None:
        """Begin with requests that wait: one of a silent job, then those of others, then further silent ones."""
        while self._queue:
            silent = self._silent_in_queue()
            others = [name for name in self._queue if name not in silent]
            is_turn_of_silent = bool(silent) and not (others and self._silent())
            name = min(silent, key=self._turn) if is_turn_of_silent else others[0]
            if not self._has_place(name):
                return
            request, report = self._queue.pop(name)
            self._run(name, asyncio.ensure_future(request()), request, report, _now())

    def _run(
        self, name: str, task: asyncio.Future[BenchmarkJob], request: Request, report: Report, began: float
    ) -> None:
        going = asyncio.get_running_loop().create_task(self._finish(name, task, began))
        self._running[name] = going

        def ended(_: asyncio.Task[None]) -> None:
            if going.cancelled() or self._running.get(name) is not going:  # nobody waits for it any more
                task.cancel()  # also where the task that waits for it was cancelled before it began
                return
            del self._running[name]
            if not task.cancelled():
                error = task.exception()
                if error is None:
                    report(name, task.result())
                elif isinstance(error, Exception):
                    report(name, error)
            elif name in self._paces:
                self._queue[name] = request, report
            self._fill_places()

        going.add_done_callback(ended)

    async def _finish(self, name: str, task: asyncio.Future[BenchmarkJob], began: float) -> None:
        """Let a request go on to its end, or to that of its turn; the first of a job, that others wait for, shortly."""
        try:
            if self._paces.get(name) is _Pace.UNKNOWN:
                await asyncio.wait([task], timeout=TRIAL_SECONDS)
                if not task.done():
                    self._paces[name] = _Pace.SILENT
                    if self._silent() > MAX_SILENT_REQUESTS:
                        return
            while not task.done():
                await asyncio.wait([task], timeout=SHORT_SECONDS)
                if not task.done() and self._must_leave(name, _now() - began):
                    self._turns[name] = self._turn(name) + 1
                    return
            self._note(name, task, _now() - began)
        finally:
            task.cancel()
            await asyncio.wait([task])

    def _note(self, name: str, task: asyncio.Future[BenchmarkJob], seconds: float) -> None:
        """Take note of how a request has ended."""
        error = task.exception()
        may_be_of_all = isinstance(error, Unauthorized) or (isinstance(error, ServiceError) and is_recoverable(error))
        if not may_be_of_all:
            self.note_response(seconds)
        if isinstance(error, ServiceUnavailable) and error.status_code is None and seconds >= SHORT_SECONDS:
            self._paces[name] = _Pace.SILENT
            self._was_slow = True
        elif seconds >= SLOW_SECONDS:
            self._paces[name] = _Pace.LATE
        else:
            self._paces.pop(name, None)
        self._turns.pop(name, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
