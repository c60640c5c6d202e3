"""The spec of a newer release, with its metrics and its rows in it."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, bundle_spec
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS, EXAMPLE_ROWS

METRICS = {f"my-workspace/{name}": body for name, body in EXAMPLE_METRICS.items()}


@dag(schedule=None, start_date=datetime(2026, 1, 1))
def inline_spec():
    for task_id, dataset in (("fileset", {"dataset": "my-workspace/qa"}), ("rows", {"rows": EXAMPLE_ROWS})):
        benchmark = Benchmark("my-workspace/qa-bench", metrics=METRICS, **dataset)
        RunBenchmarkJobOperator(task_id=task_id, spec=bundle_spec(JobRequest(benchmark)).spec, poll_interval=0.1)


inline_spec()
