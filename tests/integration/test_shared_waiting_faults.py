"""Triggers that wait together while the service, the connection or the credentials fail."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest
from airflow.providers.common.compat import connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _shared_polling
from tests.integration.conftest import SPEC, WORKSPACE
from tests.support.contexts import until
from tests.support.triggers import (
    event_of,
    held_jobs,
    polls,
    statuses_of,
    trigger_for,
    wait_for_all,
)

#: More jobs than are requested one by one.
MANY = 20


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        yield client


@pytest.fixture
def held(client, service):
    """Make a number of jobs that stay active, at 100 %, until they are released."""
    return lambda count: held_jobs(service, client, count)


def of_poll_loop(caplog):
    """Its records; the log of each task has the outage too, which on Airflow 2 goes through the same logging."""
    return [record for record in caplog.records if record.module == "_shared_polling"]


class TestOutage:
    @pytest.mark.parametrize("fault", [Fault.answer(503), Fault.drop_connection()])
    async def test_is_logged_once_and_survived(self, held, service, caplog, fault):
        """Others are in the unit tests, on a virtual clock."""
        waiting = wait_for_all(held(MANY))
        await until(lambda: len(service.requests) >= 4)
        injected = service.inject(fault.on("GET", "*", times=None))
        await until(lambda: injected.fired >= 5 and "Jobs waited for" in caplog.text)
        service.clear_faults()
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * MANY
        warnings = [
            r for r in of_poll_loop(caplog) if r.levelno >= logging.WARNING and "benchmark-jobs" in r.getMessage()
        ]
        assert [f"Jobs waited for: {MANY}." in r.getMessage() for r in warnings] == [True]


class TestConnection:
    """The connection can't be looked up when the first trigger begins to wait."""

    @pytest.fixture
    def fails(self, monkeypatch):
        def fail(error, times):
            async def look_up(conn_id):
                failed.append(conn_id)
                if times is None or len(failed) <= times:
                    raise error
                return await get_async_connection(conn_id)

            failed = []
            monkeypatch.setattr(connection, "get_async_connection", look_up)
            return failed

        get_async_connection = connection.get_async_connection
        return fail

    @pytest.mark.parametrize("error", [RuntimeError("the API server restarts"), AirflowNotFoundException("unknown")])
    async def test_a_fault_is_survived_and_logged_once(self, held, service, caplog, fails, error):
        names = held(5)
        failed = fails(error, 3)
        waiting = wait_for_all(names)
        await until(lambda: polls(service) >= 5)
        assert len(failed) == 4
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * 5
        assert sum("can't be looked up" in record.getMessage() for record in of_poll_loop(caplog)) == 1

    async def test_deadlines_hold_meanwhile(self, held, fails):
        names = held(2)
        fails(RuntimeError("the API server restarts"), None)
        later = wait_for_all(names[1:])
        event = await event_of(trigger_for(names[0], deadline=time.time() + 0.3))
        assert event["status"] == "timed_out"
        assert not later[0].done()
        later[0].cancel()
        await asyncio.gather(*later, return_exceptions=True)

    async def test_one_that_is_not_there_is_an_error(self, held):
        for event in await asyncio.gather(*wait_for_all(held(3), conn_id="nowhere", poll_interval=0.01)):
            assert (event["status"], event["error"]) == ("failed_to_wait", "ConfigurationError")
            assert 'connection "nowhere" is not there for the triggerer' in event["message"]


class TestCredentials:
    def change(self, service, monkeypatch):
        changed = {
            **json.loads(service.connection_json()),
            "extra": {"workspace": WORKSPACE, "headers": {"x-key": "new"}},
        }
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", json.dumps(changed))

    @pytest.mark.parametrize("count", [2, MANY])
    async def test_new_ones_are_used_when_the_old_are_refused(self, held, service, monkeypatch, count):
        waiting = wait_for_all(held(count))
        await until(lambda: len(service.requests) >= count // 10 + 1)
        self.change(service, monkeypatch)
        service.inject(Fault.answer(401).on("GET", "*"))
        await until(lambda: any(request.headers.get("x-key") == "new" for request in service.requests))
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * count

    async def test_changes_are_noticed_in_time(self, held, service, monkeypatch):
        monkeypatch.setattr(_shared_polling, "RECONNECT_SECONDS", 0.1)
        waiting = wait_for_all(held(2))
        await until(lambda: polls(service) >= 2)
        self.change(service, monkeypatch)
        await until(lambda: any(request.headers.get("x-key") == "new" for request in service.requests))
        monkeypatch.setenv(
            "AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", "{}"
        )  # a connection that can't be used changes nothing
        service.clear_requests()
        await until(lambda: polls(service) >= 10)
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * 2
