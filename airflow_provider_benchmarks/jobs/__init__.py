"""Benchmark jobs as plain data and plain decisions: no HTTP, no Airflow."""

from __future__ import annotations

from airflow_provider_benchmarks.jobs.failures import LogSummary, failure_reason
from airflow_provider_benchmarks.jobs.identity import RunIdentity, fingerprint
from airflow_provider_benchmarks.jobs.models import (
    TERMINAL_STATUSES,
    BenchmarkJob,
    JobResult,
    JobStatus,
    JobStep,
    LogLine,
    ResultName,
)
from airflow_provider_benchmarks.jobs.outcome import finish, require_completed
from airflow_provider_benchmarks.jobs.polling import JobPoller, progress_line

__all__ = [
    "TERMINAL_STATUSES",
    "BenchmarkJob",
    "JobPoller",
    "JobResult",
    "JobStatus",
    "JobStep",
    "LogLine",
    "LogSummary",
    "ResultName",
    "RunIdentity",
    "failure_reason",
    "fingerprint",
    "finish",
    "progress_line",
    "require_completed",
]
