from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.support.airflow_runs import AirflowHome
from tests.support.page_dags import PageDags, page_dags
from tests.support.s3_server import BUCKET, S3Server
from tests.support.service_clock import ServiceClock

WORKSPACE = "my-workspace"
BENCHMARK = "my-workspace/qa-bench"
BROKEN = "my-workspace/broken"
SPEC = {"benchmark": BENCHMARK, "params": {"parallelism": 4}}


@pytest.fixture(scope="session", autouse=True)
def _database_of_airflow_2() -> None:
    """Let Airflow 2 find its tables: there tasks ask the database itself for connections and reschedules."""
    if not AIRFLOW_V_3_0_PLUS:
        AirflowHome(Path(os.environ["AIRFLOW_HOME"])).prepare()


@pytest.fixture(scope="session")
def _s3_server():
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(_s3_server, monkeypatch) -> S3Server:
    """A real S3 server, with the Airflow connection ``aws_scores`` to it.

    One for all tests, since Airflow keeps the filesystem of a connection for as long as the process lives.
    """
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SCORES", _s3_server.connection)
    return _s3_server


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path) -> str:
    """The root of a score store, on the local disk and in object storage."""
    if request.param == "local":
        return str(tmp_path / "store")
    request.getfixturevalue("s3")
    return f"s3://aws_scores@{BUCKET}/{tmp_path.name}"


@pytest.fixture
def service(evaluation_service: EvaluationService) -> EvaluationService:
    know_generation(evaluation_service)
    evaluation_service.clear_requests()
    return evaluation_service


def know_generation(service: EvaluationService) -> None:
    """Let this process know the service's generation, so that a test sees the requests of what it tests alone."""
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.get_generation()


@pytest.fixture
def pages(tmp_path, monkeypatch, service: EvaluationService) -> Iterator[PageDags]:
    """DAGs of pages, run in this process on ``service``, with a score store of their own."""
    with page_dags(tmp_path / "dags", monkeypatch.setenv) as dags:
        yield dags


@pytest.fixture
def task_log(caplog, capsys) -> Callable[[], str]:
    """What tasks have logged so far: from Airflow 3.1 on past Python's own logging, before through it and to stdout."""
    return lambda: (capsys.readouterr().out if AIRFLOW_V_3_1_PLUS else "") + caplog.text


@pytest.fixture
def clock() -> ServiceClock:
    return ServiceClock()


@pytest.fixture
def service_with_clock(clock, monkeypatch):
    """A service whose time a test moves on, with the Airflow connection to it."""
    with EvaluationService(clock=clock, job_seconds=0.05) as service:
        service.seed_question_answer_example()
        know_generation(service)
        service.clear_requests()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        yield service


def seed_broken(service: EvaluationService) -> None:
    """A benchmark whose jobs fail."""
    with Seeder(service.url) as seeder:
        dataset = seeder.dataset(WORKSPACE, "broken", [{"question": "?", "answer": "!"}])
        seeder.benchmark(WORKSPACE, "broken", metrics=[f"{WORKSPACE}/exact-match"], dataset=dataset)
    service.fail_jobs(BROKEN, "Job exited with code 1", root_error="no such model")


class OnALoop:
    """The asynchronous client, called like the synchronous one on an event loop of its own.

    That one does what it can't, so that there are jobs to look at.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncBenchmarkClient(config)
        self._beside = BenchmarkClient(config)

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._client, name):
            return getattr(self._beside, name)
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._loop.run_until_complete(method(*args, **kwargs))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()
        self._beside.close()


#: Marks a test of what the asynchronous client does not do.
only_sync = pytest.mark.parametrize("connect", ["sync"], indirect=True)


@pytest.fixture(params=["sync", "async"])
def connect(request):
    """Make clients of either kind; they are closed after the test."""
    made: list[Any] = []

    def make(url: str, **fields: Any) -> Any:
        config = ClientConfig(**{"base_url": url, "workspace": WORKSPACE, "timeout": 10, "trust_env": False, **fields})
        made.append(BenchmarkClient(config) if request.param == "sync" else OnALoop(config))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect, service):
    return connect(service.url)


def wait_until_finished(client: Any, name: str) -> Any:
    """Look until a job has ended; the local service's jobs take well under a second."""
    import time

    end = time.monotonic() + 60
    while not (job := client.get_status(name)).is_finished:
        assert time.monotonic() < end, job
        time.sleep(0.05)
    return job


def completed_job(client: Any, name: str = "job-1") -> str:
    client.submit_job(SPEC, name=name)
    assert wait_until_finished(client, name).status == "completed"
    return name


class Crash(BaseException):
    """The worker dies here."""


@pytest.fixture(params=["inline", "deferred"])
def make(request, service):
    """Give a maker of operators of one task."""

    def maker(**arguments):
        known = {"task_id": "run", "spec": SPEC, "poll_interval": 0.05, "timeout": 60}
        known["deferrable"] = request.param == "deferred"
        return lambda: RunBenchmarkJobOperator(**{**known, **arguments})

    maker.deferred = request.param == "deferred"
    return maker


@pytest.fixture
def names(client):
    """Give the names of the service's jobs, oldest first."""
    return lambda: [job.name for job in client.list_jobs()][::-1]


@pytest.fixture
def crash_at(monkeypatch):
    """Let the worker die at a request: before it reaches the service, or after it took effect."""

    def arm(method, end, *, when):
        send = httpx.Client.send

        def dying(self, request, **kwargs):
            if request.method != method or not request.url.path.endswith(end):
                return send(self, request, **kwargs)
            if when == "after":
                send(self, request, **kwargs).close()
            raise Crash

        patch = pytest.MonkeyPatch()
        patch.setattr(httpx.Client, "send", dying)
        undo.append(patch)
        return patch.undo

    undo = []
    yield arm
    for patch in undo:
        patch.undo()


@pytest.fixture
def dies_while_waiting(service, crash_at):
    """Let the worker die in a block when it polls its job, which goes on running however slow the worker is."""

    @contextmanager
    def block() -> Iterator[None]:
        service.hold_jobs("active")
        disarm = crash_at("GET", "/status", when="before")
        with pytest.raises(Crash):
            yield
        disarm()

    return block


def cancels(service):
    return [request.path.split("/")[-2] for request in service.requests if request.path.endswith("/cancel")]
