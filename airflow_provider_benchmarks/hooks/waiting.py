"""Wait for a job on a worker, and say what is known of it when the wait ends badly."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_fixed

from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout, NotFound, ServiceError, Unauthorized
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller, JobStatus, LogSummary, progress_line
from airflow_provider_benchmarks.jobs.failures import clean
from airflow_provider_benchmarks.jobs.polling import not_in_time

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig

#: Lines of a job's log that a task's log shows of a job that failed, and that an error shows.
_SHOWN_LINES, _TOLD_LINES = 50, 10
#: Lines of a log that are read for the last ones when a job has not ended in time: five requests.
_READ_LINES = 5000
#: For a log that is only an addition to an error, seconds.
_LOG_SECONDS = 10.0
#: Characters of a step's own error.
_STEP_LIMIT = 4000
#: Seconds between the first two looks of a sensor that were refused; doubled each time, so that five take a minute.
_REFUSED_EVERY = 4.0
#: How often, and for how long in all, a killed task looks for the job of a submit whose answer it has not seen.
_LOOK_EVERY, _LOOK_SECONDS = 1.0, 10.0
#: What a look may take of the time after the deadline, seconds: the last one is made at the deadline.
_LAST_LOOK = 5.0


def wait_until_finished(
    config: ClientConfig, name: str, *, poll_interval: float, timeout: float | None, log: Any
) -> BenchmarkJob:
    """Look at a job until it has ended, logging its progress whenever it changes.

    :param timeout: seconds to wait at most, None for no limit
    :raises JobTimeout: it did not end in time
    :raises ServiceError: the service gave a definite answer that is not a job
    """
    from airflow_provider_benchmarks.client import BenchmarkClient

    deadline = None if timeout is None else time.time() + timeout
    poller = JobPoller(name, config.workspace, interval=poll_interval, deadline=deadline)
    job: BenchmarkJob | None = None
    shown = ""
    # The poller decides about pauses after faults; the client must not sleep inside a look as well.
    with BenchmarkClient(replace(config, retry_seconds=0)) as client:
        while True:
            try:
                left = None if deadline is None else max(deadline - time.time(), _LAST_LOOK)
                ask = client.get_status if job else client.get_job
                latest = ask(name, time_limit=left)
            except ServiceError as error:
                pause: float | None = poller.on_error(error, time.time())
                log.warning("%s Looking again in %.0f s.", error, pause)
            else:
                job = job.with_status(latest) if job else latest
                pause = poller.on_job(job, time.time())
                if (line := progress_line(job)) != shown:
                    shown = line
                    log.info("%s: %s", name, progress_line(job, time.time()))
            if pause is None and job is not None:
                return job
            time.sleep(pause or 0.0)


def look_through_refusals(client: BenchmarkClient, name: str, log: Any) -> BenchmarkJob:
    """See how a job stands, for a caller that knows nothing of looks before: a sensor that is rescheduled keeps nothing.

    :raises Unauthorized: so many looks in a row were refused as end any other wait
    """
    poller = JobPoller(name, client.config.workspace, interval=_REFUSED_EVERY, deadline=None)
    while True:
        try:
            return client.get_status(name)
        except Unauthorized as error:
            pause = poller.on_error(error, time.time())
            log.warning("%s Looking again in %.0f s.", error, pause)
            time.sleep(pause)


def show_failure(job: BenchmarkJob, summary: LogSummary, log: Any) -> None:
    """Write what the service knows of a failed job into the task's log, folded."""
    log.error("::group::What the service says of %s", job)
    for step in job.steps:
        if step.status == JobStatus.ERROR and step.error:
            log.error("step %s: %s", step.name, clean(step.error, _STEP_LIMIT))
    for line in summary.tail(_SHOWN_LINES):
        log.error("%s", line)
    log.error("::endgroup::")


def poll_after_deadline(error: JobTimeout, client: BenchmarkClient) -> BenchmarkJob | JobTimeout:
    """Poll once more after the deadline: return the job if it has finished, else a JobTimeout.

    The JobTimeout says what the job is doing; if the poll fails, it is ``error``.
    """
    try:
        job = replace(client.get_status(error.job), benchmark=error.benchmark)
    except BenchmarkError:
        return error
    return job if job.is_finished else not_in_time(job, name=job.name, workspace=job.workspace, now=time.time())


def with_last_lines(error: JobTimeout, client: BenchmarkClient) -> JobTimeout:
    """Add the last lines of the job's log to the error, where they can be read soon."""
    try:
        log = LogSummary(islice(client.iter_logs(error.job, time_limit=_LOG_SECONDS), _READ_LINES))
    except BenchmarkError:  # what matters is that the job did not end in time
        return error
    lines = log.tail(_TOLD_LINES)
    if not lines:
        return error
    heading = "Last log lines" if log.lines < _READ_LINES else f"Log, up to line {log.lines}"
    text = "".join(f"\n  {line}" for line in lines)
    return JobTimeout(
        f"{error}\n{heading}:{text}",
        job=error.job,
        workspace=error.workspace,
        benchmark=error.benchmark,
        status=error.status,
    )


def appearing(client: BenchmarkClient, name: str) -> BenchmarkJob:
    """Look a job up whose submit may still be under way.

    :raises NotFound: it has not appeared for some seconds
    """
    looking = Retrying(
        retry=retry_if_exception_type(NotFound),
        wait=wait_fixed(_LOOK_EVERY),
        stop=stop_before_delay(_LOOK_SECONDS),
        reraise=True,
    )
    job: BenchmarkJob = looking(client.get_job, name)
    return job
