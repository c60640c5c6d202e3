"""Answers that go on and on, byte by byte or without any measure, and the waits that they must not hold up."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig, _sync
from airflow_provider_benchmarks.client._response_body import MAX_ANSWER_BYTES
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    InvalidRequest,
    JobFailed,
    JobTimeout,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.hooks import connection_test, failure_log, quick_requests
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.jobs import JobStatus
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _slow_requests
from tests.integration.conftest import WORKSPACE, completed_job, only_sync
from tests.support.contexts import until
from tests.support.raw_server import RawServer, Send, send_json
from tests.support.triggers import event_of, held_jobs, polls, statuses_of, trigger_for, wait_for_all

#: Seconds. A whole answer may take half as long again.
TIMEOUT = 1
LATE = 'the whole answer was not there after 1.5 s.*extra "timeout"'
#: Minutes for any answer.
TRICKLE = Fault.slow_body(seconds_per_chunk=0.2, chunk_bytes=1)
MANY = 40

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TRICKLES = {
    "status line": (b"HTTP/1.1 200 O", b"K"),
    "header": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "body with a length": (OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "body without one": (OK + b"Connection: close\r\n\r\n", b" "),
    "body of an error": (b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n", b" "),
    "body of a refusal": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\n", b" "),
}


def trickling(begin: bytes, byte: bytes) -> RawServer:
    server = RawServer(lambda _, send: server.trickle(send, begin, byte))
    return server


@pytest.mark.parametrize("what", TRICKLES)
def test_whatever_trickles_ends_in_time(connect, what):
    with trickling(*TRICKLES[what]) as server:
        client = connect(server.url, timeout=TIMEOUT, retry_seconds=0, api="benchmark-jobs")
        with pytest.raises(ServiceUnavailable, match=f'status got no answer.*"job-1" in workspace.*{LATE}'):
            client.get_status("job-1")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get_job("job-1", time_limit=0.5),
        lambda client: client.get_status("job-1", time_limit=0.5),
    ],
)
def test_a_poll_can_be_given_less_time(connect, ask):
    with trickling(*TRICKLES["chunks"]) as server:
        client = connect(server.url, timeout=60, retry_seconds=0)
        with pytest.raises(ServiceUnavailable, match="the whole answer was not there after 0.5 s"):
            ask(client)


def test_connections_of_ended_requests_are_given_back(connect):
    server = RawServer(
        lambda path, send: (
            send_json(send, {"name": "good", "status": "active"})
            if "good" in path
            else server.trickle(send, *TRICKLES["chunks"])
        )
    )
    with server:
        client = connect(server.url, timeout=10, retry_seconds=0, api="benchmark-jobs")
        for _ in range(12):  # a client has ten connections
            with pytest.raises(ServiceUnavailable):
                client.get_status("job-1", time_limit=0.1)
        assert client.get_status("good").status == "active"


def test_an_answer_that_does_not_begin_is_ended_by_the_limit_too(connect):
    with trickling(b"", b"") as server:
        client = connect(server.url, timeout=60, retry_seconds=0)
        with pytest.raises(ServiceUnavailable, match="the whole answer was not there after 0.5 s"):
            client.get_status("job-1", time_limit=0.5)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.cancel_job("job-1"),
        lambda client: client.get_aggregate_scores("job-1"),
    ],
)
def test_every_answer_that_is_read_whole_has_its_time(connect, ask):
    with trickling(*TRICKLES["chunks"]) as server:
        with pytest.raises(ServiceUnavailable, match=LATE):
            ask(connect(server.url, timeout=TIMEOUT, retry_seconds=0))


@only_sync
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: next(client.list_jobs()),
        lambda client: client.get_logs("job-1"),
        lambda client: client.list_results("job-1"),
        lambda client: client.check_health(),
        lambda client: client.delete_job("job-1"),
        lambda client: next(client.iter_result("job-1", "artifacts")),
    ],
)
def test_so_has_what_only_the_synchronous_client_reads(connect, ask):
    with trickling(*TRICKLES["body of an error"]) as server:
        with pytest.raises(ServiceUnavailable, match=LATE):
            ask(connect(server.url, timeout=TIMEOUT, retry_seconds=0))


@only_sync
def test_a_proxy_changes_nothing(connect, monkeypatch):
    with trickling(*TRICKLES["headers"]) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        client = connect("http://evaluator.invalid", timeout=TIMEOUT, retry_seconds=0, trust_env=True)
        with pytest.raises(ServiceUnavailable, match=LATE):
            client.get_status("job-1")


def test_nor_does_a_transport_of_the_caller():
    config = ClientConfig(base_url="http://evaluator.invalid", timeout=TIMEOUT, retry_seconds=0)
    with trickling(*TRICKLES["headers"]) as server:
        transport = httpx.HTTPTransport(proxy=server.url)
        with BenchmarkClient(config, transport=transport) as client:
            with pytest.raises(ServiceUnavailable, match=LATE):
                client.get_status("job-1")


def test_one_that_ran_over_its_time_is_asked_again(connect, service):
    client = connect(service.url, timeout=TIMEOUT, retry_seconds=60)
    completed_job(client)
    fault = service.inject(TRICKLE.on("GET", "*/status"))
    assert client.get_status("job-1").status == "completed"
    assert fault.fired == 1


@only_sync
def test_a_download_may_take_longer(connect, service):
    client = connect(service.url, timeout=TIMEOUT, retry_seconds=0)
    completed_job(client)
    fault = service.inject(Fault.slow_body(seconds_per_chunk=0.1, chunk_bytes=40).on("GET", "*/row-scores/download"))
    began = time.monotonic()
    assert len(list(client.iter_row_scores("job-1"))) == 5
    assert fault.fired == 1
    assert time.monotonic() - began > client.config.timeout * 1.5


def endless(head: bytes) -> RawServer:
    def answer(_: str, send):
        send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            send(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        send(b"0\r\n\r\n")

    return RawServer(answer)


def test_an_answer_without_measure_is_refused(connect):
    with endless(OK) as server:
        with pytest.raises(ProtocolError, match=f"the answer is larger than {MAX_ANSWER_BYTES // 1024**2} MiB"):
            connect(server.url, timeout=60, retry_seconds=0).get_status("job-1")


def test_of_an_error_without_measure_the_beginning_is_read(connect):
    with endless(b"HTTP/1.1 400 Bad Request\r\n") as server:
        with pytest.raises(InvalidRequest, match="answered 400"):
            connect(server.url, timeout=60, retry_seconds=0).get_status("job-1")


@pytest.fixture
def impatient(service, monkeypatch):
    """The service, behind a connection that doesn't wait long."""
    connection = json.loads(service.connection_json())
    connection["extra"] = {**(connection.get("extra") or {}), "workspace": WORKSPACE, "timeout": TIMEOUT}
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", json.dumps(connection))
    return service


