"""The one place that decides whether a job has ended well. Every way of waiting ends here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.exceptions import JobCancelled, JobError, JobFailed
from airflow_provider_benchmarks.jobs.failures import failure_reason, tail
from airflow_provider_benchmarks.jobs.models import TERMINAL_STATUSES, BenchmarkJob, JobStatus, LogLine

#: The status that a trigger reports when the job was still running at its deadline.
TIMED_OUT = "timed_out"


def finish(job: BenchmarkJob, *, log: Sequence[LogLine] = ()) -> bool:
    """Tell whether a job completed.

    :param job: the job as the service last told it
    :param log: its log, for the reason in the error
    :return: True when the job completed, False while it runs (an unknown status word counts as running)
    :raises JobFailed: it ended in error
    :raises JobCancelled: it was cancelled
    """
    if job.status == JobStatus.COMPLETED:
        return True
    named = {"job": job.name, "workspace": job.workspace, "benchmark": job.benchmark, "status": job.status}
    if job.status == JobStatus.ERROR:
        lines = "".join(f"\n  {line}" for line in tail(log, 10))
        raise JobFailed(
            f"{job} ended in error: {failure_reason(job, log)}" + (f"\nLast log lines:{lines}" if lines else ""),
            **named,
        )
    if job.status == JobStatus.CANCELLED:
        raise JobCancelled(f"{job} was cancelled on the service. Submit it again if that was not meant.", **named)
    return False


def status_of_event(event: Mapping[str, Any] | None, *, job_name: str) -> str:
    """Read the status that a trigger's event carries: a terminal one, or :data:`TIMED_OUT`.

    :raises JobError: the event is missing, for another job, or has no status that ends a wait
    """
    found = event.get("status") if isinstance(event, Mapping) else None
    if isinstance(event, Mapping) and event.get("job_name") == job_name:
        if found in TERMINAL_STATUSES or found == TIMED_OUT:
            return str(found)
        if found == "failed_to_wait":
            raise JobError(str(event.get("message")), job=job_name, status="unknown")
    raise JobError(
        f'waiting for benchmark job "{job_name}" ended with an event that does not say how the job ended: {event!r}. '
        f"Look at the job on the service, then clear this task: it attaches to the same job.",
        job=job_name,
    )
