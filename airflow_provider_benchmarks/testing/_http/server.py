"""The HTTP/1.1 server: accepts connections, serves each in a thread of its own, records requests.

The standard library's server is used because it exposes the socket: faults must be able to close a connection before
the response or in the middle of a body, which frameworks prevent.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import unquote

from airflow_provider_benchmarks.testing._http.bodies import DropConnection
from airflow_provider_benchmarks.testing._http.effects import Effect
from airflow_provider_benchmarks.testing._http.request import Request, parse_query
from airflow_provider_benchmarks.testing._http.request_reader import read_body
from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError, Response
from airflow_provider_benchmarks.testing._http.response_writer import write_response

_MAX_REQUEST_LINE_BYTES = 65_537
#: Timeout for a client that stops reading or writing in the middle of a message.
_STALL_TIMEOUT_SECONDS = 60.0
#: Timeout for each connection's thread when the server stops. Its socket is closed by then.
_JOIN_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that the service received.

    :param path: decoded, without the query
    :param query: values of each parameter
    :param headers: names in lower case
    :param connection: number of the TCP connection, from 1
    :param at: time.monotonic() when it was read
    :param body: empty if it was larger than 1 MiB
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    connection: int
    at: float
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class _Connection:
    number: int
    thread: threading.Thread


class Server(TCPServer):
    """Accepts connections and records their requests.

    :param respond: executes a request
    :param next_effect: returns the fault for a request of this method and path, if any
    :param idle_timeout: seconds after which a connection without a request is closed
    :param upload_folder: where large request bodies are written to
    :raises OSError: the port is taken
    """

    allow_reuse_address = True
    request_queue_size = 512

    def __init__(
        self,
        address: tuple[str, int],
        respond: Callable[[Request], Response],
        *,
        next_effect: Callable[[str, str], Effect | None],
        idle_timeout: float,
        upload_folder: Path,
    ) -> None:
        self.respond = respond
        self.next_effect = next_effect
        self.idle_timeout = idle_timeout
        self.upload_folder = upload_folder
        self.stopping = threading.Event()
        self.connections = 0
        self._requests: list[RecordedRequest] = []
        self._open: dict[socket.socket, _Connection] = {}
        self._lock = threading.Lock()
        super().__init__(address, ConnectionHandler)
        # A byte on this pair wakes the accepting thread: a timeout would make it wake many times a second.
        self._wake_sender, self._wake_receiver = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept_connections, name="evaluation-service", daemon=True)

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Accept no more connections, close the open ones, and wait for their threads."""
        self.stopping.set()
        self._wake_sender.send(b"\0")
        self._acceptor.join()
        self.server_close()
        self._wake_sender.close()
        self._wake_receiver.close()
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
        for entry in connections.values():
            entry.thread.join(_JOIN_TIMEOUT_SECONDS)

    def _accept_connections(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._wake_receiver, selectors.EVENT_READ)
            while not self.stopping.is_set():
                if any(key.fileobj is self for key, _ in selector.select()):
                    with contextlib.suppress(OSError):  # the client has gone already
                        self.process_request(*self.get_request())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        thread = threading.Thread(
            target=self._serve_connection,
            args=(request, client_address),
            name="evaluation-service-connection",
            daemon=True,
        )
        with self._lock:
            self.connections += 1
            self._open[request] = _Connection(self.connections, thread)
        thread.start()

    def _serve_connection(self, connection: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(connection, client_address)
        except Exception:  # noqa: BLE001  reported, as in the standard library's threading server
            self.handle_error(connection, client_address)
        finally:
            self.shutdown_request(connection)
            with self._lock:
                self._open.pop(connection, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print every error except those of clients that disconnected."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()

    def number_of(self, connection: socket.socket) -> int:
        with self._lock:
            return self._open[connection].number

    def record(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)

    @property
    def requests(self) -> list[RecordedRequest]:
        with self._lock:
            return list(self._requests)

    def clear_requests(self) -> None:
        with self._lock:
            self._requests.clear()


class ConnectionHandler(BaseHTTPRequestHandler):
    """Serves the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.number = self.server.number_of(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the service's ``requests`` record what came in."""

    def handle_one_request(self) -> None:
        self.close_connection = True
        try:
            self.connection.settimeout(self.server.idle_timeout)
            self.raw_requestline = self.rfile.readline(_MAX_REQUEST_LINE_BYTES)
            self.connection.settimeout(_STALL_TIMEOUT_SECONDS)
            if not self.raw_requestline or not self.parse_request():
                return
            self._serve_request()
        except (OSError, ValueError, DropConnection):  # disconnected, not HTTP, or dropped on purpose
            self.close_connection = True

    def _serve_request(self) -> None:
        request = self._read_request()
        self._record(request)
        try:
            effect = self.server.next_effect(request.method, request.path)
            if effect is None:
                response = self._respond(request)
            else:
                response = effect.apply(lambda: self._respond(request), self.server.stopping)
            # The client asked to close, or speaks HTTP/1.0.
            announce_close = self.close_connection
            head_only = request.method == "HEAD"
            write_response(self.connection, response, head_only=head_only, announce_close=announce_close)
            if response.close:
                raise DropConnection
        finally:
            if isinstance(request.body, Path):
                request.body.unlink(missing_ok=True)

    def _read_request(self) -> Request:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = read_body(self.rfile, headers, self.server.upload_folder)
        return Request(self.command, unquote(path), parse_query(query), headers, body)

    def _record(self, request: Request) -> None:
        body = request.body if isinstance(request.body, bytes) else b""
        self.server.record(
            RecordedRequest(
                request.method, request.path, request.query, request.headers, self.number, time.monotonic(), body
            )
        )

    def _respond(self, request: Request) -> Response:
        try:
            return self.server.respond(request)
        except Exception:  # noqa: BLE001  a broken handler must not end the connection's thread
            self.server.handle_error(self.connection, self.client_address)
            return HttpError(500, UNEXPECTED_ERROR).response()
