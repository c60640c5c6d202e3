from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_BENCHMARK, EvaluationService

DATA = Path(__file__).parent / "data"
JOBS = "/apis/evaluation/v2/workspaces/my-workspace/benchmark-jobs"
#: Far more than anything here takes, on the slowest of machines.
PATIENCE = 60.0


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Http(httpx.Client):
    """A plain client that knows how to submit."""

    def submit(self, name: str | None = None, **spec: Any) -> httpx.Response:
        body: dict[str, Any] = {"spec": {"benchmark": EXAMPLE_BENCHMARK, **spec}}
        return self.post(JOBS, json=body if name is None else {**body, "name": name})

    def status(self, name: str) -> dict[str, Any]:
        return self.get(f"{JOBS}/{name}/status").raise_for_status().json()

    def wait(self, name: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while (status := self.status(name))["status"] not in ("completed", "error", "cancelled"):
            assert time.monotonic() < end, status
            time.sleep(0.005)
        return status

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The structured log lines of a job."""
        page = self.get(f"{JOBS}/{name}/logs", params={"limit": 1000}).json()
        texts = [line["message"].removeprefix("[stderr] ") for line in page["data"]]
        return [json.loads(text) for text in texts if text.startswith("{")]


Connect = Callable[..., Http]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients that are closed after the test."""
    made: list[Http] = []

    def make(service: EvaluationService, **options: Any) -> Http:
        # Certificates take longer to load than most tests; this service has none.
        fields: dict[str, Any] = {"base_url": service.url, "trust_env": False, "verify": False, "timeout": PATIENCE}
        # The service closes connections unannounced, idle ones and after an error inside it: a request sent on one
        # that is closing would be lost.
        fields["limits"] = httpx.Limits(max_keepalive_connections=0)
        made.append(Http(**{**fields, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service() -> Iterator[EvaluationService]:
    """A service whose jobs end at once, with the question-answer example."""
    with EvaluationService(job_seconds=0) as running:
        running.seed_question_answer_example()
        yield running


@pytest.fixture
def http(service: EvaluationService, connect: Connect) -> Http:
    return connect(service)


@pytest.fixture
def timed(clock: Clock) -> Iterator[EvaluationService]:
    """A service whose jobs take 100 seconds of a clock that stands still."""
    with EvaluationService(job_seconds=100, clock=clock) as running:
        running.seed_question_answer_example()
        yield running


@pytest.fixture
def driven() -> Iterator[EvaluationService]:
    """A service without controllers."""
    with EvaluationService(controllers=False) as running:
        running.seed_question_answer_example()
        yield running
