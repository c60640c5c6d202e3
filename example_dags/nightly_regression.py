"""Run a benchmark every night, keep its scores, and fail when they fall below the floor or the last good night."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator


@dag(
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # A missed threshold is never tried again; a service or a network that was down for a while is.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={"store": "file:///tmp/benchmark-scores"},
    tags=["benchmarks"],
)
def nightly_regression():
    job = RunBenchmarkJobOperator(
        task_id="run_benchmark",
        benchmark="benchmarks/qa-bench.yaml",  # the same on every release of the service
        params={"parallelism": 4},
        poll_interval=5,
    )
    scores = DownloadAggregateScoresOperator(task_id="download_scores", job_name=job.output)
    rows = DownloadRowScoresOperator(task_id="download_rows", job_name=job.output, store="{{ params.store }}")
    gate = BenchmarkGateOperator(
        task_id="gate",
        job_name=job.output,
        checks=[
            Threshold("exact-match", at_least=0.5, min_count=5),
            Threshold("string-check", at_least=0.7, min_count=5),
            NoRegression("exact-match", key="input", margin=0.01, min_count=5),
        ],
        baseline="last_passed",
        store="{{ params.store }}",
    )

    @task
    def report(records: list[dict[str, Any]]) -> None:
        for record in records:
            print(f"{record['metric_ref']}: {record['name']} = {record['mean']} ± {record['std_dev']:.2f}")

    report(scores.output) >> gate
    rows >> gate


nightly_regression()
