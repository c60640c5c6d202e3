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
import time
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    ConfigurationError,
    ServiceError,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.retry_policy import polls
from airflow_provider_benchmarks.triggers._client import open_client
from airflow_provider_benchmarks.triggers._job_wait import JobWait
from airflow_provider_benchmarks.triggers._looks import LOOKS_PER_PAGE, JobLooks
from airflow_provider_benchmarks.triggers._per_loop import PerLoop

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: Waits that are due so soon after others, as a share of their interval, come along.
_EARLY_SHARE = 0.02
#: How long after its deadline a wait goes on for the look that was made at the deadline, seconds.
_LAST_LOOK = 15.0
#: How often the connection is looked up again for changes, seconds.
_RECONNECT_EVERY = 300.0
#: So many times in a row a connection is not found before it counts as missing: Airflow 3 says the same while its API
#: server, or another place of connections, does not answer.
_NOT_FOUND = 5
#: So many rounds in a row that end in an unexpected error are a mistake that no further round gets over.
_BROKEN = 3
#: Jobs of a round whose steps are looked at, where lists have shown that they have moved on.
_STEP_LOOKS = 2


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
        self._not_found = self._broken = 0
        # A context of its own: what it logs belongs to no task, least of all to the one whose trigger came first.
        self.task = self._loop.create_task(self._run(), name=f"poll {conn_id}", context=contextvars.Context())
        self.task.add_done_callback(self._ended)
        self._watching = self._loop.call_later(_LAST_LOOK / 5, self._watch)

    @property
    def is_over(self) -> bool:
        return self.task.done()

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
        looks: JobLooks | None = None
        fresh_until = math.inf
        try:
            while True:
                if looks is None and not self._is_paused():
                    looks = await self._connect()
                    fresh_until = self._loop.time() + _RECONNECT_EVERY
                await self._sleep()
                if self._outage is not None and self._is_paused():  # a deadline has come first
                    self._report_outage(self._outage, self._due())
                elif looks is not None:
                    if self._loop.time() >= fresh_until:
                        await looks.reconnect()
                        fresh_until = self._loop.time() + _RECONNECT_EVERY
                    await self._guarded_round(looks)
        finally:
            if looks is not None:
                await looks.client.close()

    def _is_paused(self) -> bool:
        return self._outage is not None and self._loop.time() < self._outage.until

    async def _connect(self) -> JobLooks | None:
        """Look the connection up and open its client; None where that fails for now, which is an outage.

        :raises ConfigurationError: the connection can't be used, or there is none
        """
        from airflow.providers.common.compat.sdk import AirflowNotFoundException

        try:
            return JobLooks(await self._open_client(), self._open_client)
        except ConfigurationError:
            raise
        except Exception as error:
            self._not_found = self._not_found + 1 if isinstance(error, AirflowNotFoundException) else 0
            if self._not_found >= _NOT_FOUND:
                raise ConfigurationError(
                    f'connection "{self._conn_id}" is not there for the triggerer ({error}). Define it where triggerers '
                    f"find it, too, then clear the task: it attaches to its job."
                ) from error
            what = f'Connection "{self._conn_id}" can\'t be looked up: {type(error).__name__}: {error}.'
            self._suffer(ServiceUnavailable(what), self._due())
            return None

    async def _open_client(self) -> AsyncBenchmarkClient:
        # The waits decide about pauses after faults; the client must not sleep inside a look as well.
        return await open_client(self._conn_id, self._workspace, retry_seconds=0)

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

    def _due(self) -> dict[str, list[JobWait]]:
        """The waits whose turn it is, by job; with those that are due soon, and the new ones that gather."""
        now = self._loop.time()
        due: dict[str, list[JobWait]] = {}
        for wait in self._waits:
            early = wait.gather if wait.created_at is None else wait.interval * _EARLY_SHARE
            if wait.due <= now + early:
                due.setdefault(wait.job_name, []).append(wait)
        return due

    async def _guarded_round(self, looks: JobLooks) -> None:
        """Look for all whose turn it is; an unexpected error counts as an outage, unless it comes again and again."""
        try:
            await self._round(looks)
        except Exception as error:
            self._broken += 1
            if self._broken >= _BROKEN:
                raise
            logger.exception("A round of looks broke off")
            what = f"Looking at the jobs of connection {self._conn_id} broke off: {type(error).__name__}: {error}."
            self._suffer(ServiceUnavailable(what), self._due())
        else:
            self._broken = 0

    async def _round(self, looks: JobLooks) -> None:
        now = self._loop.time()
        due = self._due()
        for waits in due.values():
            for wait in waits:
                wait.poller.workspace = looks.client.config.workspace

        shown: list[JobWait] = []

        def tell(name: str, seen: BenchmarkJob | Exception) -> None:
            for wait in due.pop(name, ()):
                self._tell(wait, seen)
                if isinstance(seen, BenchmarkJob):
                    shown.append(wait)

        try:
            created = {name: waits[0].created_at for name, waits in due.items()}
            await looks.look(created, tell, after_outage=self._outage is not None)
        except ServiceError as error:
            if await self._answers_about_others(looks, due, error):
                for name in list(due):
                    tell(name, error)
                self._end_outage()
            else:
                self._suffer(error, due)
        else:
            self._end_outage()
            await self._look_at_steps(looks)
        self._last_round = self._loop.time()
        # At one moment for all: told one after the other they could stand on both sides of a tick, and part for good.
        for wait in shown:
            if wait.due < math.inf:
                wait.due = _by_deadline(wait, self._next_tick(wait.interval, self._last_round), self._last_round)
        for wait in self._waits:
            if wait.joined >= now:  # during this round
                wait.due = max(wait.due, self._last_round + wait.gather)

    async def _look_at_steps(self, looks: JobLooks) -> None:
        """Look at the steps of a few jobs that have moved on; lists don't show them."""
        moved: dict[str, list[JobWait]] = {}
        for wait in self._waits:
            if wait.wants_steps:
                moved.setdefault(wait.job_name, []).append(wait)
        if not moved:
            return

        def tell(name: str, seen: BenchmarkJob | Exception) -> None:
            for wait in moved[name]:
                self._tell(wait, seen)

        await looks.look_at_steps(random.sample(list(moved), min(len(moved), _STEP_LOOKS)), tell)

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

    def _suffer(self, error: ServiceError, due: dict[str, list[JobWait]]) -> None:
        """Take a fault that is everybody's."""
        self._outage = self._outage or _Outage(min((wait.interval for wait in self._waits), default=1.0))
        self._outage.add(error, now=self._loop.time(), waits=len(self._waits))
        self._report_outage(self._outage, due)

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
        self._backoff = polls(interval)
        self._failures = 0

    def add(self, error: ServiceError, *, now: float, waits: int) -> None:
        self._failures += 1
        pause = self._backoff.pause(self._failures, retry_after=error.retry_after)
        self.error, self.until = error, now + pause
        if not self._announced:
            self._announced = True
            logger.warning("%s Jobs waited for: %d. Looking again in %.0f s, then less often.", error, waits, pause)


def _by_deadline(wait: JobWait, due: float, now: float) -> float:
    return due if wait.deadline is None else min(due, now + max(wait.deadline - time.time(), 0.0))


_polls: PerLoop[SharedPoll] = PerLoop()


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
        self._key = conn_id, workspace

    def __enter__(self) -> JobWait:
        self._poll = _polls.get(self._key, lambda: SharedPoll(*self._key))
        self._poll.join(self._wait)
        return self._wait

    def __exit__(self, *_: object) -> None:
        if self._poll.leave(self._wait):
            _polls.drop(self._key, self._poll)
