"""One poll loop for all triggers of one connection and workspace that wait in one event loop.

Requests then grow with what changes and not with how many wait, and the event loop that all triggers of a triggerer
share stays free. A poll loop begins with the first wait and ends with the last one. Everything of it runs in its event
loop, so nothing here needs a lock but the registry, which event loops of several threads use.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError, ServiceUnavailable
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller
from airflow_provider_benchmarks.triggers._looks import LOOKS_PER_PAGE, JobLooks

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: A new wait's first look comes so many seconds after its start and after the last round, so that waits that begin
#: together are looked at together; at most this share of its interval, so that short intervals stay short.
_GATHER, _GATHER_SHARE = 1.0, 0.2
#: Waits that are due so soon after others, as a share of their interval, come along.
_EARLY_SHARE = 0.02
#: How long after its deadline a wait goes on for the look that was made at the deadline, seconds.
_LAST_LOOK = 15.0
#: How often the connection is looked up again for changes, seconds.
_RECONNECT_EVERY = 300.0
_SHORTEST_INTERVAL = 0.001
#: In place of what waiting does not need of a job.
_DROPPED: Mapping[str, Any] = MappingProxyType({})


class JobWait:
    """One trigger's wait for one job.

    :param interval: seconds between two looks
    :param deadline: seconds since the epoch, None for no limit
    """

    __slots__ = (
        "_arrived",
        "_news",
        "_shown",
        "_step",
        "created_at",
        "deadline",
        "due",
        "gather",
        "interval",
        "job_name",
        "joined",
        "poller",
        "started",
    )

    def __init__(self, job_name: str, workspace: str, *, interval: float, deadline: float | None) -> None:
        self.job_name = job_name
        self.interval = max(interval, _SHORTEST_INTERVAL)
        self.deadline = deadline
        self.poller = JobPoller(job_name, workspace, interval=self.interval, deadline=deadline)
        self.gather = min(_GATHER, self.interval * _GATHER_SHARE)
        self.created_at: datetime | None = None
        self.joined = self.due = math.inf
        self.started = time.time()
        self._shown: tuple[object, ...] = ()
        self._step: str | None = None
        # A queue, and no asyncio.Queue: thousands wait, and each object more is work for the garbage collector, which
        # stops the event loop.
        self._news: tuple[BenchmarkJob | str | Exception, ...] = ()
        self._arrived: asyncio.Future[None] | None = None

    async def news(self) -> BenchmarkJob | str:
        """Wait until there is something to say about the job.

        :return: the job, when its progress has changed or it has ended; or a warning about a trouble of this job's own,
            while the wait goes on
        :raises JobTimeout: the deadline has passed
        :raises BenchmarkError: the service gave a definite answer that is not a job
        """
        while not self._news:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        news, *rest = self._news
        self._news = tuple(rest)
        if isinstance(news, Exception):
            raise news
        return news

    def _tell(self, news: BenchmarkJob | str | Exception) -> None:
        self._news = (*self._news, news)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def take(self, seen: BenchmarkJob | Exception) -> float | None:
        """Take what came of a look.

        :return: seconds to wait before the next look, None when the wait is over
        """
        try:
            if isinstance(seen, BenchmarkJob):
                return self._take_job(seen)
            if isinstance(seen, ServiceError):
                return self.poller.on_error(seen, time.time())
            self.end(seen)
        except BenchmarkError as error:
            self.end(error)
        return None

    def _take_job(self, job: BenchmarkJob) -> float | None:
        job = replace(job, spec=_DROPPED, custom_fields=_DROPPED, extra=_DROPPED)
        pause = self.poller.on_job(job, time.time())
        self.created_at = job.created_at
        if pause is None:
            self.due = math.inf
        step = job.current_step if job.steps else self._step  # lists don't show steps
        shown = (str(job.status), job.progress, job.samples_processed, step)
        if shown != self._shown:
            self._shown, self._step = shown, step
            self._tell(job)
        return pause

    def warn(self, text: str) -> None:
        """Let whoever waits say it, since what is said there gets into the right task's log."""
        self._tell(text)

    def end(self, error: Exception) -> None:
        """End the wait with an error."""
        self.due = math.inf
        self._tell(error)


def _import_client() -> None:
    """Import what a first look needs, which takes longer than an event loop should stand still."""
    import anyio

    import airflow_provider_benchmarks.client
    import airflow_provider_benchmarks.hooks.connection  # noqa: F401

    anyio.run(anyio.sleep, 0)  # httpx's first request would import the backend, for 0.1 s on the event loop


