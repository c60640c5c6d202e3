"""Ship a model only if its benchmark scores hold by the policy, and make it the baseline of the next."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    # A missed threshold is never tried again; a service or a network that was down for a while is.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={"store": "file:///tmp/benchmark-scores", "reports": "file:///tmp/benchmark-reports"},
    tags=["benchmarks"],
)
def model_release_gate():
    job = RunBenchmarkJobOperator(task_id="run_benchmark", benchmark="benchmarks/qa-bench.yaml", poll_interval=5)
    gate = BenchmarkGateOperator(
        task_id="gate",
        job_name=job.output,
        policy="policies/release.yaml",
        store="{{ params.store }}",
        report="{{ params.reports }}/{{ run_id }}.html",
    )

    @task
    def ship() -> None:
        print("The model ships.")

    # The model that ships is what the next one is compared with.
    pin = PinBaselineOperator(task_id="pin_baseline", job_name=job.output, store="{{ params.store }}")
    gate >> ship() >> pin


model_release_gate()
