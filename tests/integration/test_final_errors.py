"""Tasks whose errors no retry mends fail at once; those that a retry may mend keep it."""

from __future__ import annotations

import asyncio

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    InvalidRequest,
    NotFound,
    ResultsTooLarge,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.hooks import inline_wait
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import SPEC
from tests.support.contexts import events_of, stored, task_context


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")
    monkeypatch.setattr(inline_wait, "REFUSED_POLL_INTERVAL_SECONDS", 0.01)


def run(**arguments) -> RunBenchmarkJobOperator:
    return RunBenchmarkJobOperator(**{"task_id": "run", "spec": SPEC, "poll_interval": 0.05, **arguments})


@pytest.mark.parametrize(
    ("arguments", "status", "kind", "is_final"),
    [
        ({"spec": {"benchmark": "my-workspace/none"}}, None, NotFound | InvalidRequest, True),
        ({"workspace": "none"}, None, NotFound | InvalidRequest, True),
        ({"spec": {**SPEC, "unknown": 1}}, None, InvalidRequest, True),
        ({}, 401, Unauthorized, False),
        ({}, 403, Unauthorized, True),
        ({}, 422, InvalidRequest, True),
        ({}, 503, ServiceUnavailable, False),
    ],
)
def test_a_submit(service, arguments, status, kind, is_final):
    if status is not None:
        service.inject(Fault.answer(status, body=b'{"detail": "no"}').on("POST", "*-jobs", times=None))
    with pytest.raises(BenchmarkError) as caught:
        run(**arguments).execute(task_context())
    assert isinstance(caught.value, kind)
    assert isinstance(caught.value, AirflowFailException) is is_final


@pytest.mark.parametrize(("status", "is_final"), [(401, False), (403, True)])
def test_a_deferred_wait(service, status, is_final):
    service.hold_jobs("active")
    with pytest.raises(TaskDeferred) as deferred:
        run(deferrable=True, job_name="job-1").execute(task_context())
    service.inject(Fault.answer(status, body=b'{"detail": "no"}').on("GET", "*-jobs*", times=None))
    (event,) = asyncio.run(events_of(stored(deferred.value.trigger)))
    assert event["error"] == "Unauthorized"
    with pytest.raises(Unauthorized) as caught:
        run(deferrable=True).execute_complete(task_context(), event, job_name="job-1")
    assert isinstance(caught.value, AirflowFailException) is is_final


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_sensor(service, soft_fail):
    run(job_name="job-1", wait_for_completion=False).execute(task_context())
    service.inject(Fault.answer(403, body=b'{"detail": "no"}').on("GET", "*/status", times=None))
    sensor = BenchmarkJobSensor(task_id="wait", job_name="job-1", soft_fail=soft_fail, poke_interval=0.05)
    with pytest.raises(Unauthorized) as caught:
        sensor.execute(task_context())
    assert isinstance(caught.value, AirflowFailException)
    assert not isinstance(caught.value, AirflowSkipException)


def test_a_job_that_is_not_there_yet(service):
    for kind in (DownloadAggregateScoresOperator, BenchmarkJobSensor):
        with pytest.raises(NotFound) as caught:
            kind(task_id="t", job_name="job-1").execute(task_context())
        assert not isinstance(caught.value, AirflowFailException)


def test_results_that_are_too_large_for_an_xcom(service, monkeypatch):
    run(job_name="job-1").execute(task_context())
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__MAX_XCOM_BYTES", "10")
    for kind in (DownloadAggregateScoresOperator, DownloadRowScoresOperator):
        with pytest.raises(ResultsTooLarge) as caught:
            kind(task_id="t", job_name="job-1").execute(task_context())
        assert isinstance(caught.value, AirflowFailException)
