"""A local evaluation service: a real HTTP server that speaks the protocol of NeMo Evaluator 0.1.x.

For tests, demos and the tests of one's own DAGs. It evaluates benchmarks whose metrics need no model (exact-match,
string-check), gives results as it is told to, and commits faults on request.
"""

from __future__ import annotations

import json
import threading
import time
from types import TracebackType
from typing import Any, Self

from airflow_provider_benchmarks.testing.app import Application
from airflow_provider_benchmarks.testing.faults import Fault, FaultPlan, InjectedFault
from airflow_provider_benchmarks.testing.scenarios import Failure, Hold, Rows, Scenarios, given_results
from airflow_provider_benchmarks.testing.seed import EXAMPLE_WORKSPACE, Seeder
from airflow_provider_benchmarks.testing.server import RecordedRequest, Server
from airflow_provider_benchmarks.testing.state import Clock, Entity, Job, Plan, State, new_id
from airflow_provider_benchmarks.testing.timetable import Controllers

_HOLDABLE = ("created", "pending", "active")


class EvaluationService:
    """Serve the protocol on loopback, from threads of this process; use it as a context manager.

    :param port: 0 takes a free one
    :param job_seconds: how long a job takes from submit to its end
    :param controllers: False leaves jobs in ``created`` until requests to the jobs service, or :meth:`finish_job`,
        move them
    :param token: bearer token that requests must carry; without it, none may be sent
    :param read_only_token: another one, which is forbidden to change anything
    :param idle_timeout: seconds after which an idle connection is closed
    :param clock: gives the time in seconds since 1970
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        job_seconds: float = 0.2,
        controllers: bool = True,
        token: str | None = None,
        read_only_token: str | None = None,
        idle_timeout: float = 5.0,
        clock: Clock = time.time,
    ) -> None:
        self._address = (host, port)
        self._idle_timeout = idle_timeout
        self._token = token
        self._state = State(clock=clock)
        self._scenarios = Scenarios(job_seconds=job_seconds)
        self._controllers = Controllers(self._state, self._scenarios, enabled=controllers)
        self._app = Application(
            self._state, self._scenarios, self._controllers, token=token, read_only_token=read_only_token
        )
        self._faults = FaultPlan()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Begin to serve. A service starts once; for another run, make another one.

        :raises OSError: the port is taken
        """
        if self._server is not None:
            raise RuntimeError("the evaluation service has been started already")
        self._server = Server(self._address, self._app, self._faults, idle_timeout=self._idle_timeout)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.005},  # what stopping takes at most
            name="evaluation-service",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, close all connections, and delete what was uploaded."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()
        self._thread = None
        self._state.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the evaluation service has not been started: use it in a with statement, or start()")
        return self._server

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        host, port = self._running.server_address[:2]
        return f"http://{host!s}:{port}"

    def connection_json(self, *, workspace: str = EXAMPLE_WORKSPACE, token: str | None = None) -> str:
        """Give an Airflow connection to this service, as an ``AIRFLOW_CONN_…`` variable takes it.

        :param token: shown instead of the service's own
        """
        connection = {"conn_type": "nemo_evaluator", "host": self.url, "extra": {"workspace": workspace}}
        password = token or self._token
        return json.dumps(connection if password is None else {**connection, "password": password})

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, oldest first."""
        return self._running.requests

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._running.forget_requests()

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return self._running.connections

    def inject(self, fault: Fault) -> InjectedFault:
        """Put a fault to work; the handle tells how often it struck."""
        return self._faults.inject(fault)

    def clear_faults(self) -> None:
        """Take all faults back."""
        self._faults.clear()

    def seed_question_answer_example(self) -> str:
        """Create the question-answer example over HTTP; gives the benchmark's reference."""
        with Seeder(self.url, token=self._token) as seeder:
            return seeder.question_answer_example()

    def give_results(self, benchmark: str, *, aggregate: Any, rows: Rows | None = None) -> None:
        """Give every later job of a benchmark these results.

        As on the service, a job without a single score that has a value ends in error, though its results are there.

        :param benchmark: ``workspace/name``
        :param aggregate: the aggregate scores as JSON-able data of any shape, or as bytes
        :param rows: the row scores as dicts, as bytes, or as the path of a JSONL file, which is served without being
            loaded; None: the jobs have no row scores
        """
        results = given_results(aggregate, rows)
        with self._state.lock:
            self._scenarios.outcome_of[benchmark] = results

    def fail_jobs(self, benchmark: str, message: str, *, root_error: str | None = None) -> None:
        """Let every later job of a benchmark end in error.

        :param message: what ``error_details`` says; the service mostly says "Job exited with code 1" there
        :param root_error: what the logs say. Without it the evaluation does not even start: no logs, and a traceback
            in ``error_details``
        """
        with self._state.lock:
            self._scenarios.outcome_of[benchmark] = Failure(message, root_error)

    def evaluate_jobs(self, benchmark: str) -> None:
        """Take :meth:`give_results` and :meth:`fail_jobs` back: later jobs of a benchmark are computed again."""
        with self._state.lock:
            self._scenarios.outcome_of.pop(benchmark, None)

    def set_job_seconds(self, seconds: float, *, benchmark: str | None = None) -> None:
        """Let every later job, of one benchmark or of all, take so long."""
        with self._state.lock:
            if benchmark is None:
                self._scenarios.job_seconds = seconds
            else:
                self._scenarios.seconds_of[benchmark] = seconds

    def hold_jobs(self, status: str, *, benchmark: str | None = None) -> None:
        """Let jobs, running ones too, come no further than a status: created, pending or active."""
        if status not in _HOLDABLE:
            raise ValueError(f'jobs can be held in {", ".join(_HOLDABLE)}, not in "{status}"')
        with self._state.lock:
            self._scenarios.holds.append(Hold(status, benchmark))

    def release_jobs(self) -> None:
        """Let all held jobs go on."""
        with self._state.lock:
            self._scenarios.holds.clear()

    def finish_job(
        self,
        workspace: str,
        name: str,
        status: str = "completed",
        *,
        message: str = "",
        root_error: str | None = None,
    ) -> None:
        """Bring a job to its end now: completed (with results), error or cancelled.

        :param message: for error: what ``error_details`` says
        :param root_error: for error: what the logs say
        :raises KeyError: there is no such job
        :raises ValueError: the job has ended already
        """
        with self._state.lock:
            job = self._job(workspace, name)
            failure = Failure(message or "Job exited with code 1", root_error or message) if status == "error" else None
            self._controllers.finish(job, status, failure=failure)

    def pin_status(self, workspace: str, name: str, status: str | None) -> None:
        """Show any word as a job's status, whatever becomes of it; None shows the real one again."""
        with self._state.lock:
            self._job(workspace, name).pinned_status = status

    def add_model(self, reference: str) -> None:
        """Let jobs name a model ``workspace/name``; it is never called."""
        with self._state.lock:
            self._state.models.add(reference)

    def add_system_benchmark(self, name: str) -> str:
        """Add an industry benchmark, whose jobs need given results; gives its reference."""
        with self._state.lock:
            entity = Entity(name, "system", self._state.now(), new_id("benchmark"), {"labels": {}})
            self._state.benchmarks["system", name] = entity
        return f"system/{name}"

    def add_metric_job(self, workspace: str, name: str) -> None:
        """Let a job of another kind hold a name: asked for as a benchmark job, it answers 500."""
        spec = {"metric": f"{workspace}/exact-match", "dataset": f"{workspace}/qa"}
        with self._state.lock:
            job = Job(name, workspace, self._state.clock(), spec, Plan(0.0), kind="metric")
            self._state.add_job(job)

    def _job(self, workspace: str, name: str) -> Job:
        job = self._state.job(workspace, name)
        if job is None:
            raise KeyError(f"there is no job {workspace}/{name}")
        return job
