"""Jobs and lists with trouble of their own, on a virtual clock and in the worst order, delay no other job."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient
from airflow_provider_benchmarks.triggers import _shared_polling, _status_requests
from tests.support.jobs_in_memory import JobsInMemory
from tests.support.virtual_time import in_virtual_time, until
from tests.unit.triggers.test_shared_polling import INTERVAL, cancel, names_of, now, statuses_of, wait_for_all

#: Jobs with trouble, and healthy ones: more than are requested one by one where a list has them.
TROUBLED, HEALTHY = 20, 3
NAMES = names_of(TROUBLED + HEALTHY)
ODD, GOOD = NAMES[:TROUBLED], NAMES[TROUBLED:]
#: Seconds that all troubled jobs and the list together may delay the others.
FEW_SECONDS = 20.0

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


async def hang(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def drop(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("the connection was closed", request=request)


def status(code: int, **headers: str) -> Answer:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(code, headers=headers, json={"detail": "no"})

    return answer


async def page(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, html="<html>Sign in</html>")


TROUBLES = {
    "hang": hang,
    "drop": drop,
    "500": status(500),
    "503 with a pause": status(503, **{"Retry-After": "300"}),
    "page": page,
}


class Service(JobsInMemory):
    """Jobs of which some answer in their own way, and so do the list and what tells the release."""

    def __init__(self) -> None:
        super().__init__(NAMES)
        self.answers: dict[str, Answer] = {}
        self.seconds = 0.0
        self.received = self.open = self.most_open = 0
        self.answered: dict[str, list[float]] = defaultdict(list)
        self.answer_job: Answer = super()._respond

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        *_, last, end = request.url.path.split("/")
        what = last if end == "status" else end
        self.received += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.seconds)
            response = await self.answers.get(what, self.answer_job)(request)
        finally:
            self.open -= 1
        self.answered[what].append(now())
        return response

    def longest_gap(self, name: str) -> float:
        """Number of seconds in which a job was not answered for."""
        times = [0.0, *self.answered[name], now()]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


@pytest.fixture
def service(monkeypatch) -> Service:
    """A service whose troubled jobs always come first."""

    def worst_first(names: list[Any]) -> None:
        if names and isinstance(names[0], str):
            names.sort(key=NAMES.index)

    made = Service()
    monkeypatch.setattr(_shared_polling, "open_client", made.open_client)
    monkeypatch.setattr(_status_requests.random, "shuffle", worst_first)
    return made


@pytest.mark.parametrize(
    ("trouble", "of_list"),
    [
        *((trouble, of_list) for trouble in TROUBLES for of_list in (None, "500")),
        *(("hang", each) for each in TROUBLES if each != "500"),
    ],
)
@in_virtual_time
async def test_jobs_with_trouble_delay_no_other(service, trouble, of_list):
    service.answers = dict.fromkeys(ODD, TROUBLES[trouble])
    if of_list is None:
        service.statuses = dict.fromkeys(ODD, "hidden") | dict.fromkeys(GOOD, "hidden")  # from lists
    else:
        service.answers["benchmark-jobs"] = TROUBLES[of_list]
    odd, good = wait_for_all(ODD), wait_for_all(GOOD)
    await until(lambda: now() > 8 * INTERVAL)
    for name in GOOD:
        assert service.longest_gap(name) <= INTERVAL + FEW_SECONDS
    finished = now()
    service.statuses |= dict.fromkeys(GOOD, "completed")
    assert await statuses_of(good) == ["completed"] * HEALTHY
    assert now() <= finished + INTERVAL + FEW_SECONDS
    assert service.most_open <= 10
    await cancel(odd)


@pytest.mark.parametrize("refused", ["benchmark-jobs", ODD[0]])
@in_virtual_time
async def test_a_connection_that_has_another_token_at_each_look_up(service, monkeypatch, refused):
    async def open_client(*arguments: Any, **options: Any) -> AsyncBenchmarkClient:
        client = await service.open_client(*arguments, **options)
        config = replace(client.config, token=f"token-{service.opened}")
        return AsyncBenchmarkClient(config, httpx.MockTransport(service._respond))

    monkeypatch.setattr(_shared_polling, "open_client", open_client)
    service.answers[refused] = status(403)
    service.statuses = dict.fromkeys(NAMES, "hidden")  # from lists
    waiting = wait_for_all(NAMES)
    await until(lambda: all(len(service.answered[name]) >= 3 for name in GOOD))
    service.statuses |= dict.fromkeys(NAMES, "completed")
    assert await statuses_of(waiting[1:]) == ["completed"] * (len(NAMES) - 1)
    assert service.opened < now()
    await cancel(waiting)


@pytest.mark.parametrize("count", [1, 5])
@in_virtual_time
async def test_one_healthy_job_among_a_few_that_hang(service, count):
    service.answers = dict.fromkeys(ODD, hang)
    odd, good = wait_for_all(ODD[:count]), wait_for_all(GOOD[:1])
    await until(lambda: now() > 900)
    assert service.longest_gap(GOOD[0]) <= INTERVAL + FEW_SECONDS
    assert not any(task.done() for task in odd)
    await cancel([*odd, *good])


@pytest.mark.parametrize("trouble", ["hang", "drop"])
@in_virtual_time
async def test_a_job_that_begins_while_all_others_have_trouble(service, trouble):
    """Also where what tells the release responds no more than they do."""
    service.answers = dict.fromkeys([*ODD, "cluster-info"], TROUBLES[trouble])
    odd = wait_for_all(ODD[:6])
    await until(lambda: now() > 1800)
    begun = now()
    service.statuses |= dict.fromkeys(GOOD, "completed")
    assert await statuses_of(wait_for_all(GOOD)) == ["completed"] * HEALTHY
    assert now() <= begun + 2 * INTERVAL
    await cancel(odd)


@in_virtual_time
async def test_when_a_new_job_is_answered_the_others_are_polled_at_once(service):
    service.answers = dict.fromkeys([*NAMES, "cluster-info"], status(503))
    waiting = wait_for_all(NAMES[:5])
    await until(lambda: now() > 3600)
    service.answers = {}
    service.finish_all()
    begun = now()
    assert await statuses_of([*waiting, *wait_for_all(GOOD)]) == ["completed"] * (5 + HEALTHY)
    assert now() <= begun + 2 * INTERVAL


@pytest.mark.parametrize("count", [1, 9, 23])
@in_virtual_time
async def test_a_service_that_is_slow_is_not_down(service, caplog, count):
    service.timeout, service.seconds = 10.0, 8.0
    service.statuses = dict.fromkeys(NAMES, "hidden")
    waiting = wait_for_all(NAMES[:count])
    await until(lambda: now() > 900)
    for name in NAMES[:count]:
        assert service.longest_gap(name) <= 4 * INTERVAL
    assert service.most_open <= 10
    assert "Jobs waited for" not in caplog.text
    service.finish_all()
    assert await statuses_of(waiting) == ["completed"] * count


@pytest.mark.parametrize("count", [1, 23])
@in_virtual_time
async def test_a_service_that_hangs_gets_fewer_and_fewer_requests(service, caplog, count):
    waiting = wait_for_all(NAMES[:count])
    await until(lambda: len(service.sent) >= 2)
    service.seconds = math.inf
    begun = now()
    await until(lambda: now() > begun + 3600)
    begun, before = now(), service.received
    await until(lambda: now() > begun + 3600)
    assert 0 < service.received - before <= 3 * 3600 / 200
    assert service.most_open <= 10
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING and "Jobs waited for" in r.getMessage()]
    assert len(warnings) == 1
    service.seconds = 0.0
    service.finish_all()
    begun = now()
    assert await statuses_of(waiting) == ["completed"] * count
    assert now() <= begun + 400 + INTERVAL


@pytest.mark.parametrize("trouble", TROUBLES)
@in_virtual_time
async def test_a_list_with_trouble_is_an_outage_for_nobody(service, caplog, trouble):
    service.answers = {"benchmark-jobs": TROUBLES[trouble]}
    waiting = wait_for_all(NAMES)
    await until(lambda: now() > 10 * INTERVAL)
    for name in NAMES:
        assert service.longest_gap(name) <= INTERVAL + FEW_SECONDS
    assert "Jobs waited for" not in caplog.text
    service.finish_all()
    assert await statuses_of(waiting) == ["completed"] * len(NAMES)


@in_virtual_time
async def test_a_pause_that_the_list_asks_for_is_that_of_the_list(service):
    service.answers = {"benchmark-jobs": status(429, **{"Retry-After": "200"})}
    waiting = wait_for_all(NAMES)
    await until(lambda: now() > 190)
    assert len(service.answered["benchmark-jobs"]) == 1
    await until(lambda: now() > 200 + 2 * INTERVAL)
    assert len(service.answered["benchmark-jobs"]) == 2
    await cancel(waiting)


@pytest.fixture
def hiding(service, monkeypatch) -> Service:
    """The service behind a gateway that hides what tells its release, so that only the jobs' own paths do."""

    async def open_client(*arguments: Any, **options: Any) -> AsyncBenchmarkClient:
        client = await opened(*arguments, **options)
        return AsyncBenchmarkClient(replace(client.config, api="auto"), httpx.MockTransport(service._respond))

    opened = service.open_client
    monkeypatch.setattr(_shared_polling, "open_client", open_client)
    return service


