"""An Airflow of several machines: PostgreSQL, CeleryExecutor, Redis, two workers and two triggerers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.airflow_runs import AirflowHome
from tests.support.airflow_services import AirflowServices, free_port
from tests.support.postgres_server import PostgresServer, postgres_folder
from tests.support.redis_server import RedisServer


@contextmanager
def deployment(home: AirflowHome, service_url: str, **settings: str) -> Iterator[AirflowServices]:
    """Start all of it, with ``worker-1``, ``worker-2``, ``triggerer-1`` and ``triggerer-2``.

    :param settings: further environment of all processes; ``AIRFLOW__CELERY__WORKER_CONCURRENCY`` among it
    """
    programs = postgres_folder()
    assert programs, "PostgreSQL is not installed; on Debian: apt-get install postgresql redis-server"
    with PostgresServer(programs) as postgres, RedisServer() as redis:
        airflow = AirflowServices(home, service_url, **{**_settings(postgres, redis), **settings})
        subprocess.run(["airflow", "db", "migrate"], env=airflow.environment, check=True, capture_output=True)
        with airflow:
            airflow.kill("triggerer")
            for number in (1, 2):
                start_worker(airflow, f"worker-{number}")
                start_triggerer(airflow, f"triggerer-{number}")
            yield airflow


def start_worker(airflow: AirflowServices, name: str) -> None:
    port = str(free_port())  # of its logs
    airflow.start(
        f"celery worker --celery-hostname {name}@localhost", name, AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=port
    )


def start_triggerer(airflow: AirflowServices, name: str) -> None:
    airflow.start("triggerer", name, AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(free_port()))


def _settings(postgres: PostgresServer, redis: RedisServer) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("postgresql+psycopg2"),
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
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
