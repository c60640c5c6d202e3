"""Downloads have a least speed in place of a time limit."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.client import _download_speed
from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from tests.support.raw_server import RawServer, send_json

ROW = {"row_index": 0, "item": {}, "sample": {}, "metrics": {"ws/m": [{"name": "m", "value": 1}]}}
LINE = json.dumps(ROW).encode() + b"\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
TRICKLES = {
    "chunks": (CHUNKED + b"%x\r\n%b\r\n" % (len(LINE), LINE), b"1\r\n \r\n"),
    "what a chunk is called": (CHUNKED + b"5;name=", b"x"),
    "body with a length": (LENGTH + LINE, b" "),
}
TOO_SLOW = r'job-1.*download is too slow: .* bytes per second over the last .*"min_download_speed"'


@pytest.fixture
def hook(monkeypatch):
    """A hook of a server whose row scores trickle, by what it sends."""
    monkeypatch.setattr(_download_speed, "_MIN_WINDOW_SECONDS", 0.5)
    servers = []

    def make(begin, byte, *, has_file=False, **extra):
        def answer(path, send):
            if path.endswith(("row-scores/download", "artifacts/download")) or "/-/" in path:
                return server.trickle(send, begin, byte)
            results = [{"name": "row-scores", "artifact_url": "ws/files#rows.jsonl"}] if has_file else []
            return send_json(send, {"data": results, "results": []})

        server = RawServer(answer)
        servers.append(server.__enter__())
        connection = server.connection_json(api="benchmark-jobs", **{"timeout": 0.5, **extra})
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection)
        return BenchmarkHook()

    yield make
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("what", ["chunks", "what a chunk is called", "body with a length"])
@pytest.mark.parametrize("has_file", [True, False])
def test_rows_that_trickle_end(hook, tmp_path, what, has_file):
    with pytest.raises(ServiceUnavailable, match=f"row scores of benchmark job .*{TOO_SLOW}"):
        hook(*TRICKLES[what], has_file=has_file).download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["chunks", "what a chunk is called"])
def test_a_stream_of_rows_that_trickles_ends(hook, what):
    with pytest.raises(ServiceUnavailable, match=TOO_SLOW):
        list(hook(*TRICKLES[what]).iter_row_scores("job-1"))


def test_artifacts_that_trickle_end(hook, tmp_path):
    with pytest.raises(ServiceUnavailable, match=f'result "artifacts" of benchmark job.*{TOO_SLOW}'):
        hook(CHUNKED + b"2\r\n\x1f\x8b\r\n", b"1\r\n\x08\r\n").download_artifacts(
            "job-1", str(tmp_path / "artifacts.tar.gz")
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("off", [0, "off"])
def test_without_a_least_speed_a_download_may_take_any_time(hook, off):
    row = b"%x\r\n%b\r\n" % (len(LINE), LINE)
    rows = hook(CHUNKED, row, min_download_speed=off).iter_row_scores("job-1")
    assert len([next(rows) for _ in range(25)]) == 25  # more than a second of them
    rows.close()


def test_a_lower_one_lets_slow_networks_through(hook):
    row = b"%x\r\n%b\r\n" % (len(LINE), LINE)
    rows = hook(CHUNKED, row, min_download_speed=50).iter_row_scores("job-1")
    assert len([next(rows) for _ in range(25)]) == 25
    rows.close()
