"""When to poll a running job again, and when to stop: pure decisions, used by every way of waiting.

A poll that fails is not a failed job. Only a definite answer of the service or the deadline ends the wait.
"""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import JobError, JobTimeout, ServiceError, Unauthorized
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.jobs.models import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.retry_policy import is_recoverable, is_unexpected_answer, polls

#: Number of refusals (401, 403) in a row that are definite. Fewer are a gateway that restarts, or a token that is
#: changed.
_MAX_REFUSALS = 5
#: Number of answers in a row that can't be understood before the address or the service counts as wrong.
_MAX_UNEXPECTED_ANSWERS = 10
#: Maximum number of characters that are shown of a word of the service.
_WORD = 80
#: The same of the error of the last poll.
_ERROR = 1000


class JobPoller:
    """Decides about one job's next poll.

    :param job_name: the job, for errors
    :param workspace: its workspace, for errors
    :param interval: seconds between two polls
    :param deadline: seconds since the epoch (wall clock, so that it holds over restarts), None for no limit
    """

    def __init__(self, job_name: str, workspace: str, *, interval: float, deadline: float | None) -> None:
        self.job_name = job_name
        self.workspace = workspace
        self.interval = interval
        self.deadline = deadline
        self._last: BenchmarkJob | None = None
        #: Of the last poll; None if it succeeded.
        self.last_error: ServiceError | None = None
        self._id = ""
        self._failures = 0
        self._refusals = 0

    def on_job(self, job: BenchmarkJob, now: float) -> float | None:
        """Take a poll that was answered.

        :return: seconds to wait before the next poll, None if the job has finished
        :raises JobTimeout: it runs and the deadline has passed
        :raises JobError: another job has the name now
        """
        self._refuse_another(job)
        self._last, self.last_error = job, None
        self._failures = self._refusals = 0
        if job.is_finished:
            return None
        return self._bounded(self.interval, now)

    def on_error(self, error: ServiceError, now: float) -> float:
        """Take a poll that failed.

        :return: seconds to wait before the next poll: doubled with every failure in a row, jittered, and at least what
            the service asks for, up to a limit
        :raises ServiceError: the same error, if it is a definite answer (404, …, or several refusals in a row)
        :raises JobTimeout: the deadline has passed
        """
        self.last_error = error
        self._failures += 1
        self._refusals += isinstance(error, Unauthorized)
        if self._is_definite(error):
            raise error
        return self._bounded(polls(self.interval).pause(self._failures, retry_after=error.retry_after), now)

    def _refuse_another(self, job: BenchmarkJob) -> None:
        """Notice a job that was deleted and submitted again, or rerun, under the name that is waited for."""
        if self._id and job.id and job.id != self._id:
            raise JobError(
                f"{job} is another job now: its id was {shortened(self._id)} and is {shortened(job.id)}. Somebody has "
                f"deleted it and used its name again, or run it again. Check whose job it is; then clear this task.",
                job=job.name,
                workspace=job.workspace,
                benchmark=job.benchmark,
                status=job.status,
            )
        self._id = job.id or self._id

    def _is_definite(self, error: ServiceError) -> bool:
        if isinstance(error, Unauthorized):
            return self._refusals >= _MAX_REFUSALS
        if is_unexpected_answer(error):
            return self._failures >= _MAX_UNEXPECTED_ANSWERS
        return not is_recoverable(error)

    def _bounded(self, pause: float, now: float) -> float:
        if self.deadline is None:
            return pause
        if now >= self.deadline:
            raise not_in_time(self._last, name=self.job_name, workspace=self.workspace, now=now, error=self.last_error)
        return min(pause, self.deadline - now)


def not_in_time(
    job: BenchmarkJob | None, *, name: str, workspace: str, now: float, error: ServiceError | None = None
) -> JobTimeout:
    """Make the error for a job that has not finished in time.

    :param job: the job as the last poll that succeeded has shown it; None if no poll did
    :param error: of the last poll; None if it succeeded
    """
    what = str(job) if job else f'benchmark job "{name}" in workspace "{workspace}"'
    seen = progress_line(job, now) if job else "nothing, as no poll of it succeeded"
    failed = f" The last poll failed: {shortened(str(error), _ERROR)}" if error else ""
    return JobTimeout(
        f"{what} did not end in time; last seen: {seen}.{failed} Set a longer timeout=, or look at what holds the "
        f"job up on the service.",
        job=name,
        workspace=workspace,
        benchmark=job.benchmark if job else "",
        status=job.status if job else "unknown",
    )


def progress_line(job: BenchmarkJob, now: float | None = None) -> str:
    """Report in one line how far a job is: status, step, percent, samples, and since when.

    :param now: seconds since the epoch; None leaves the time since the job was submitted out
    """
    parts = [str(job.status)]
    if job.status not in set(JobStatus):
        parts = [
            f'"{shortened(job.status, _WORD)}" (a word that this release does not know, so the job counts as running)'
        ]
    if job.current_step and not job.is_finished:
        parts.append(f"step {shortened(job.current_step, _WORD)}")
    if job.progress is not None:
        parts.append(f"{job.progress:.0f} %")
    if job.samples_processed is not None:
        total = job.row_counts.total if job.row_counts is not None else None
        parts.append(f"{job.samples_processed}{f' of {total}' if total else ''} samples")
    if job.row_counts is not None and job.row_counts.errored:
        parts.append(f"{job.row_counts.errored} rows with errors")
    if now is not None and job.created_at is not None:
        # The service's clock may be ahead of ours.
        parts.append(f"submitted {timedelta(seconds=max(int(now - job.created_at.timestamp()), 0))} ago")
    return one_line(", ".join(parts))
