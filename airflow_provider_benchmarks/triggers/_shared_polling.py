"""One poll loop for all triggers of one connection and workspace that wait in one event loop.

So the number of requests grows with what changes, and not with the number of waits. The event loop, which all triggers
of a triggerer share, stays free. A poll loop begins with the first wait and ends with the last one. All of it runs in
its event loop. So nothing here needs a lock but the registry, which the event loops of several threads use.
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
from airflow_provider_benchmarks.triggers._event_loop_registry import EventLoopRegistry
from airflow_provider_benchmarks.triggers._job_lists import REQUESTS_PER_PAGE
from airflow_provider_benchmarks.triggers._job_wait import JobWait
from airflow_provider_benchmarks.triggers._status_requests import StatusRequests

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: Waits that are due within this share of their interval are polled together with the others.
EARLY_SHARE = 0.02
#: Seconds that a wait goes on after its deadline, for the response to the poll at the deadline.
LAST_POLL_TIMEOUT_SECONDS = 15.0
#: Seconds between two checks for overdue waits.
DEADLINE_CHECK_SECONDS = LAST_POLL_TIMEOUT_SECONDS / 5
#: Seconds after which the connection is looked up again for changes.
RECONNECT_SECONDS = 300.0
#: Number of times in a row that a connection is not found before it counts as missing. Airflow 3 says that it is not
#: found, too, while its API server, or another place of connections, does not respond.
MAX_NOT_FOUND = 5
#: Number of polls in a row that end in an unexpected error before all waits fail: such an error does not pass.
MAX_UNEXPECTED_ERRORS = 3
#: Number of jobs in each poll whose steps are requested, where lists have shown progress.
STEP_REQUESTS_PER_POLL = 2
#: Polls of several triggerers are shifted against each other by up to this time.
MAX_PHASE_SECONDS = 3600.0


class SharedPoll:
    """The waits of one connection and workspace in one event loop, and the task that polls for them."""

    def __init__(self, conn_id: str, workspace: str | None) -> None:
        self._conn_id = conn_id
        self._workspace = workspace
        self._loop = asyncio.get_running_loop()
        self._waits: set[JobWait] = set()
        self._wake = asyncio.Event()
        self._asleep_until = math.inf
        self._last_poll = -math.inf
        # Several triggerers should not poll at the same moment.
        self._phase = self._loop.time() - random.uniform(0, MAX_PHASE_SECONDS)
        self._outage: _Outage | None = None
        self._not_found = self._unexpected_errors = 0
        # An empty context: its log lines belong to no task, least of all to the one whose trigger came first.
        self.task = self._loop.create_task(self._run(), name=f"poll {conn_id}", context=contextvars.Context())
        self.task.add_done_callback(self._on_done)
        self._deadline_check = self._loop.call_later(DEADLINE_CHECK_SECONDS, self._check_deadlines)

    @property
    def is_done(self) -> bool:
        return self.task.done()

    def join(self, wait: JobWait) -> None:
        now = self._loop.time()
        wait.joined = now
        # During an outage, too: the faults that look like one may be those of the other jobs.
        wait.due = max(now, self._last_poll) + wait.first_delay
        self._waits.add(wait)
        if wait.due < self._asleep_until:
            self._wake.set()

    def leave(self, wait: JobWait) -> bool:
        """Remove a wait. Return True if it was the last one; then the loop ends."""
        self._waits.discard(wait)
        if self._waits:
            return False
        self.task.cancel()
        return True

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """End all waits when the task has ended, for whatever reason."""
        self._deadline_check.cancel()
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, Exception):
            error = BenchmarkError(
                f"the poll loop of connection {self._conn_id} was stopped from outside ({error or 'cancelled'}). "
                f"Clear the task: it attaches to its job."
            )
        for wait in self._waits:
            if wait.due < math.inf:
                wait.fail(error)

    def _check_deadlines(self) -> None:
        """End the waits whose poll at the deadline gets no response."""
        overdue = ServiceUnavailable("the poll at the deadline got no answer")
        now = time.time()
        for wait in self._waits:
            if wait.due == math.inf or wait.deadline is None:
                continue
            if now > max(wait.deadline, wait.started) + LAST_POLL_TIMEOUT_SECONDS:
                wait.update(wait.poller.last_error or overdue)
        self._deadline_check = self._loop.call_later(DEADLINE_CHECK_SECONDS, self._check_deadlines)

    async def _run(self) -> None:
        requests: StatusRequests | None = None
        reconnect_at = math.inf
        try:
            while True:
                if requests is None and not self._is_paused():
                    requests = await self._connect()
                    reconnect_at = self._loop.time() + RECONNECT_SECONDS
                await self._sleep()
                if self._outage is not None and self._is_paused() and not (requests and self._has_new()):
                    # a deadline comes before the end of the pause
                    self._report_outage(self._outage, self._due())
                elif requests is not None:
                    if self._loop.time() >= reconnect_at:
                        await requests.reconnect()
                        reconnect_at = self._loop.time() + RECONNECT_SECONDS
                    await self._guarded_poll(requests)
        finally:
            if requests is not None:
                await requests.close()

    def _has_new(self) -> bool:
        """True if a wait is due that was never polled."""
        return any(wait.is_new for waits in self._due().values() for wait in waits)

    def _is_paused(self) -> bool:
        return self._outage is not None and self._loop.time() < self._outage.until

    async def _connect(self) -> StatusRequests | None:
        """Look the connection up and open its client.

        :return: None where that fails for now, which counts as an outage
        :raises ConfigurationError: the connection can't be used, or there is none
        """
        from airflow.providers.common.compat.sdk import AirflowNotFoundException

        try:
            return StatusRequests(await self._open_client(), self._open_client)
        except ConfigurationError:
            raise
        except Exception as error:
            self._not_found = self._not_found + 1 if isinstance(error, AirflowNotFoundException) else 0
            if self._not_found >= MAX_NOT_FOUND:
                raise ConfigurationError(
                    f'connection "{self._conn_id}" is not there for the triggerer ({error}). Define it where '
                    f"triggerers find it, too, then clear the task: it attaches to its job."
                ) from error
            message = f'Connection "{self._conn_id}" can\'t be looked up: {type(error).__name__}: {error}.'
            self._add_outage(ServiceUnavailable(message), self._due())
            return None

    async def _open_client(self) -> AsyncBenchmarkClient:
        # The waits decide about pauses after faults. The client must not sleep within a request as well.
        return await open_client(self._conn_id, self._workspace, retry_seconds=0)

    async def _sleep(self) -> None:
        """Sleep until a wait is due. A wait that begins meanwhile may be due sooner."""
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
        """Return the waits that are due, by job, with those that are due soon and those that have just begun."""
        now = self._loop.time()
        due: dict[str, list[JobWait]] = {}
        for wait in self._waits:
            early = wait.first_delay if wait.created_at is None else wait.interval * EARLY_SHARE
            if wait.due <= now + early:
                due.setdefault(wait.job_name, []).append(wait)
        return due

    async def _guarded_poll(self, requests: StatusRequests) -> None:
        """Poll all that are due. An unexpected error counts as an outage, unless it is raised again and again."""
        try:
            await self._poll(requests)
        except Exception as error:
            self._unexpected_errors += 1
            if self._unexpected_errors >= MAX_UNEXPECTED_ERRORS:
                raise
            logger.exception("A poll ended in an unexpected error")
            message = f"Polling the jobs of connection {self._conn_id} failed: {type(error).__name__}: {error}."
            self._add_outage(ServiceUnavailable(message), self._due())
        else:
            self._unexpected_errors = 0

    async def _poll(self, requests: StatusRequests) -> None:
        now = self._loop.time()
        due = self._due()
        for waits in due.values():
            for wait in waits:
                wait.poller.workspace = requests.client.config.workspace

        returned: list[JobWait] = []

        def report(name: str, result: BenchmarkJob | Exception) -> None:
            for wait in due.pop(name, ()):
                self._update(wait, result)
                if isinstance(result, BenchmarkJob):
                    returned.append(wait)

        requests.keep_only({wait.job_name for wait in self._waits})
        try:
            created = {name: waits[0].created_at for name, waits in due.items()}
            await requests.poll(created, report, after_outage=self._outage is not None)
        except ServiceError as error:
            own = requests.errors
            if self._outage is None and await self._responds_for_others(requests, due):
                for name in list(due):
                    if name in own:
                        report(name, own[name])
                self._put_off(due)
            else:
                self._add_outage(error, due)
        else:
            self._end_outage()
            self._put_off(due)
            await self._poll_steps(requests)
        self._last_poll = self._loop.time()
        # From one moment for all. From one moment each, waits could be on both sides of a tick, and part for good.
        for wait in returned:
            if wait.due < math.inf:
                wait.due = _by_deadline(wait, self._next_tick(wait.interval, self._last_poll), self._last_poll)
        for wait in self._waits:
            if wait.joined >= now:  # during this poll
                wait.due = max(wait.due, self._last_poll + wait.first_delay)

    def _put_off(self, due: dict[str, list[JobWait]]) -> None:
        """Put off the waits of jobs whose request is slow, and is reported later."""
        now = self._loop.time()
        for wait in [wait for waits in due.values() for wait in waits]:
            if wait.due < math.inf:
                wait.due = self._next_tick(wait.interval, now)

    async def _poll_steps(self, requests: StatusRequests) -> None:
        """Request the steps of a few jobs that have progressed. Lists don't have steps."""
        progressed: dict[str, list[JobWait]] = {}
        for wait in self._waits:
            if wait.wants_steps:
                progressed.setdefault(wait.job_name, []).append(wait)
        if not progressed:
            return

        def report(name: str, result: BenchmarkJob | Exception) -> None:
            for wait in progressed[name]:
                self._update(wait, result)

        chosen = random.sample(list(progressed), min(len(progressed), STEP_REQUESTS_PER_POLL))
        await requests.poll_steps(chosen, report)

    async def _responds_for_others(self, requests: StatusRequests, due: dict[str, list[JobWait]]) -> bool:
        """Poll a job that is not due, so that errors of the few jobs that are due do not count as an outage.

        Also where they come with a time to wait: that may be meant for these jobs alone.
        """
        others = [wait for wait in self._waits if wait.due < math.inf and wait.job_name not in due]
        if not others or len(due) > REQUESTS_PER_PAGE:
            return False
        random.shuffle(others)
        other = min(others, key=lambda wait: requests.has_trouble(wait.job_name))
        try:
            await requests.poll(
                {other.job_name: other.created_at}, lambda _, result: self._update(other, result), after_outage=False
            )
        except ServiceError:
            return False
        return requests.have_responses

    def _add_outage(self, error: ServiceError, due: dict[str, list[JobWait]]) -> None:
        """Begin or prolong an outage: a fault that concerns all waits."""
        self._outage = self._outage or _Outage(min((wait.interval for wait in self._waits), default=1.0))
        if not self._is_paused():  # else it was a poll of a new job, which makes the pause no longer
            self._outage.add(error, now=self._loop.time(), waits=len(self._waits))
        self._report_outage(self._outage, due)

    def _end_outage(self) -> None:
        if self._outage is None:
            return
        logger.info("The service of connection %s answers again.", self._conn_id)
        self._outage = None
        now = self._loop.time()
        for wait in self._waits:  # it may have been a new job that has shown it
            if wait.due < math.inf:
                wait.due = min(wait.due, self._next_tick(wait.interval, now))

    def _update(self, wait: JobWait, result: BenchmarkJob | Exception) -> None:
        if wait not in self._waits:  # it has left during the request
            return
        pause = wait.update(result)
        if pause is None:
            return
        now = self._loop.time()
        if isinstance(result, BenchmarkJob):
            wait.due = _by_deadline(wait, self._next_tick(wait.interval, now), now)
        else:
            wait.due = now + pause

    def _report_outage(self, outage: _Outage, due: dict[str, list[JobWait]]) -> None:
        """End the waits whose deadline has passed; the others wait for the service."""
        now = self._loop.time()
        for wait in [wait for waits in due.values() for wait in waits]:
            if wait in self._waits and wait.update(outage.error) is not None:
                wait.due = _by_deadline(wait, outage.until, now)

    def _next_tick(self, interval: float, now: float) -> float:
        """Return when the waits of an interval are due next: all at the same time, so that one poll serves them all."""
        tick = self._phase + (math.floor((now - self._phase) / interval) + 1) * interval
        return tick if tick - now > interval * 0.1 else tick + interval


class _Outage:
    """A time in which the service does not respond. The loop as a whole polls less and less often."""

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
            logger.warning("%s Jobs waited for: %d. Polling again in %.0f s, then less often.", error, waits, pause)


def _by_deadline(wait: JobWait, due: float, now: float) -> float:
    return due if wait.deadline is None else min(due, now + max(wait.deadline - time.time(), 0.0))


_polls: EventLoopRegistry[SharedPoll] = EventLoopRegistry()


class waiting_for:
    """Wait for a job in the running event loop, together with all other waits of the connection and workspace.

    with waiting_for("job-1", conn_id="evaluator", workspace=None, interval=30, deadline=None) as wait:
        job = await wait.next_report()
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
            _polls.remove(self._key, self._poll)
