"""Ship a model only if its benchmark scores reach the bar."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"benchmark": "my-workspace/qa-bench"},
    tags=["benchmarks"],
)
def model_release_gate():
    job = RunBenchmarkJobOperator(
        task_id="run_benchmark", spec={"benchmark": "{{ params.benchmark }}"}, poll_interval=5
    )
    gate = BenchmarkGateOperator(
        task_id="gate",
        job_name=job.output,
        checks=[
            Threshold("exact-match", at_least=0.9),
            Threshold("string-check", at_least=0.75),
        ],
    )

    @task
    def ship() -> None:
        print("The model ships.")

    gate >> ship()


model_release_gate()
