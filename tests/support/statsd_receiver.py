"""A receiver of StatsD's packets: metrics as Airflow sends them."""

from __future__ import annotations

import socket
from threading import Thread
from types import TracebackType
from typing import Self


class StatsdReceiver:
    """A context manager; ``metrics`` has the values of each metric as they have come, with its type: ``0.6|g``."""

    def __init__(self) -> None:
        self.metrics: dict[str, list[str]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = Thread(target=self._receive, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        self._socket.close()

    @property
    def settings(self) -> dict[str, str]:
        """Settings of an Airflow that sends its metrics here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
        }

    def finish(self) -> dict[str, list[str]]:
        """Take what was sent before this, and nothing after it.

        :return: the metrics of this package, without Airflow's prefix
        """
        if self._thread.is_alive():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"", self._socket.getsockname())
            self._thread.join(timeout=30)
        start = "airflow.benchmarks."
        return {name.removeprefix("airflow."): each for name, each in self.metrics.items() if name.startswith(start)}

    def _receive(self) -> None:
        while packet := self._socket.recv(65536):
            for line in packet.decode().splitlines():
                name, _, value = line.partition(":")
                self.metrics.setdefault(name, []).append(value)
