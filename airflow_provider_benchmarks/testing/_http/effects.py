"""What a fault does to a request and its response."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_benchmarks.testing._http.bodies import (
    DropConnection,
    body_length,
    cut,
    pieces_of,
    with_error_line,
)
from airflow_provider_benchmarks.testing._http.response import Body, Response

_PIECE_BYTES = 1024 * 1024


class Effect(ABC):
    """Stands between a request and its handler."""

    @abstractmethod
    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        """Return the response to send.

        :param respond: executes the request and returns the true response
        :param stopping: set when the server stops; ends every delay
        :raises DropConnection: close the connection instead
        """


@dataclass(frozen=True, slots=True)
class Answer(Effect):
    """Return another response and do not execute the request."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        headers = {name.lower(): value for name, value in self.headers.items()}
        content_type = headers.pop("content-type", "application/json")
        return Response(self.status, self.body, content_type, headers)


@dataclass(frozen=True, slots=True)
class Drop(Effect):
    """Close the connection without a response.

    :param takes_effect: execute the request first
    """

    takes_effect: bool

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        if self.takes_effect:
            respond()
        raise DropConnection


@dataclass(frozen=True, slots=True)
class CutBody(Effect):
    """Close the connection in the middle of the body."""

    after_bytes: int

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        response = _with_full_length(respond())
        response.body = cut(response.body, self.after_bytes)
        return response


@dataclass(frozen=True, slots=True)
class SlowBody(Effect):
    """Pause before each chunk of the body."""

    seconds_per_chunk: float
    chunk_bytes: int

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        response = _with_full_length(respond())
        response.body = self._slow_pieces(response.body, stopping)
        return response

    def _slow_pieces(self, body: Body, stopping: threading.Event) -> Iterator[bytes]:
        for piece in pieces_of(body, self.chunk_bytes):
            if stopping.wait(self.seconds_per_chunk):
                raise DropConnection
            yield piece


@dataclass(frozen=True, slots=True)
class Malformed(Effect):
    """Return the usual status with another body, or with the start of the body as if it were complete.

    :param body: None: the first ``keep_bytes`` of the true body
    """

    body: bytes | None
    keep_bytes: int

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        response = respond()
        complete = b"".join(pieces_of(response.body, _PIECE_BYTES))
        response.body = complete[: self.keep_bytes] if self.body is None else self.body
        return response


@dataclass(frozen=True, slots=True)
class ErrorLine(Effect):
    """End a stream of rows with the service's error line."""

    after_rows: int
    error_type: str
    message: str

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        response = respond()
        response.body = with_error_line(response.body, self.after_rows, self.error_type, self.message)
        return response


@dataclass(frozen=True, slots=True)
class Delay(Effect):
    """Wait before executing the request."""

    seconds: float

    def apply(self, respond: Callable[[], Response], stopping: threading.Event) -> Response:
        if stopping.wait(self.seconds):
            raise DropConnection
        return respond()


def _with_full_length(response: Response) -> Response:
    """Announce the length of the true body: a fault then replaces it with a stream."""
    if not response.chunked:
        response.headers["content-length"] = str(body_length(response.body))
    return response
