"""Which jobs are meant: a gate meets one job on the service and in the score store, and baselines by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import did_you_mean
from airflow_provider_benchmarks.exceptions import NotFound
from airflow_provider_benchmarks.gates.sources import STORED_BASELINES
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


@contextmanager
def baseline_meant(name: str) -> Iterator[None]:
    """Say of the name of a baseline that is no job's which baseline of the score store was meant, where one is close.

    :raises NotFound: there is no such job
    """
    try:
        yield
    except NotFound as error:
        if meant := did_you_mean(name, STORED_BASELINES):
            raise error.reworded(f"{str(error).rstrip('.')}{meant}") from error
        raise
