"""A task of every kind that ends well, and one that fails: what Airflow tells others of them."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import Asset, dag, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS

from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import (
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    PinBaselineOperator,
)
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import (
    DownloadAggregateScoresOperator,
    DownloadRowScoresOperator,
    StoreResultsOperator,
)
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor

STORE = "{{ params.root }}/store"
HOLDS, MISSES = Threshold("exact-match", at_least=0.5), Threshold("exact-match", at_least=0.9)
QA, BROKEN = {"benchmark": "my-workspace/qa-bench"}, {"benchmark": "my-workspace/broken"}
#: ``airflow dags test`` of 3.0 runs no task with an outlet: only a DAG processor makes assets active there.
HAS_OUTLETS = AIRFLOW_V_3_1_PLUS or not AIRFLOW_V_3_0_PLUS


def outlets(name: str) -> list[Asset]:
    """What a task declares to write."""
    return [Asset(f"s3://elsewhere/{name}")] if HAS_OUTLETS else []


def nothing() -> None:
    """Do nothing."""


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"root": "", "results": ""})
def told():
    run = RunBenchmarkJobOperator(task_id="run", spec=QA, poll_interval=0.1)
    run_deferred = RunBenchmarkJobOperator(task_id="run_deferred", spec=QA, poll_interval=0.1, deferrable=True)
    job = {"job_name": run.output}
    wait = BenchmarkJobSensor(task_id="wait", poke_interval=0.1, **job)
    BenchmarkJobSensor(task_id="wait_deferred", poke_interval=0.1, deferrable=True, **job)
    DownloadAggregateScoresOperator(
        task_id="aggregate",
        destination="{{ params.root }}/aggregate.json",
        outlets=outlets("scores.json"),
        **job,
    )
    rows = DownloadRowScoresOperator(
        task_id="rows", destination="{{ params.root }}/rows.parquet", format="parquet", store=STORE, **job
    )
    DownloadRowScoresOperator(task_id="rows_to_xcom", limit=2, **job)
    pin = PinBaselineOperator(task_id="pin", store=STORE, **job)
    passed = BenchmarkGateOperator(
        task_id="passed",
        job_name=run_deferred.output,
        checks=[HOLDS, NoRegression("exact-match", margin=0.9, severity="warn")],
        store=STORE,
        report="{{ params.root }}/report.json",
    )
    missed = BenchmarkGateOperator(task_id="missed", checks=[HOLDS, MISSES], report="{{ params.root }}/r.md", **job)
    skipped = BenchmarkGateOperator(task_id="skipped", checks=[MISSES], on_failure="skip", **job)
    branch = BenchmarkGateBranchOperator(
        task_id="branch", checks=[HOLDS], follow_if_passed="good", follow_if_failed="bad", **job
    )
    branch >> [task(nothing, task_id=name)() for name in ("good", "bad")]
    BenchmarkGateOperator.partial(task_id="mapped", **job).expand(checks=[[HOLDS], [MISSES]])
    StoreResultsOperator(task_id="store_results", path="{{ params.results }}", store=STORE)
    wait >> rows >> pin >> passed >> [missed, skipped, branch]

    broken = RunBenchmarkJobOperator(task_id="broken", spec=BROKEN, job_name="broken-job", poll_interval=0.1)
    RunBenchmarkJobOperator(
        task_id="broken_deferred", spec=BROKEN, job_name="broken-deferred", poll_interval=0.1, deferrable=True
    )
    failed = {"job_name": "broken-job", "trigger_rule": "all_done"}
    broken >> [
        BenchmarkJobSensor(task_id="broken_wait", poke_interval=0.1, **failed),
        DownloadRowScoresOperator(task_id="broken_store", store=STORE, **failed),
        BenchmarkGateOperator(task_id="broken_gate", checks=[HOLDS], **failed),
        PinBaselineOperator(task_id="broken_pin", store=STORE, **failed),
    ]
    DownloadRowScoresOperator(task_id="half", destination="/proc/nope/rows.jsonl", outlets=outlets("rows.jsonl"), **job)
    StoreResultsOperator(task_id="broken_results", path="{{ params.root }}/nothing", store=STORE)


told()
