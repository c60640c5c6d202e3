from __future__ import annotations

import json
import time

import httpx
import pytest

from airflow_provider_benchmarks.testing import Fault
from tests.unit.testing.conftest import JOBS, PATIENCE

ROWS = f"{JOBS}/job/results/row-scores/download"
RAW = "/apis/jobs/v2/workspaces/my-workspace/jobs/job/results/row-scores/download"


def receive(http, path, into: bytearray) -> None:
    with http.stream("GET", path) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            into += piece


@pytest.fixture
def job(http):
    http.submit("job")
    return http.wait("job")


def test_a_status_with_headers_instead_of_an_answer(service, http, job):
    injected = service.inject(Fault.answer(503, headers={"Retry-After": "2"}).on("GET", "*/status"))
    answer = http.get(f"{JOBS}/job/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == {"detail": "injected fault 503"}
    assert http.get(f"{JOBS}/job/status").status_code == 200
    assert (injected.seen, injected.fired) == (2, 1)


def test_an_injected_status_has_no_effect(service, http):
    service.inject(Fault.answer(500, body=b"oops", headers={"Content-Type": "text/html"}).on("POST", JOBS))
    answer = http.submit("job")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (500, "oops", "text/html")
    assert http.get(f"{JOBS}/job").status_code == 404


def test_which_requests_fail(service, http, job):
    service.inject(Fault.answer(500).on("GET", "*/status", times=2, after=1))
    assert [http.get(f"{JOBS}/job/status").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert http.get(f"{JOBS}/job").status_code == 200
    service.inject(Fault.answer(500).on(times=None))
    assert {http.get(f"{JOBS}/job").status_code for _ in range(5)} == {500}
    service.clear_faults()
    assert http.get(f"{JOBS}/job").status_code == 200


def test_of_several_faults_the_first_strikes(service, http, job):
    service.inject(Fault.answer(502).on("GET", "*/status"))
    service.inject(Fault.answer(504).on("GET", times=2))
    assert [http.get(f"{JOBS}/job/status").status_code for _ in range(4)] == [502, 504, 504, 200]


def test_a_lost_answer_takes_effect(service, http):
    service.inject(Fault.lose_answer().on("POST", "*/benchmark-jobs"))
    with pytest.raises(httpx.RemoteProtocolError):
        http.submit("job")
    assert http.get(f"{JOBS}/job").status_code == 200
    assert http.submit("job").status_code == 409


def test_a_dropped_connection_does_not(service, http):
    service.inject(Fault.drop_connection().on("POST", "*/benchmark-jobs"))
    with pytest.raises(httpx.RemoteProtocolError):
        http.submit("job")
    assert http.get(f"{JOBS}/job").status_code == 404


@pytest.mark.parametrize("path", [ROWS, RAW], ids=["chunked", "with a length"])
@pytest.mark.parametrize("after_bytes", [0, 700])
def test_a_body_is_cut(service, http, job, path, after_bytes):
    whole = http.get(path).content
    service.inject(Fault.cut_body(after_bytes=after_bytes).on("GET", path))
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        receive(http, path, received)
    assert received == whole[:after_bytes]
    assert http.get(path).content == whole


@pytest.mark.parametrize("path", [ROWS, RAW], ids=["chunked", "with a length"])
def test_a_slow_body_is_whole(service, http, job, path):
    whole = http.get(path).content
    service.inject(Fault.slow_body(seconds_per_chunk=0.01, chunk_bytes=100).on("GET", path))
    assert http.get(path).content == whole


def test_a_slow_body_outlasts_a_timeout(service, connect, http, job):
    service.inject(Fault.slow_body(seconds_per_chunk=PATIENCE).on("GET", RAW))
    with pytest.raises(httpx.ReadTimeout):
        connect(service, timeout=0.2).get(RAW)


def test_a_delay(service, connect, http, job):
    service.inject(Fault.delay(PATIENCE).on("GET", "*/status"))
    with pytest.raises(httpx.ReadTimeout):
        connect(service, timeout=0.2).get(f"{JOBS}/job/status")
    service.inject(Fault.delay(0.05).on("GET", "*/status"))
    before = time.monotonic()
    assert http.get(f"{JOBS}/job/status").status_code == 200
    assert time.monotonic() - before >= 0.05


def test_malformed_answers(service, http, job):
    service.inject(Fault.malformed(b"<html>").on("GET", "*/status"))
    answer = http.get(f"{JOBS}/job/status")
    assert (answer.status_code, answer.content) == (200, b"<html>")
    assert answer.headers["content-type"] == "application/json"
    service.inject(Fault.truncated(keep_bytes=10).on("GET", "*/status"))
    answer = http.get(f"{JOBS}/job/status")
    assert (answer.status_code, answer.content) == (200, b'{"id":"pla')
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("after_rows", [0, 3, 99])
def test_an_error_line_ends_the_rows(service, http, job, after_rows):
    whole = http.get(ROWS).text.splitlines()
    service.inject(Fault.error_line(after_rows=after_rows, message="gone").on("GET", ROWS))
    answer = http.get(ROWS)
    *rows, last = answer.text.splitlines()
    assert answer.status_code == 200
    assert rows == whole[:after_rows]
    error = {"type": "JSONDecodeError", "line": len(rows) + 1, "message": "gone"}
    assert json.loads(last) == {"error": error}


def test_stopping_ends_what_is_slow(service, http, job):
    service.inject(Fault.slow_body(seconds_per_chunk=PATIENCE * 10).on("GET", RAW))
    with http.stream("GET", RAW) as answer:
        before = time.monotonic()
        service.stop()
        with pytest.raises(httpx.TransportError):
            answer.read()
    assert time.monotonic() - before < PATIENCE
