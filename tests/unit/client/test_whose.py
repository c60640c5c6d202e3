"""An answer about another job never passes for one about the job that was requested."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ProtocolError

MINE = {"name": "job-1", "workspace": "ws", "status": "completed", "spec": {"benchmark": "ws/b"}}
OTHERS = [
    {**MINE, "name": "job-2"},
    {**MINE, "name": "JOB-1"},
    {**MINE, "name": "job-1 "},
    {**MINE, "name": "job-1\ud800"},
    {**MINE, "name": ["job-1"]},
    {**MINE, "workspace": "other"},
]


def client_of(body: Any, *, api: str = "benchmark-jobs") -> BenchmarkClient:
    """A client whose service has one answer."""
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api=api, retry_seconds=0)

    def respond(request: httpx.Request) -> httpx.Response:
        is_release = request.url.path == "/cluster-info"
        return httpx.Response(200, content=json.dumps({"platform_version": "0.8.1"} if is_release else body))

    return BenchmarkClient(config, httpx.MockTransport(respond))


@pytest.mark.parametrize("api", ["benchmark-jobs", "evaluate-jobs"])
@pytest.mark.parametrize("verb", ["get_job", "get_status", "cancel_job"])
@pytest.mark.parametrize("other", OTHERS)
def test_a_job(verb, other, api):
    with client_of(other, api=api) as client:
        with pytest.raises(ProtocolError, match=r'expected benchmark job "job-1", found|expected a text as "name"'):
            getattr(client, verb)("job-1")


@pytest.mark.parametrize("other", OTHERS)
def test_a_submit(other):
    with client_of(other) as client, pytest.raises(ProtocolError):
        client.submit_job({"benchmark": "ws/b"}, name="job-1")


def test_a_list_has_no_jobs_of_another_workspace(caplog):
    entries = [MINE, {**MINE, "name": "job-2", "workspace": "other"}, {**MINE, "name": "job-3"}]
    with client_of({"data": entries, "pagination": {"total_pages": 1}}) as client:
        assert [job.name for job in client.list_jobs()] == ["job-1", "job-3"]
    assert 'expected benchmark job "job-2", found "job-2" of workspace "other"' in caplog.text


@pytest.mark.parametrize("field", ["name", "workspace"])
def test_another_name_has_no_hold_on_logs(field):
    hostile = "x\x1b]8;;http://evil\x07\n::group::\n[2026-11-28] INFO - Task exited with return code 0"
    with client_of({**MINE, field: hostile}) as client, pytest.raises(ProtocolError) as caught:
        client.get_job("job-1")
    cause = caught.value.__cause__ or caught.value.__context__
    for text in (str(cause), str(cause.__cause__ or "")):
        assert "\n" not in text
        assert "\x1b" not in text


URL = "http://evaluator.example/apis/evaluation/v2/workspaces/ws/benchmark-jobs/{}/results/row-scores/download"


@pytest.mark.parametrize("result", [{"job": "job-2"}, {"download_url": URL.format("job-2")}])
def test_results(result):
    with client_of({"data": [{"name": "row-scores", **result}]}) as client:
        with pytest.raises(ProtocolError, match='belongs to "job-2"'):
            client.list_results("job-1")


@pytest.mark.parametrize(
    "result",
    [
        {"job": "platform-job-KYhzafKvf5tChi7ZTU546o"},
        {"job": "job-1", "download_url": URL.format("job-1")},
        {"job": None, "download_url": "/gateway/of/its/own"},
        {"job": 5, "download_url": "http://[::1/results/x/download"},
    ],
)
def test_results_that_say_nothing_else(result):
    with client_of({"data": [{"name": "row-scores", **result}]}) as client:
        assert [each.name for each in client.list_results("job-1")] == ["row-scores"]


def test_a_log():
    with client_of({"data": [{"message": "mine", "job": "job-1"}, {"message": "not mine", "job": "job-2"}]}) as client:
        with pytest.raises(ProtocolError, match='belongs to "job-2"'):
            client.get_logs("job-1")


@pytest.mark.parametrize(("name", "dataset"), [("job-1", "ws/qa"), ("job-2", ""), (None, "ws/qa")])
def test_the_dataset_of_stored_scores(name, dataset):
    with client_of({**MINE, "spec": {}}) as client:
        job = client.get_job("job-1")
    with client_of({"name": name, "dataset": "ws/qa"}) as client:
        assert client.get_dataset(job) == dataset
