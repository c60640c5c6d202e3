"""BenchmarkJobEventTrigger on an event loop, against the local service."""

from __future__ import annotations

import asyncio
import itertools
import json
import os

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.testing import Fault, Seeder
from airflow_provider_benchmarks.triggers import _watcher_poll, _watcher_state
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support.contexts import until
from tests.support.watchers import LONG_BEFORE_SECONDS, Memory, names, polls, submit, trigger, watching

MEANS = {f"{WORKSPACE}/exact-match:exact-match": 0.6, f"{WORKSPACE}/string-check:string-check": 0.8}


@pytest.fixture
def service(service_with_clock):
    return service_with_clock


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(_watcher_state, "EVENT_STORED_SECONDS", 0.05)


async def test_a_job_that_finishes_makes_one_event_with_its_means(service, client) -> None:
    await submit(client, "before")
    await until(lambda: client.get_job("before").status == "completed")

    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = polls(service)
        await until(lambda: polls(service) > seen + 3)

    assert events == [
        {
            "job_name": "job-1",
            "workspace": WORKSPACE,
            "benchmark": BENCHMARK,
            "status": "completed",
            "means": MEANS,
        }
    ]


async def test_a_job_that_was_running_already_makes_an_event_when_it_finishes(service, client) -> None:
    service.hold_jobs("active")
    await submit(client, "running")

    async with watching(service, trigger()) as events:
        service.release_jobs()
        await until(lambda: events)

    assert names(events) == ["running"]


async def test_only_jobs_that_match_make_events(service, client) -> None:
    with Seeder(service.url) as seeder:
        other = seeder.benchmark(WORKSPACE, "other", metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa")
    chosen = trigger(statuses=["error", "completed"], name_pattern="nightly-*")
    async with watching(service, trigger()) as completed, watching(service, chosen) as events:
        await submit(client, "elsewhere-1", other)
        await submit(client, "release-1")
        await until(lambda: completed)
        service.hold_jobs("active")
        for name, status in (("nightly-1", "cancelled"), ("nightly-2", "error"), ("nightly-3", "completed")):
            await submit(client, name)
            service.finish_job(WORKSPACE, name, status)
        await until(lambda: len(events) == 2 and len(completed) == 2)

    assert [(event["job_name"], event["status"]) for event in events] == [
        ("nightly-2", "error"),
        ("nightly-3", "completed"),
    ]
    assert names(completed) == ["release-1", "nightly-3"]


async def test_an_event_without_means_is_fired_all_the_same(service, client) -> None:
    service.inject(Fault.answer(404).on("GET", "*/aggregate-scores/download", times=None))
    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)

    assert "404" in events[0].pop("means_error")
    assert "means" not in events[0]


async def test_a_service_that_fails_is_polled_again_with_one_warning(service, client, caplog) -> None:
    async with watching(service, trigger()) as events:
        for number, status in enumerate((401, 404, 500, 503), 1):
            caplog.clear()
            fault = service.inject(Fault.answer(status).on("GET", "*/benchmark-jobs", times=3))
            await until(lambda fault=fault: fault.fired == 3)
            await submit(client, f"job-{number}")
            await until(lambda number=number: len(events) == number)
            assert sum("Finished jobs are not seen" in record.getMessage() for record in caplog.records) == 1

    assert names(events) == ["job-1", "job-2", "job-3", "job-4"]


async def test_a_service_that_can_not_filter_by_time_is_watched_all_the_same(
    service, client, clock, monkeypatch
) -> None:
    monkeypatch.setattr(_watcher_poll, "PAGE_SIZE", 2)
    service.hold_jobs("active")
    await submit(client, "old")
    clock.advance(LONG_BEFORE_SECONDS)
    for number in range(5):
        await submit(client, f"between-{number}")
        service.finish_job(WORKSPACE, f"between-{number}", "completed")

    # The first poll has three pages, of all times. The next ones are filtered.
    async with watching(service, trigger(), polls_first=4) as events:
        listing = "filter[created_at][$gte]"
        refused = service.inject(Fault.answer(400).on("GET", "*/benchmark-jobs"))
        await until(lambda: refused.fired)
        service.clear_requests()
        await until(lambda: polls(service) > 4)
        assert not any(listing in request.query for request in service.requests)
        service.finish_job(WORKSPACE, "old", "completed")
        await submit(client, "new")
        service.finish_job(WORKSPACE, "new", "completed")
        await until(lambda: len(events) == 2)
    assert sorted(names(events)) == ["new", "old"]


async def test_a_connection_that_is_not_there_yet_is_waited_for(service, client, monkeypatch, caplog) -> None:
    connection = os.environ["AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT")
    events: list[str] = []

    async def collect() -> None:
        async for event in trigger().run():
            events.append(event.payload["job_name"])

    task = asyncio.create_task(collect())
    await until(lambda: "nemo_evaluator_default can't be used" in caplog.text)
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection)
    await until(lambda: polls(service) > 1)
    await submit(client, "job-1")
    await until(lambda: events)
    task.cancel()

    assert events == ["job-1"]


