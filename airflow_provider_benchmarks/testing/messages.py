"""Requests and answers of the local service, apart from any socket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec

#: What the service puts out when something breaks inside it. It then closes the connection without announcing it.
UNEXPECTED = "An unexpected error occurred."


@dataclass(frozen=True, slots=True)
class FileSlice:
    """A part of a file on disk, to be sent without being read into memory."""

    path: Path
    offset: int
    length: int


Body = bytes | FileSlice | Iterable[bytes]


@dataclass(slots=True)
class Response:
    """An answer. A body that is an iterable, or any body with ``chunked``, goes out with chunked encoding."""

    status: int = 200
    body: Body = b""
    content_type: str | None = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    close: bool = False


class HttpError(Exception):
    """Ends a request with an error answer ``{"detail": …}``."""

    def __init__(self, status: int, detail: Any, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        headers = dict(self.headers)
        if self.status == 409:
            headers["x-should-retry"] = "false"
        answer = json_response({"detail": self.detail}, status=self.status)
        answer.headers.update(headers)
        answer.close = self.detail == UNEXPECTED
        return answer


def json_response(payload: Any, *, status: int = 200) -> Response:
    """Answer with JSON, compact and with non-ASCII as it is, like the real service."""
    return Response(status=status, body=msgspec.json.encode(payload))


@dataclass(slots=True)
class Request:
    """One request.

    :param path: decoded, without the query
    :param headers: names in lower case
    :param body: the bytes, or the file that a large body was written to
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes | Path = b""

    @property
    def base_url(self) -> str:
        return f"http://{self.headers.get('host', 'localhost')}"

    @property
    def url(self) -> str:
        """The address as the service repeats it: with the query, wherever that puts it."""
        query = urlencode(self.query, doseq=True)
        return f"{self.base_url}{self.path}{'?' if query else ''}{query}"

    def json(self) -> Any:
        """Read the JSON body.

        :raises HttpError: 422 as the service words it, where there is none or it is damaged
        """
        content = self.body.read_bytes() if isinstance(self.body, Path) else self.body
        if not content:
            return None
        if "json" not in self.headers.get("content-type", "application/json"):
            return content.decode("utf-8", "replace")
        try:
            return json.loads(content)
        except json.JSONDecodeError as error:
            entry = {"loc": ["body", error.pos], "msg": "JSON decode error", "ctx": {"error": error.msg}}
        except UnicodeDecodeError:
            entry = {"loc": ["body", 0], "msg": "JSON decode error", "ctx": {"error": "Expecting value"}}
        raise HttpError(422, [{"type": "json_invalid", **entry, "input": {}}])


def split_query(raw: str) -> dict[str, list[str]]:
    """Give every query parameter its values, in the order they came."""
    return parse_qs(raw, keep_blank_values=True)
