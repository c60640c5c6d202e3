"""Airflow's task state over the retries of a task, from 3.3 on."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobTimeout, NotFound
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import SPEC, WORKSPACE, Crash, cancels, wait_until_finished
from tests.support.contexts import run_task, task_context


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


def next_try(store: Any, **fields: Any) -> dict[str, Any]:
    """The context of another try of the same task run."""
    return {**task_context(try_number=2, **fields), "task_state_store": store}


def posts(service: Any) -> int:
    return sum(r.method == "POST" and r.path.endswith("/benchmark-jobs") for r in service.requests)


def test_a_retry_finds_its_job_without_a_submit(make, service, dies_while_waiting, names):
    context = {**task_context(), "task_state_store": Store()}
    with dies_while_waiting():
        make()().execute(context)
    service.release_jobs()
    service.clear_requests()
    name = run_task(make(), context)
    first, second = service.requests[:2]
    assert (first.method, first.path.rpartition("/")[2]) == ("GET", name)
    assert second.path.endswith(("/status", f"/{name}"))
    assert (posts(service), names()) == (0, [name])


def test_after_a_clear_it_is_another_run(make, names):
    store = Store()
    first = run_task(make(), {**task_context(), "task_state_store": store})
    again = run_task(make(), next_try(store, clear_number=1, max_tries=1))
    assert names() == [first, again]


def test_a_clear_of_another_task_of_the_run_changes_nothing(make, service, dies_while_waiting, names):
    store = Store()
    with dies_while_waiting():
        make()().execute({**task_context(), "task_state_store": store})
    service.release_jobs()
    assert [run_task(make(), next_try(store, clear_number=1))] == names()
    assert cancels(service) == []


def test_another_spec_is_another_job(make, names):
    store = Store()
    first = run_task(make(), {**task_context(), "task_state_store": store})
    other = {**SPEC, "params": {"limit_samples": 2}}
    again = run_task(make(spec=other), next_try(store, clear_number=1, max_tries=1))
    assert names() == [first, again]


@pytest.mark.parametrize("cleared", [False, True])
def test_a_job_of_somebody_else_under_the_name_is_left_alone(make, service, client, names, cleared):
    store = Store()
    mine = run_task(make(), {**task_context(), "task_state_store": store})
    service.hold_jobs("active")
    client.submit_job(SPEC, name="theirs")
    service.release_jobs()
    store["benchmark_job"]["name"] = "theirs"
    again = run_task(make(), next_try(store, max_tries=int(cleared)))
    assert names() == ([mine, "theirs", again] if cleared else [again, "theirs"])
    assert cancels(service) == []


def test_a_kill_while_a_retry_requests_its_job_cancels_it(make, service, crash_at, dies_while_waiting, names):
    store = Store()
    with dies_while_waiting():
        make()().execute({**task_context(), "task_state_store": store})
    operator = make()()
    disarm = crash_at("GET", names()[0], when="before")
    with pytest.raises(Crash):
        operator.execute(next_try(store))
    disarm()
    operator.on_kill()
    assert cancels(service) == names()


@pytest.mark.parametrize("arguments", [{}, {"job_name": "mine"}, {"job_name": "mine", "reuse_job": False}])
def test_a_name_whose_job_was_deleted_is_not_used_again(make, client, names, arguments):
    store = Store()
    first = run_task(make(**arguments), {**task_context(), "task_state_store": store})
    client.delete_job(first)
    assert run_task(make(**arguments), next_try(store)) == f"{first}-2"
    assert names() == [f"{first}-2"]


@pytest.mark.parametrize(
    "detail", ["Workspace 'my-workspace' not found", "no healthy upstream for route", "injected fault 404"]
)
def test_a_404_that_is_not_about_the_job_submits_no_second_one(make, service, dies_while_waiting, names, detail):
    store = Store()
    with dies_while_waiting():
        make()().execute({**task_context(), "task_state_store": store})
    (name,) = names()
    service.inject(Fault.answer(404, body=json.dumps({"detail": detail}).encode()).on("GET", f"*/{name}"))
    with pytest.raises(NotFound, match=detail):
        make()().execute(next_try(store))
    service.release_jobs()
    assert run_task(make(), next_try(store)) == name
    assert (posts(service), names()) == (1, [name])


def test_a_retry_that_goes_on_with_its_job_cancels_it_when_it_is_killed(make, service, dies_while_waiting, names):
    store = Store()
    for context in ({**task_context(), "task_state_store": store}, next_try(store)):
        operator = make()()
        with dies_while_waiting():
            operator.execute(context)
    operator.on_kill()
    assert cancels(service) == names()


@pytest.mark.parametrize("kept", ["a text", {}, {"name": "job-1"}, {"name": "job-1", "unknown": 1}])
def test_an_unknown_state_is_ignored(make, names, kept):
    store = Store(benchmark_job=kept)
    assert [run_task(make(), next_try(store))] == names()


@pytest.mark.parametrize(
    ("arguments", "cancelled"),
    [
        ({}, True),
        ({"cancel_on_kill": False}, False),
        ({"reuse_job": False}, False),
        ({"deferrable": False, "wait_for_completion": False}, False),
    ],
)
def test_a_clear_that_no_trigger_has_noticed_still_cancels_the_job(service, names, arguments, cancelled):
    def submit(**fields: Any) -> str:
        operator = RunBenchmarkJobOperator(**{"task_id": "run", "spec": SPEC, "deferrable": True, **arguments})
        with suppress(TaskDeferred):
            operator.execute(next_try(store, **fields))
        return store["benchmark_job"]["name"]

    store = Store()
    service.hold_jobs("active")
    first, second = submit(), submit(clear_number=1, max_tries=1)
    assert names() == [first, second]
    assert cancels(service) == ([first] if cancelled else [])


@pytest.mark.parametrize("gone", ["failed", "deleted"])
def test_a_job_that_can_not_go_on_is_not_waited_for(make, names, service, client, gone):
    store = Store()
    service.hold_jobs("active")
    with pytest.raises(JobTimeout):
        run_task(make(timeout=0.2, cancel_on_timeout=True), {**task_context(), "task_state_store": store})
    first = wait_until_finished(client, store["benchmark_job"]["name"]).name
    if gone == "deleted":
        client.delete_job(first)
    service.release_jobs()
    assert run_task(make(), {**task_context(), "task_state_store": store}) == names()[-1]
    assert store["benchmark_job"]["name"] == names()[-1]


@pytest.mark.parametrize("fails", [["get"], ["set"], ["get", "set"]])
def test_a_store_that_fails_fails_no_task_and_is_logged_once(names, caplog, fails):
    def fail(self: Any, key: str, value: Any = None) -> Any:
        raise RuntimeError("no such table")

    broken = type("Broken", (Store,), dict.fromkeys(fails, fail))()
    name = RunBenchmarkJobOperator(task_id="run", spec=SPEC, wait_for_completion=False).execute(
        {**task_context(), "task_state_store": broken}
    )
    assert names() == [name]
    (told,) = [record.getMessage() for record in caplog.records if "no such table" in record.getMessage()]
    assert told.startswith("Airflow's task state can't be used")


def test_every_try_has_a_job_of_its_own_where_reuse_is_off(make, names):
    context = {**task_context(), "task_state_store": Store()}
    assert [run_task(make(reuse_job=False), context) for _ in range(2)] == names()
