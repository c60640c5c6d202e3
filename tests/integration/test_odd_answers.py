"""Answers of a service, about one job, that can't be understood: they are that job's own trouble."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ProtocolError
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.jobs import JobPoller
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.triggers import _status_requests
from tests.integration.conftest import SPEC, WORKSPACE
from tests.support.contexts import until
from tests.support.raw_server import RawServer, send_json
from tests.support.triggers import event_of, held_jobs, polls, statuses_of, trigger_for, wait_for_all

MANY = 40
ODD = [
    {"status": ["active"]},
    {"status": {"phase": "active"}},
    {"name": ["held-0"]},
    {"name": "another-job"},
    {"workspace": 5},
    {"spec": "my-workspace/qa-bench"},
    {"custom_fields": [1]},
]


def a_job(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "workspace": WORKSPACE, "status": "active", "spec": {"benchmark": "w/b"}, **fields}


@pytest.fixture
def held(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield lambda count: held_jobs(service, client, count)


def test_the_answer_must_be_about_the_job_that_was_asked_for(client, service):
    client.submit_job(SPEC, name="job-1")
    service.inject(Fault.malformed(json.dumps(a_job("job-2")).encode()).on("GET", "*/status"))
    with pytest.raises(ProtocolError, match='expected benchmark job "job-1", found "job-2"'):
        client.get_status("job-1")


class TestSharedPoll:
    @pytest.mark.parametrize("odd", ODD)
    async def test_one_odd_answer_ends_no_wait(self, held, service, odd):
        names = held(3)
        body = json.dumps(a_job(names[0]) | odd).encode()
        fault = service.inject(Fault.malformed(body).on("GET", f"*/{names[0]}/status", times=3))
        waiting = wait_for_all(names)
        await until(lambda: fault.fired >= 2)
        service.release_jobs()
        assert await statuses_of(waiting[1:]) == ["completed"] * 2
        # Its own is asked again, and its first good answer counts.
        assert (await waiting[0])["status"] == "completed"
        assert fault.fired == 3

    async def test_odd_answers_again_and_again_end_the_jobs_own_wait(self, held, service):
        names = held(3)
        body = json.dumps(a_job(names[0], status=["active"])).encode()
        service.inject(Fault.malformed(body).on("GET", f"*/{names[0]}/status", times=None))
        waiting = wait_for_all(names[1:])
        event = await event_of(trigger_for(names[0], poll_interval=0.001))
        assert (event["status"], event["error"]) == ("failed_to_wait", "ProtocolError")
        assert 'expected a text as "status", found' in event["message"]
        assert not any(task.done() for task in waiting)
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * 2

    async def test_an_odd_entry_of_a_list_spoils_no_other(self, monkeypatch):
        """The job of the odd entry is asked for by itself."""
        names = [f"odd-{number}" for number in range(MANY)]
        ended = False

        def answer(path, send):
            status = "completed" if ended else "active"
            if not path.endswith("/benchmark-jobs"):
                return send_json(send, a_job(path.split("/")[-2], status=status))
            entries = [a_job(name, status=["active"] if name == "odd-7" else status) for name in names]
            return send_json(send, {"data": [*entries, None, 5], "pagination": {"total_pages": 1}})

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            waiting = wait_for_all(names)
            await until(lambda: sum(path.endswith("/benchmark-jobs") for path in server.paths) >= 4)
            ended = True
            assert await statuses_of(waiting) == ["completed"] * MANY
            asked = {path.split("/")[-2] for path in server.paths if path.endswith("/status")}
        assert asked == {"odd-7"}

    @pytest.mark.parametrize("count", [9, 15])
    @pytest.mark.parametrize("refused", [True, False])
    async def test_troubles_of_many_jobs_end_no_other_wait(self, monkeypatch, count, refused):
        """Whatever happens to the others, the one good job goes on."""
        ended = False

        def answer(path, send):
            if path.endswith("/benchmark-jobs"):
                return send_json(send, {"data": [a_job("good")], "pagination": {"total_pages": 1}})
            name = path.split("/")[-2]
            if name == "good":
                return send_json(send, a_job(name, status="completed" if ended else "active"))
            return (
                send_json(send, {"detail": "no"}, 403) if refused else send_json(send, a_job(name, status=["active"]))
            )

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            odd = wait_for_all([f"odd-{number}" for number in range(count)], poll_interval=0.001)
            (good,) = wait_for_all(["good"], poll_interval=0.001)
            assert await statuses_of(odd) == ["failed_to_wait"] * count
            assert not good.done()
            ended = True
            assert (await good)["status"] == "completed"

    async def test_a_list_that_grows_with_each_page_keeps_nobody(self, monkeypatch):
        def answer(path, send):
            if path.endswith("/benchmark-jobs"):
                pages = 2 + sum(earlier.endswith("/benchmark-jobs") for earlier in server.paths)
                return send_json(send, {"data": [], "pagination": {"total_pages": pages}})
            return send_json(send, a_job(path.split("/")[-2], status="completed"))

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            names = [f"job-{number}" for number in range(25)]
            assert await statuses_of(wait_for_all(names)) == ["completed"] * 25

    async def test_half_characters_reach_no_event(self, monkeypatch):
        def answer(path, send):
            send_json(send, {"detail": "no such job \ud800"}, 404)

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            event = await event_of(trigger_for("job-1"))
        assert event["status"] == "failed_to_wait"
        json.dumps(event, ensure_ascii=False).encode()


class TestEndlessAnswers:
    def test_the_connection_test_reads_one_page(self, monkeypatch):
        def answer(path, send):
            send_json(send, {"data": [None], "pagination": {"total_pages": 100_000}, "platform_version": "0.1.0"})

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json())
            assert BenchmarkHook().test_connection()[0]
            assert sum(path.endswith("/benchmark-jobs") for path in server.paths) == 1

    @pytest.mark.parametrize("status", [200, 500])
    def test_what_is_packed_twice_is_not_unpacked(self, status):
        packed = gzip.compress(gzip.compress(b"[" * 100_000_000))

        def answer(path, send):
            head = f"HTTP/1.1 {status} X\r\nContent-Encoding: gzip, gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
            send(head.encode() + packed)

        async def ask():
            async with AsyncBenchmarkClient(client.config) as other:
                await other.get_status("job-1")

        with RawServer(answer) as server, _client(server) as client:
            with pytest.raises(ProtocolError, match="compressed more than once"):
                client.get_status("job-1")
            with pytest.raises(ProtocolError, match="compressed more than once"):
                asyncio.run(ask())


def _client(server):
    return BenchmarkClient(ClientConfig(base_url=server.url, workspace=WORKSPACE, trust_env=False, retry_seconds=0))


class TestUnexpectedErrors:
    """Errors of our own, which are made here by breaking our own parts."""

    async def test_one_while_a_job_is_reported_ends_its_wait_only(self, held, service, monkeypatch):
        names = held(3)
        on_job = JobPoller.on_job

        def broken(self, job, now):
            if job.name == names[0]:
                raise RuntimeError("a mistake")
            return on_job(self, job, now)

        monkeypatch.setattr(JobPoller, "on_job", broken)
        waiting = wait_for_all(names)
        event = await waiting[0]
        assert (event["status"], event["error"]) == ("failed_to_wait", "BenchmarkError")
        assert "RuntimeError('a mistake')" in event["message"]
        service.release_jobs()
        assert await statuses_of(waiting[1:]) == ["completed"] * 2

    async def test_one_in_a_round_is_survived(self, held, service, monkeypatch):
        names = held(3)
        poll = _status_requests.StatusRequests.poll
        broken = []

        async def sometimes(self, *args, **kwargs):
            if len(broken) < 2:
                broken.append(True)
                raise RuntimeError("a mistake")
            await poll(self, *args, **kwargs)

        monkeypatch.setattr(_status_requests.StatusRequests, "poll", sometimes)
        waiting = wait_for_all(names)
        await until(lambda: polls(service) >= 6)
        assert len(broken) == 2
        service.release_jobs()
        assert await statuses_of(waiting) == ["completed"] * 3


@pytest.mark.parametrize("port", [0, 65536, 99999, -1, 10**30, "x"])
def test_a_redirect_to_an_impossible_port(port):
    """The system would take the last 16 bits of such a number, and ask another service of the machine."""

    def answer(path, send):
        send(f"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode())

    async def ask():
        async with AsyncBenchmarkClient(client.config) as other:
            await other.get_status("job-1")

    with RawServer(answer) as server, _client(server) as client:
        with pytest.raises(ProtocolError, match=r"a redirect leads to port|in location header"):
            client.get_status("job-1")
        with pytest.raises(ProtocolError, match=r"a redirect leads to port|in location header"):
            asyncio.run(ask())