@pytest.fixture
def held(impatient):
    """Make a number of jobs that stay active until they are released."""
    with BenchmarkClient(ClientConfig(base_url=impatient.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield lambda count: held_jobs(impatient, client, count)


class TestHook:
    def test_a_wait_ends_at_its_timeout(self, held, impatient):
        (name,) = held(1)
        impatient.inject(TRICKLE.on("GET", "*", times=None))
        began = time.monotonic()
        with pytest.raises(JobTimeout, match="nothing, as no poll of it succeeded"):
            BenchmarkHook().wait_for_job(name, poll_interval=0.1, timeout=1)
        assert time.monotonic() - began < 60

    def test_the_timeout_counts_where_the_connection_would_wait_longer(self, held, impatient, monkeypatch):
        (name,) = held(1)
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", impatient.connection_json())
        fault = impatient.inject(TRICKLE.on("GET", f"*/{name}", times=None))
        with pytest.raises(JobTimeout, match="last seen: active"):
            BenchmarkHook().wait_for_job(name, poll_interval=0.1, timeout=1)
        assert fault.fired == 1

    @pytest.mark.parametrize(("method", "fingerprint"), [("POST", None), ("GET", "mine")])
    def test_a_hurried_cancel_comes_to_its_end(self, held, impatient, method, fingerprint):
        (name,) = held(1)
        fault = impatient.inject(TRICKLE.on(method, "*", times=None))
        began = time.monotonic()
        BenchmarkHook().cancel_job_quickly(name, fingerprint=fingerprint)
        assert fault.fired
        assert time.monotonic() - began < 60

    @pytest.mark.parametrize("what", ["status line", "chunks"])
    def test_all_requests_together_have_a_limit(self, monkeypatch, what):
        monkeypatch.setattr(quick_requests, "SHORT_TOTAL_SECONDS", 0.3)
        monkeypatch.setattr(connection_test, "TOTAL_SECONDS", 0.3)
        with trickling(*TRICKLES[what]) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            hook = BenchmarkHook()
            works, message = hook.test_connection()
            assert (works, "was not there after 0.3 s" in message) == (False, True)
            assert len(server.paths) == 1
            assert not hook.cancel_job_quickly("job-1")
            assert len(server.paths) == 2

    @pytest.mark.parametrize("prefix", ["/apis/evaluation/", "/apis/evaluator/", "/apis/evals/"])
    @pytest.mark.parametrize("fingerprint", [None, "mine"])
    @pytest.mark.parametrize("refusal", [None, 401, 500])
    def test_a_hurried_cancel_does_not_need_the_release(self, monkeypatch, caplog, prefix, fingerprint, refusal):
        monkeypatch.setattr(quick_requests, "RELEASE_SECONDS", 0.5)
        job = {"name": "job-1", "workspace": "my-workspace", "status": "active"}
        job["custom_fields"] = {"fingerprint": "mine"}

        def answer(path: str, send: Send) -> None:
            if path.endswith(("/jobs", "-jobs", "/version", "/cluster-info")) and refusal:
                send_json(send, {"detail": "no"}, refusal)
            elif path.endswith(("/jobs", "-jobs", "/version")):
                server.trickle(send, *TRICKLES["chunks"])
            elif path.startswith(prefix):
                send_json(send, job)
            else:
                send_json(send, {"detail": "Not Found"}, 404)

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            assert BenchmarkHook().cancel_job_quickly("job-1", fingerprint=fingerprint)
        assert server.paths[-1].startswith(prefix)
        assert server.paths[-1].endswith("/job-1/cancel")

    def test_a_total_time_that_ends_while_the_release_is_found_out(self):
        def answer(path: str, send: Send) -> None:
            server.trickle(send, *TRICKLES["chunks"])

        with RawServer(answer) as server:
            config = ClientConfig(base_url=server.url, trust_env=False)
            with BenchmarkClient(config) as client, pytest.raises(ServiceUnavailable) as caught, client.within(0.5):
                client.get_status("job-1")
        text = str(caught.value)
        assert "the whole answer was not there after 0.5 s, which is the limit for all requests together" in text
        assert "to find out which release it has" in text
        assert "Timeout" not in text

    def test_a_log_of_empty_pages_has_an_end(self, monkeypatch, caplog):
        monkeypatch.setattr(_sync, "MAX_EMPTY_LOG_PAGES", 5)

        def answer(path: str, send: Send) -> None:
            number = len(server.paths)
            lines = [{"job": "job-1", "message": "a line"}] if number == 4 else []
            send_json(send, {"data": lines, "next_page": f"c{number}"})

        with RawServer(answer) as server:
            config = ClientConfig(base_url=server.url, api="benchmark-jobs", trust_env=False)
            with BenchmarkClient(config) as client:
                assert [line.message for line in client.get_logs("job-1")] == ["a line"]
        assert len(server.paths) == 9
        assert "5 pages in a row had no line" in caplog.text

    def test_a_job_whose_log_trickles_has_failed(self, held, impatient, monkeypatch):
        (name,) = held(1)
        monkeypatch.setattr(failure_log, "FAILURE_LOG_SECONDS", 1.0)
        monkeypatch.setattr(failure_log, "STEPS_SECONDS", 1.0)
        fault = impatient.inject(TRICKLE.on("GET", f"*/{name}/*", times=None))
        hook = BenchmarkHook()
        with pytest.raises(JobFailed, match="the service gives no reason"):
            hook.finish(replace(hook.get_job(name), status=JobStatus.ERROR))
        assert fault.fired >= 2

    @pytest.mark.parametrize("path", ["/health/ready", "*/benchmark-jobs"])
    def test_so_does_the_test_of_a_connection(self, impatient, path):
        impatient.inject(TRICKLE.on("GET", path, times=None))
        works, message = BenchmarkHook().test_connection()
        assert not works
        assert "the whole answer was not there after 1.5 s" in message


class TestSharedPoll:
    async def test_one_job_that_trickles_does_not_hold_up_others(self, held, impatient):
        names = held(4)
        fault = impatient.inject(TRICKLE.on("GET", f"*/{names[0]}/status", times=None))
        waiting = wait_for_all(names)
        await until(lambda: fault.fired and polls(impatient) > 4)
        impatient.release_jobs()
        assert await statuses_of(waiting[1:]) == ["completed"] * 3
        await until(lambda: fault.fired >= 2)
        assert not waiting[0].done()
        impatient.clear_faults()
        assert (await waiting[0])["status"] == "completed"

    async def test_nor_while_its_request_goes_on(self, held, impatient, monkeypatch):
        monkeypatch.setattr(_slow_requests, "SLOW_SECONDS", 0.2)
        monkeypatch.setattr(_slow_requests, "TURN_SECONDS", 1)
        connection = json.loads(impatient.connection_json())
        connection["extra"] = {**(connection.get("extra") or {}), "workspace": WORKSPACE, "timeout": 600}
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", json.dumps(connection))
        names = held(8)
        waiting = wait_for_all(names)
        await until(lambda: polls(impatient) >= 8)  # from here on it is jobs that are slow, and not the service
        impatient.clear_requests()
        faults = [impatient.inject(TRICKLE.on("GET", f"*/{name}/status", times=None)) for name in names[:6]]
        await until(lambda: sum(fault.fired for fault in faults) >= 4 and polls(impatient) > 30)
        impatient.release_jobs()
        assert await statuses_of(waiting[6:]) == ["completed"] * 2
        assert sum(fault.fired for fault in faults) < polls(impatient) / 2
        assert not any(wait.done() for wait in waiting[:6])
        for wait in waiting[:6]:
            wait.cancel()
        await asyncio.gather(*waiting[:6], return_exceptions=True)

    async def test_nor_does_it_outlast_its_own_deadline(self, held, impatient):
        (name,) = held(1)
        impatient.inject(TRICKLE.on("GET", "*/status", times=None))
        assert (await event_of(trigger_for(name, deadline=time.time() + 1)))["status"] == "timed_out"

    async def test_a_list_that_trickles_leaves_single_polls(self, held, impatient):
        names = held(MANY)
        fault = impatient.inject(TRICKLE.on("GET", "*/benchmark-jobs", times=None))
        waiting = wait_for_all(names)
        await until(lambda: fault.fired)
        impatient.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * MANY
        assert polls(impatient) >= MANY

    async def test_the_event_loop_stays_free(self, held, impatient):
        (name,) = held(1)
        fault = impatient.inject(TRICKLE.on("GET", "*/status", times=None))
        (waiting,) = wait_for_all([name])
        await until(lambda: fault.fired >= 2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


class TestManyAtOnce:
    async def test_ended_requests_of_the_asynchronous_client_lose_no_connections(self):
        server = RawServer(
            lambda path, send: (
                send_json(send, {"name": "good", "status": "active"})
                if "good" in path
                else server.trickle(send, *TRICKLES["chunks"])
            )
        )
        config = ClientConfig(api="benchmark-jobs", timeout=5, retry_seconds=0, base_url=server.url, trust_env=False)
        with server:
            async with AsyncBenchmarkClient(config) as client:
                for step in (0.0, 0.001, 0.002, 0.005):  # some end just when they would get another's connection
                    waits = [client.get_status("job-1", time_limit=0.2 + n * step) for n in range(40)]
                    errors = await asyncio.gather(*waits, return_exceptions=True)
                    assert {type(error) for error in errors} == {ServiceUnavailable}
                for _ in range(12):
                    assert (await client.get_status("good")).status == "active"

    def test_who_keeps_all_connections_is_told_so(self, connect):
        with trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n") as server:
            config = ClientConfig(api="benchmark-jobs", timeout=1, retry_seconds=0, base_url=server.url)
            with BenchmarkClient(config) as client:
                downloads = [client.iter_result("job-1", "artifacts") for _ in range(10)]
                for download in downloads:
                    next(download)
                with pytest.raises(ServiceUnavailable, match="all 10 connections of this client were in use"):
                    client.get_status("job-1")
                for download in downloads:
                    download.close()


async def test_a_closed_client_says_so(service):
    config = ClientConfig(base_url=service.url, trust_env=False)
    with BenchmarkClient(config) as client:
        pass
    async with AsyncBenchmarkClient(config) as other:
        pass
    with pytest.raises(ServiceError, match=r'was not sent \(benchmark job "job-1".*this client is closed'):
        client.get_status("job-1")
    with pytest.raises(ServiceError, match=r'was not sent \(benchmark job "job-1".*this client is closed'):
        await other.get_status("job-1")


@only_sync
@pytest.mark.parametrize("limit", [-1, 1.5, "2", True])
def test_a_limit_is_a_number_of_rows(connect, service, limit):
    with pytest.raises(ConfigurationError, match="limit must be None or a number of rows"):
        connect(service.url).iter_row_scores("job-1", limit=limit)


@only_sync
def test_a_time_limit_around_requests_holds_for_their_retries(connect):
    with trickling(*TRICKLES["chunks"]) as server:
        client = connect(server.url, timeout=0.2, retry_seconds=600, api="benchmark-jobs")
        with client.within(1), pytest.raises(ServiceUnavailable):
            client.get_status("job-1")
        assert len(server.paths) >= 2


@only_sync
def test_no_try_begins_after_the_time_for_retries(connect):
    with trickling(*TRICKLES["chunks"]) as server:
        client = connect(server.url, timeout=1, retry_seconds=1, api="benchmark-jobs")
        with pytest.raises(ServiceUnavailable, match=LATE):
            client.get_status("job-1")
        assert len(server.paths) == 1  # it ended after 1.5 s
