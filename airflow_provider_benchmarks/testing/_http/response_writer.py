"""Writes a response to a connection."""

from __future__ import annotations

import socket
from email.utils import formatdate
from http import HTTPStatus

from airflow_provider_benchmarks.testing._http.bodies import body_length, pieces_of
from airflow_provider_benchmarks.testing._http.response import Body, FileSlice, Response

_MIB = 1024 * 1024
_SENDFILE_BYTES = 16 * _MIB


def write_response(connection: socket.socket, response: Response, *, head_only: bool, announce_close: bool) -> None:
    """Send a response.

    :param head_only: send no body, as HEAD wants it
    :param announce_close: add ``connection: close``
    """
    head = _head(response, announce_close=announce_close)
    body = b"" if head_only else response.body
    _write(connection, head, body, chunked=response.chunked and not head_only)


def _head(response: Response, *, announce_close: bool) -> bytes:
    headers = {"date": formatdate(usegmt=True), "server": "local-evaluation-service", **response.headers}
    if response.content_type is not None:
        headers["content-type"] = response.content_type
    if response.chunked:
        headers["transfer-encoding"] = "chunked"
    elif response.status != HTTPStatus.NO_CONTENT and "content-length" not in headers:
        headers["content-length"] = str(body_length(response.body))
    if announce_close:
        headers["connection"] = "close"
    phrase = HTTPStatus(response.status).phrase if response.status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _write(connection: socket.socket, head: bytes, body: Body, *, chunked: bool) -> None:
    if isinstance(body, bytes) and not chunked:
        connection.sendall(head + body)
        return
    connection.sendall(head)
    if isinstance(body, FileSlice):
        _write_file(connection, body, chunked=chunked)
    else:
        for piece in pieces_of(body, _MIB):
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        connection.sendall(b"0\r\n\r\n")


def _write_file(connection: socket.socket, part: FileSlice, *, chunked: bool) -> None:
    with part.path.open("rb") as file:
        offset, end = part.offset, part.offset + part.length
        while offset < end:
            count = min(_SENDFILE_BYTES, end - offset)
            if chunked:
                connection.sendall(b"%x\r\n" % count)
            connection.sendfile(file, offset, count)
            if chunked:
                connection.sendall(b"\r\n")
            offset += count
