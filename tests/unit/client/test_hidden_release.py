"""A gateway hides the release and the lists of jobs; who may read one job can read it all the same, without sockets."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig, _choice, _questions
from airflow_provider_benchmarks.client._choice import assuming
from airflow_provider_benchmarks.client._time_limits import _TOGETHER, overtime, time_left
from airflow_provider_benchmarks.exceptions import (
    JobNotFound,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from tests.unit.client.test_choice import HOMES, JOB, not_found

CONFIG = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", retry_seconds=0)
Answer = Callable[[httpx.Request], httpx.Response]


def status(code: int, **headers: str) -> Answer:
    return lambda request: httpx.Response(code, headers=headers, json={"detail": "no"})


def late(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


#: What comes of the lists.
LISTS: dict[str, Answer] = {
    "401": status(401),
    "403": status(403),
    "500": status(500),
    "503": status(503),
    "late": late,
    "unknown path": lambda request: not_found(),
    "page": lambda request: httpx.Response(200, html="<html>login</html>"),
}


class Gateway:
    """Lets only the paths of single jobs of one release through.

    :param home: path of the list of that release
    :param lists: what all lists answer
    :param jobs: what jobs answer, by name; others are active
    """

    def __init__(self, home: str, lists: Answer = LISTS["403"], **jobs: Answer) -> None:
        self.home, self.lists, self.jobs = home, lists, jobs
        self.sent: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.sent.append(f"{request.method} {path}")
        if path == "/cluster-info":
            return not_found()
        if path in HOMES.values():
            return self.submitted(request) if request.method == "POST" else self.lists(request)
        if not path.startswith(self.home):
            return not_found()
        name = path.removeprefix(self.home).split("/")[1]
        return self.jobs.get(name, lambda _: httpx.Response(200, json={**JOB, "name": name}))(request)

    def submitted(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json=JOB) if request.url.path == self.home else not_found()

    def count(self, end: str) -> int:
        return sum(each.endswith(end) for each in self.sent)

    @property
    def lists_sent(self) -> int:
        return sum(self.count(f"GET {home}") for home in HOMES.values())


def missing(request: httpx.Request) -> httpx.Response:
    return httpx.Response(404, json={"detail": "Job 'job-1' not found in workspace 'ws'."})


@pytest.mark.parametrize("home", HOMES.values())
@pytest.mark.parametrize("lists", LISTS)
def test_a_job_is_found_by_its_own_path(ask, lists, home):
    gateway = Gateway(home, LISTS[lists])
    for method in ("get_status", "get_job", "cancel_job"):
        assert ask(gateway, method, "job-1", api="auto", retry_seconds=0).status == "active"
    assert gateway.count("/cluster-info") == 1
    assert gateway.lists_sent == 3


@pytest.mark.parametrize("method", ["get_status", "get_job", "cancel_job"])
def test_whatever_it_is_first_asked_for(ask, method):
    assert ask(Gateway(HOMES["0.8"]), method, "job-1", api="auto").status == "active"


def test_downloads_and_addresses_too():
    gateway = Gateway(HOMES["0.8"])
    with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
        assert b"".join(client.iter_result("job-1", "artifacts"))
    _choice.forget_choices()
    with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
        assert client.job_url("job-1").endswith(f"{HOMES['0.8']}/job-1")


@pytest.mark.parametrize("home", HOMES.values())
def test_a_job_that_is_not_there_tells_the_release_too(ask, home):
    gateway = Gateway(home, **{"job-1": missing})
    with pytest.raises(JobNotFound):
        ask(gateway, "get_status", "job-1", api="auto")
    gateway.sent.clear()
    assert ask(gateway, "get_status", "job-2", api="auto").status == "active"
    assert gateway.sent == [f"GET {home}/job-2/status"]


def test_of_two_releases_at_an_address_it_is_the_one_that_has_the_job(ask):
    old, new = Gateway(HOMES["0.1"], **{"job-1": missing}), Gateway(HOMES["0.8"])
    route = lambda request: (old if request.url.path.startswith(HOMES["0.1"]) else new)(request)
    assert ask(route, "get_status", "job-1", api="auto").status == "active"


@pytest.mark.parametrize(
    ("trouble", "kind"), [("500", ProtocolError), ("503", ServiceUnavailable), ("late", ServiceUnavailable)]
)
def test_the_error_is_that_of_the_job_and_not_the_refusal_of_a_list(ask, trouble, kind):
    gateway = Gateway(HOMES["0.8"], **{"job-1": LISTS[trouble]})
    with pytest.raises(kind, match=rf"^GET {HOMES['0.8']}/job-1/status") as caught:
        ask(gateway, "get_status", "job-1", api="auto", retry_seconds=0)
    assert "It is not known which release the service has: GET /cluster-info does not say" in str(caught.value)
    assert "answered 403" in str(caught.value)
    assert caught.value.job == "job-1"


def test_a_job_that_is_nowhere_says_what_was_tried(ask):
    with pytest.raises(
        ProtocolError, match='Every path of benchmark job "job-1" in workspace "ws" answered 404'
    ) as caught:
        ask(Gateway("/nowhere"), "get_status", "job-1", api="auto")
    for home in HOMES.values():
        assert f"GET {home}/job-1/status" in str(caught.value)
        assert f"GET {home}," in str(caught.value) or f"GET {home} (" in str(caught.value)


def test_what_told_nothing_is_not_asked_again_for_a_poll(ask, monkeypatch):
    gateway = Gateway(HOMES["0.8"], **{f"job-{number}": LISTS["500"] for number in range(3)})

    def poll() -> None:
        for number in range(3):
            with pytest.raises(ProtocolError, match="answered 500"):
                ask(gateway, "get_status", f"job-{number}", api="auto")

    for _ in range(3):
        poll()
    assert (gateway.count("/cluster-info"), gateway.lists_sent) == (1, 3)
    monkeypatch.setattr(_choice, "_VAIN_SECONDS", 0.0)
    monkeypatch.setattr(_choice, "_failures", {})
    poll()
    assert (gateway.count("/cluster-info"), gateway.lists_sent) == (4, 12)


def test_a_caller_that_has_no_more_time_leaves_nothing_to_others():
    gateway = Gateway(HOMES["0.8"])

    def over(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(f"{overtime(5)}{_TOGETHER}", request=request)

    with BenchmarkClient(CONFIG, httpx.MockTransport(over)) as client:
        with pytest.raises(ServiceUnavailable, match="limit for all requests together"):
            client.get_status("job-1")
    with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
        assert client.get_status("job-1").status == "active"
    assert gateway.lists_sent == 3


def test_another_token_is_asked_for_itself(ask):
    gateway = Gateway(HOMES["0.8"], **{"job-1": LISTS["500"]})
    for token in ("token-a-1", "token-b-2"):
        with pytest.raises(ProtocolError):
            ask(gateway, "get_status", "job-1", api="auto", token=token)
    assert gateway.lists_sent == 6


def test_who_asks_about_no_job_asks_anew():
    gateway = Gateway(HOMES["0.8"])
    with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
        for _ in range(2):
            with pytest.raises(Unauthorized, match="to find out which release it has"):
                next(client.list_jobs())
    assert gateway.lists_sent == 6


class TestSubmit:
    @pytest.mark.parametrize("home", HOMES.values())
    @pytest.mark.parametrize("lists", LISTS)
    @pytest.mark.parametrize("name", ["job-1", None])
    def test_it_is_sent_once_to_the_release_that_does_not_know_the_job(self, home, lists, name):
        def unknown(request: httpx.Request) -> httpx.Response:
            return httpx.Response(404, json={"detail": "Job not found"})

        class Fresh(Gateway):
            def submitted(self, request: httpx.Request) -> httpx.Response:
                return httpx.Response(201, json={**JOB, "name": json.loads(request.content)["name"]})

        gateway = Fresh(home, LISTS[lists])
        gateway.jobs = Unknown(unknown)
        with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
            assert client.submit_job({"metrics": []}, name=name).created
        assert [each for each in gateway.sent if each.startswith("POST")] == [f"POST {home}"]

    @pytest.mark.parametrize("trouble", ["403", "500", "503", "late", "page"])
    def test_it_is_not_sent_where_no_release_is_known(self, trouble):
        gateway = Gateway(HOMES["0.8"], **{"job-1": LISTS[trouble]})
        with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
            with pytest.raises(ServiceError, match="It is not known which release the service has") as caught:
                client.submit_job({"metrics": []}, name="job-1")
        assert not [each for each in gateway.sent if each.startswith("POST")]
        for tried in ("/cluster-info", *HOMES.values(), f"{HOMES['0.8']}/job-1/status"):
            assert f"GET {tried}" in str(caught.value)


class Unknown(dict[str, Answer]):
    """The same answer for every job."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def get(self, name: str, default: Any = None) -> Answer:
        return self._answer


