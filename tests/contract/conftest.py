"""One suite for two services: what passes here against both can't drift from the truth."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_BENCHMARK, EXAMPLE_WORKSPACE, EvaluationService, Seeder
from tests.support.fast_job import FastJob
from tests.support.real_platform import RealPlatform

JOBS = f"/apis/evaluation/v2/workspaces/{EXAMPLE_WORKSPACE}/benchmark-jobs"
SPEC = {"benchmark": EXAMPLE_BENCHMARK}


@pytest.fixture(scope="session")
def local_url() -> Iterator[str]:
    with EvaluationService(controllers=False) as service:
        service.seed_question_answer_example()
        yield service.url


@pytest.fixture(scope="session")
def real_url() -> Iterator[str]:
    with RealPlatform(controllers=False) as platform:
        with Seeder(platform.url) as seeder:
            seeder.question_answer_example()
        yield platform.url


@pytest.fixture(params=["local", pytest.param("real", marks=pytest.mark.real_platform)])
def url(request) -> str:
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


@pytest.fixture
def http(url) -> Iterator[httpx.Client]:
    # Certificates take longer to load than most tests; neither service has any.
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=60) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A job name that no other test has."""
    return f"job-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def job(http, name) -> FastJob:
    """A submitted job in status created."""
    assert submit(http, name).status_code == 201
    return FastJob(http, EXAMPLE_WORKSPACE, name)


def submit(http: httpx.Client, name: str, **more: Any) -> httpx.Response:
    return http.post(JOBS, json={"name": name, "spec": SPEC, **more})


def shape(value: Any) -> Any:
    """The keys and types of a JSON value: what a client relies on, without ids and times."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
