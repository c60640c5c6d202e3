"""The least speed of a download, which may take any time as long as it goes on, and reports of how far it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from airflow_provider_benchmarks.exceptions import ServiceUnavailable

logger = logging.getLogger(__name__)

#: Bytes per second that a download must have at least, unless the connection says otherwise. The slowest networks in
#: use (GPRS, satellites) have some thousand. What trickles to keep a connection open has some ten.
DEFAULT_MIN_SPEED = 1000.0
#: The speed is that of at least so many seconds.
_MIN_WINDOW_SECONDS = 20.0
#: ... and so many times the timeout, so that a pause as long as that, which is allowed, does not count as slowness.
_WINDOW_TIMEOUTS = 2
#: Seconds between two reports.
PROGRESS_SECONDS = 120.0


class DownloadSpeed:
    """Measures one download, over all its connections.

    Only the time counts in which the network was waited for: who reads slowly makes no network slow.

    :param subject: what is downloaded, for errors and reports
    :param least: bytes per second; 0 for no limit
    :param timeout: seconds to wait for each piece
    :param length: number of bytes; None where the service does not say
    :param rows: returns the number of rows so far, where that is known
    """

    def __init__(
        self,
        subject: str,
        *,
        least: float,
        timeout: float,
        length: int | None = None,
        rows: Callable[[], int] | None = None,
    ) -> None:
        self._subject = subject
        self._least = least
        self._window = max(_MIN_WINDOW_SECONDS, _WINDOW_TIMEOUTS * timeout)
        self._length = length
        self._rows = rows
        self._bytes = 0
        self._window_bytes, self._window_seconds = 0, 0.0
        self._reported = time.monotonic()
        self._reported_bytes = 0

    def of(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces of a body, while whose reads of the network are measured.

        :raises ServiceUnavailable: they come more slowly than allowed
        """
        while True:
            token = _measured.set(self)
            try:
                piece = next(pieces, None)
            finally:
                _measured.reset(token)
            if piece is None:
                return
            yield piece

    def add(self, size: int, seconds: float) -> None:
        """Take one read of the network.

        :param seconds: that it took
        :raises ServiceUnavailable: the download is too slow
        """
        self._bytes += size
        self._window_bytes += size
        self._window_seconds += seconds
        if self._window_seconds >= self._window:
            speed = self._window_bytes / self._window_seconds
            if speed < self._least:
                raise self._too_slow(speed)
            self._window_bytes, self._window_seconds = 0, 0.0
        if (now := time.monotonic()) - self._reported >= PROGRESS_SECONDS:
            self._report(now)

    def _too_slow(self, speed: float) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"{self._subject}: the download is too slow: {speed:,.0f} bytes per second over the last "
            f"{self._window_seconds:.0f} s, less than the {self._least:,.0f} that it must have; {self._so_far()}. Look "
            f'at the network and the service, or lower the connection\'s extra "min_download_speed" (0 for no limit).'
        )

    def _report(self, now: float) -> None:
        speed = (self._bytes - self._reported_bytes) / (now - self._reported)
        self._reported, self._reported_bytes = now, self._bytes
        logger.info("%s: %s, at %s bytes per second", self._subject, self._so_far(), f"{speed:,.0f}")

    def _so_far(self) -> str:
        rows = "" if self._rows is None else f"{self._rows():,} rows in "
        share = f" of {self._length:,} ({self._bytes / self._length:.0%})" if self._length else ""
        return f"{rows}{self._bytes:,} bytes{share} so far"


_measured: ContextVar[DownloadSpeed | None] = ContextVar("download that reads of the network belong to", default=None)


def measured_download() -> DownloadSpeed | None:
    """The download that a read of the network belongs to now, if any."""
    return _measured.get()
