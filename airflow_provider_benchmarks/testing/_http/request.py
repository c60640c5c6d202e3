"""An HTTP request, apart from any socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from airflow_provider_benchmarks.testing._http.response import HttpError


@dataclass(slots=True)
class Request:
    """One request.

    :param path: decoded, without the query
    :param query: values of each parameter, in the order in which they came
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
        """Parse the JSON body; None if there is no body.

        :raises HttpError: 422 in the service's own words, if the body is not JSON
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


def parse_query(raw: str) -> dict[str, list[str]]:
    """Return the values of each query parameter, in the order in which they came."""
    return parse_qs(raw, keep_blank_values=True)
