"""A night of mapped jobs, again and again: run each, store its scores, and judge it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG, task_group

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator

CASES = int(os.environ["SOAK_CASES"])
# Faults are met again and again, and what is killed counts as a try too.
RETRIES = {"retries": 20, "retry_delay": timedelta(seconds=1), "max_retry_delay": timedelta(seconds=5)}

with DAG("soak", schedule=None, start_date=datetime(2026, 1, 1), max_active_runs=8, default_args=RETRIES):

    @task_group
    def judged(spec: dict[str, str]) -> None:
        run = RunBenchmarkJobOperator(task_id="run", spec=spec, poll_interval=2, deferrable=True)
        BenchmarkGateOperator(
            task_id="gate",
            job_name=run.output,  # type: ignore[arg-type]
            checks=[Threshold("exact-match", at_least=0.5)],
            store=os.environ["STORE"],
        )

    judged.expand(spec=[{"benchmark": f"my-workspace/case-{case:02}"} for case in range(CASES)])
