"""What clients of either kind send, and to whom."""

from __future__ import annotations

import gzip

import httpx
import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig, _sync
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ServiceUnavailable,
    Unauthorized,
)
from tests.unit.client.conftest import Service

CONFIG = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs", retry_seconds=0)
SPEC = {"benchmark": "ws/qa-bench"}
JOB = {"name": "job-1", "status": "active"}


def always(status: int, body: object) -> Service:
    return Service(lambda request: httpx.Response(status, json=body))


class TestSecrets:
    def test_the_token_is_sent_and_without_one_nothing(self, ask):
        service = always(200, JOB)
        ask(service, "get_job", "job-1")
        ask(service, "get_job", "job-1", token="t0ken")
        without, with_token = service.requests
        assert "authorization" not in without.headers
        assert with_token.headers["authorization"] == "Bearer t0ken"

    def test_extra_headers_are_sent(self, ask):
        service = always(200, JOB)
        ask(service, "get_job", "job-1", headers={"X-Api-Key": "k3y"})
        assert service.requests[0].headers["x-api-key"] == "k3y"

    def test_a_redirect_to_another_host_carries_no_secret(self, ask):
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.host == "other.invalid":
                return httpx.Response(200, json=JOB)
            return httpx.Response(307, headers={"Location": f"http://other.invalid{request.url.path}"})

        service = Service(answer)
        job = ask(service, "get_status", "job-1", token="s3cret", headers={"X-Api-Key": "k3y"})
        first, second = service.requests
        assert job.status == "active"
        assert (first.headers["authorization"], first.headers["x-api-key"]) == ("Bearer s3cret", "k3y")
        assert second.url.host == "other.invalid"
        assert "authorization" not in second.headers
        assert "x-api-key" not in second.headers
        assert "s3cret" not in str(second.headers.raw)

    def test_what_is_not_read_only_follows_no_redirect(self, ask):
        service = Service(lambda request: httpx.Response(307, headers={"Location": "http://other.invalid/"}))
        with pytest.raises(InvalidRequest, match="set that as the connection's host"):
            ask(service, "cancel_job", "job-1", token="s3cret")
        with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
            with pytest.raises(InvalidRequest, match="set that as the connection's host"):
                client.submit_job(SPEC, name="job-1")
        assert [request.url.host for request in service.requests] == ["evaluator.invalid"] * 2

    def test_no_error_shows_the_token(self, ask):
        with pytest.raises(Unauthorized, match="Set a valid API token") as caught:
            ask(always(401, {"detail": "Unauthorized"}), "get_job", "job-1", token="s3cret-token")
        shown = f"{caught.value} {caught.value!r} {caught.value.__dict__} {caught.value.__cause__!r}"
        assert "s3cret-token" not in shown


class TestNames:
    @pytest.mark.parametrize("name", ["a/b", "a?x=1", "a#b", "a%2Fb", "../secrets", "é", "a b", "..%2f"])
    def test_they_are_quoted_into_the_path(self, ask, name):
        service = always(404, {"detail": "Job not found"})
        with pytest.raises(NotFound):
            ask(service, "get_status", name)
        (request,) = service.requests
        path, _, query = request.url.raw_path.partition(b"?")
        start, end = b"/apis/evaluation/v2/workspaces/ws/benchmark-jobs/", b"/status"
        assert path.startswith(start)
        assert path.endswith(end)
        assert b"/" not in path.removeprefix(start).removesuffix(end)
        assert query == b""

    @pytest.mark.parametrize("name", ["", ".", "..", "a\0b", "\ud800", 2026, 0.5, None, ["a"]])
    def test_those_that_lead_elsewhere_are_refused(self, ask, name):
        service = always(200, JOB)
        with pytest.raises(ConfigurationError, match="is not the name of a benchmark job"):
            ask(service, "get_job", name)
        with pytest.raises(ConfigurationError, match="is not the name of a workspace"):
            ask(service, "get_job", "job-1", workspace=name or "..")
        assert service.requests == []


