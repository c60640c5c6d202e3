"""A local evaluation service: a real HTTP server with the protocol of NeMo Evaluator, in the release that a test wants.

For tests, demos and the tests of one's own DAGs. It evaluates metrics that need no model (exact-match, string-check,
number-check), returns results that a test gives, and injects faults.

Methods name the jobs that they are about by a benchmark. From 0.2 on the service stores none, and jobs bring their
metrics along: those of this package name their benchmark in their custom fields, and the reference of a job's dataset
stands for it, too.
"""

from __future__ import annotations

import json
import time
import warnings
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from airflow_provider_benchmarks.brief import brief_names
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.server import RecordedRequest, Server
from airflow_provider_benchmarks.testing._jobs.controllers import Controllers
from airflow_provider_benchmarks.testing._jobs.scenarios import Hold, Rows, Scenarios, result_files
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._routes.application import Application
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.identifiers import new_id
from airflow_provider_benchmarks.testing._state.job import Job, Schedule
from airflow_provider_benchmarks.testing._state.outcome import EXIT_CODE_1, Failure
from airflow_provider_benchmarks.testing._state.state import Clock, State
from airflow_provider_benchmarks.testing.faults import Fault, FaultPlan, InjectedFault
from airflow_provider_benchmarks.testing.seed import EXAMPLE_WORKSPACE, BaseSeeder

_HOLDABLE = ("created", "pending", "active")


