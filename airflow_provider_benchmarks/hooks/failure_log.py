"""Show in a task's log and error what the service says about a job that failed or did not finish in time."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout, ServiceError
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus, LogSummary
from airflow_provider_benchmarks.jobs.failures import clean

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import BenchmarkClient

#: Number of lines of a failed job's log that are shown in the task's log.
LINES_IN_TASK_LOG = 50
#: Number of lines of a job's log that are shown in an error.
LINES_IN_ERROR = 10
#: Maximum number of lines that are read of the log of a job that did not finish in time: five requests.
MAX_LINES_AFTER_TIMEOUT = 5000
#: Number of its last lines that are enough, where the service can choose them.
MIN_LINES_AFTER_TIMEOUT = 200
#: For reading that log, which only adds to the error.
TIMEOUT_LOG_SECONDS = 10.0
#: For reading its steps.
STEPS_SECONDS = 15.0
#: For reading the log of a failed job. It is for people, and shown as far as it was read.
FAILURE_LOG_SECONDS = 300.0
#: Maximum length of a step's own error, characters.
MAX_STEP_ERROR_LENGTH = 4000


def read_failure(client: BenchmarkClient, job: BenchmarkJob, log: Any) -> tuple[BenchmarkJob, LogSummary]:
    """Read the steps and the log of a failed job. What can't be read is left out, with a warning."""
    if not job.steps:
        try:
            with client.within(STEPS_SECONDS):
                job = job.with_status(client.get_status(job.name))
        except ServiceError as error:  # the failure of the job is what matters
            log.warning("The job's steps can't be read: %s", error)
    summary = LogSummary()
    try:
        summary.add(client.iter_logs(job.name, time_limit=FAILURE_LOG_SECONDS))
    except ServiceError as error:  # the failure of the job is what matters
        log.warning("The job's log can't be read to its end: %s", error)
    return job, summary


def log_failure(job: BenchmarkJob, summary: LogSummary, log: Any) -> None:
    """Write the errors and the last log lines of a failed job into the task's log, folded."""
    log.error("::group::What the service says of %s", job)
    for step in job.steps:
        if step.status == JobStatus.ERROR and step.error:
            log.error("step %s: %s", one_line(step.name), clean(step.error, MAX_STEP_ERROR_LENGTH))
    for line in summary.tail(LINES_IN_TASK_LOG):
        log.error("%s", line)
    log.error("::endgroup::")


def add_log_tail(error: JobTimeout, client: BenchmarkClient) -> JobTimeout:
    """Add the last lines of the job's log to the error, if they can be read within ``TIMEOUT_LOG_SECONDS``."""
    try:
        lines_of_log = client.iter_logs(error.job, time_limit=TIMEOUT_LOG_SECONDS, tail=MIN_LINES_AFTER_TIMEOUT)
        log = LogSummary(islice(lines_of_log, MAX_LINES_AFTER_TIMEOUT))
    except BenchmarkError:  # what matters is that the job did not finish in time
        return error
    lines = log.tail(LINES_IN_ERROR)
    if not lines:
        return error
    heading = "Last log lines" if log.lines < MAX_LINES_AFTER_TIMEOUT else f"Log, up to line {log.lines}"
    text = "".join(f"\n  {line}" for line in lines)
    return error.reworded(f"{error}\n{heading}:{text}")
