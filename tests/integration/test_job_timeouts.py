"""A job that takes too long: what its task raises and cancels, and what a retry does."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobFailed, JobTimeout
from airflow_provider_benchmarks.hooks import failure_log
from airflow_provider_benchmarks.operators._task_identity import identity_of
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import SPEC, WORKSPACE, cancels, wait_until_finished
from tests.support.contexts import events_of, run_task, stored, task_context


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


def wait_until_in_step(client: BenchmarkClient, name: str, step: str) -> None:
    end = time.monotonic() + 60
    while client.get_status(name).current_step != step:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_job_that_takes_too_long_is_cancelled(make, service, client):
    service.hold_jobs("active")
    context = task_context()
    with pytest.raises(JobTimeout, match=r"submitted 0:00:\d\d ago\. .*The service was asked to cancel it"):
        run_task(make(timeout=0.3, cancel_on_timeout=True), context)
    assert cancels(service) == [identity_of(context).job_name()]
    assert wait_until_finished(client, identity_of(context).job_name()).status == "cancelled"


@pytest.mark.parametrize("status", ["cancelling", "cancelled"])
def test_a_retry_submits_the_next_job(make, service, names, status):
    service.hold_jobs("active")
    with pytest.raises(JobTimeout):
        run_task(make(timeout=0.3, cancel_on_timeout=True), task_context())
    service.pin_status(WORKSPACE, names()[0], status)
    service.release_jobs()
    assert run_task(make(), task_context()) == names()[1]


def test_a_cancel_that_fails_changes_nothing_about_the_error(make, service):
    service.hold_jobs("active")
    refusal = service.inject(Fault.answer(403).on("POST", "*/cancel", times=None))
    with pytest.raises(JobTimeout, match="did not end in time.*It could not be cancelled .* may still run"):
        run_task(make(timeout=0.3, cancel_on_timeout=True), task_context())
    assert refusal.fired == 1


def deferred_until_its_deadline(**arguments: Any) -> tuple[Any, dict[str, Any]]:
    """Let a task defer, and its trigger reach the deadline. Returns a call that resumes the task, and the event."""
    make = lambda: RunBenchmarkJobOperator(
        task_id="run", spec=SPEC, deferrable=True, poll_interval=0.05, timeout=0.3, **arguments
    )
    with pytest.raises(TaskDeferred) as caught:
        make().execute(task_context())
    (event,) = asyncio.run(events_of(stored(caught.value.trigger)))
    assert event["status"] == "timed_out"
    kwargs = {**caught.value.kwargs, "event": event}
    return lambda: make().resume_execution("execute_complete", kwargs, task_context()), event


def test_a_job_that_completes_before_the_task_has_resumed_is_a_success(service, client):
    service.hold_jobs("active")
    resume, event = deferred_until_its_deadline(cancel_on_timeout=True)
    service.release_jobs()
    wait_until_finished(client, event["job_name"])
    assert resume() == event["job_name"]
    assert cancels(service) == []


def test_a_job_that_fails_before_the_task_has_resumed_says_why(service):
    service.hold_jobs("active")
    resume, event = deferred_until_its_deadline()
    service.finish_job(WORKSPACE, event["job_name"], "error", root_error="no such column")
    with pytest.raises(JobFailed, match="no such column"):
        resume()


def test_the_job_is_cancelled_before_its_log_is_read(service):
    service.hold_jobs("active")
    resume, _ = deferred_until_its_deadline(cancel_on_timeout=True)
    service.clear_requests()
    with pytest.raises(JobTimeout, match="last seen: active, step evaluation"):
        resume()
    asked = [request.path.rpartition("/")[2] for request in service.requests]
    assert asked == ["status", "cancel", "logs"]


def test_a_long_log_is_not_read_to_its_end(service, client, monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.client._operations._LOG_PAGE", 1)
    monkeypatch.setattr(failure_log, "MAX_LINES_AFTER_TIMEOUT", 2)
    service.hold_jobs("active")
    resume, _ = deferred_until_its_deadline()
    service.clear_requests()
    with pytest.raises(JobTimeout, match="Log, up to line 2:"):
        resume()
    assert sum(request.path.endswith("/logs") for request in service.requests) == 2


@pytest.mark.parametrize(
    ("seconds", "cancel", "goes_on"),
    [
        (3600, False, True),
        (3600, True, True),
        (0.001, True, True),  # the timeout is over, and the job is to be cancelled
        (0.001, False, False),  # the timeout is over, and a retry waits as long again
    ],
)
def test_the_time_of_the_job_counts_over_all_tries(
    service, client, dies_while_waiting, names, seconds, cancel, goes_on
):
    make = lambda: RunBenchmarkJobOperator(
        task_id="run", spec=SPEC, deferrable=True, timeout=seconds, cancel_on_timeout=cancel
    )
    with dies_while_waiting():
        make().execute(task_context())
    with pytest.raises(TaskDeferred) as caught:
        make().execute(task_context(try_number=2))
    submitted = client.get_job(names()[0]).created_at.timestamp()
    assert (caught.value.trigger.deadline == submitted + seconds) == goes_on
    assert caught.value.trigger.deadline >= submitted + seconds


def test_a_retry_after_the_time_is_over_cancels_the_job_at_once_where_that_is_wanted(
    make, service, dies_while_waiting, names
):
    with dies_while_waiting():
        run_task(make(), task_context())
    with pytest.raises(JobTimeout):
        run_task(make(timeout=0.001, cancel_on_timeout=True, poll_interval=600), task_context(try_number=2))
    assert cancels(service) == names()


def test_the_error_says_what_the_job_was_doing(make, client, dies_while_waiting):
    context = task_context()
    name = identity_of(context).job_name()
    with dies_while_waiting():
        run_task(make(), context)
    wait_until_in_step(client, name, "evaluation")
    with pytest.raises(JobTimeout) as caught:
        run_task(make(timeout=0.3), task_context(try_number=2))
    assert caught.value.job == name
    seen, _, lines = str(caught.value).partition("\nLast log lines:")
    assert "last seen: active, step evaluation" in seen
    assert re.search(r", submitted 0:0\d:\d\d", seen)
    assert lines.strip()
