"""An HTTP response, apart from any socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

#: Detail of a 500 for an error inside the service. The service then closes the connection without announcing it.
UNEXPECTED_ERROR = "An unexpected error occurred."


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A part of a file on disk, which is sent without being read into memory."""

    path: Path
    offset: int
    length: int


Body = bytes | FileSlice | Iterable[bytes]


@dataclass(slots=True)
class Response:
    """A response.

    :param body: an iterable needs ``chunked``, since its length is unknown
    :param chunked: send with chunked transfer encoding
    :param close: close the connection afterwards, without announcing it
    """

    status: int = 200
    body: Body = b""
    content_type: str | None = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    close: bool = False


class HttpError(Exception):
    """Ends a request with an error response ``{"detail": …}``."""

    def __init__(self, status: int, detail: Any, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        headers = dict(self.headers)
        if self.status == 409:
            headers["x-should-retry"] = "false"
        response = json_response({"detail": self.detail}, status=self.status)
        response.headers.update(headers)
        response.close = self.detail == UNEXPECTED_ERROR
        return response


def json_response(payload: Any, *, status: int = 200) -> Response:
    """Return JSON like the real service: compact, non-ASCII characters unescaped."""
    return Response(status=status, body=msgspec.json.encode(payload))