@pytest.mark.parametrize("of_release", ["403", "hang"])
@pytest.mark.parametrize("of_list", [*TROUBLES, "403"])
@pytest.mark.parametrize("of_other_releases", [None, "403", "hang"])
@in_virtual_time
async def test_jobs_whose_release_and_list_are_hidden(hiding, of_release, of_list, of_other_releases):
    troubles = TROUBLES | {"403": status(403)}
    hiding.answers = dict.fromkeys(ODD[:2], hang)
    hiding.answers |= {"cluster-info": troubles[of_release], "benchmark-jobs": troubles[of_list]}
    hiding.answers["jobs"] = troubles[of_list]  # the list of the later releases
    if of_other_releases:
        respond = hiding.answer_job
        other = troubles[of_other_releases]
        hiding.answer_job = lambda request: (respond if "/apis/evals/" in request.url.path else other)(request)
    odd, good = wait_for_all(ODD[:2]), wait_for_all(GOOD)
    await until(lambda: now() > 8 * INTERVAL)
    for name in GOOD:
        assert hiding.longest_gap(name) <= INTERVAL + FEW_SECONDS
    assert hiding.received <= 8 * (HEALTHY + 2) + 30
    hiding.statuses |= dict.fromkeys(GOOD, "completed")
    assert await statuses_of(good) == ["completed"] * HEALTHY
    await cancel(odd)


@pytest.mark.parametrize("of_job", ["500", "hang"])
@in_virtual_time
async def test_refusals_of_the_lists_end_no_wait(hiding, of_job):
    """The job can be requested, if not read for now: what ends its wait is its own answers, and no other's."""
    refused = status(403)
    hiding.answers = {ODD[0]: TROUBLES[of_job], "cluster-info": refused, "benchmark-jobs": refused, "jobs": refused}
    waiting = wait_for_all(ODD[:1])
    await until(lambda: now() > 3600)
    del hiding.answers[ODD[0]]
    hiding.finish_all()
    assert await statuses_of(waiting) == ["completed"]
