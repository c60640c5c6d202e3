"""A server that decides about every byte of its answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

Send = Callable[[bytes], None]
#: Seconds between two bytes that trickle: far less than any timeout.
PAUSE = 0.05
#: Bytes that trickle at most, so that a test of a client that waits for ever comes to its end: two minutes.
_MOST = 2400


class RawServer:
    """Plain sockets on loopback.

    :param answer: is given the path of each request, without its query, and a function that sends bytes
    """

    def __init__(self, answer: Callable[[str, Send], None]) -> None:
        self._answer = answer
        self.paths: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._socket.close()

    def trickle(self, send: Send, begin: bytes, byte: bytes) -> None:
        """Send a beginning, then a byte again and again."""
        send(begin)
        for _ in range(_MOST):
            if self._stopped.wait(PAUSE):
                return
            send(byte)

    def connection_json(self, **extra: Any) -> str:
        """An Airflow connection to it."""
        return json.dumps(
            {"conn_type": "nemo_evaluator", "host": self.url, "extra": {"workspace": "my-workspace", **extra}}
        )

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with connection:
            try:
                while not self._stopped.is_set():
                    while b"\r\n\r\n" not in data:
                        if not (more := connection.recv(65536)):
                            return
                        data += more
                    head, _, data = data.partition(b"\r\n\r\n")
                    path = head.split(b" ", 2)[1].decode().partition("?")[0]
                    self.paths.append(path)
                    self._answer(path, connection.sendall)
            except OSError:  # the client has gone
                return


def send_json(send: Send, body: Any, status: int = 200) -> None:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    send(head.encode() + content)
