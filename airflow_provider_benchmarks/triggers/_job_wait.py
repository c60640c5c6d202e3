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
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller, JobStep

#: A new wait's first look comes so many seconds after its start and after the last round, so that waits that begin
#: together are looked at together; at most this share of its interval, so that short intervals stay short.
_GATHER, _GATHER_SHARE = 1.0, 0.2
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
        "_steps",
        "created_at",
        "deadline",
        "due",
        "gather",
        "interval",
        "job_name",
        "joined",
        "poller",
        "started",
        "wants_steps",
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
        #: Whether the job has moved on since its steps were seen, which lists don't show.
        self.wants_steps = False
        self._shown: tuple[object, ...] = ()
        self._step: str | None = None
        self._steps: tuple[JobStep, ...] = ()
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
        except Exception as error:  # noqa: BLE001  whatever it is, it ends this wait and no other
            self.end(error)
        return None

    def _take_job(self, job: BenchmarkJob) -> float | None:
        self._steps = job.steps or self._steps_known(job)
        job = replace(job, steps=self._steps, spec=_DROPPED, custom_fields=_DROPPED, extra=_DROPPED)
        pause = self.poller.on_job(job, time.time())
        self.created_at = job.created_at
        if pause is None:
            self.due = math.inf
        self._step = job.current_step if self._steps else self._step  # not seen is not changed
        shown = (str(job.status), job.progress, job.samples_processed, self._step)
        if shown != self._shown:
            # What it did when the trigger began was logged with its step before the task deferred.
            self.wants_steps = bool(self._shown) and not job.is_finished
            self._shown = shown
            self._tell(job)
        self.wants_steps = self.wants_steps and not job.steps
        return pause

    def _steps_known(self, job: BenchmarkJob) -> tuple[JobStep, ...]:
        """What is still true of the steps that were seen last: the last step stays the last one until the job ends.

        The service lists a step when it begins, so that the first one says nothing of the second, and last, one.
        """
        in_the_last = len(self._steps) > 1 and all(step.status == "completed" for step in self._steps[:-1])
        return self._steps if in_the_last and not job.is_finished else ()

    def warn(self, text: str) -> None:
        """Let whoever waits say it, since what is said there gets into the right task's log."""
        self._tell(text)

    def end(self, error: Exception) -> None:
        """End the wait with an error; an unexpected one is told as one of this package, which triggers can report."""
        self.due = math.inf
        if not isinstance(error, BenchmarkError):
            unexpected = BenchmarkError(
                f'waiting for benchmark job "{self.job_name}" ended in an unexpected error: {error!r}. Clear the task: '
                f"it attaches to its job."
            )
            unexpected.__cause__ = error
            error = unexpected
        self._tell(error)