def test_the_list_goes_over_all_pages():
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        # A job that was submitted meanwhile pushes the others one place on.
        names = {1: ["job-5", "job-4"], 2: ["job-4", "job-3"], 3: [], 4: ["job-1"]}[page]
        data = [{"name": name, "status": "active"} for name in names]
        return httpx.Response(200, json={"data": data, "pagination": {"total_pages": 4}})

    service = Service(answer)
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        assert [job.name for job in client.list_jobs()] == ["job-5", "job-4", "job-3", "job-1"]
    assert [request.url.params["page"] for request in service.requests] == ["1", "2", "3", "4"]


def test_logs_over_all_pages(recorded):
    pages = {None: recorded(53), recorded(53)["next_page"]: {**recorded(54), "next_page": None}}
    service = Service(lambda request: httpx.Response(200, json=pages[request.url.params.get("page_cursor")]))
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        lines = client.get_logs("run-1")
    assert len(lines) == len(recorded(53)["data"]) + len(recorded(54)["data"]) > 4
    assert any("scores" in line.fields for line in lines)


def test_artifacts_are_not_packed_twice_by_a_gateway():
    archive = gzip.compress(b"the service's tar")
    bodies = [("gzip", gzip.compress(archive)), ("identity", archive), ("br", b"?")]

    def answer(request: httpx.Request) -> httpx.Response:
        encoding, body = bodies.pop(0)
        return httpx.Response(200, stream=httpx.ByteStream(body), headers={"Content-Encoding": encoding})

    service = Service(answer)
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        assert [b"".join(client.iter_result("job-1", "artifacts")) for _ in range(2)] == [archive, archive]
        with pytest.raises(ProtocolError, match='the body is encoded as "br", though "identity" was asked for'):
            list(client.iter_result("job-1", "artifacts"))
    assert {request.headers["accept-encoding"] for request in service.requests} == {"identity"}


def test_row_downloads_are_tried_again(pauses):
    statuses = [503, 503, 200]
    service = Service(lambda request: httpx.Response(statuses.pop(0), content=b"one\ntwo\n"))
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs")
    with BenchmarkClient(config, httpx.MockTransport(service)) as client:
        assert list(client.iter_row_lines("job-1")) == [b"one", b"two"]
    assert len(service.requests) == 3
    assert len(pauses) == 2


def test_a_log_that_never_ends_is_left_after_its_time(monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.client._sync.MAX_LOG_PAGES", 10**9)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"message": "a line"}], "next_page": str(len(service.requests))})

    service = Service(answer)
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        with pytest.raises(ServiceUnavailable, match=r'The log of benchmark job "job-1" was not there to its end'):
            list(client.iter_logs("job-1", time_limit=0.05))


def test_a_log_whose_pages_lead_round_in_a_circle_is_read_once():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"message": f"line {len(service.requests)}"}], "next_page": "again"})

    service = Service(answer)
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        assert [line.message for line in client.iter_logs("job-1")] == ["line 1", "line 2"]


def test_a_log_without_end_ends_at_a_most(monkeypatch, caplog):
    monkeypatch.setattr(_sync, "MAX_LOG_PAGES", 7)
    service = Service(lambda request: httpx.Response(200, json={"data": [{}], "next_page": str(len(service.requests))}))
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        assert len(list(client.iter_logs("job-1"))) == 7
    assert 'The log of benchmark job "job-1" goes on after 7 pages, the most that are read.' in caplog.text


def test_a_log_that_is_returned_whole_fits_in_memory():
    page = {"data": [{"message": "x" * 1024**2}] * 10}
    service = Service(lambda request: httpx.Response(200, json={**page, "next_page": str(len(service.requests))}))
    with BenchmarkClient(CONFIG, httpx.MockTransport(service)) as client:
        with pytest.raises(ProtocolError, match=r"larger than 256 MiB, the most that get_logs\(\) returns"):
            client.get_logs("job-1")