class EvaluationService:
    """Serve the protocol on loopback, from threads of this process; use it as a context manager.

    :param port: 0 takes a free one
    :param job_seconds: seconds from the submit of a job to its end
    :param controllers: False leaves jobs in ``created`` until requests to the jobs service, or :meth:`finish_job`,
        move them
    :param token: bearer token that requests must have; without it, they must have none
    :param read_only_token: another one, which only allows reading
    :param idle_timeout: seconds after which an idle connection is closed
    :param clock: returns the time in seconds since 1970
    :param release: release of the service to behave as: "0.1", "0.3", "0.6", "0.7", "0.8", or one between or after
        these, such as "0.8.1" or "0.9"; a release later than 0.8 behaves as 0.8
    :raises ValueError: ``release`` is not a release of the service
    :raises ConfigurationError: jinja2 is missing; the message names the extra that has it
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
        release: str = "0.1",
    ) -> None:
        require("the local evaluation service needs", "jinja2")
        self._address = (host, port)
        self._idle_timeout = idle_timeout
        self._token = token
        self._state = State(clock=clock, release=Release.parse(release))
        self._scenarios = Scenarios(job_seconds=job_seconds)
        self._controllers = Controllers(self._state, self._scenarios, enabled=controllers)
        context = Context(self._state, self._scenarios, self._controllers, token=token, read_only_token=read_only_token)
        self._application = Application(context)
        self._faults = FaultPlan()
        self._server: Server | None = None
        self._stopped = False

    def start(self) -> Self:
        """Start serving. A service starts once; for another run, make another one.

        :raises OSError: the port is taken
        :raises RuntimeError: it has been started already
        """
        if self._server is not None:
            raise RuntimeError("the evaluation service has been started already")
        self._server = Server(
            self._address,
            self._application.respond,
            next_effect=self._faults.next_effect,
            idle_timeout=self._idle_timeout,
            upload_folder=self._state.folder,
        )
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving, close all connections, and delete uploaded files. Stopping again does nothing.

        Warns of results and the like that were given for a benchmark of which there was no job, where there were jobs.
        """
        if self._server is None or self._stopped:
            return
        self._stopped = True
        self._server.stop()
        self._state.close()
        self._warn_of_unseen()

    def _warn_of_unseen(self) -> None:
        seen, unseen = self._scenarios.seen_subjects, self._scenarios.unseen_subjects()
        if seen and unseen:
            warnings.warn(
                f"the local evaluation service has had no job of {brief_names(unseen)}, for which results, a failure, "
                f"a duration or a hold was requested; its jobs were of {brief_names(sorted(seen))}",
                UserWarning,
                stacklevel=3,
            )

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
        """Return an Airflow connection to this service, as the value of an ``AIRFLOW_CONN_…`` variable.

        :param token: password of the connection; the service's own token by default
        """
        connection = {"conn_type": "nemo_evaluator", "host": self.url, "extra": {"workspace": workspace}}
        password = token or self._token
        return json.dumps(connection if password is None else {**connection, "password": password})

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, oldest first."""
        return self._running.requests

    def clear_requests(self) -> None:
        """Remove the requests so far from :attr:`requests`."""
        self._running.clear_requests()

    @property
    def connections(self) -> int:
        """Number of TCP connections accepted so far."""
        return self._running.connections

    def inject(self, fault: Fault) -> InjectedFault:
        """Activate a fault; the returned handle counts the requests that it was applied to."""
        return self._faults.inject(fault)

    def clear_faults(self) -> None:
        """Deactivate all faults."""
        self._faults.clear()

    def seed_question_answer_example(self) -> str:
        """Create the question-answer example; return the benchmark's reference, or from 0.2 on the dataset's.

        The routes are called without a socket: no request is recorded, and no fault is applied.
        """
        return _LocalSeeder(self._application, self._token, self._state.release).question_answer_example()

    def give_results(self, benchmark: str | None, *, aggregate: Any, rows: Rows | None = None) -> None:
        """Set the results of every later job of a benchmark.

        As on the service, a job without a single score that has a value ends in error, and yet has its results. In 0.2
        to 0.6 it is completed.

        :param benchmark: ``workspace/name``, from 0.2 on also that of the dataset; None: all later jobs without
            results of their own
        :param aggregate: the aggregate scores as JSON-able data of any shape, or as bytes
        :param rows: the row scores as dicts, as bytes, or as the path of a JSONL file, which is served without being
            loaded; None: the jobs have no row scores
        """
        results = result_files(aggregate, rows)
        with self._state.lock:
            self._scenarios.outcome_by_subject[benchmark] = results

    def fail_jobs(self, benchmark: str | None, message: str, *, root_error: str | None = None) -> None:
        """Let every later job of a benchmark end in error.

        :param benchmark: ``workspace/name``, from 0.2 on also that of the dataset; None: all later jobs without
            results of their own
        :param message: message of ``error_details``; the service's is mostly "Job exited with code 1"
        :param root_error: error in the logs. Without it the evaluation does not even start: there are no logs, and
            ``error_details`` has a traceback
        """
        with self._state.lock:
            self._scenarios.outcome_by_subject[benchmark] = Failure(message, root_error)

    def evaluate_jobs(self, benchmark: str | None) -> None:
        """Undo :meth:`give_results` and :meth:`fail_jobs`: later jobs of a benchmark are evaluated again."""
        with self._state.lock:
            self._scenarios.outcome_by_subject.pop(benchmark, None)

    def set_job_seconds(self, seconds: float, *, benchmark: str | None = None) -> None:
        """Set the duration of every later job, of one benchmark or of all."""
        with self._state.lock:
            if benchmark is None:
                self._scenarios.job_seconds = seconds
            else:
                self._scenarios.seconds_by_subject[benchmark] = seconds

    def hold_jobs(self, status: str, *, benchmark: str | None = None) -> None:
        """Let jobs, running ones included, not leave a status: created, pending or active.

        :raises ValueError: it is another status
        """
        if status not in _HOLDABLE:
            raise ValueError(f'jobs can be held in {", ".join(_HOLDABLE)}, not in "{status}"')
        with self._state.lock:
            self._scenarios.holds.append(Hold(status, benchmark))

    def release_jobs(self) -> None:
        """Release all held jobs."""
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
        """Finish a job now, as completed (with results), error or cancelled.

        :param message: for error: message of ``error_details``
        :param root_error: for error: error in the logs
        :raises KeyError: there is no such job
        :raises ValueError: the job has ended already
        """
        with self._state.lock:
            job = self._job(workspace, name)
            failure = Failure(message or EXIT_CODE_1, root_error or message) if status == "error" else None
            self._controllers.finish(job, status, failure=failure)

    def pin_status(self, workspace: str, name: str, status: str | None) -> None:
        """Return any word as a job's status, whatever the real one is; None returns the real one again."""
        with self._state.lock:
            self._job(workspace, name).pinned_status = status

    def add_model(self, reference: str) -> None:
        """Let jobs name a model ``workspace/name``; it is never called."""
        with self._state.lock:
            self._state.models.add(reference)

    def add_system_benchmark(self, name: str) -> str:
        """Add an industry benchmark, whose jobs need given results; return its reference."""
        with self._state.lock:
            entity = Entity(name, "system", self._state.now(), new_id("benchmark"), {"labels": {}})
            self._state.benchmarks["system", name] = entity
        return f"system/{name}"

    def add_metric_job(self, workspace: str, name: str) -> None:
        """Add a job of another kind, which holds the name: a request for it as a benchmark job returns 500."""
        spec: dict[str, Any] = {"metric": f"{workspace}/exact-match", "dataset": f"{workspace}/qa"}
        with self._state.lock:
            job = Job(name, workspace, self._state.clock(), spec, Schedule(0.0), kind="metric")
            self._state.add_job(job)

    def _job(self, workspace: str, name: str) -> Job:
        job = self._state.job(workspace, name)
        if job is None:
            raise KeyError(f"there is no job {workspace}/{name}")
        return job


class _LocalSeeder(BaseSeeder):
    """Sends requests to the application directly: a socket and a client would take most of the time."""

    def __init__(self, application: Application, token: str | None, release: Release) -> None:
        super().__init__(release)
        self._application = application
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}

    def _send(self, method: str, path: str, content: bytes, content_type: str) -> tuple[int, str]:
        headers = {**self._headers, "content-type": content_type}
        response = self._application.respond(Request(method, unquote(path), {}, headers, content))
        assert isinstance(response.body, bytes)
        return response.status, response.body.decode()
