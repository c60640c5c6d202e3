"""Benchmarks as code: what a job measures, as a file that is reviewed like a policy, or as an object."""

from __future__ import annotations

from airflow_provider_benchmarks.benchmarks.benchmark import Benchmark
from airflow_provider_benchmarks.benchmarks.benchmark_file import (
    benchmark_schema,
    parse_benchmark,
    read_benchmark,
    requested,
)
from airflow_provider_benchmarks.benchmarks.derived_name import derived_name, is_derived
from airflow_provider_benchmarks.benchmarks.differences import differences
from airflow_provider_benchmarks.benchmarks.job_request import JobRequest, is_reference
from airflow_provider_benchmarks.benchmarks.plain import WrongBenchmark, plain, plain_mapping, plain_text
from airflow_provider_benchmarks.benchmarks.recorded import RecordedBenchmark
from airflow_provider_benchmarks.benchmarks.specs import JobSpec, bundle_spec, stored_benchmark_spec
from airflow_provider_benchmarks.benchmarks.unread_model import unread_model

__all__ = [
    "Benchmark",
    "JobRequest",
    "JobSpec",
    "RecordedBenchmark",
    "WrongBenchmark",
    "benchmark_schema",
    "bundle_spec",
    "derived_name",
    "differences",
    "is_derived",
    "is_reference",
    "parse_benchmark",
    "plain",
    "plain_mapping",
    "plain_text",
    "read_benchmark",
    "requested",
    "stored_benchmark_spec",
    "unread_model",
]
