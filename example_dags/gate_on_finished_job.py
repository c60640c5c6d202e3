"""Judge every job of a benchmark as soon as it has finished, whoever has submitted it. For Airflow 3.0 and newer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger

finished_jobs = Asset(
    "finished-benchmark-jobs",
    watchers=[
        AssetWatcher(
            name="finished-benchmark-jobs",
            # 5 s is for trying it out; a minute, the default, costs the service less.
            trigger=BenchmarkJobEventTrigger(benchmark="my-workspace/qa-bench", poll_interval=5),
        )
    ],
)
accepted_models = Asset("accepted-models")


@dag(
    schedule=[finished_jobs],
    start_date=datetime(2026, 1, 1),
    # A missed threshold is never tried again; a service or a network that was down for a while is.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["benchmarks"],
)
def gate_on_finished_job():
    @task
    def job_names(triggering_asset_events: Any = None) -> list[str]:
        """Jobs that finish at the same time may come in one run."""
        return [event.extra["payload"]["job_name"] for event in triggering_asset_events[finished_jobs]]

    BenchmarkGateOperator.partial(
        task_id="gate",
        checks=[Threshold("exact-match", at_least=0.5), Threshold("string-check", at_least=0.7)],
        outlets=[accepted_models],  # a DAG with schedule=[accepted_models] gets the job and its means in the event
    ).expand(job_name=job_names())


gate_on_finished_job()
