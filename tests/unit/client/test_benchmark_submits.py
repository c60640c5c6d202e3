"""Benchmarks as code sent to a service that stores none, on answers that release 0.8.1 gave."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, RecordedBenchmark
from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, Conflict
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS
from tests.conftest import RECORDED

HOME = "/apis/evals/v2/workspaces/my-workspace/evaluate/jobs"
EXACT, CONTAINS = (f"my-workspace/{name}" for name in EXAMPLE_METRICS)
BENCHMARK = Benchmark(
    "my-workspace/qa-bench",
    dataset="my-workspace/qa",
    metrics=dict(zip((EXACT, CONTAINS), EXAMPLE_METRICS.values(), strict=True)),
)
REQUEST = JobRequest(BENCHMARK, params={"parallelism": 4})


def recording(name: str) -> Any:
    return json.loads((RECORDED / "0.8.1" / name).read_bytes())


class Service:
    """Takes jobs as 0.8.1 does: it returns a job as recorded, with the custom fields and the spec that were sent."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.job: dict[str, Any] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.path}"
        self.requests.append(line)
        if line == "GET /cluster-info":
            return httpx.Response(200, json=recording("002-cluster-info.json"))
        if line == f"POST {HOME}":
            if self.job is not None:
                return httpx.Response(409, json=recording("013-submit-409.json"))
            self.job = {**recording("012-submit-fileset.json"), **json.loads(request.content)}
            self.job["custom_fields"]["_nemo_telemetry"] = {"plugins": ["evals"]}
            return httpx.Response(201, json=self.job)
        if line == f"GET {HOME}/run-1" and self.job is not None:
            return httpx.Response(200, json=self.job)
        return httpx.Response(404, json=recording("128-probe.json"))


def client_of(service: Service) -> BenchmarkClient:
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="my-workspace", retry_seconds=0)
    return BenchmarkClient(config, httpx.MockTransport(service))


def test_the_spec_is_what_the_real_service_was_sent():
    service = Service()
    client_of(service).submit_job(REQUEST, name="run-1")
    assert service.requests == ["GET /cluster-info", f"POST {HOME}"]
    assert service.job is not None
    taken = recording("012-submit-fileset.json")["spec"]
    sent = service.job["spec"]
    assert (sent["dataset"], sent["params"]) == (taken["dataset"], {"parallelism": 4})
    for mine, theirs in zip(sent["metrics"], taken["metrics"], strict=True):
        assert mine["payload"]["metric"] == theirs["payload"]["metric"]
        assert {key: mine[key] for key in mine if key != "payload"} == {
            key: theirs[key] for key in mine if key != "payload"
        }


def test_the_job_keeps_the_names_of_its_metrics_and_what_it_measures():
    job = client_of(Service()).submit_job(REQUEST, name="run-1", custom_fields={"mine": 1}).job
    assert job.custom_fields["metric_names"] == {"exact-match": EXACT, "string-check": CONTAINS}
    assert job.custom_fields["mine"] == 1
    assert RecordedBenchmark.from_custom_fields(job.custom_fields) == RecordedBenchmark.of(BENCHMARK)
    assert (job.benchmark, job.dataset) == (BENCHMARK.name, "my-workspace/qa")


def test_again_it_is_found_unless_the_benchmark_has_changed():
    client = client_of(Service())
    assert client.submit_job(REQUEST, name="run-1").created
    assert not client.submit_job(REQUEST, name="run-1").created
    changed = Benchmark(BENCHMARK.name, dataset="my-workspace/other", metrics=BENCHMARK.metrics)
    with pytest.raises(Conflict, match="run-1"):
        client.submit_job(JobRequest(changed, params={"parallelism": 4}), name="run-1")


def test_a_reference_alone_is_refused_before_anything_is_sent():
    service = Service()
    with pytest.raises(ConfigurationError, match="stores no benchmarks"):
        client_of(service).submit_job(JobRequest("my-workspace/qa-bench"), name="run-1")
    assert service.requests == ["GET /cluster-info"]
