"""End a deferred wait in the worker that resumes the task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import JobError, JobTimeout, NotFound
from airflow_provider_benchmarks.hooks.quick_requests import after_deadline
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.jobs.outcome import status_of_event

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook


def end_wait(
    hook: BenchmarkHook,
    event: Mapping[str, Any] | None,
    *,
    job_name: str,
    cancel_on_timeout: bool,
    timeout: timedelta | float | None,
) -> None:
    """Return if a trigger's event says that the job completed, or if it has completed since.

    :raises BenchmarkError: in every other case, as the right subclass
    """
    try:
        status = status_of_event(event, job_name=job_name)
    except JobTimeout as error:
        job = after_deadline(hook, error, cancel=cancel_on_timeout, timeout=timeout)
        status = job.status
    else:
        if status == JobStatus.COMPLETED:
            return
        known = BenchmarkJob(name=job_name, workspace=hook.workspace, status=status)
        try:
            job = hook.get_job(job_name).with_status(hook.get_status(job_name))
        except NotFound:  # deleted since
            job = known
    if not hook.finish(job):
        raise JobError(
            f'{job} was reported as "{status}" and is "{job.status}" now. Clear this task: it attaches to the job.',
            job=job_name,
            workspace=hook.workspace,
            status=job.status,
        )
