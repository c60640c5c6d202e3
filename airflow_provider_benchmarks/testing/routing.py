"""Finds the handler of a request, or the answer that the service gives where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_benchmarks.testing.messages import HttpError, Request, Response

Handler = Callable[..., Response]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path like ``/jobs/{name}`` or, to the end, ``/files/{path:path}``."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


def route(routes: list[Route], method: str, path: str) -> Callable[[AnyHandler], AnyHandler]:
    """Add the decorated function to a list of routes."""
    expression = re.sub(r"\\{(\w+):path\\}", r"(?P<\1>.+)", re.escape(path))
    expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", expression)

    def add(handler: AnyHandler) -> AnyHandler:
        routes.append(Route(method, re.compile(expression), handler))
        return handler

    return add


class Router:
    """Routes in order: of several that match, the first one counts, and it alone is named where none fits the method."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = list(routes)

    def find(self, request: Request) -> tuple[Handler, dict[str, Any]] | Response:
        """Give the handler and the values of the path, or an answer: 307, 404 or 405."""
        allowed = None
        for candidate in self.routes:
            match = candidate.pattern.fullmatch(request.path)
            if match and candidate.method == request.method:
                return candidate.handler, match.groupdict()
            if match and allowed is None:
                allowed = candidate.method
        if allowed is not None:
            return HttpError(405, "Method Not Allowed", headers={"allow": allowed}).response()
        return self._redirect(request) or HttpError(404, "Not Found").response()

    def _redirect(self, request: Request) -> Response | None:
        path = request.path.rstrip("/")
        if path == request.path or not any(candidate.pattern.fullmatch(path) for candidate in self.routes):
            return None
        query = "&".join(f"{quote(name)}={quote(value)}" for name, values in request.query.items() for value in values)
        location = f"{request.base_url}{quote(path, safe='/:@')}{'?' if query else ''}{query}"
        return Response(307, content_type=None, headers={"location": location})
