"""Both clients against the local service over real HTTP."""

from __future__ import annotations

import asyncio
import gc
import io
import tarfile
import threading

import httpcore
import pytest

from airflow_provider_benchmarks import __version__
from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import (
    IncompleteResults,
    NotFound,
    ProtocolError,
)
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, completed_job, only_sync, wait_until_finished


def test_a_job_from_submit_to_scores(client):
    submission = client.submit_job(SPEC, name="job-1", description="nightly", custom_fields={"team": "qa"})
    assert submission.created
    assert (submission.job.name, submission.job.benchmark, submission.job.description) == (
        "job-1",
        BENCHMARK,
        "nightly",
    )
    assert submission.job.custom_fields["team"] == "qa"
    finished = wait_until_finished(client, "job-1")
    assert finished.status == "completed"
    assert [step.name for step in finished.steps] == ["dataset-download", "evaluation"]
    assert client.get_job("job-1").spec["params"]["parallelism"] == 4
    assert {result.name for result in client.list_results("job-1")} == {"aggregate-scores", "row-scores", "artifacts"}
    scores = client.get_aggregate_scores("job-1")
    assert (scores.get("exact-match").mean, scores.get("string-check").mean) == (0.6, 0.8)
    rows = list(read_rows(client.iter_row_lines("job-1")))
    assert [row.row_index for row in rows] == [0, 1, 2, 3, 4]
    assert client.get_logs("job-1")


@only_sync
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (httpcore.HTTP11Connection, "has_expired"),
        (httpcore.HTTP11Connection, "is_available"),
        (httpcore.ConnectionPool, "create_connection"),
        (threading.Event, "set"),
    ],
)
def test_a_stream_that_is_collected_within_another_request_does_not_disturb_it(client, monkeypatch, owner, method):
    """As when Python's garbage collection comes in the midst of what httpcore does to its pool."""
    name, within = completed_job(client), getattr(owner, method)
    pool = client._http._transport._pool
    found = []

    def collecting(*arguments):
        gc.collect()
        return within(*arguments)

    lines, others = client.iter_row_lines(name), client.iter_row_lines(name)
    next(lines)
    next(others)
    others.close()  # its connection is not used again: the request needs a new one
    cycle = [lines]
    cycle.append(cycle)
    gc.disable()
    try:
        del lines, cycle
        request = threading.Thread(target=lambda: found.append(client.get_job(name)), daemon=True)
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, collecting)
            request.start()
            request.join(60)
        assert not request.is_alive()
    finally:
        gc.enable()
    assert [job.name for job in found] == [name]
    assert pool._requests == []
    assert all(connection.is_idle() or connection.is_closed() for connection in pool.connections)


@only_sync
def test_a_stream_that_is_collected_while_the_client_is_closed_does_not_disturb_it(client):
    class Collecting(list):
        def __iter__(self):
            gc.collect()
            return super().__iter__()

    name = completed_job(client)
    pool = client._http._transport._pool
    gc.disable()
    try:
        lines = client.iter_row_lines(name)
        next(lines)
        cycle = [lines]
        cycle.append(cycle)
        del lines, cycle
        pool._connections = Collecting(pool._connections)
        closing = threading.Thread(target=client.close, daemon=True)
        closing.start()
        closing.join(60)
        assert not closing.is_alive()
    finally:
        gc.enable()
    assert pool._requests == []


@only_sync
def test_a_request_in_the_midst_of_another_one_is_sent_at_once(client, monkeypatch):
    """As from a handler of a signal."""
    name, within = completed_job(client), httpcore.HTTP11Connection.handle_request
    found = []

    def interrupted(connection, request):
        if not found:
            found.append(None)
            found.append(client.get_status(name).name)
        return within(connection, request)

    monkeypatch.setattr(httpcore.HTTP11Connection, "handle_request", interrupted)
    assert client.get_job(name).name == name
    assert found == [None, name]
    assert client._http._transport._pool._requests == []


