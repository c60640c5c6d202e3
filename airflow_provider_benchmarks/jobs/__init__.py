"""Benchmark jobs as plain data and plain decisions: no HTTP, no Airflow."""

from __future__ import annotations

from airflow_provider_benchmarks.jobs.failures import LogSummary, failure_reason
from airflow_provider_benchmarks.jobs.identity import RunIdentity, fingerprint
from airflow_provider_benchmarks.jobs.models import (
    BENCHMARK,
    METRIC_NAMES,
    TERMINAL_STATUSES,
    BenchmarkJob,
    JobResult,
    JobStatus,
    JobStep,
    LogLine,
    ResultName,
    RowCounts,
)
from airflow_provider_benchmarks.jobs.outcome import finish, require_completed
from airflow_provider_benchmarks.jobs.polling import JobPoller, progress_line
from airflow_provider_benchmarks.jobs.wait_log import WaitLine, WaitLog

__all__ = [
    "BENCHMARK",
    "METRIC_NAMES",
    "TERMINAL_STATUSES",
    "BenchmarkJob",
    "JobPoller",
    "JobResult",
    "JobStatus",
    "JobStep",
    "LogLine",
    "LogSummary",
    "ResultName",
    "RowCounts",
    "RunIdentity",
    "WaitLine",
    "WaitLog",
    "failure_reason",
    "fingerprint",
    "finish",
    "progress_line",
    "require_completed",
]
