"""A transport of the caller takes the place of the network."""

from __future__ import annotations

import json

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import NotFound, ServiceUnavailable

CONFIG = ClientConfig(
    base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs", token="t0ken", retry_seconds=0
)
JOB = {"name": "job-1", "status": "active"}


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/job-1/status"):
        assert request.headers["authorization"] == "Bearer t0ken"
        return httpx.Response(200, json=JOB)
    return httpx.Response(404, json={"detail": "Job 'x' not found"})


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


async def app(scope, receive, send):
    assert scope["path"].endswith("/job-1/status")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(JOB).encode()})


def test_of_the_synchronous_client():
    with BenchmarkClient(CONFIG, httpx.MockTransport(answer)) as client:
        assert client.get_status("job-1").status == "active"
        with pytest.raises(NotFound):
            client.get_status("x")


def test_a_fault_of_the_transport_is_our_error():
    with BenchmarkClient(CONFIG, transport=httpx.MockTransport(broken)) as client:
        with pytest.raises(ServiceUnavailable, match="refused"):
            client.get_status("job-1")


@pytest.mark.parametrize("transport", [httpx.MockTransport(answer), httpx.ASGITransport(app)])
async def test_of_the_asynchronous_client(transport):
    async with AsyncBenchmarkClient(CONFIG, transport=transport) as client:
        assert (await client.get_status("job-1")).status == "active"


def test_rows_come_through_it_too():
    def rows(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/results"):
            return httpx.Response(200, json={"data": [{"name": "row-scores", "artifact_url": "ws/files#rows.jsonl"}]})
        assert request.url.path == "/apis/files/v2/workspaces/ws/filesets/files/-/rows.jsonl"
        return httpx.Response(200, content=b"one\ntwo\n")

    with BenchmarkClient(CONFIG, transport=httpx.MockTransport(rows)) as client:
        pieces, length = client.open_row_scores("job-1")
        assert (b"".join(pieces), length) == (b"one\ntwo\n", 8)
