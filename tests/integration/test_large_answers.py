"""Answers, lines and lists without measure: memory stays bounded, and errors name the limit."""

from __future__ import annotations

import gzip

import pytest

from airflow_provider_benchmarks.client import _paging
from airflow_provider_benchmarks.exceptions import IncompleteResults, InvalidRequest, ProtocolError, ServiceUnavailable
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.jobs.finished import FinishedJobs
from airflow_provider_benchmarks.triggers._watcher_poll import WatcherPoll
from tests.integration.conftest import only_sync
from tests.support.raw_server import RawServer, send_json

MIB = 1024 * 1024
ACTIVE = {"name": "job-1", "status": "active"}


def packed(head: str, body: bytes) -> bytes:
    content = gzip.compress(body)
    return f"HTTP/1.1 {head}\r\nContent-Encoding: gzip\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def patient(connect, server, **fields):
    return connect(server.url, timeout=60, retry_seconds=0, api="benchmark-jobs", **fields)


def test_a_bomb_is_refused(connect):
    bomb = packed("200 OK", b"[" * (100 * MIB))
    with RawServer(lambda _, send: send(bomb)) as server:
        with pytest.raises(ProtocolError, match='"job-1" in workspace.*larger than 32 MiB'):
            patient(connect, server).get_status("job-1")


@pytest.mark.parametrize("values", [b"[],", b"0,", b"{},"])
def test_an_answer_of_few_bytes_and_many_values_is_refused(connect, values):
    body = b"[" + values * 5_000_000 + b"0]"
    with RawServer(lambda _, send: send(packed("200 OK", body))) as server:
        with pytest.raises(ProtocolError, match="more than 4,000,000 values, the most that are read"):
            patient(connect, server).get_status("job-1")


def test_of_an_error_that_is_a_bomb_the_beginning_is_read(connect):
    bomb = packed("400 Bad", b'{"detail": "' + b"x" * (100 * MIB))
    with RawServer(lambda _, send: send(bomb)) as server:
        with pytest.raises(InvalidRequest, match="answered 400"):
            patient(connect, server).get_status("job-1")


def test_an_error_whose_body_is_damaged_is_that_error(connect):
    answer = b"HTTP/1.1 503 Busy\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnonsense"
    with RawServer(lambda _, send: send(answer)) as server:
        with pytest.raises(ServiceUnavailable, match="answered 503"):
            patient(connect, server).get_status("job-1")


def test_an_answer_that_is_packed_is_read(connect):
    with RawServer(lambda _, send: send(packed("200 OK", b'{"name": "job-1", "status": "active"}'))) as server:
        assert patient(connect, server).get_status("job-1").status == "active"


def test_the_body_of_a_redirect_is_not_read_to_its_end(connect):
    def answer(path, send):
        if path == "/there":
            return send_json(send, ACTIVE)
        begin = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nTransfer-Encoding: chunked\r\n\r\n"
        server.trickle(send, begin + b"11000\r\n" + b" " * 0x11000 + b"\r\n", b"1\r\n \r\n")

    with RawServer(answer) as server:
        client = connect(server.url, timeout=3, retry_seconds=0, api="benchmark-jobs")
        assert client.get_status("job-1").status == "active"


def test_redirects_end(connect):
    with RawServer(lambda _, send: send(b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n")) as server:
        with pytest.raises(ProtocolError, match="more than 20 redirects"):
            patient(connect, server).get_status("job-1")
        assert len(server.paths) == 21


class TestRows:
    """A body of a few kB that becomes one line of more than memory holds."""

    @pytest.fixture
    def hook(self, monkeypatch):
        bomb = packed("200 OK", b'{"row_index": 0, "item": {"x": "' + b"x" * (40 * MIB))

        def answer(path, send):
            if path.endswith("/download") or "/-/" in path:
                return send(bomb)
            results = [
                {"name": "row-scores", "artifact_url": "ws/files#rows.jsonl"} if self.has_file else {"name": "x"}
            ]
            return send_json(send, {**ACTIVE, "data": results, "results": []})

        with RawServer(answer) as server:
            connection = server.connection_json(api="benchmark-jobs")
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection)
            yield BenchmarkHook()

    @pytest.mark.parametrize("has_file", [True, False])
    @pytest.mark.parametrize("format", ["jsonl", "parquet"])
    def test_of_a_download(self, hook, tmp_path, has_file, format):
        self.has_file = has_file
        with pytest.raises(IncompleteResults, match='row scores of benchmark job "job-1".*longer than 32 MiB'):
            hook.download_row_scores("job-1", str(tmp_path / "rows"), format=format)
        assert not list(tmp_path.iterdir())

    def test_of_a_stream(self, hook):
        self.has_file = False
        with pytest.raises(IncompleteResults, match='row scores of benchmark job "job-1".*longer than 32 MiB'):
            list(hook.iter_row_scores("job-1"))


class TestLists:
    @only_sync
    def test_one_that_repeats_itself_ends(self, connect):
        page = {"data": [ACTIVE], "pagination": {"total_pages": 50_000}}
        with RawServer(lambda _, send: send_json(send, page)) as server:
            assert [job.name for job in patient(connect, server).list_jobs()] == ["job-1"]
            assert len(server.paths) == 2

    @only_sync
    def test_one_of_very_many_pages_ends(self, connect, monkeypatch):
        monkeypatch.setattr(_paging, "MAX_PAGES", 50)
        page = {"data": [], "pagination": {"total_pages": 50_000}}
        with RawServer(lambda _, send: send_json(send, page)) as server:
            with pytest.raises(ProtocolError, match="list of jobs goes on after 50 pages"):
                list(patient(connect, server).list_jobs())

    async def test_so_does_one_that_a_watcher_reads(self, monkeypatch):
        """It reads back to the jobs that it knows, and this list never comes to them."""
        job = {**ACTIVE, "created_at": "2026-11-28T00:00:00"}
        page = {"data": [job], "pagination": {"total_pages": 50_000}}
        with RawServer(lambda _, send: send_json(send, page)) as server:
            connection = server.connection_json(api="benchmark-jobs")
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection)
            known = FinishedJobs(state={"newest": "2026-11-27T00:00:00+00:00", "running": {}, "reported": {}})
            poll = await WatcherPoll("nemo_evaluator_default", None, interval=60).poll(known)
            assert [job.name for job in poll.jobs] == ["job-1"]
            assert len(server.paths) == 2
