"""Run DAGs on a real Airflow of their own: a home folder with its database, and its command line."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock

REPOSITORY = Path(__file__).parents[2]
EXAMPLE_DAGS = REPOSITORY / "example_dags"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a DAG run left: its state, the state, number of tries and XComs of each task, and the log."""

    state: str
    tasks: dict[str, str]
    tries: dict[str, int]
    xcoms: dict[tuple[str, str], Any]
    log: str


def connection(url: str, **extra: Any) -> str:
    """An Airflow connection to an evaluation service, as the JSON of an environment variable."""
    return json.dumps({"conn_type": "nemo_evaluator", "host": url, "extra": {"workspace": "my-workspace", **extra}})


@dataclass(frozen=True, slots=True)
class AirflowHome:
    """An Airflow installation's home folder."""

    home: Path
    dags_folder: Path = EXAMPLE_DAGS

    def environment(self, service_url: str, **settings: str) -> dict[str, str]:
        """Environment of Airflow's processes; ``AIRFLOW__…`` settings may be added."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT": connection(service_url),
            "PYTHONUNBUFFERED": "1",
            **settings,
        }

    def prepare(self) -> None:
        """Create the database."""
        self.home.mkdir(parents=True, exist_ok=True)
        _copy_database(_new_database(), self.home / "airflow.db")

    def test_dag(
        self, dag_id: str, service_url: str, conf: dict[str, Any] | None = None, **settings: str
    ) -> RunOutcome:
        """Run a DAG once with ``airflow dags test`` and read what it left in the database."""
        environment = self.environment(service_url, **settings)
        command = ["airflow", "dags", "test", dag_id, *(["--conf", json.dumps(conf)] if conf else [])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        left = self.last_run(dag_id, environment)
        return outcome(left, done.stdout + done.stderr)

    def last_run(self, dag_id: str, environment: dict[str, str]) -> dict[str, Any]:
        """State, tasks, tries and XComs of the newest run of a DAG."""
        done = self._run([sys.executable, "-m", "tests.support.last_run", dag_id], environment)
        found: dict[str, Any] = json.loads(done.splitlines()[-1])
        return found

    def _run(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout


def outcome(left: dict[str, Any], log: str) -> RunOutcome:
    """Return what :meth:`AirflowHome.last_run` has read, with a log."""
    xcoms = {(task_id, key): value for task_id, key, value in left["xcoms"]}
    return RunOutcome(left["state"], left["tasks"], left["tries"], xcoms, log)


def airflow_version() -> str:
    """The version of the installed Airflow, whose code has been a package of its own since 3.0."""
    try:
        return version("apache-airflow-core")
    except PackageNotFoundError:
        return version("apache-airflow")


@cache
def _new_database() -> Path:
    """The path of a new, migrated database of this version of Airflow.

    It is kept in the checkout, for migrating takes Airflow several seconds. Tests run in several processes.
    """
    folder = REPOSITORY / ".build" / "airflow-databases"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{airflow_version()}.db"
    with FileLock(f"{kept}.lock"), tempfile.TemporaryDirectory(prefix="airflow-new-") as name:
        if not kept.exists():
            new = AirflowHome(Path(name))
            new._run(["airflow", "db", "migrate"], new.environment("http://127.0.0.1:1"))
            _copy_database(new.home / "airflow.db", kept.with_suffix(".part"))
            kept.with_suffix(".part").rename(kept)
    return kept


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as new, closing(sqlite3.connect(target)) as own:
        new.backup(own)
