"""A whole Airflow as separate processes: API server, scheduler, DAG processor, triggerers.

Airflow 2 parses DAGs in its scheduler, and its API asks for a webserver with users: there the command line begins runs.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from tests.support.airflow_runs import AirflowHome, RunOutcome, outcome

_START_LIMIT = 900.0
_RUN_LIMIT = 1800.0
_ASKING_AGAIN = Retrying(
    retry=retry_if_result(lambda answer: answer.status_code == 500),
    stop=stop_after_attempt(5),
    wait=wait_fixed(1),
    retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
)


def free_port() -> int:
    """A port that nobody has, below those that the system gives to outgoing connections in the meantime."""
    for port in random.sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port among a hundred")


def wait_for(condition: Callable[[], Any], limit: float, what: Callable[[], str]) -> Any:
    """Wait until a condition returns something true; fail with a description after the limit, seconds."""
    end = time.monotonic() + limit
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit:.0f} s without success: {what()}")
        time.sleep(0.5)


class AirflowApi:
    """Airflow's REST API, as its administrator."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=300, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, and repeat it while Airflow answers 500: it has done nothing then.

        It writes its audit log on the API server's event loop. With SQLite that waits for the lock of another request,
        which needs the loop to commit; after SQLite's 5 s both go on, and the one that waited answers with 500.
        """
        if "Authorization" not in self._http.headers:
            token = _ASKING_AGAIN(self._http.get, "/auth/token").raise_for_status().json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
        return _ASKING_AGAIN(self._http.request, method, f"/api/v2{path}", **options)

    def get(self, path: str) -> Any:
        return self.request("GET", path).raise_for_status().json()

    def has_dag(self, dag_id: str) -> bool:
        return bool(self.request("GET", f"/dags/{quote(dag_id)}").status_code == 200)

    def trigger(self, dag_id: str, **conf: Any) -> None:
        wait_for(lambda: self.has_dag(dag_id), _START_LIMIT, lambda: f"there is no DAG {dag_id}")
        run = {"logical_date": None, "conf": conf}
        self.request("POST", f"/dags/{quote(dag_id)}/dagRuns", json=run).raise_for_status()

    def unpause(self, dag_id: str) -> None:
        self.request("PATCH", f"/dags/{quote(dag_id)}", json={"is_paused": False}).raise_for_status()

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Runs of a DAG, newest first."""
        found: list[dict[str, Any]] = self.get(f"/dags/{quote(dag_id)}/dagRuns?order_by=-run_after")["dag_runs"]
        return found

    def ended(self, dag_id: str) -> str | None:
        """The state of a DAG's newest run, as soon as it has ended."""
        state = next((str(run["state"]) for run in self.runs(dag_id)), None)
        return state if state in ("success", "failed") else None

    def task_instances(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/dags/{quote(dag_id)}/dagRuns/~/taskInstances")["task_instances"]
        return found

    def clear(self, dag_id: str, *task_ids: str) -> None:
        """Clear these or all tasks of a DAG's newest run, as a user does who wants them anew."""
        body = {
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
            "dag_run_id": self.runs(dag_id)[0]["dag_run_id"],
            "task_ids": list(task_ids) or None,
        }
        self.request("POST", f"/dags/{quote(dag_id)}/clearTaskInstances", json=body).raise_for_status()

    def mark_run(self, dag_id: str, state: str) -> None:
        """Mark a DAG's newest run, and with it what of it has not ended, as a user does."""
        run_id = quote(self.runs(dag_id)[0]["dag_run_id"])
        self.request("PATCH", f"/dags/{quote(dag_id)}/dagRuns/{run_id}", json={"state": state}).raise_for_status()

    def add_connection(self, conn_id: str, **fields: Any) -> None:
        """Put a connection into Airflow's database."""
        body = {"connection_id": conn_id, "conn_type": "nemo_evaluator", **fields}
        self.request("POST", "/connections", json=body).raise_for_status()

    def mark(self, dag_id: str, task_id: str, state: str, *, map_index: int | None = None) -> None:
        """Mark a task of a DAG's newest run, or one map index of it, as a user does."""
        run_id = quote(self.runs(dag_id)[0]["dag_run_id"])
        path = f"/dags/{quote(dag_id)}/dagRuns/{run_id}/taskInstances/{quote(task_id)}"
        path += "" if map_index is None else f"/{map_index}"
        self.request("PATCH", path, json={"new_state": state}).raise_for_status()


class AirflowServices:
    """Start Airflow's processes on free ports; each ends with its own process group.

    :param airflow: the installation; its database is created
    :param service_url: evaluation service of the default connection
    :param settings: further environment
    """

    def __init__(self, airflow: AirflowHome, service_url: str, **settings: str) -> None:
        self.airflow = airflow
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        known = {
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": self.url,
            # Each process that finds no airflow.cfg writes one with a key of its own; a triggerer of Airflow 2 that
            # starts beside the scheduler may read it half written, and dies of triggers that it can't decrypt.
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            # Airflow 2 runs one task at a time on SQLite.
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor" if AIRFLOW_V_3_0_PLUS else "SequentialExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        }
        self.environment = airflow.environment(service_url, **{**known, **settings})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.api = AirflowApi(self.url)

    def __enter__(self) -> Self:
        self.airflow.prepare()
        try:
            if AIRFLOW_V_3_0_PLUS:
                self.start("api-server")
                self.wait(self._is_healthy, lambda: self.log("api-server"), limit=_START_LIMIT)
                self.start("dag-processor")
            for command in ("scheduler", "triggerer"):
                self.start(command)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self, command: str, name: str | None = None, *, program: Sequence[str] = ("airflow",), **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start one of Airflow's processes; ``name`` names a second one of a kind.

        :param program: what to run in place of Airflow's command line
        """
        name = name or command
        # Two requests of the API server can hold SQLite's lock for its timeout of 5 s, see AirflowApi.request, and
        # several such pairs for longer. Any other process that waits no longer dies of it.
        if command != "api-server" and "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in self.environment:
            database = f"sqlite:///{self.airflow.home / 'airflow.db'}?timeout=60"
            settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database, **settings}
        with (self.airflow.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*program, *command.split()],
                env={**self.environment, **settings},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._processes[name] = process
        return process

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL) -> None:
        """End one process and its children by their process group."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sig)
        process.wait(timeout=60)

    def wait(self, condition: Callable[[], Any], what: Callable[[], str], *, limit: float = _RUN_LIMIT) -> Any:
        """Wait as :func:`wait_for` does, and fail at once when a process has ended that nobody has killed."""

        def found() -> Any:
            for name, process in list(self._processes.items()):
                if process.poll() is not None:
                    raise AssertionError(f"{name} has ended with code {process.returncode}: {self.log(name)}")
            return condition()

        return wait_for(found, limit, what)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def signal(self, name: str, sig: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        os.killpg(self._processes[name].pid, sig)

    def stop_process(self, name: str) -> None:
        """End one process as a deploy does, and wait until it has ended."""
        self.signal(name, signal.SIGTERM)
        self._processes[name].wait(timeout=_START_LIMIT)
        self.kill(name)

    def stop(self) -> None:
        """End all processes: the scheduler as a deploy does, since it ends its tasks, and then the others at once."""
        self.api.close()
        if scheduler := self._processes.get("scheduler"):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(scheduler.pid, signal.SIGTERM)
                scheduler.wait(timeout=20)
        for name in list(self._processes):
            self.kill(name)

    def run_dag(self, dag_id: str, *, trigger: bool) -> RunOutcome:
        """Unpause a DAG, trigger it where its schedule does not do that at once, and wait until its run has ended."""
        if not AIRFLOW_V_3_0_PLUS:
            return self._run_dag_by_command(dag_id, trigger=trigger)
        self.wait(lambda: self.api.has_dag(dag_id), lambda: self.log("dag-processor"), limit=_START_LIMIT)
        self.api.unpause(dag_id)
        if trigger:
            self.api.trigger(dag_id)
        self.wait(lambda: self.api.ended(dag_id), lambda: f"{self.api.runs(dag_id)}\n{self.log('scheduler')}")
        return outcome(self.airflow.last_run(dag_id, self.environment), self.task_logs(dag_id))

    def _run_dag_by_command(self, dag_id: str, *, trigger: bool) -> RunOutcome:
        """Poll the database, since a command takes seconds to start."""

        def run(action: str) -> bool:
            command = ["airflow", "dags", action, dag_id]
            return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0

        def is_there() -> bool:
            return self._first("select dag_id from serialized_dag join dag using (dag_id) where dag_id = ?", dag_id)

        def is_unpaused() -> bool:
            return run("unpause") and self._first("select dag_id from dag where dag_id = ? and not is_paused", dag_id)

        self.wait(is_there, lambda: self.log("scheduler"), limit=_START_LIMIT)
        self.wait(is_unpaused, lambda: self.log("scheduler"), limit=_START_LIMIT)
        if trigger:
            assert run("trigger"), self.log("scheduler")

        def ended() -> bool:
            state = self._first("select state from dag_run where dag_id = ? order by id desc limit 1", dag_id)
            return state in ("success", "failed")

        self.wait(ended, lambda: f"{self.log('scheduler')}\n{self.task_logs(dag_id)}")
        return outcome(self.airflow.last_run(dag_id, self.environment), self.task_logs(dag_id))

    def _first(self, query: str, *parameters: str) -> Any:
        """The first column of the first row that Airflow's database has for a query."""
        with closing(sqlite3.connect(self.airflow.home / "airflow.db", timeout=60)) as database:
            return next(iter(database.execute(query, parameters).fetchone() or ()), None)

    def has_heard_of_end(self, dag_id: str, *, try_number: int, task_id: str = "run") -> bool:
        """Whether the scheduler has heard of the end of a process of a try of a task.

        Before that, Airflow takes a task for failed that is resumed. It does not write "TaskInstance Finished" for
        every end: where it is busy, one such line is for two tries.
        """
        key = rf"TaskInstanceKey\(dag_id='{re.escape(dag_id)}', task_id='{task_id}',.* try_number={try_number},"
        line = rf"Received executor event with state (success|failed) for task instance {key}"
        return re.search(line, self.whole_log("scheduler")) is not None

    def task_logs(self, dag_id: str) -> str:
        """All task logs of a DAG, with those of its triggers."""
        logs = sorted((self.airflow.home / "logs").glob(f"dag_id={dag_id}/**/*.log*"))
        return "\n".join(f"--- {log.relative_to(self.airflow.home)}\n{log.read_text(errors='replace')}" for log in logs)

    def watcher_states(self) -> list[dict[str, Any]]:
        """What Airflow's database has of the watchers of finished jobs: a state for each, from its first poll on."""
        with closing(sqlite3.connect(self.airflow.home / "airflow.db", timeout=60)) as database:
            found = database.execute("select value from asset_state_store where key like 'watcher-%'").fetchall()
        return [json.loads(value) for (value,) in found]

    def log(self, name: str) -> str:
        """The end of a process's own log."""
        return self.whole_log(name)[-5000:] or "no log"

    def whole_log(self, name: str) -> str:
        path: Path = self.airflow.home / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
