"""One trigger's wait for one job, as the shared poll loop keeps it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller, JobStep, WaitLine, WaitLog

#: Delay of a new wait's first poll, after its start and after the last poll, so that waits that begin together are
#: polled together.
FIRST_POLL_DELAY_SECONDS = 1.0
#: Maximum of that delay as a share of the interval, so that short intervals stay short.
FIRST_POLL_DELAY_SHARE = 0.2
MIN_INTERVAL_SECONDS = 0.001
#: Replaces the fields of a job that waiting does not need.
_EMPTY: Mapping[str, Any] = MappingProxyType({})


class JobWait:
    """One trigger's wait for one job.

    :param interval: seconds between two polls
    :param deadline: seconds since the epoch, None for no limit
    """

    __slots__ = (
        "_arrival",
        "_log",
        "_queue",
        "_steps",
        "created_at",
        "deadline",
        "due",
        "first_delay",
        "interval",
        "is_new",
        "job_name",
        "joined",
        "poller",
        "started",
        "wants_steps",
    )

    def __init__(self, job_name: str, workspace: str, *, interval: float, deadline: float | None) -> None:
        self.job_name = job_name
        self.interval = max(interval, MIN_INTERVAL_SECONDS)
        self.deadline = deadline
        self.poller = JobPoller(job_name, workspace, interval=self.interval, deadline=deadline)
        self.first_delay = min(FIRST_POLL_DELAY_SECONDS, self.interval * FIRST_POLL_DELAY_SHARE)
        self.created_at: datetime | None = None
        self.joined = self.due = math.inf
        self.started = time.time()
        #: True until the first result of a poll, also if that is an error.
        self.is_new = True
        #: True if the job has progressed since its steps were read. Lists don't have steps.
        self.wants_steps = False
        self._log = WaitLog(job_name, deadline=deadline)
        self._steps: tuple[JobStep, ...] = ()
        # A plain queue, no asyncio.Queue: thousands of triggers wait, and each further object is work for the garbage
        # collector, which stops the event loop.
        self._queue: tuple[BenchmarkJob | WaitLine | Exception, ...] = ()
        self._arrival: asyncio.Future[None] | None = None

    async def next_report(self) -> BenchmarkJob | WaitLine:
        """Wait until there is something to report about the job.

        :return: the job, when it has finished; or a line for the log of the trigger, while the wait goes on: only its
            own lines get into the log of its task
        :raises JobTimeout: the deadline has passed
        :raises BenchmarkError: the service gave a definite response that is not a job
        """
        while not self._queue:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        report, *rest = self._queue
        self._queue = tuple(rest)
        if isinstance(report, Exception):
            raise report
        return report

    def _put(self, *reports: BenchmarkJob | WaitLine | Exception) -> None:
        self._queue = (*self._queue, *reports)
        if reports and self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def update(self, result: BenchmarkJob | Exception) -> float | None:
        """Take the result of a poll.

        :return: seconds until the next poll, None when the wait is over
        """
        self.is_new = False
        try:
            if isinstance(result, BenchmarkJob):
                return self._update_job(result)
            if isinstance(result, ServiceError):
                pause = self.poller.on_error(result, time.time())
                self._put(*self._log.on_error(result, time.time()))
                return pause
            self.fail(result)
        except Exception as error:  # noqa: BLE001  whatever it is, it ends this wait and no other
            self.fail(error)
        return None

    def _update_job(self, job: BenchmarkJob) -> float | None:
        self._steps = job.steps or self._steps_still_valid(job)
        job = replace(job, steps=self._steps, spec=_EMPTY, custom_fields=_EMPTY, extra=_EMPTY)
        pause = self.poller.on_job(job, time.time())
        self.created_at = job.created_at
        before = self._log.progress
        lines = self._log.on_job(job, time.time())
        if self._log.progress != before:
            # The first progress was logged with its step before the task deferred.
            self.wants_steps = bool(before) and not job.is_finished
        if pause is None:
            self.due = math.inf
            self._put(*lines, job)
        else:
            self._put(*lines)
        self.wants_steps = self.wants_steps and not job.steps
        return pause

    def _steps_still_valid(self, job: BenchmarkJob) -> tuple[JobStep, ...]:
        """Return the steps that were read last, where they are still valid: the last step lasts until the job ends.

        The service lists a step when it begins. So the first step alone says nothing about the second and last one.
        """
        in_last_step = len(self._steps) > 1 and all(step.status == "completed" for step in self._steps[:-1])
        return self._steps if in_last_step and not job.is_finished else ()

    def fail(self, error: Exception) -> None:
        """End the wait with an error; an unexpected one as one of this package, which triggers can report."""
        self.due = math.inf
        if not isinstance(error, BenchmarkError):
            unexpected = BenchmarkError(
                f'waiting for benchmark job "{self.job_name}" ended in an unexpected error: {error!r}. Clear the task: '
                f"it attaches to its job."
            )
            unexpected.__cause__ = error
            error = unexpected
        self._put(error)