def held(gateway):
    """A gateway that keeps ``/cluster-info`` waiting: when that has begun, what releases it, and what responds."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/cluster-info":
            begun.set()
            await release.wait()
        return gateway(request)

    return begun, release, respond


class TestSharing:
    async def test_jobs_that_are_polled_together_share_the_requests(self):
        gateway = Gateway(HOMES["0.8"])
        _, release, respond = held(gateway)
        async with AsyncBenchmarkClient(CONFIG, httpx.MockTransport(respond)) as client:
            polls = [asyncio.create_task(client.get_status(f"job-{number}")) for number in range(5)]
            await asyncio.sleep(0)
            release.set()
            assert [(await poll).status for poll in polls] == ["active"] * 5
        assert (gateway.count("/cluster-info"), gateway.lists_sent) == (1, 3)

    async def test_a_poll_that_is_cancelled_does_not_end_the_request_of_others(self):
        gateway = Gateway(HOMES["0.8"])
        begun, release, respond = held(gateway)
        async with AsyncBenchmarkClient(CONFIG, httpx.MockTransport(respond)) as client:
            first = asyncio.create_task(client.get_status("job-1"))
            await begun.wait()
            second = asyncio.create_task(client.get_status("job-2"))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            release.set()
            assert (await second).status == "active"
        assert gateway.count("/cluster-info") == 1

    async def test_a_client_that_is_closed_ends_its_own_and_no_other_s(self):
        gateway = Gateway(HOMES["0.8"])
        begun, _, respond = held(gateway)
        other = AsyncBenchmarkClient(CONFIG, httpx.MockTransport(respond))
        async with AsyncBenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client:
            first = asyncio.create_task(other.get_status("job-1"))
            await begun.wait()
            second = asyncio.create_task(client.get_status("job-2"))
            await asyncio.sleep(0)
            first.cancel()
            await other.close()
            assert (await second).status == "active"
        assert len(asyncio.all_tasks()) == 1

    def test_threads_share_the_requests(self, monkeypatch):
        gateway = Gateway(HOMES["0.8"])
        begun, waiting, release = threading.Event(), threading.Semaphore(0), threading.Event()

        def about_to_wait() -> float:
            waiting.release()
            return math.inf

        def respond(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/cluster-info":
                begun.set()
                assert release.wait(60)
            return gateway(request)

        def poll(name: str) -> str:
            with BenchmarkClient(CONFIG, httpx.MockTransport(respond)) as client:
                return str(client.get_status(name).status)

        monkeypatch.setattr(_questions, "time_left", about_to_wait)
        with ThreadPoolExecutor(3) as threads:
            polls = [threads.submit(poll, "job-1")]
            assert begun.wait(60)
            polls += [threads.submit(poll, f"job-{number}") for number in (2, 3)]
            assert all(waiting.acquire(timeout=60) for _ in range(2))
            release.set()
            assert [each.result(60) for each in polls] == ["active"] * 3
        assert (gateway.count("/cluster-info"), gateway.lists_sent) == (1, 3)

    def test_a_thread_that_has_no_more_time_leaves_it_to_those_that_wait(self):
        gateway = Gateway(HOMES["0.8"])
        begun = threading.Event()
        hurried = 0.2

        def respond(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/cluster-info" and not begun.is_set():
                begun.set()
                while time_left() > 0:
                    time.sleep(0.01)
                raise httpx.ReadTimeout("no time", request=request)
            if time_left() <= 0:
                raise httpx.ReadTimeout("no time", request=request)
            return gateway(request)

        def poll(name: str, seconds: float | None) -> str:
            with BenchmarkClient(CONFIG, httpx.MockTransport(respond)) as client, client.within(seconds):
                return str(client.get_status(name).status)

        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(poll, "job-1", hurried)
            assert begun.wait(60)
            assert threads.submit(poll, "job-2", None).result(60) == "active"
            assert isinstance(first.exception(60), ServiceUnavailable)

    def test_the_handler_of_a_signal_that_interrupts_it_does_not_wait_for_it(self):
        """It runs in the same thread, which can't go on before the handler has ended."""
        gateway = Gateway(HOMES["0.8"])
        inner: list[str] = []

        def respond(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/cluster-info" and not inner:
                inner.append("begun")
                with BenchmarkClient(CONFIG, httpx.MockTransport(respond)) as other:
                    inner.append(other.cancel_job("job-1").status)
            return gateway(request)

        with BenchmarkClient(CONFIG, httpx.MockTransport(respond)) as client:
            assert client.get_status("job-1").status == "active"
        assert inner == ["begun", "active"]


def test_a_hurried_cancel_asks_for_no_release():
    gateway = Gateway(HOMES["0.8"])
    with BenchmarkClient(CONFIG, httpx.MockTransport(gateway)) as client, assuming(CONFIG.generations[-1]):
        client.cancel_job("job-1")
    assert gateway.sent == [f"POST {HOMES['0.8']}/job-1/cancel"]


class TestUnknownPath:
    """One job's path is not there, which may mean that the service has another release now."""

    def test_it_costs_no_further_requests_for_a_minute(self, ask, monkeypatch):
        gateway = Gateway(HOMES["0.8"], odd=lambda request: not_found())
        ask(gateway, "get_status", "job-1", api="auto")
        gateway.sent.clear()
        for _ in range(5):
            with pytest.raises(ProtocolError, match="answered 404"):
                ask(gateway, "get_status", "odd", api="auto")
        assert gateway.count("odd/status") == 5 + 2  # and once as each other release
        assert (gateway.count("/cluster-info"), gateway.lists_sent) == (1, 3)
        monkeypatch.setattr(_choice, "_asked_in_vain", {})
        with pytest.raises(ProtocolError):
            ask(gateway, "get_status", "odd", api="auto")
        assert gateway.count("/cluster-info") == 2

    @pytest.mark.parametrize("lists", LISTS)
    def test_after_an_upgrade_the_job_tells_the_new_release(self, ask, lists):
        gateway = Gateway(HOMES["0.1"], LISTS[lists])
        ask(gateway, "get_status", "job-1", api="auto")
        gateway.home = HOMES["0.8"]
        assert ask(gateway, "get_status", "job-1", api="auto").status == "active"

    def test_a_path_of_another_release_that_lacks_the_job_changes_nothing(self, ask):
        gateway = Gateway(HOMES["0.8"], odd=lambda request: not_found())
        ask(gateway, "get_status", "job-1", api="auto")
        lacking = lambda request: missing(request) if request.url.path.startswith(HOMES["0.1"]) else gateway(request)
        with pytest.raises(ProtocolError):
            ask(lacking, "get_status", "odd", api="auto")
        assert ask(lacking, "get_status", "job-2", api="auto").status == "active"