class SharedPoll:
    """The waits of one connection and workspace in one event loop, and the task that looks for them."""

    def __init__(self, conn_id: str, workspace: str | None) -> None:
        self._conn_id = conn_id
        self._workspace = workspace
        self._loop = asyncio.get_running_loop()
        self._waits: set[JobWait] = set()
        self._wake = asyncio.Event()
        self._asleep_until = math.inf
        self._last_round = -math.inf
        # Several triggerers should not ask at the same moment.
        self._phase = self._loop.time() - random.uniform(0, 3600)
        self._outage: _Outage | None = None
        # A context of its own: what it logs belongs to no task, least of all to the one whose trigger came first.
        self.task = self._loop.create_task(self._run(), name=f"poll {conn_id}", context=contextvars.Context())
        self.task.add_done_callback(self._ended)
        self._watching = self._loop.call_later(_LAST_LOOK / 5, self._watch)

    def join(self, wait: JobWait) -> None:
        now = self._loop.time()
        wait.joined = now
        wait.due = max(now, self._last_round) + wait.gather
        if self._outage is not None:
            wait.due = _by_deadline(wait, max(wait.due, self._outage.until), now)
        self._waits.add(wait)
        if wait.due < self._asleep_until:
            self._wake.set()

    def leave(self, wait: JobWait) -> bool:
        """Take a wait out; True when it was the last one, and the loop ends."""
        self._waits.discard(wait)
        if self._waits:
            return False
        self.task.cancel()
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Whatever ended the task: nobody must wait for it any longer."""
        self._watching.cancel()
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, Exception):
            error = BenchmarkError(
                f"the poll loop of connection {self._conn_id} was stopped from outside ({error or 'cancelled'}). "
                f"Clear the task: it attaches to its job."
            )
        for wait in self._waits:
            if wait.due < math.inf:
                wait.end(error)

    def _watch(self) -> None:
        """End waits whose last look gets no answer."""
        late = ServiceUnavailable("the look at the deadline got no answer")
        now = time.time()
        for wait in self._waits:
            if wait.due == math.inf or wait.deadline is None:
                continue
            if now > max(wait.deadline, wait.started) + _LAST_LOOK:
                wait.take(late)
        self._watching = self._loop.call_later(_LAST_LOOK / 5, self._watch)

    async def _run(self) -> None:
        looks = JobLooks(await self._open_client(), self._open_client)
        try:
            fresh_until = self._loop.time() + _RECONNECT_EVERY
            while True:
                await self._sleep()
                if self._loop.time() >= fresh_until:
                    await looks.reconnect()
                    fresh_until = self._loop.time() + _RECONNECT_EVERY
                await self._round(looks)
        finally:
            await looks.client.close()

    async def _open_client(self) -> AsyncBenchmarkClient:
        await asyncio.to_thread(_import_client)
        from airflow_provider_benchmarks.hooks.connection import open_async_client

        # The waits decide about pauses after faults; the client must not sleep inside a look as well.
        return await open_async_client(self._conn_id, self._workspace, retry_seconds=0)

    async def _sleep(self) -> None:
        """Sleep until a wait is due; waits that begin meanwhile can bring that forward."""
        while True:
            self._wake.clear()
            self._asleep_until = min((wait.due for wait in self._waits), default=math.inf)
            left = self._asleep_until - self._loop.time()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(None if left == math.inf else left):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _round(self, looks: JobLooks) -> None:
        now = self._loop.time()
        due: dict[str, list[JobWait]] = {}
        for wait in self._waits:
            if wait.due <= now + wait.interval * _EARLY_SHARE:
                due.setdefault(wait.job_name, []).append(wait)
                wait.poller.workspace = looks.client.config.workspace
        if self._outage is not None and now < self._outage.until:  # a deadline has come first
            self._report_outage(self._outage, due)
            return

        def tell(name: str, seen: BenchmarkJob | Exception) -> None:
            for wait in due.pop(name):
                self._tell(wait, seen)

        try:
            created = {name: waits[0].created_at for name, waits in due.items()}
            await looks.look(created, tell, after_outage=self._outage is not None)
        except ServiceError as error:
            if await self._answers_about_others(looks, due, error):
                for name in list(due):
                    tell(name, error)
                self._end_outage()
            else:
                self._outage = self._outage or _Outage(min((wait.interval for wait in self._waits), default=1.0))
                self._outage.add(error, now=self._loop.time(), waits=len(self._waits))
                self._report_outage(self._outage, due)
        else:
            self._end_outage()
        self._last_round = self._loop.time()
        for wait in self._waits:
            if wait.joined >= now:  # during this round
                wait.due = max(wait.due, self._last_round + wait.gather)

    async def _answers_about_others(self, looks: JobLooks, due: dict[str, list[JobWait]], error: ServiceError) -> bool:
        """Ask for a job that was not due, so that trouble with the few that were does not count as an outage."""
        others = [wait for wait in self._waits if wait.due < math.inf and wait.job_name not in due]
        if not others or len(due) > LOOKS_PER_PAGE or error.retry_after is not None:
            return False
        other = random.choice(others)
        try:
            await looks.look(
                {other.job_name: other.created_at}, lambda _, seen: self._tell(other, seen), after_outage=False
            )
        except ServiceError:
            return False
        return True

    def _end_outage(self) -> None:
        if self._outage is not None:
            logger.info("The service of connection %s answers again.", self._conn_id)
        self._outage = None

    def _tell(self, wait: JobWait, seen: BenchmarkJob | Exception) -> None:
        if wait not in self._waits:  # it has left while the look was under way
            return
        pause = wait.take(seen)
        if pause is None:
            return
        now = self._loop.time()
        if isinstance(seen, BenchmarkJob):
            wait.due = _by_deadline(wait, self._next_tick(wait.interval, now), now)
        else:
            wait.due = now + pause
            wait.warn(f"{seen} Looking again in {pause:.0f} s.")

    def _report_outage(self, outage: _Outage, due: dict[str, list[JobWait]]) -> None:
        """Let deadlines come to their end; the others wait for the service."""
        now = self._loop.time()
        for wait in [wait for waits in due.values() for wait in waits]:
            if wait in self._waits and wait.take(outage.error) is not None:
                wait.due = _by_deadline(wait, outage.until, now)

    def _next_tick(self, interval: float, now: float) -> float:
        """When waits of an interval are due next: at the same times, so that one round serves them all."""
        tick = self._phase + (math.floor((now - self._phase) / interval) + 1) * interval
        return tick if tick - now > interval * 0.1 else tick + interval


class _Outage:
    """A time in which the service does not answer; the loop as a whole looks less and less often."""

    def __init__(self, interval: float) -> None:
        self.until = 0.0
        self.error: ServiceError
        self._announced = False
        self._backoff = JobPoller("", "", interval=interval, deadline=None)

    def add(self, error: ServiceError, *, now: float, waits: int) -> None:
        transient = ServiceUnavailable(str(error), retry_after=error.retry_after)
        pause = self._backoff.on_error(transient, time.time())
        self.error, self.until = error, now + pause
        if not self._announced:
            self._announced = True
            logger.warning("%s Jobs waited for: %d. Looking again in %.0f s, then less often.", error, waits, pause)


def _by_deadline(wait: JobWait, due: float, now: float) -> float:
    return due if wait.deadline is None else min(due, now + max(wait.deadline - time.time(), 0.0))


_polls: dict[tuple[asyncio.AbstractEventLoop, str, str | None], SharedPoll] = {}
_polls_lock = threading.Lock()


class waiting_for:
    """Wait for a job, in the running event loop, together with all others of the connection and workspace.

    with waiting_for("job-1", conn_id="evaluator", workspace=None, interval=30, deadline=None) as wait:
        job = await wait.news()
    """

    __slots__ = ("_key", "_poll", "_wait")

    def __init__(
        self, job_name: str, *, conn_id: str, workspace: str | None, interval: float, deadline: float | None
    ) -> None:
        self._wait = JobWait(job_name, workspace or "", interval=interval, deadline=deadline)
        self._key = (asyncio.get_running_loop(), conn_id, workspace)

    def __enter__(self) -> JobWait:
        with _polls_lock:
            for stale in [known for known in _polls if known[0].is_closed()]:
                del _polls[stale]
            poll = _polls.get(self._key)
            if poll is None or poll.task.done():
                poll = _polls[self._key] = SharedPoll(*self._key[1:])
        poll.join(self._wait)
        self._poll = poll
        return self._wait

    def __exit__(self, *_: object) -> None:
        if self._poll.leave(self._wait):
            with _polls_lock:
                if _polls.get(self._key) is self._poll:
                    del _polls[self._key]
