"""Which jobs are one: a gate meets a job on the service and in the score store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.jobs import BenchmarkJob

if TYPE_CHECKING:
    from airflow_provider_benchmarks.store import StoredJob


def identity_of_job(job: BenchmarkJob | StoredJob) -> tuple[Any, ...]:
    return job_name_of(job), job.workspace, job.benchmark, job.created_at, job.id


def is_same_job(job: BenchmarkJob | StoredJob, other: BenchmarkJob | StoredJob) -> bool:
    """True if two jobs are one, wherever they were found. One that was stored by an earlier release has no id."""
    *named, number = identity_of_job(job)
    *names, other_number = identity_of_job(other)
    return named == names and (not number or not other_number or number == other_number)


def job_name_of(job: BenchmarkJob | StoredJob) -> str:
    return job.name if isinstance(job, BenchmarkJob) else job.job
