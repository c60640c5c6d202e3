"""Cancelling many jobs, on a service and an Airflow that take their time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from airflow_provider_benchmarks.triggers import _cancelling
from tests.support import virtual_time


class SlowService:
    """The client of a service that takes a number of seconds for each cancel request, and may be down."""

    def __init__(self, *, seconds: float, down: bool = False) -> None:
        self.seconds, self.down = seconds, down
        self.requested: list[str] = []
        self.cancelled: list[str] = []
        self.opened = 0
        self.lookups_that_fail = 0

    async def open(self, conn_id: str, workspace: str | None, *, retry_seconds: float) -> Any:
        self.opened += 1
        if self.opened <= self.lookups_that_fail:
            raise RuntimeError("the API server restarts")
        return self

    async def cancel_job(self, name: str) -> None:
        self.requested.append(name)
        await asyncio.sleep(self.seconds)
        if self.down:
            raise ServiceUnavailable("down")
        self.cancelled.append(name)

    async def close(self) -> None:
        pass


def cancel_all(service: SlowService, names: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], float]:
    """Cancel jobs at the same time; returns what each cancel returned or raised, and the seconds that all took."""

    async def main() -> tuple[list[Any], float]:
        cancels = [_cancelling.cancel_job(name, conn_id="c", workspace=None) for name in names]
        ends = await asyncio.gather(*cancels, return_exceptions=True)
        return ends, asyncio.get_running_loop().time()

    monkeypatch.setattr(_cancelling, "open_client", service.open)
    return virtual_time.run(main())


def test_a_timeout_is_for_one_request_and_not_for_the_wait_for_its_turn(monkeypatch):
    names = [f"job-{number}" for number in range(20)]
    service = SlowService(seconds=_cancelling.CANCEL_TIMEOUT_SECONDS - 1)
    ends, seconds = cancel_all(service, names, monkeypatch)
    assert ends == [None] * 20
    assert sorted(service.cancelled) == sorted(names)
    assert seconds > 4 * _cancelling.CANCEL_TIMEOUT_SECONDS


def test_a_request_that_takes_too_long_is_an_error(monkeypatch):
    ends, _ = cancel_all(SlowService(seconds=_cancelling.CANCEL_TIMEOUT_SECONDS + 1), ["job-1"], monkeypatch)
    assert [type(end) for end in ends] == [TimeoutError]


def test_a_connection_that_is_not_found_at_once(monkeypatch):
    names = [f"job-{number}" for number in range(10)]
    service = SlowService(seconds=0)
    service.lookups_that_fail = 1
    assert cancel_all(service, names, monkeypatch)[0] == [None] * 10
    assert sorted(service.cancelled) == sorted(names)
    assert service.opened == 2


def test_a_connection_that_is_never_found(monkeypatch):
    service = SlowService(seconds=0)
    service.lookups_that_fail = 1000
    ends, _ = cancel_all(service, ["job-1", "job-2"], monkeypatch)
    assert [str(end) for end in ends] == ["the API server restarts"] * 2
    assert service.opened == _cancelling.CONNECTION_ATTEMPTS


def test_a_service_that_stays_down_gets_no_request_for_every_job(monkeypatch):
    service = SlowService(seconds=10, down=True)
    ends, seconds = cancel_all(service, [f"job-{number}" for number in range(400)], monkeypatch)
    assert {type(end) for end in ends} == {ServiceUnavailable}
    rounds = _cancelling.MAX_OUTAGE_SECONDS / 10 + 2
    assert len(service.requested) <= rounds * _cancelling.MAX_CONCURRENT_CANCELS
    assert seconds <= rounds * 10
