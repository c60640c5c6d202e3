"""A mapped nightly run on PostgreSQL, CeleryExecutor and Redis, with two workers and two triggerers, of which one dies.

``make test-distributed`` installs what it needs.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.support.airflow_runs import AirflowHome
from tests.support.airflow_services import AirflowServices, free_port, wait_for
from tests.support.postgres_server import PostgresServer, postgres_folder
from tests.support.redis_server import RedisServer

WORKSPACE = "my-workspace"
CASES = [f"case-{case:02}" for case in range(20)]
LIMIT = 1800.0
#: PostgreSQL's jsonb takes no NUL.
ROWS = [
    {"input": "a\0b", "reference": "yes", "output": "yes"},
    {"input": "key\0", "reference": "yes", "output": "yes"},
    {"input": "plain", "reference": "yes", "output": "no"},
]


@dataclass(slots=True)
class Night:
    airflow: AirflowServices
    service: EvaluationService
    client: BenchmarkClient
    store: str

    def states(self, task_id: str) -> Counter[str | None]:
        """Number of mapped tasks in each state."""
        path = f"/dags/nightly/dagRuns/~/taskInstances?limit=100&task_display_name_pattern={task_id}"
        tasks: list[dict[str, Any]] = self.airflow.api.get(path)["task_instances"]
        return Counter(task["state"] for task in tasks if task["task_id"] == task_id)

    def wait(self, condition: Any) -> Any:
        return wait_for(condition, LIMIT, self.what_is)

    def what_is(self) -> str:
        tasks = {task: dict(self.states(task)) for task in ("run", "rows", "gate")}
        logs = [self.airflow.log(name) for name in ("scheduler", "worker-2", "triggerer-2")]
        return "\n".join([str(tasks), f"{len(list(self.client.list_jobs()))} jobs", *logs])


def start_worker(airflow: AirflowServices, name: str) -> None:
    port = str(free_port())  # of its logs
    command = f"celery worker --concurrency 3 --celery-hostname {name}@localhost"
    airflow.start(command, name, AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=port)


def start_triggerer(airflow: AirflowServices, name: str) -> None:
    airflow.start("triggerer", name, AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(free_port()))


def settings_of(postgres: PostgresServer, redis: RedisServer, store: str) -> dict[str, str]:
    return {
        "STORE": store,
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("postgresql+psycopg2"),
        "AIRFLOW__CELERY__BROKER_URL": redis.url,
        "AIRFLOW__CELERY__RESULT_BACKEND": postgres.url("db+postgresql"),
        # What has died is noticed within half a minute, not within minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
    }


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    programs = postgres_folder()
    assert programs, "PostgreSQL is not installed; on Debian: apt-get install postgresql redis-server"
    home = AirflowHome(tmp_path_factory.mktemp("distributed"), Path(__file__).parent / "dags")
    with EvaluationService() as service, PostgresServer(programs) as postgres, RedisServer() as redis:
        seed(service)
        store = f"file://{tmp_path_factory.mktemp('store')}"
        airflow = AirflowServices(home, service.url, **settings_of(postgres, redis, store))
        subprocess.run(["airflow", "db", "migrate"], env=airflow.environment, check=True, capture_output=True)
        config = ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)
        with airflow, BenchmarkClient(config) as client:
            airflow.kill("triggerer")
            for number in (1, 2):
                start_worker(airflow, f"worker-{number}")
                start_triggerer(airflow, f"triggerer-{number}")
            yield Night(airflow, service, client, store)


def seed(service: EvaluationService) -> None:
    with Seeder(service.url) as seeder:
        seeder.question_answer_example()
        dataset = seeder.dataset(WORKSPACE, "odd", ROWS)
        for case in CASES:
            seeder.benchmark(WORKSPACE, case, metrics=[f"{WORKSPACE}/exact-match"], dataset=dataset)


def test_a_worker_and_a_triggerer_die_in_the_middle(night):
    night.service.hold_jobs("active")
    night.airflow.api.trigger("nightly")
    night.wait(lambda: len(list(night.client.list_jobs())) >= 8)
    night.airflow.kill("worker-1")
    night.wait(lambda: night.states("run")["deferred"] == len(CASES))
    night.airflow.kill("triggerer-1")
    night.service.release_jobs()
    state = night.wait(lambda: night.airflow.api.ended("nightly"))

    assert state == "success", night.what_is()
    assert Counter(job.benchmark for job in night.client.list_jobs()) == dict.fromkeys(
        (f"{WORKSPACE}/{case}" for case in CASES), 1
    )
    for case in CASES:
        (stored,) = ScoreStore(night.store).history(workspace=WORKSPACE, benchmark=f"{WORKSPACE}/{case}")
        assert list(stored.outcomes.values()) == ["pass"]
    assert "out of order" not in night.airflow.whole_log("triggerer-2")
