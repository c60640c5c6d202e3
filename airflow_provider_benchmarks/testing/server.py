"""The HTTP/1.1 server: sockets, requests, answers, and the faults that happen on the wire.

The standard library's server is used because it hands over the socket: faults must be able to close a connection before
the answer or in the middle of a body, which frameworks prevent.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow_provider_benchmarks.testing.app import Application
from airflow_provider_benchmarks.testing.faults import (
    Answer,
    CutBody,
    Delay,
    Drop,
    Effect,
    ErrorLine,
    FaultPlan,
    Malformed,
    SlowBody,
)
from airflow_provider_benchmarks.testing.messages import (
    UNEXPECTED,
    Body,
    FileSlice,
    HttpError,
    Request,
    Response,
    split_query,
)
from airflow_provider_benchmarks.testing.wire import (
    DropConnection,
    PieceReader,
    body_length,
    cut,
    pieces_of,
    with_error_line,
)

_MIB = 1024 * 1024
_LARGE_BODY = _MIB
#: A client that stops reading or writing in the middle of a message is given up after so many seconds.
_STALLED_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that the service has seen.

    :param path: decoded, without the query
    :param query: values of every parameter
    :param headers: names in lower case
    :param connection: number of the TCP connection, from 1
    :param at: time.monotonic() when it was read
    :param body: empty where it was larger than 1 MiB
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    connection: int
    at: float
    body: bytes = field(default=b"", repr=False)


class Server(ThreadingHTTPServer):
    """Accepts connections and remembers what came over them.

    :param idle_timeout: seconds after which a connection without a request is closed
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], app: Application, faults: FaultPlan, *, idle_timeout: float) -> None:
        self.app = app
        self.faults = faults
        self.idle_timeout = idle_timeout
        self.stopping = threading.Event()
        self.accepted = itertools.count(1)
        self.connections = 0
        self._requests: list[RecordedRequest] = []
        self._sockets: set[socket.socket] = set()
        self._book = threading.Lock()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        # The parent's looks its own name up in the DNS.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away; tell about everything else."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()

    def add_connection(self, connection: socket.socket) -> int:
        with self._book:
            self._sockets.add(connection)
            self.connections = next(self.accepted)
            return self.connections

    def drop_connection(self, connection: socket.socket) -> None:
        with self._book:
            self._sockets.discard(connection)

    def record(self, request: RecordedRequest) -> None:
        with self._book:
            self._requests.append(request)

    @property
    def requests(self) -> list[RecordedRequest]:
        with self._book:
            return list(self._requests)

    def forget_requests(self) -> None:
        with self._book:
            self._requests.clear()

    def close_connections(self) -> None:
        """Close what is still open, so that clients notice and threads end."""
        self.stopping.set()
        with self._book:
            for connection in self._sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.number = self.server.add_connection(self.connection)

    def finish(self) -> None:
        self.server.drop_connection(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: what came in can be read from the service's ``requests``."""

    def handle_one_request(self) -> None:
        self.close_connection = True
        try:
            self.connection.settimeout(self.server.idle_timeout)
            self.raw_requestline = self.rfile.readline(65_537)
            self.connection.settimeout(_STALLED_AFTER)
            if not self.raw_requestline or not self.parse_request():
                return
            self._answer()
        except (OSError, ValueError, DropConnection):  # gone, not HTTP, or meant to be dropped
            self.close_connection = True

    def _answer(self) -> None:
        request = self._read_request()
        kept = request.body if isinstance(request.body, bytes) else b""
        self.server.record(
            RecordedRequest(
                request.method,
                request.path,
                request.query,
                request.headers,
                self.number,
                time.monotonic(),
                kept,
            )
        )
        try:
            effect = self.server.faults.next_effect(request.method, request.path)
            response = self._apply_before(effect, request) or self._respond(request)
            response = self._apply_after(effect, response)
            self._send(response, head_only=request.method == "HEAD")
            if response.close:
                raise DropConnection
        finally:
            if isinstance(request.body, Path):
                request.body.unlink(missing_ok=True)

    def _respond(self, request: Request) -> Response:
        try:
            return self.server.app.respond(request)
        except Exception:  # noqa: BLE001  a handler that breaks must not take the connection's thread with it
            self.server.handle_error(self.connection, self.client_address)
            return HttpError(500, UNEXPECTED).response()

    def _read_request(self) -> Request:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, unquote(path), split_query(query), headers, self._read_body(headers))

    def _read_body(self, headers: dict[str, str]) -> bytes | Path:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._keep(self._read_chunks())
        length = int(headers.get("content-length") or 0)
        if length <= _LARGE_BODY:
            return self.rfile.read(length)
        return self._keep(self._read_pieces(length))

    def _read_pieces(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self.rfile.read(min(length, _MIB))
            if not piece:
                raise DropConnection
            length -= len(piece)
            yield piece

    def _read_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(100).split(b";")[0], 16):
            yield from self._read_pieces(size)
            self.rfile.readline(10)
        while self.rfile.readline(1000).strip():
            pass  # trailers

    def _keep(self, pieces: Iterator[bytes]) -> bytes | Path:
        """Put a body that may be large into a file, and a small one back into memory."""
        with tempfile.NamedTemporaryFile(dir=self.server.app.state.folder, delete=False) as file:
            shutil.copyfileobj(PieceReader(pieces), file, _MIB)
        path = Path(file.name)
        if path.stat().st_size > _LARGE_BODY:
            return path
        content = path.read_bytes()
        path.unlink()
        return content

    def _apply_before(self, effect: Effect | None, request: Request) -> Response | None:
        if isinstance(effect, Delay) and self.server.stopping.wait(effect.seconds):
            raise DropConnection
        if isinstance(effect, Drop):
            if effect.takes_effect:
                self._respond(request)
            raise DropConnection
        if isinstance(effect, Answer):
            headers = {name.lower(): value for name, value in effect.headers.items()}
            content_type = headers.pop("content-type", "application/json")
            return Response(effect.status, effect.body, content_type, headers)
        return None

    def _apply_after(self, effect: Effect | None, response: Response) -> Response:
        if isinstance(effect, Malformed):
            whole = b"".join(pieces_of(response.body, _MIB))
            response.body = whole[: effect.keep_bytes] if effect.body is None else effect.body
        elif isinstance(effect, ErrorLine):
            response.body = with_error_line(response.body, effect)
        elif isinstance(effect, CutBody):
            self._announce_whole_length(response)
            response.body = cut(response.body, effect.after_bytes)
        elif isinstance(effect, SlowBody):
            self._announce_whole_length(response)
            response.body = self._slowly(response.body, effect)
        return response

    def _announce_whole_length(self, response: Response) -> None:
        if not response.chunked:
            response.headers["content-length"] = str(body_length(response.body))

    def _slowly(self, body: Body, effect: SlowBody) -> Iterator[bytes]:
        for piece in pieces_of(body, effect.chunk_bytes):
            if self.server.stopping.wait(effect.seconds_per_chunk):
                raise DropConnection
            yield piece

    def _send(self, response: Response, *, head_only: bool) -> None:
        headers = {"date": formatdate(usegmt=True), "server": "local-evaluation-service", **response.headers}
        if response.content_type is not None:
            headers["content-type"] = response.content_type
        if response.chunked:
            headers["transfer-encoding"] = "chunked"
        elif response.status != HTTPStatus.NO_CONTENT and "content-length" not in headers:
            headers["content-length"] = str(body_length(response.body))
        if self.close_connection:  # the client asked for it, or speaks HTTP/1.0
            headers["connection"] = "close"
        phrase = HTTPStatus(response.status).phrase if response.status in HTTPStatus._value2member_map_ else "Unknown"
        head = f"HTTP/1.1 {response.status} {phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        self._send_body(head.encode("latin-1"), b"" if head_only else response.body, response.chunked and not head_only)

    def _send_body(self, head: bytes, body: Body, chunked: bool) -> None:
        if isinstance(body, bytes) and not chunked:
            self.connection.sendall(head + body)
            return
        self.connection.sendall(head)
        if isinstance(body, FileSlice):
            self._send_file(body, chunked)
        else:
            for piece in pieces_of(body, _MIB):
                self.connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.connection.sendall(b"0\r\n\r\n")

    def _send_file(self, part: FileSlice, chunked: bool) -> None:
        with part.path.open("rb") as file:
            offset, end = part.offset, part.offset + part.length
            while offset < end:
                count = min(16 * _MIB, end - offset)
                if chunked:
                    self.connection.sendall(b"%x\r\n" % count)
                self.connection.sendfile(file, offset, count)
                if chunked:
                    self.connection.sendall(b"\r\n")
                offset += count