async def test_a_poll_does_not_read_the_whole_history(service, client, clock, monkeypatch) -> None:
    monkeypatch.setattr(_watcher_poll, "PAGE_SIZE", 20)
    for number in range(23):  # more than a page
        await submit(client, f"old-{number}")
    await until(lambda: all(job.is_finished for job in client.list_jobs()))
    clock.advance(LONG_BEFORE_SECONDS)

    async with watching(service, trigger()) as events:
        await submit(client, "job-1")
        await until(lambda: events)
        seen = polls(service)
        await until(lambda: polls(service) > seen + 5)

    pages = [r.query["page"] for r in service.requests if r.method == "GET" and r.path.endswith("/benchmark-jobs")]
    assert pages[-5:] == [["1"]] * 5
    assert names(events) == ["job-1"]


@pytest.mark.parametrize("stuck", [1, 5])
async def test_jobs_that_never_finish_do_not_make_polls_long(service, client, clock, monkeypatch, stuck) -> None:
    monkeypatch.setattr(_watcher_poll, "PAGE_SIZE", 5)
    service.hold_jobs("active")
    for number in range(stuck):
        await submit(client, f"stuck-{number}")
    clock.advance(LONG_BEFORE_SECONDS)
    for number in range(15):
        await submit(client, f"old-{number}")
        service.finish_job(WORKSPACE, f"old-{number}", "completed")
    clock.advance(LONG_BEFORE_SECONDS)
    await submit(client, "newest")
    service.finish_job(WORKSPACE, "newest", "completed")

    async with watching(service, trigger(poll_interval=0.01)) as events:
        await until(lambda: polls(service) > 10)
        before = len(service.requests)
        seen = polls(service)
        await until(lambda: polls(service) > seen + 10)
        requests = [request for request in service.requests[before:] if request.method == "GET"]
        service.finish_job(WORKSPACE, "stuck-0", "completed")
        await until(lambda: events)

    pages = [request.query["page"] for request in requests if request.path.endswith("/benchmark-jobs")]
    assert pages == [["1"]] * len(pages)
    assert len(requests) - len(pages) <= stuck * (len(pages) + 1)  # requests of the poll in progress count, too
    assert names(events) == ["stuck-0"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.answer(500),
        Fault.slow_body(seconds_per_chunk=0.2, chunk_bytes=1),
        Fault.malformed(
            json.dumps({"name": "troubled", "status": ["active"], "spec": {"benchmark": BENCHMARK}}).encode()
        ),
    ],
)
async def test_the_error_of_one_job_does_not_hide_others(service, client, clock, monkeypatch, fault) -> None:
    connection = json.loads(service.connection_json())
    connection["extra"] = {**connection["extra"], "timeout": 0.5}
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", json.dumps(connection))
    service.hold_jobs("active")
    await submit(client, "troubled")
    clock.advance(LONG_BEFORE_SECONDS)
    await submit(client, "newest")
    clock.advance(LONG_BEFORE_SECONDS)
    async with watching(service, trigger()) as events:
        injected = service.inject(fault.on("GET", "*/benchmark-jobs/troubled", times=None))
        await until(lambda: injected.fired > 1)
        service.finish_job(WORKSPACE, "newest", "completed")
        await until(lambda: events)
        service.finish_job(WORKSPACE, "troubled", "completed")
        service.clear_faults()
        await until(lambda: len(events) == 2)

    assert names(events) == ["newest", "troubled"]


async def test_a_job_that_is_deleted_is_forgotten(service, client) -> None:
    memory = Memory()
    service.hold_jobs("active")
    await submit(client, "deleted")
    async with watching(service, trigger(memory)) as events:
        await until(lambda: memory.knows("deleted", "running"))
        await asyncio.to_thread(client.delete_job, "deleted")
        await until(lambda: not memory.knows("deleted", "running"))

    assert events == []


async def test_a_job_that_a_gateway_does_not_find_for_a_moment_is_reported(service, client, clock) -> None:
    service.hold_jobs("active")
    await submit(client, "running")
    clock.advance(LONG_BEFORE_SECONDS)
    service.release_jobs()
    await submit(client, "newer")
    service.hold_jobs("active")
    async with watching(service, trigger()) as events:
        lost = service.inject(Fault.answer(404).on("GET", "*/benchmark-jobs/running", times=2))
        await until(lambda: lost.fired == 2)
        service.finish_job(WORKSPACE, "running", "completed")
        await until(lambda: "running" in names(events))


def test_a_set_of_statuses_makes_the_same_trigger_in_every_process() -> None:
    """Airflow takes a trigger with other arguments for another one. The order of a set differs between processes."""
    made = [
        trigger(statuses=order).serialize() for order in itertools.permutations(["error", "completed", "cancelled"])
    ]
    assert made == [made[0]] * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"statuses": ["active"]}, "statuses must be some of cancelled, completed, error, found"),
        ({"statuses": []}, "statuses must be"),
        ({"benchmark": "translate"}, "benchmark must be the reference of a benchmark, .*found 'translate'$"),
        ({"benchmark": "translate", "workspace": "ml"}, 'found .translate.; did you mean "ml/translate"\\?'),
        ({"benchmark": "ml/translate.yaml"}, '"workspace/name", as its file has it, found'),
        ({"poll_interval": 0}, "poll_interval must be more than 0"),
        ({"poll_interval": "5"}, "poll_interval must be a finite number of seconds, found '5'"),
    ],
)
def test_wrong_arguments_raise_when_the_dag_is_parsed(arguments, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BenchmarkJobEventTrigger(**{"benchmark": BENCHMARK, **arguments})
