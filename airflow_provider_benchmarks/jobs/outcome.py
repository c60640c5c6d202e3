"""The one place that decides whether a job has completed. Every way of waiting ends here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import BenchmarkError, JobCancelled, JobError, JobFailed, JobTimeout
from airflow_provider_benchmarks.jobs.failures import LogSummary, failure_reason
from airflow_provider_benchmarks.jobs.models import TERMINAL_STATUSES, BenchmarkJob, JobStatus
from airflow_provider_benchmarks.storable import storable

#: What a trigger reports besides the terminal statuses: the job was still running at its deadline; and the service gave
#: a definite answer that is not a job.
TIMED_OUT, FAILED_TO_WAIT = "timed_out", "failed_to_wait"
#: Maximum number of characters of each of an error's fields in an event.
_FIELD = 2000


def finish(job: BenchmarkJob, *, log: LogSummary | None = None) -> bool:
    """Decide whether a job has completed.

    :param job: the job as the service last reported it
    :param log: its log, for the reason in the error
    :return: True when the job completed, False while it runs (an unknown status word counts as running)
    :raises JobFailed: it ended in error
    :raises JobCancelled: it was cancelled
    """
    if job.status == JobStatus.COMPLETED:
        return True
    named = {"job": job.name, "workspace": job.workspace, "benchmark": job.benchmark, "status": job.status}
    if job.status == JobStatus.ERROR:
        lines = "".join(f"\n  {line}" for line in (log.tail(10) if log else ()))
        raise JobFailed(
            f"{failure_reason(job, log)}\n{job} ended in error." + (f" Last log lines:{lines}" if lines else ""),
            **named,
        )
    if job.status == JobStatus.CANCELLED:
        raise JobCancelled(f"{job} was cancelled on the service. Submit it again if that was not meant.", **named)
    return False


def require_completed(job: BenchmarkJob, *, takes: str) -> None:
    """Refuse the scores of a job that has not completed: there are some before it has, and not of all rows.

    :param takes: who takes completed jobs only, in words
    :raises JobError: it runs, ended in error, or was cancelled
    """
    if job.status == JobStatus.COMPLETED:
        return
    advice = "Submit it again, and wait for that." if job.is_finished else "Wait for it first."
    raise JobError(
        f'{job} is "{job.status}": {takes} takes completed jobs. {advice}',
        job=job.name,
        workspace=job.workspace,
        benchmark=job.benchmark,
        status=job.status,
    )


def wait_failed(error: BenchmarkError) -> dict[str, Any]:
    """Say why a wait failed, as plain values of an event."""
    status = TIMED_OUT if isinstance(error, JobTimeout) else FAILED_TO_WAIT
    return {"status": status, "error": type(error).__name__, "message": str(error), "fields": _fields(error)}


def _fields(error: BenchmarkError) -> dict[str, Any]:
    """The fields of an error, without what is too long for an event: a database keeps it."""
    return {name: value[:_FIELD] if isinstance(value, str) else value for name, value in vars(error).items()}


def status_of_event(event: Mapping[str, Any] | None, *, job_name: str) -> str:
    """Read the status that a trigger's event carries, a terminal one.

    :raises JobTimeout: the job was still running at its deadline
    :raises BenchmarkError: the wait failed; the very error that ended it
    :raises JobError: the event is missing, for another job, or has no status that ends a wait
    """
    # Events hold names as Airflow can store them.
    if isinstance(event, Mapping) and event.get("job_name") in (job_name, storable(job_name)):
        found = event.get("status")
        if found in TERMINAL_STATUSES:
            return str(found)
        if found in (TIMED_OUT, FAILED_TO_WAIT):
            raise _error_of(event, job_name)
    raise JobError(
        f'waiting for benchmark job "{job_name}" ended with an event that does not say how the job ended: '
        f"{brief(event)}. "
        f"Look at the job on the service, then clear this task: it attaches to the same job.",
        job=job_name,
    )


def _error_of(event: Mapping[str, Any], job_name: str) -> BenchmarkError:
    """Make the error that a trigger reported; only ever one of this package's own classes."""
    kind = getattr(exceptions, str(event.get("error")), None)
    if not (isinstance(kind, type) and issubclass(kind, BenchmarkError)):
        kind = JobTimeout if event.get("status") == TIMED_OUT else JobError
    message = event.get("message") or f'waiting for benchmark job "{job_name}" ended: {event.get("status")}'
    error: BenchmarkError = kind(str(message))
    fields = event.get("fields")
    known = {"job": job_name}
    if isinstance(fields, Mapping):
        known |= {name: value for name, value in fields.items() if isinstance(value, str | int | float | None)}
    for name in vars(error).keys() & known.keys():
        setattr(error, name, known[name])
    return error
