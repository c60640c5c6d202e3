"""When to look at a running job again, and when to stop: pure decisions, used by every way of waiting.

A look that fails is not a failed job. Only a definite answer of the service or the deadline ends the wait.
"""

from __future__ import annotations

import random
from datetime import timedelta

from airflow_provider_benchmarks.exceptions import JobTimeout, ProtocolError, ServiceError, ServiceUnavailable
from airflow_provider_benchmarks.jobs.models import BenchmarkJob

#: The longest pause after looks that failed, seconds. A service that is back is noticed within it.
_MAX_PAUSE = 300.0
#: So many answers in a row that can't be understood are a wrong address or a wrong service, not a hiccup.
_MAX_ODD_ANSWERS = 10


class JobPoller:
    """Decides about one job's next look.

    :param job_name: the job, for errors
    :param workspace: its workspace, for errors
    :param interval: seconds between two looks
    :param deadline: seconds since the epoch (wall clock, so that it holds over restarts), None for no limit
    """

    def __init__(self, job_name: str, workspace: str, *, interval: float, deadline: float | None) -> None:
        self.job_name = job_name
        self.workspace = workspace
        self.interval = interval
        self.deadline = deadline
        self._last: BenchmarkJob | None = None
        self._failures = 0

    def on_job(self, job: BenchmarkJob, now: float) -> float | None:
        """Take an answer.

        :return: seconds to wait before the next look, None when the job has ended
        :raises JobTimeout: it runs and the deadline has passed
        """
        self._last = job
        self._failures = 0
        if job.is_finished:
            return None
        return self._bounded(self.interval, now)

    def on_error(self, error: ServiceError, now: float) -> float:
        """Take a look that failed.

        :return: seconds to wait before the next look: doubled with every failure in a row, jittered, and at least what
            the service asked for
        :raises ServiceError: the same error, when it is a definite answer (401, 403, 404, …)
        :raises JobTimeout: the deadline has passed
        """
        self._failures += 1
        if not is_transient(error) or (isinstance(error, ProtocolError) and self._odd(error)):
            raise error
        pause = min(self.interval * 2.0 ** min(self._failures - 1, 16), _MAX_PAUSE)
        return self._bounded(max(pause * random.uniform(0.75, 1.25), error.retry_after or 0.0), now)

    def _odd(self, error: ServiceError) -> bool:
        return (error.status_code or 0) < 500 and self._failures >= _MAX_ODD_ANSWERS

    def _bounded(self, pause: float, now: float) -> float:
        if self.deadline is None:
            return pause
        if now >= self.deadline:
            raise JobTimeout(
                f"{self._what()} did not end in time; last seen: {self._seen(now)}. Raise the task's timeout, or look at "
                f"what holds the job up on the service.",
                job=self.job_name,
                workspace=self.workspace,
                benchmark=self._last.benchmark if self._last else "",
                status=self._last.status if self._last else "unknown",
            )
        return min(pause, self.deadline - now)

    def _what(self) -> str:
        return str(self._last) if self._last else f'benchmark job "{self.job_name}" in workspace "{self.workspace}"'

    def _seen(self, now: float) -> str:
        return progress_line(self._last, now) if self._last else "nothing, no look at it succeeded"


def is_transient(error: ServiceError) -> bool:
    """Whether the same request may well succeed later."""
    return isinstance(error, ServiceUnavailable | ProtocolError)


def progress_line(job: BenchmarkJob, now: float | None = None) -> str:
    """Say in one line how far a job is: status, step, percent, samples, and since when.

    :param now: seconds since the epoch; None leaves the time since the job was submitted out
    """
    parts = [str(job.status)]
    if job.current_step and not job.is_finished:
        parts.append(f"step {job.current_step}")
    if job.progress is not None:
        parts.append(f"{job.progress:.0f} %")
    if job.samples_processed is not None:
        parts.append(f"{job.samples_processed} samples")
    if now is not None and job.created_at is not None:
        # The service's clock may be ahead of ours.
        parts.append(f"submitted {timedelta(seconds=max(int(now - job.created_at.timestamp()), 0))} ago")
    return ", ".join(parts)
