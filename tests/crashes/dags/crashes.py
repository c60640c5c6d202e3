"""One DAG for each point at which a worker dies, and for what makes a job a run's own.

The first try of a task writes the id of its process into a folder, and is held where its case says, until it is killed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, task

from airflow_provider_benchmarks.benchmarks import Benchmark
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

FOLDER = Path(os.environ.get("CRASH_FOLDER", "/nowhere"))
#: Datasets by case. Such a case runs a benchmark as code, which every release of the service takes.
DATASETS = json.loads(os.environ.get("CRASH_DATASETS", "{}"))
EXACT_MATCH = {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"}
LONG = "A-run_of.ÄÖÜ-" + "with-a-very-long-name-" * 6


def hold(case: str) -> None:
    """Stand still until the process is killed."""
    mark(case, "held")
    while True:
        time.sleep(60)


def mark(case: str, what: str) -> None:
    (FOLDER / f"{case}.{what}.part").write_text(str(os.getpid()))
    (FOLDER / f"{case}.{what}.part").rename(FOLDER / f"{case}.{what}")


def held_at_request(case: str, method: str, end: str, *, answered: bool) -> Callable[[Any], None]:
    """Hold the first try at a request: before it is sent, or when the service has answered."""

    def patch(context: Any) -> None:
        mark(case, "started")
        if context["ti"].try_number > 1:
            return
        import httpx

        send = httpx.Client.send

        def holding(self: Any, request: Any, **options: Any) -> Any:
            if request.method != method or not request.url.path.endswith(end):
                return send(self, request, **options)
            if answered:
                send(self, request, **options)
            hold(case)

        httpx.Client.send = holding

    return patch


def held_when_resumed(case: str) -> Callable[[Any], None]:
    """Hold the second process of the first try, which the trigger's event has begun."""

    def patch(context: Any) -> None:
        if (FOLDER / f"{case}.started").exists() and context["ti"].try_number == 1:
            hold(case)
        mark(case, "started")

    return patch


def started(case: str) -> Callable[[Any], None]:
    return lambda context: mark(case, "started")


def waits_to_be_mended(context: Any) -> None:
    """Let the second try wait until the test has mended what failed the first one's job."""
    while context["ti"].try_number > 1 and not (FOLDER / "failed.mended").exists():
        time.sleep(0.2)


def case_dag(case: str, *, dag_id: str | None = None) -> DAG:
    return DAG(
        dag_id or case,
        render_template_as_native_obj=True,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        default_args={"retries": 3, "retry_delay": timedelta(seconds=1)},
    )


def run_job(case: str, **arguments: Any) -> RunBenchmarkJobOperator:
    known: dict[str, Any] = {"task_id": "run", "spec": {"benchmark": f"my-workspace/{case}"}, "poll_interval": 0.5}
    if case in DATASETS:
        metrics = {"my-workspace/exact-match": EXACT_MATCH}
        known |= {"spec": None, "benchmark": Benchmark(f"my-workspace/{case}", dataset=DATASETS[case], metrics=metrics)}
    return RunBenchmarkJobOperator(**{**known, "pre_execute": started(case), **arguments})


class LooksUpItsConnection(BaseOperator):
    """Wait in a workspace of its own, for which the triggerer looks the connection up anew."""

    def __init__(self, *, workspace: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.workspace = workspace

    def execute(self, context: Any) -> None:
        trigger = BenchmarkJobTrigger(conn_id="in_database", workspace=self.workspace, job_name="none")
        self.defer(trigger=trigger, method_name="execute_complete")


HELD = {
    "before-submit": held_at_request("before-submit", "POST", "/benchmark-jobs", answered=False),
    "after-submit": held_at_request("after-submit", "POST", "/benchmark-jobs", answered=True),
    "after-submit-deferred": held_at_request("after-submit-deferred", "POST", "/benchmark-jobs", answered=True),
    "inline": started("inline"),
    "deferred": started("deferred"),
    "resumed": held_when_resumed("resumed"),
}
for name, hook in HELD.items():
    with case_dag(name) as dag:
        run_job(name, deferrable=name in ("after-submit-deferred", "deferred", "resumed"), pre_execute=hook)
    globals()[name] = dag

with case_dag("download"):
    job = run_job("download")
    DownloadRowScoresOperator(
        task_id="rows",
        job_name=job.output,
        destination=str(FOLDER / "rows.jsonl"),
        pre_execute=lambda context: mark("download", "held"),
    )

for name in ("failed", "cancelled", "cleared"):
    with case_dag(name) as dag:
        run_job(
            name,
            deferrable=name == "cancelled",
            pre_execute=waits_to_be_mended if name == "failed" else None,
        )
    globals()[name] = dag

with case_dag("cleared-in-a-run"):

    @task
    def keep_the_run_going() -> None:
        mark("cleared-in-a-run", "held")
        while not (FOLDER / "cleared-in-a-run.over").exists():
            time.sleep(0.2)

    run_job("cleared-in-a-run")
    keep_the_run_going()

DEFERRED = ["restarted", "handed-over", "marked-failed", "marked-success", "cleared-deferred", "kept", "survivor"]
for name in (*DEFERRED, "unanswered", "bystander"):
    with case_dag(name) as dag:
        run_job(name, deferrable=True, cancel_on_kill=name != "kept")
    globals()[name] = dag

for name in ("inline-failed", "inline-success", "inline-cleared"):
    with case_dag(name) as dag:
        run_job(name, deferrable=False)
    globals()[name] = dag

with case_dag("mapped-deferred"):
    RunBenchmarkJobOperator.partial(task_id="run", poll_interval=0.5, deferrable=True).expand(
        spec=[{"benchmark": "my-workspace/mapped-deferred", "params": {"limit_samples": n}} for n in (1, 2)]
    )

with case_dag("slow-lookup"):
    LooksUpItsConnection.partial(task_id="wait").expand(workspace=[f"workspace-{n}" for n in range(16)])

with case_dag("timed-out"):
    run_job("timed-out", deferrable=True, execution_timeout=timedelta(seconds=90), retries=0)

with case_dag("mapped"):
    RunBenchmarkJobOperator.partial(task_id="run", poll_interval=0.5).expand(
        spec=[{"benchmark": "my-workspace/mapped", "params": {"limit_samples": n}} for n in (1, 2, 3)]
    )

with case_dag("conf"):
    run_job("conf", spec={"benchmark": "my-workspace/conf", "params": "{{ dag_run.conf['params'] }}"})

with case_dag("long", dag_id=LONG):
    run_job("long", task_id=f"{LONG}2")
