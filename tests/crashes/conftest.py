from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.support.airflow_runs import AirflowHome
from tests.support.airflow_services import AirflowServices
from tests.support.real_platform import RealPlatform

WORKSPACE = "my-workspace"
DAGS = Path(__file__).parent / "dags"
LIMIT = 900.0


@dataclass(slots=True)
class Crashes:
    """A whole Airflow, a service, and the folder where held tasks write their process ids."""

    airflow: AirflowServices
    service: Any
    client: BenchmarkClient
    folder: Path

    def wait(self, condition: Callable[[], Any], dag_id: str) -> Any:
        return self.airflow.wait(
            condition, lambda: f"{self.airflow.api.runs(dag_id)}\n{self.airflow.task_logs(dag_id)}", limit=LIMIT
        )

    def process_of(self, case: str, what: str) -> int:
        """The process id that a case's task wrote, as soon as it is there."""
        file = self.folder / f"{case}.{what}"
        self.wait(file.exists, case)
        return int(file.read_text())

    def kill_worker(self, case: str, what: str = "held") -> None:
        """End a task's process and its supervisor at once, as when a machine dies."""
        task = self.process_of(case, what)
        supervisor = int(Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()[1])
        assert supervisor > 1, f"the supervisor of {case} is gone already"
        for process in (supervisor, task):
            os.kill(process, signal.SIGKILL)

    def succeeds(self, dag_id: str) -> dict[str, Any]:
        """Wait for the end of a DAG's only run, which must be a success; return its task instances by task."""
        state = self.wait(lambda: self.airflow.api.ended(dag_id), dag_id)
        assert state == "success", self.airflow.task_logs(dag_id)
        return {task["task_id"]: task for task in self.airflow.api.task_instances(dag_id)}

    def jobs_of(self, case: str) -> list[BenchmarkJob]:
        """The service's jobs of a case's benchmark, oldest first."""
        return [job for job in self.client.list_jobs() if job.benchmark == f"{WORKSPACE}/{case}"][::-1]

    def deferred(self, case: str) -> str:
        """Wait until a case's task is deferred and a triggerer runs its trigger; return the job's name.

        The scheduler has heard then that the task's first process has ended: before that, Airflow would take the task
        for failed when it is resumed.
        """
        job = self.running_job(case)
        self.wait(lambda: self.states(case) == ["deferred"], case)
        self.wait(lambda: self.airflow.has_heard_of_end(case, try_number=1), case)
        self.wait(lambda: " starting" in self.airflow.task_logs(case), case)
        return job.name

    def states(self, case: str) -> list[str | None]:
        return [task["state"] for task in self.airflow.api.task_instances(case)]

    def running_job(self, case: str, dag_id: str | None = None) -> BenchmarkJob:
        (job,) = self.wait(lambda: self.jobs_of(case), dag_id or case)
        return job


def seed(url: str, cases: Sequence[str]) -> None:
    """A benchmark for each case, so that what is done to one's jobs leaves the others alone."""
    with Seeder(url) as seeder:
        seeder.question_answer_example()
        for case in cases:
            seeder.benchmark(WORKSPACE, case, metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa")


def end_held(folder: Path) -> None:
    """End tasks that are still held, which have process groups of their own.

    A number may be another process's by now; one whose title Airflow has set is a task's.
    """
    for file in folder.glob("*.*"):
        if not file.name.endswith((".held", ".started")):
            continue
        process = Path("/proc") / file.read_text()
        with suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"airflow worker"):
                os.kill(int(process.name), signal.SIGKILL)


def started(
    home: Path,
    service: EvaluationService | RealPlatform,
    cases: Sequence[str] = (),
    *,
    dags: Path = DAGS,
    **settings: str,
) -> Iterator[Crashes]:
    """Start an Airflow that notices soon when a worker or a triggerer is gone.

    :param cases: those that name a benchmark which the service has stored
    """
    if cases:
        seed(service.url, cases)
    folder = home / "held"
    folder.mkdir(parents=True)
    settings = {
        "CRASH_FOLDER": str(folder),
        "AIRFLOW__CORE__PARALLELISM": "10",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
        **settings,
    }
    with (
        AirflowServices(AirflowHome(home / "airflow", dags), service.url, **settings) as airflow,
        BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client,
    ):
        try:
            yield Crashes(airflow, service, client, folder)
        finally:
            end_held(folder)
