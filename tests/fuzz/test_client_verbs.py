"""Every public method of both clients, with every kind of answer: a right value or an error of this package."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest
from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig, Submission
from airflow_provider_benchmarks.client._choice import forget_choices
from airflow_provider_benchmarks.client.generations import Generation
from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.jobs import BenchmarkJob
from tests.fuzz.budget import examples
from tests.fuzz.odd_answers import ODD, Odd
from tests.fuzz.right_service import NAME, WORKSPACE, Service
from tests.fuzz.right_values import (
    check_counts,
    check_error,
    check_job,
    check_jobs,
    check_log,
    check_name,
    check_results,
    check_rows,
    check_scores,
    check_text,
)

SPEC = {"benchmark": "my-workspace/qa-bench", "params": {"parallelism": 4}}
METRIC = {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"}
BENCHMARK = Benchmark("my-workspace/qa", rows=[{"reference": "a", "output": "a"}], metrics={"my-workspace/m": METRIC})
JOB = BenchmarkJob(name=NAME, workspace=WORKSPACE, status="completed")
#: A verb calls a method, and checks what it returns.
Verb = Callable[[BenchmarkClient], None]


def _submitted(submission: Submission, name: str | None = NAME) -> None:
    check_job(submission.job, name)
    assert type(submission.created) is bool


def _rows_of_file(client: BenchmarkClient) -> None:
    pieces, length = client.open_row_scores(NAME)
    content = b"".join(pieces)
    assert length is None or len(content) == length


def _generation(client: BenchmarkClient) -> None:
    assert isinstance(client.get_generation(), Generation)


VERBS: dict[str, Verb] = {
    "submit_job": lambda client: _submitted(client.submit_job(SPEC, name=NAME)),
    "submit_job, without a name": lambda client: _submitted(client.submit_job(SPEC), None),
    "submit_job, of code": lambda client: _submitted(client.submit_job(JobRequest(benchmark=BENCHMARK), name=NAME)),
    "get_job": lambda client: check_job(client.get_job(NAME)),
    "get_status": lambda client: check_job(client.get_status(NAME)),
    "list_jobs": lambda client: check_jobs(client.list_jobs(status=["completed"])),
    "check_workspace": lambda client: client.check_workspace(),
    "cancel_job": lambda client: check_job(client.cancel_job(NAME)),
    "delete_job": lambda client: client.delete_job(NAME),
    "iter_logs": lambda client: check_log(client.iter_logs(NAME, tail=5)),
    "get_logs": lambda client: check_log(client.get_logs(NAME)),
    "list_results": lambda client: check_results(client.list_results(NAME)),
    "get_aggregate_scores": lambda client: check_scores(client.get_aggregate_scores(NAME)),
    "get_row_counts": lambda client: check_counts(client.get_row_counts(NAME)),
    "get_dataset": lambda client: check_name(client.get_dataset(JOB)),
    "iter_row_scores": lambda client: check_rows(client.iter_row_scores(NAME)),
    "iter_row_lines": lambda client: deque(client.iter_row_lines(NAME), 0).clear(),
    "open_row_scores": _rows_of_file,
    "iter_artifacts": lambda client: deque(client.iter_artifacts(NAME), 0).clear(),
    "iter_result": lambda client: deque(client.iter_result(NAME, "artifacts"), 0).clear(),
    "check_health": lambda client: client.check_health(),
    "get_platform_version": lambda client: check_text(client.get_platform_version()),
    "get_generation": _generation,
    "job_url": lambda client: check_text(client.job_url(NAME)),
}
#: What makes no request.
SILENT = {"within", "close", "config"}
APIS = st.sampled_from(["benchmark-jobs", "evaluate-jobs"])
FIRST = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4])
TIMES = st.sampled_from([1, 1, 2, 1000])
VARIANTS = st.sampled_from([0, 0, 1, 2, 3, 4, 5])


def config_of(api: str, **fields: Any) -> ClientConfig:
    known = {"base_url": "http://evaluator.invalid", "workspace": WORKSPACE, "retry_seconds": 0, "trust_env": False}
    return ClientConfig(**{**known, "api": api, **fields})


def public_methods(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")} - SILENT


def test_the_grid_has_every_verb():
    assert {name.partition(",")[0] for name in VERBS} == public_methods(BenchmarkClient)
    assert {name.partition(",")[0] for name in ASYNCHRONOUS} == public_methods(AsyncBenchmarkClient)


@pytest.mark.parametrize("verb", VERBS)
@examples(12)
@given(odd=ODD, api=APIS, is_known=st.booleans(), first=FIRST, times=TIMES, variant=VARIANTS)
def test_a_verb(verb, odd, api, is_known, first, times, variant):
    forget_choices()
    service = Service(api, odd, first=first, times=times, variant=variant)
    config = config_of(api if is_known else "auto")
    with BenchmarkClient(config, httpx.MockTransport(service)) as client, patch("time.sleep"):
        try:
            VERBS[verb](client)
        except BenchmarkError as error:
            check_error(error)


@pytest.mark.parametrize("api", ["benchmark-jobs", "evaluate-jobs"])
@pytest.mark.parametrize("verb", VERBS)
def test_right_answers_are_right(verb, api):
    for chosen in (api, "auto"):
        forget_choices()
        with BenchmarkClient(config_of(chosen), httpx.MockTransport(Service(api, Odd()))) as client:
            VERBS[verb](client)


async def _pages(client: AsyncBenchmarkClient) -> None:
    async for jobs, left in client.iter_pages(status=["completed"]):
        for job in jobs:
            check_job(job, None)
        assert left >= 0


async def _checked(check: Callable[[Any], None], value: Any) -> None:
    check(await value)


ASYNCHRONOUS: dict[str, Callable[[AsyncBenchmarkClient], Any]] = {
    "get_job": lambda client: _checked(check_job, client.get_job(NAME)),
    "get_status": lambda client: _checked(check_job, client.get_status(NAME)),
    "iter_pages": _pages,
    "cancel_job": lambda client: _checked(check_job, client.cancel_job(NAME)),
    "get_aggregate_scores": lambda client: _checked(check_scores, client.get_aggregate_scores(NAME)),
    "check_responds": lambda client: client.check_responds(time_limit=10),
}


@pytest.mark.parametrize("verb", ASYNCHRONOUS)
@examples(25)
@given(odd=ODD, api=APIS, is_known=st.booleans(), first=FIRST, times=TIMES, variant=VARIANTS)
def test_an_asynchronous_verb(verb, odd, api, is_known, first, times, variant):
    async def call() -> None:
        service = Service(api, odd, first=first, times=times, variant=variant)
        config = config_of(api if is_known else "auto")
        async with AsyncBenchmarkClient(config, httpx.MockTransport(service)) as client:
            try:
                await ASYNCHRONOUS[verb](client)
            except BenchmarkError as error:
                check_error(error)

    forget_choices()
    asyncio.run(call())
