"""Both clients against the local service over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import io
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_benchmarks import __version__
from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    Conflict,
    IncompleteResults,
    InvalidRequest,
    NotFound,
    ProtocolError,
    Unauthorized,
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


class TestDatasets:
    @pytest.fixture
    def completed(self, service):
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            completed_job(client)
            yield client, client.get_job("job-1")

    def test_it_is_that_of_the_benchmark(self, completed):
        client, job = completed
        assert (job.dataset, client.get_dataset(job)) == ("", "my-workspace/qa")

    def test_unless_the_spec_names_another(self, completed, service):
        client, job = completed
        service.clear_requests()
        assert client.get_dataset(replace(job, spec={**SPEC, "dataset": "my-workspace/other"})) == "my-workspace/other"
        assert service.requests == []

    @pytest.mark.parametrize("fault", [Fault.answer(404), Fault.answer(403), Fault.answer(500), Fault.malformed(b"{")])
    def test_it_is_empty_where_the_service_does_not_say(self, completed, service, fault):
        client, job = completed
        service.inject(fault.on("GET", "*/benchmark-job-results/job-1"))
        assert client.get_dataset(job) == ""


@only_sync
def test_a_job_without_a_name_gets_one(client):
    first, second = client.submit_job(SPEC), client.submit_job(SPEC)
    assert first.job.name != second.job.name
    assert first.created
    assert second.created


@only_sync
def test_the_same_submit_again_gives_the_same_job(client, service):
    first = client.submit_job(SPEC, name="job-1")
    again = client.submit_job(SPEC, name="job-1")
    assert (again.created, again.job.id) == (False, first.job.id)


@only_sync
def test_another_spec_under_the_name_is_never_adopted(client):
    client.submit_job(SPEC, name="job-1")
    with pytest.raises(
        Conflict, match='name "job-1" in workspace "my-workspace" is taken by a job that is not this one'
    ):
        client.submit_job({"benchmark": BENCHMARK, "params": {"limit_samples": 2}}, name="job-1")


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
def test_the_list_goes_over_all_pages(client, service, monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.client._operations._LIST_PAGE", 2)
    names = [f"job-{i}" for i in range(5)]
    for name in names:
        client.submit_job(SPEC, name=name)
    assert sorted(job.name for job in client.list_jobs()) == names


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


@only_sync
def test_logs_over_all_pages(client, service, monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.client._operations._LOG_PAGE", 2)
    completed_job(client)
    lines = client.get_logs("job-1")
    assert len(lines) > 4
    assert any("scores" in line.fields for line in lines)


def test_artifacts_are_the_services_archive(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE)) as client:
        completed_job(client)
        content = b"".join(client.iter_result("job-1", "artifacts"))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames()


def test_artifacts_are_not_packed_twice_by_a_gateway(service):
    archive = gzip.compress(b"the service's tar")
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE)) as client:
        for encoding, body in (("gzip", gzip.compress(archive)), ("identity", archive), ("br", b"?")):
            answer = Fault.answer(200, body=body, headers={"Content-Encoding": encoding})
            service.inject(answer.on("GET", "*/artifacts/download"))
        assert [b"".join(client.iter_result("job-1", "artifacts")) for _ in range(2)] == [archive, archive]
        with pytest.raises(ProtocolError, match='the body is encoded as "br", though "identity" was asked for'):
            list(client.iter_result("job-1", "artifacts"))
    assert {request.headers["accept-encoding"] for request in service.requests} == {"identity"}


def test_a_row_limit_stops_early(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE)) as client:
        completed_job(client)
        assert [row.row_index for row in client.iter_row_scores("job-1", limit=2)] == [0, 1]


@only_sync
@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({"benchmark": "my-workspace/none"}, NotFound, "Benchmark 'my-workspace/none' not found"),
        ({"benchmark": "qa-bench"}, InvalidRequest, "spec.offline.benchmark: String should match pattern"),
        ({**SPEC, "foo": 1}, InvalidRequest, "spec.offline.foo: Extra inputs are not permitted"),
        ({**SPEC, "params": {"parallelism": 0}}, InvalidRequest, "greater than or equal to 1"),
    ],
)
def test_a_wrong_spec_has_the_services_own_message(client, spec, error, message):
    with pytest.raises(error, match=message):
        client.submit_job(spec, name="job-1")


def test_a_workspace_that_is_not_there(client):
    with pytest.raises(InvalidRequest, match="Workspace 'none' does not exist"):
        client.submit_job(SPEC, workspace="none")
    with pytest.raises(NotFound, match="a workspace that does not exist"):
        client.get_job("job-1", workspace="none")


def test_results_of_a_job_that_has_none(client, service):
    service.fail_jobs(BENCHMARK, "Job exited with code 1", root_error="no")
    client.submit_job(SPEC, name="job-1")
    wait_until_finished(client, "job-1")
    with pytest.raises(NotFound, match="look at its status and log"):
        client.get_aggregate_scores("job-1")


@pytest.mark.parametrize("name", ["a/b", "a?x=1", "a#b", "a%2Fb", "../secrets", "é", "a b", "..%2f"])
def test_names_are_quoted_into_the_path(client, service, name):
    with pytest.raises((NotFound, ProtocolError)):
        client.get_status(name)
    (request,) = service.requests
    assert request.path.startswith("/apis/evaluation/v2/workspaces/my-workspace/benchmark-jobs/")
    assert request.path.endswith("/status")
    assert request.query in ("", None, {})


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_that_lead_elsewhere_are_refused(client, service, name):
    with pytest.raises(ConfigurationError, match="is not the name of a benchmark job"):
        client.get_job(name)
    with pytest.raises(ConfigurationError):
        client.get_job("job-1", workspace=name or "..")
    assert service.requests == []


class TestSecrets:
    def test_the_token_is_sent_and_without_one_nothing(self, connect, service):
        with pytest.raises(NotFound):
            connect(service.url).get_job("job-1")
        assert "authorization" not in {key.lower() for key in service.requests[-1].headers}
        with pytest.raises(Unauthorized, match="Set a valid API token"):
            connect(service.url, token="junk").get_job("job-1")
        headers = {key.lower(): value for key, value in service.requests[-1].headers.items()}
        assert headers["authorization"] == "Bearer junk"

    def test_extra_headers_are_sent(self, connect, service):
        with pytest.raises(NotFound):
            connect(service.url, headers={"X-Api-Key": "k3y"}).get_job("job-1")
        headers = {key.lower(): value for key, value in service.requests[-1].headers.items()}
        assert headers["x-api-key"] == "k3y"

    def test_a_redirect_to_another_host_carries_no_secret(self, connect):
        seen: list[dict[str, str]] = []

        class Other(BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append({key.lower(): value for key, value in self.headers.items()})
                self.send_response(200)
                body = b'{"name": "job-1", "status": "active"}'
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Redirecting(Other):
            def do_GET(self):
                self.send_response(307)
                self.send_header("Location", f"http://127.0.0.1:{other.server_port}{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

        with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
            with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as first:
                for server in (other, first):
                    threading.Thread(target=server.serve_forever, daemon=True).start()
                client = connect(f"http://127.0.0.1:{first.server_port}", token="s3cret", headers={"X-Api-Key": "k3y"})
                assert client.get_status("job-1").status == "active"
                with pytest.raises(InvalidRequest, match="set that as the connection's host"):
                    client.submit_job(SPEC, name="job-1")
                first.shutdown()
                other.shutdown()
        assert len(seen) == 1
        assert "authorization" not in seen[0]
        assert "x-api-key" not in seen[0]
        assert "s3cret" not in str(seen)

    def test_no_error_shows_the_token(self, connect, service):
        client = connect(service.url, token="s3cret-token")
        with pytest.raises(Unauthorized) as caught:
            client.get_job("job-1")
        shown = f"{caught.value} {caught.value!r} {caught.value.__dict__} {caught.value.__cause__!r}"
        assert "s3cret-token" not in shown


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
    from airflow_provider_benchmarks.testing import Fault

    completed_job(client)
    service.inject(Fault.error_line(after_rows=2).on("GET", "*/row-scores/download"))
    rows = read_rows(client.iter_row_lines("job-1"))
    with pytest.raises(IncompleteResults, match="damaged at line 3"):
        list(rows)
