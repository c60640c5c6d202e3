"""An HTTP proxy in front of an S3 server that refuses or drops chosen operations."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

#: Close the connection without an answer: before the server sees the request, or after it has done what it asks for.
DROP = "drop"
DROP_ANSWER = "drop the answer"

_CODES = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}


class FaultyS3:
    """A context manager; ``refuse`` says what fails from then on, ``requests`` what was requested.

    :param upstream: the S3 server's URL
    """

    def __init__(self, upstream: str) -> None:
        self.requests: list[str] = []
        self._upstream = urlsplit(upstream).netloc
        self._faults: dict[str, tuple[int | str, range]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def connection(self) -> str:
        """JSON of an Airflow connection to it, without the retries of botocore, which would only take time."""
        extra = {
            "endpoint_url": f"http://127.0.0.1:{self._server.server_address[1]}",
            "region_name": "us-east-1",
            "config_kwargs": {"retries": {"max_attempts": 0}},
        }
        return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})

    def refuse(self, operation: str, how: int | str, *, first: int = 1, times: int = 1000) -> None:
        """Let an operation fail from its n-th request on, a number of times: an HTTP status, DROP or DROP_ANSWER.

        :param operation: as S3 calls it, or ``*`` for each
        """
        self._faults[operation] = (how, range(first, first + times))

    def recover(self) -> None:
        self._faults = {}

    def _fault(self, operation: str) -> int | str | None:
        with self._lock:
            self.requests.append(operation)
            for name, count in ((operation, self.requests.count(operation)), ("*", len(self.requests))):
                how, when = self._faults.get(name, (None, range(0)))
                if count in when:
                    return how
        return None

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                how = proxy._fault(_operation(self.command, self.path))
                if isinstance(how, int):
                    error = f"<Error><Code>{_CODES[how]}</Code><Message>refused by the test</Message></Error>"
                    self._send(how, [("Content-Type", "application/xml")], error.encode())
                    return
                if how != DROP:
                    try:
                        status, headers, content = proxy._forward(self, body)
                    except OSError:  # the server behind is gone, so this one is too
                        how = DROP
                if how is not None:
                    self.close_connection = True
                    return
                self._send(status, headers, content)

            def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response_only(status)
                has_body = self.command != "HEAD"  # without one, the length is that of the object
                for name, value in headers:
                    if name.lower() not in ("transfer-encoding", "connection", "content-length" if has_body else ""):
                        self.send_header(name, value)
                if has_body:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if has_body:
                    self.wfile.write(content)

            do_HEAD = do_GET = do_PUT = do_POST = do_DELETE = _answer

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler


def _operation(method: str, target: str) -> str:
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    if "uploads" in query:
        return "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    if "uploadId" in query:
        return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}[method]
    return {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}.get(method, method)