@only_sync
def test_refused_answers_give_their_connections_back(client, service):
    pool = client._http._transport._pool
    packed_twice = Fault.answer(200, body=b"{}", headers={"Content-Encoding": "gzip, gzip"})
    service.inject(packed_twice.on("GET", "*/benchmark-jobs/*", times=None))
    for _ in range(3):
        with pytest.raises(ProtocolError):
            client.get_job("job-1")
    assert all(connection.is_idle() or connection.is_closed() for connection in pool.connections)


class TestDatasets:
    @pytest.fixture
    def completed(self, service):
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            completed_job(client)
            yield client, client.get_job("job-1")

    def test_it_is_that_of_the_benchmark(self, completed):
        client, job = completed
        assert (job.dataset, client.get_dataset(job)) == ("", "my-workspace/qa")


@only_sync
def test_the_same_submit_again_returns_the_same_job(client, service):
    first = client.submit_job(SPEC, name="job-1")
    again = client.submit_job(SPEC, name="job-1")
    assert (again.created, again.job.id) == (False, first.job.id)


def test_cancel(client, service):
    service.hold_jobs("active")
    client.submit_job(SPEC, name="job-1")
    assert client.cancel_job("job-1").status in ("cancelling", "cancelled")
    assert wait_until_finished(client, "job-1").status == "cancelled"
    assert client.cancel_job("job-1").status == "cancelled"


@only_sync
def test_delete(client):
    completed_job(client)
    client.delete_job("job-1")
    with pytest.raises(NotFound, match=r'benchmark job "job-1" in workspace "my-workspace"'):
        client.get_job("job-1")


@only_sync
def test_the_status_filter_finds_what_is_behind_empty_pages(client, service, monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.client._operations._LIST_PAGE", 2)
    service.hold_jobs("active")
    for i in range(7):
        client.submit_job(SPEC, name=f"job-{i}")
    service.finish_job(WORKSPACE, "job-0", "error")
    service.release_jobs()
    for i in range(1, 7):
        wait_until_finished(client, f"job-{i}")
    assert [job.name for job in client.list_jobs(status=["error"])] == ["job-0"]
    assert len(list(client.list_jobs(status=["error", "completed"]))) == 7


def test_artifacts_are_the_services_archive(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE)) as client:
        completed_job(client)
        content = b"".join(client.iter_result("job-1", "artifacts"))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames()


def test_a_row_limit_stops_early(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE)) as client:
        completed_job(client)
        assert [row.row_index for row in client.iter_row_scores("job-1", limit=2)] == [0, 1]


def test_every_request_says_which_client_it_is(service, tmp_path):
    hook = BenchmarkHook()
    config = ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)
    completed_job(hook.client)
    hook.download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
    hook.download_artifacts("job-1", str(tmp_path / "artifacts.tar.gz"))
    assert list(hook.client.iter_row_lines("job-1"))
    assert hook.test_connection()[0]

    async def ask() -> None:
        async with AsyncBenchmarkClient(config) as client:
            await client.get_status("job-1")
            await client.cancel_job("job-1")

    asyncio.run(ask())
    paths = {request.path.rpartition("/")[2] for request in service.requests}
    assert paths > {"benchmark-jobs", "status", "cancel", "download", "row-scores", "ready", "cluster-info"}
    assert {request.headers["user-agent"] for request in service.requests} == {
        f"airflow-provider-benchmarks/{__version__}"
    }


def test_a_service_that_is_not_one(connect, service):
    client = connect(f"{service.url}/gateway")
    with pytest.raises(ProtocolError, match=r"check the connection's host.*0\.1\.x"):
        client.get_job("job-1")


@only_sync
def test_damaged_rows_end_in_an_error_and_never_in_fewer_rows(client, service):

    completed_job(client)
    service.inject(Fault.error_line(after_rows=2).on("GET", "*/row-scores/download"))
    rows = read_rows(client.iter_row_lines("job-1"))
    with pytest.raises(IncompleteResults, match="damaged at line 3"):
        list(rows)
