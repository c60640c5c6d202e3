"""A server on plain sockets, and what it may send: every byte of an answer may be odd."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from hypothesis import strategies as st

from tests.fuzz.odd_answers import ODD, ODD_HEADERS, Odd, Response

#: Makes all bytes of an answer, of the method, the path with its query, and the body of a request.
Answer = Callable[[str, str, bytes], bytes]
_STATUS_LINES = (
    [b"HTTP/1.1", b"HTTP/1.1 200", b"HTTP/1.1 abc OK", b"HTTP/1.1 200 \xe9\xff", b"HTTP/9.9 200 OK", b"HTTP/1.0 200 OK"]
    + [
        b"ICY 200 OK",
        b"",
        b"\0",
        b"HTTP/1.1 -1 X",
        b"HTTP/1.1 99999 X",
        b"HTTP/1.1 000 X",
        b"<html>",
        b"HTTP/1.1 200" * 9999,
    ]
    + [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.1 101 Switching Protocols", b"SSH-2.0-OpenSSH_9.6"]
)
_LINES = (
    [
        b"no colon",
        b": no name",
        b"a b: c",
        b"X: \0",
        b"X: \xff\xfe",
        b"X:" + b"y" * 70_000,
        b" folded",
        b"X: a\nY: b",
        b"\r\n",
    ]
    + [
        b"Content-Length: " + length
        for length in (b"-1", b"abc", b"5, 6", b"7, 7", b"\xb2", b"9" * 30, b"1e3", b"", b"0x10")
    ]
    + [b"Content-Length: 0", b"Content-Length: 4300", b"Content-Length: " + b"9" * 5000]
    + [
        b"Transfer-Encoding: " + coding
        for coding in (b"chunked", b"gzip, chunked", b"identity", b"x", b"", b"chunked, chunked")
    ]
    + [b"Connection: keep-alive", b"Connection: \xff", b"Keep-Alive: timeout=-1", b"Upgrade: websocket", b"Trailer: X"]
    + [f"{name}: {value}".encode("latin-1") for name, values in ODD_HEADERS.items() for value in values]
)
#: Around the body of a chunked answer.
_CHUNKS = {
    "right": lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    "no end": lambda body: b"%x\r\n%s\r\n" % (len(body), body),
    "no size": lambda body: b"zz\r\n" + body,
    "a negative size": lambda body: b"-1\r\n" + body,
    "a huge size": lambda body: b"f" * 40 + b"\r\n" + body,
    "an extension": lambda body: b"%x;a=\xff\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(body), body),
    "an odd trailer": lambda body: b"%x\r\n%s\r\n0\r\nno colon\r\n\r\n" % (len(body), body),
}


#: No answer differs.
RIGHT = Odd()


@dataclass(frozen=True, slots=True)
class OddBytes:
    """How the bytes of an answer differ from those of the right one.

    :param status_line: None for the right one
    :param length: of what ``Content-Length`` says more than there is; None for no such header
    :param chunks: how the body is chunked; empty for not at all
    """

    odd: Odd = RIGHT
    status_line: bytes | None = None
    lines: tuple[bytes, ...] = ()
    length: int | None = 0
    chunks: str = ""

    def of(self, right: Response) -> bytes:
        response = self.odd.of(right)
        lines = [self.status_line if self.status_line is not None else b"HTTP/1.1 %d X" % response.status]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in response.headers]
        lines += self.lines
        body = response.body
        if self.chunks:
            lines.append(b"Transfer-Encoding: chunked")
            body = _CHUNKS[self.chunks](body)
        elif self.length is not None:
            lines.append(b"Content-Length: %d" % max(len(body) + self.length, 0))
        return b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body


ODD_BYTES = st.one_of(
    st.builds(OddBytes, odd=ODD),
    st.builds(OddBytes, odd=ODD, length=st.sampled_from([None, -1, 1, 1000, -1000])),
    st.builds(OddBytes, odd=st.just(RIGHT), status_line=st.sampled_from(_STATUS_LINES)),
    st.builds(
        OddBytes,
        odd=st.just(RIGHT),
        lines=st.lists(st.sampled_from(_LINES), min_size=1, max_size=3).map(tuple),
        length=st.sampled_from([0, 0, None]),
    ),
    st.builds(OddBytes, odd=st.just(RIGHT), chunks=st.sampled_from([*_CHUNKS])),
    st.builds(
        OddBytes,
        odd=st.builds(
            Odd,
            status=st.sampled_from([301, 302, 303, 307, 308]),
            headers=st.sampled_from([(("Location", value),) for value in ODD_HEADERS["Location"]]),
        ),
    ),
)


class OddServer:
    """Plain sockets on loopback; each connection is for one request.

    :param answer: makes each answer
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def connection_json(self, **extra: Any) -> str:
        """An Airflow connection to it."""
        return json.dumps({"conn_type": "nemo_evaluator", "host": self.url, "extra": extra})

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.settimeout(10)
                head, _, body = _read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                method, path, _ = lines[0].split(" ", 2)
                lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
                while lengths and len(body) < lengths[0]:
                    body += connection.recv(65536)
                connection.sendall(self.answer(method, path, body))
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # the client has gone
                return


def _read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        if not (more := connection.recv(65536)):
            raise ConnectionResetError
        data += more
    return data
