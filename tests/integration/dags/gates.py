"""What follows a gate: tasks that read its verdict, mapped gates, reports that can't be written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator

HOLDS, MISSES = Threshold("exact-match", at_least=0.5), Threshold("exact-match", at_least=0.9)
RETRIED = {"retries": 1, "retry_delay": timedelta(0)}


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"policy": "strict", "store": "", "broken": "/proc/nope"})
def gates():
    run = RunBenchmarkJobOperator(task_id="run", spec={"benchmark": "my-workspace/qa-bench"}, poll_interval=0.1)
    judged = {"job_name": run.output, **RETRIED}
    by_policy = BenchmarkGateOperator(
        task_id="by_policy",
        policy="policies/{{ params.policy }}.yaml",
        report="{{ params.store }}/report.md",
        store="{{ params.store }}",
        **judged,
    )

    @task(trigger_rule="all_done")
    def tell(ti: Any = None) -> list[str]:
        verdict = ti.xcom_pull(task_ids="by_policy", key="verdict")
        return [verdict["outcome"], *(result["reason"] for result in verdict["results"])]

    by_policy >> tell()

    @task
    def policies() -> list[list[dict[str, Any]]]:
        return [[MISSES.to_dict()], [HOLDS.to_dict()]]

    BenchmarkGateOperator.partial(task_id="mapped", store="{{ params.store }}", **judged).expand(checks=policies())
    for name, check in {"broken_miss": MISSES, "broken_pass": HOLDS}.items():
        BenchmarkGateOperator(task_id=name, checks=[check], report="{{ params.broken }}/{{ ti.task_id }}.md", **judged)


gates()
