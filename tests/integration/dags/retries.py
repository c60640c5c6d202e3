"""What Airflow tries again and what it does not: a job that fails at first, and a gate that misses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator

AT_ONCE = {"retry_delay": timedelta(0)}


def mend_dataset(context: Any) -> None:
    """Before the second try, do what a person would do who has read why the first one failed."""
    if context["ti"].try_number > 1:
        from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
        from airflow_provider_benchmarks.testing import EXAMPLE_ROWS, Seeder

        with Seeder(BenchmarkHook().config.base_url) as seeder:
            seeder.dataset("my-workspace", "broken", EXAMPLE_ROWS)


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"benchmark": "my-workspace/broken"})
def retries():
    run = RunBenchmarkJobOperator(
        task_id="run",
        spec={"benchmark": "{{ params.benchmark }}"},
        poll_interval=0.1,
        pre_execute=mend_dataset,
        retries=1,
        **AT_ONCE,
    )
    DownloadAggregateScoresOperator(task_id="download", job_name="{{ ti.xcom_pull('run') }}") << run
    BenchmarkGateOperator(
        task_id="gate", job_name=run.output, checks=[Threshold("exact-match", at_least=0.9)], retries=2, **AT_ONCE
    )
    mapped = RunBenchmarkJobOperator.partial(task_id="mapped", poll_interval=0.1)
    mapped.expand(spec=[{"benchmark": "my-workspace/qa-bench", "params": {"limit_samples": n}} for n in (1, 2)])


retries()
