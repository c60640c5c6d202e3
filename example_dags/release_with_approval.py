"""Ship a model only if its benchmark scores hold by the policy and a person who has read the verdict approves it.

It needs Airflow 3.1 or newer, where tasks can wait for people. On an older one this file has no DAG.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except Exception:  # noqa: BLE001 an older Airflow refuses it with an exception of its own
    ApprovalOperator = None


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    params={"store": "file:///tmp/benchmark-scores"},
    tags=["benchmarks"],
)
def release_with_approval():
    job = RunBenchmarkJobOperator(task_id="run_benchmark", benchmark="benchmarks/qa-bench.yaml", poll_interval=5)
    gate = BenchmarkGateOperator(
        task_id="gate",
        job_name=job.output,
        policy="policies/candidate.yaml",
        store="{{ params.store }}",
    )

    @task
    def report(verdict: dict[str, Any]) -> str:
        """What the person sees: the verdict in Markdown, with the rows that got worse most."""
        return Verdict.from_dict(verdict).to_markdown()

    # A rejection skips what follows; so does an answer that does not come in time.
    approval = ApprovalOperator(
        task_id="approval",
        subject="Ship this model?",
        body="{{ ti.xcom_pull(task_ids='report') }}",
        defaults="Reject",
        response_timeout=timedelta(days=3),
        retries=0,
    )
    # The model that ships is what the next one is compared with.
    pin = PinBaselineOperator(task_id="pin_baseline", job_name=job.output, store="{{ params.store }}")

    @task
    def promote() -> None:
        print("The model ships.")

    report(gate.output) >> approval >> pin >> promote()


if ApprovalOperator is not None:
    release_with_approval()
