"""Stored row scores as the service holds them, from the fastest route that serves them.

The documented download validates every row on the server, some thousand rows a second. The files service returns the
same file at the speed of the network, with its length and byte ranges.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx

from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._download_speed import DownloadSpeed
from airflow_provider_benchmarks.client._errors import protocol_error
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.client._response_body import DROPPED, body_length, read_body
from airflow_provider_benchmarks.exceptions import ResultsChanged, ServiceError, ServiceUnavailable
from airflow_provider_benchmarks.retry_policy import REQUESTS

logger = logging.getLogger(__name__)

#: Number of drops in a row, without progress between them, after which the download fails.
_MAX_DROPS = 5
#: Fewer bytes are no progress: a file could be read in a hundred thousand pieces otherwise.
_PROGRESS_BYTES = 8 * 1024 * 1024


class FileDownload:
    """A file of the files service as bytes; resumes where a connection has dropped.

    Who does not iterate over it must close it.

    :param request: for the whole file
    :param open_response: sends a request, with retries, and returns the response with its body unread
    """

    def __init__(
        self, request: Request, open_response: Callable[[Request], httpx.Response], config: ClientConfig
    ) -> None:
        self._request = request
        self._open = open_response
        self._config = config
        # Opened at once, so that a refusal is known before anything has been written.
        self._response = open_response(request)
        if self._response.headers.get("content-type", "").startswith("text/html"):
            self._response.close()
            found = f"a page of HTML, from {self._response.url.host}: a login, or a gateway's"
            raise protocol_error(request, self._response.status_code, found)
        self.length = body_length(self._response)
        self._etag = self._response.headers.get("etag", "")

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the file's bytes, once.

        :raises ResultsChanged: after a drop the file is another one, or the service refuses the rest
        :raises ServiceUnavailable: the connection keeps dropping, or is slower than the configuration allows
        """
        timeout = self._config.timeout
        speed = DownloadSpeed(
            f"row scores of {self._request.subject}",
            least=self._config.min_download_speed,
            timeout=timeout,
            length=self.length,
        )
        received, drops, reached = 0, 0, 0
        response = self._response
        while True:
            try:
                for piece in speed.of(read_body(response, timeout=timeout)):
                    received += len(piece)
                    yield piece
                return
            except DROPPED as fault:
                if received - reached >= _PROGRESS_BYTES:
                    drops, reached = 0, received
                drops += 1
                if drops > _MAX_DROPS:
                    raise ServiceUnavailable(
                        f"{self._request.subject}: the download keeps breaking off, now after {received} of "
                        f"{self.length} bytes: {fault}"
                    ) from fault
                logger.warning("%s: the download broke off after %d bytes: %s", self._request.subject, received, fault)
            finally:
                response.close()
            time.sleep(REQUESTS.pause(drops))
            response = self._reopen(received)

    def close(self) -> None:
        """Give the connection back of a file that nobody has begun to read."""
        self._response.close()

    def _reopen(self, received: int) -> httpx.Response:
        """Request the rest of the file, and make sure that it is the same one."""
        headers = {"Range": f"bytes={received}-"} if received else {}
        if received and self._etag and not self._etag.startswith("W/"):
            headers["If-Range"] = self._etag
        try:
            response = self._open(replace(self._request, headers=headers))
        except ServiceUnavailable:
            raise
        except ServiceError as error:
            # A download that begins again gets the same refusal, and then takes the documented route.
            raise ResultsChanged(f"{error} The download broke off after {received} bytes: begin it again.") from error
        expected = f"bytes {received}-{(self.length or 0) - 1}/{self.length}"
        same = response.headers.get("content-range") == expected if received else body_length(response) == self.length
        if self.length is None or not same:
            response.close()
            raise ResultsChanged(
                f"{self._request.subject}: the download broke off after {received} of {self.length} bytes and can't go "
                f"on from there: the file has changed, or the service gives no part of it. It has to begin again."
            )
        return response
