"""A night of twenty jobs, mapped: run, fetch the rows into XCom, and gate."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator

RETRIES = {"retries": 5, "retry_delay": timedelta(seconds=1)}

with DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1), default_args=RETRIES):
    run = RunBenchmarkJobOperator.partial(task_id="run", poll_interval=2, deferrable=True).expand(
        spec=[{"benchmark": f"my-workspace/case-{case:02}"} for case in range(20)]
    )
    DownloadRowScoresOperator.partial(task_id="rows").expand(job_name=run.output)
    BenchmarkGateOperator.partial(
        task_id="gate", checks=[Threshold("exact-match", at_least=0.5)], store=os.environ["STORE"]
    ).expand(job_name=run.output)
