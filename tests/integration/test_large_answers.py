"""Answers, lines and lists without measure: memory stays bounded, and errors name the limit."""

from __future__ import annotations

import gzip

import pytest

from airflow_provider_benchmarks.exceptions import InvalidRequest, ProtocolError, ServiceUnavailable
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
