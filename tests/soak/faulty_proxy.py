"""A proxy that spoils a share of the answers, drawn at random."""

from __future__ import annotations

import random
import select
import sys
import threading
from collections import Counter
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.fuzz.odd_answers import Response
from tests.soak.faults import FAULTS, Fault

_UPSTREAM_SECONDS = 120
#: They are about one connection alone.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"})


class FaultyProxy:
    """A context manager: hands requests on to a service at an address of its own.

    :param target: the service's base URL
    :param share: of the requests whose answers are spoilt, from 0 to 1
    :param seed: of what is drawn
    """

    def __init__(self, target: str, *, share: float, seed: int) -> None:
        self.target, self.share = urlsplit(target), share
        self.requests = 0
        self.faults: Counter[str] = Counter()
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._left: list[str] = []

        class Handler(_Handler):
            proxy = self

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_fault(self) -> Fault | None:
        """Draw what goes wrong with a request: every fault comes once before one comes again."""
        with self._lock:
            self.requests += 1
            if self._random.random() >= self.share:
                return None
            if not self._left:
                self._left = list(FAULTS)
                self._random.shuffle(self._left)
            name = self._left.pop()
            self.faults[name] += 1
            return FAULTS[name]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that dies resets its connections
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def wait_until_gone(self, seconds: float) -> bool:
        readable, _, _ = select.select([self.connection], [], [], seconds)
        return bool(readable)  # a client that waits for its answer sends nothing but the end

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy.next_fault()
        try:
            right = Response() if fault and not fault.takes_effect else self._forward(body)
            if fault is None:
                self._pass_on(right)
                return
            self.close_connection = True
            fault.answer(right, self)
        except (OSError, HTTPException):  # the client has gone, or the service ends
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _answer

    def _forward(self, body: bytes) -> Response:
        upstream = HTTPConnection(str(self.proxy.target.netloc), timeout=_UPSTREAM_SECONDS)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
            return Response(answer.status, tuple(kept), answer.read())
        finally:
            upstream.close()

    def _pass_on(self, right: Response) -> None:
        self.send_response(right.status)
        for name, value in right.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(right.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(right.body)
