"""One suite for the local service and the real one, in each release: what passes on both can't drift from the truth."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, EvaluationService, Seeder, example_spec
from tests.support.fast_job import FastJob
from tests.support.real_platform import RealPlatform, real_releases

#: Releases that the local service behaves as.
RELEASES = ("0.1", "0.3", "0.6", "0.7", "0.8")
#: Jobs of 0.1 name a stored benchmark. Those of later releases bring their metrics along.
STORES_BENCHMARKS = pytest.mark.releases("0.1")
TAKES_BUNDLES = pytest.mark.releases("0.3", "0.6", "0.7", "0.8")


@dataclass(frozen=True)
class Target:
    """A service that the tests run against."""

    url: str
    release: str

    @property
    def stores_benchmarks(self) -> bool:
        return self.release == "0.1"

    @property
    def prefix(self) -> str:
        return {"0.1": "evaluation", "0.8": "evals"}.get(self.release, "evaluator")

    @property
    def api(self) -> str:
        return f"/apis/{self.prefix}/v2/workspaces/{EXAMPLE_WORKSPACE}"

    @property
    def jobs(self) -> str:
        return f"{self.api}/{'benchmark-jobs' if self.stores_benchmarks else 'evaluate/jobs'}"

    @property
    def steps(self) -> tuple[str, ...]:
        return ("dataset-download", "evaluation") if self.stores_benchmarks else ("evaluate",)

    @property
    def spec(self) -> dict[str, Any]:
        return example_spec(self.release)

    def job_not_found(self, name: str) -> dict[str, str]:
        named = f"Job '{name}' not found in workspace '{EXAMPLE_WORKSPACE}'."
        return {"detail": "Job not found" if self.stores_benchmarks else named}

    def result_not_found(self, result: str, name: str) -> dict[str, str]:
        named = f"Result '{result}' for job '{name}' not found in workspace '{EXAMPLE_WORKSPACE}'."
        return {"detail": "Job result not found" if self.stores_benchmarks else named}


class Http(httpx.Client):
    """A plain client that knows what it speaks to."""

    target: Target

    @property
    def jobs(self) -> str:
        return self.target.jobs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every service, in the releases that it is marked with, or in all."""
    if "target" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("releases")
    wanted = RELEASES if marker is None else marker.args
    local = [pytest.param(("local", release), id=f"local-{release}") for release in wanted]
    real = [
        pytest.param(("real", release), id=f"real-{release}", marks=pytest.mark.real_platform)
        for release in real_releases(wanted)
    ]
    # Not for the session: a service ends before those of the system tests start.
    metafunc.parametrize("target", [*local, *real], indirect=True, scope="package")


@pytest.fixture(scope="package")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The service of the test's release, with the question-answer example. Its jobs move only by requests."""
    kind, release = request.param
    service: Any = (EvaluationService if kind == "local" else RealPlatform)(controllers=False, release=release)
    with service as running:
        with Seeder(running.url, release=release) as seeder:
            seeder.question_answer_example()
        yield Target(running.url, release)


@pytest.fixture
def http(target: Target) -> Iterator[Http]:
    # Services close connections unannounced, idle ones and after an error inside them: a request sent on one that is
    # closing would be lost.
    limits = httpx.Limits(max_keepalive_connections=0)
    # Certificates take longer to load than most tests; neither service has any.
    with Http(base_url=target.url, trust_env=False, verify=False, timeout=60, limits=limits) as client:
        client.target = target
        yield client


@pytest.fixture
def name() -> str:
    """A job name that no other test has."""
    return f"job-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def job(http: Http, name: str) -> FastJob:
    """A submitted job in status created."""
    assert submit(http, name).status_code == 201
    return FastJob(http, EXAMPLE_WORKSPACE, name, steps=http.target.steps)


def submit(http: Http, name: str, **more: Any) -> httpx.Response:
    return http.post(http.jobs, json={"name": name, "spec": http.target.spec, **more})


def shape(value: Any) -> Any:
    """The keys and types of a JSON value: what a client relies on, without ids and times."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
