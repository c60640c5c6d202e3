"""Odd answers about one job, on a virtual clock, touch the wait for no other job of the connection."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.triggers import _shared_polling
from tests.support.jobs_in_memory import JobsInMemory
from tests.support.triggers import trigger_for
from tests.support.virtual_time import in_virtual_time, until
from tests.unit.triggers.test_shared_polling import cancel, names_of, now, statuses_of, wait_for_all

INTERVAL = 30.0


@pytest.fixture
def service(monkeypatch) -> JobsInMemory:
    made = JobsInMemory(names_of(4))
    monkeypatch.setattr(_shared_polling, "open_client", made.open_client)
    return made


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("retry_after", ["200", "inf", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", None])
@in_virtual_time
async def test_a_pause_that_is_asked_for_with_one_job(service, status, retry_after):
    """The job is polled more often than the others, so that it is often polled alone."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    respond = service._respond

    async def odd(request: httpx.Request) -> httpx.Response:
        if "/job-0/" in request.url.path and odd_since is not None:
            return httpx.Response(status, headers=headers, json={"detail": "busy"})
        return await respond(request)

    odd_since: float | None = None
    service._respond = odd
    (mine,) = wait_for_all(["job-0"], poll_interval=INTERVAL / 4)
    others = wait_for_all(names_of(4)[1:], poll_interval=INTERVAL)
    await until(lambda: now() > 3 * INTERVAL)
    odd_since = now()
    await until(lambda: now() > odd_since + INTERVAL)
    service.finish_all()
    finished = now()
    assert await statuses_of(others) == ["completed"] * 3
    assert now() - finished <= 2 * INTERVAL
    assert not mine.done()
    await cancel([mine])


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, 10**400, "30", None, True])
def test_an_interval_or_a_deadline_that_is_no_number(value):
    """It would end the poll loop that all jobs of the connection share."""
    with pytest.raises(ConfigurationError, match="poll_interval"):
        trigger_for(poll_interval=value)
    if value not in (None, -1):
        with pytest.raises(ConfigurationError, match="deadline"):
            trigger_for(deadline=value)
