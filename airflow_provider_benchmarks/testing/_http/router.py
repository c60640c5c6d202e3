"""Finds the handler of a request, or the response that the service returns if there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response

Handler = Callable[..., Response]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path pattern and their handler."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler

    @classmethod
    def at(cls, method: str, path: str, handler: Handler) -> Route:
        """Make a route.

        :param path: ``/jobs/{name}``; ``{path:path}`` also matches slashes
        """
        expression = re.sub(r"\\{(\w+):path\\}", r"(?P<\1>.+)", re.escape(path))
        return cls(method, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", expression)), handler)


def route(routes: list[Route], method: str, path: str) -> Callable[[AnyHandler], AnyHandler]:
    """Add the decorated function to a list of routes.

    :param path: as of :meth:`Route.at`
    """

    def add(handler: AnyHandler) -> AnyHandler:
        routes.append(Route.at(method, path, handler))
        return handler

    return add


class Router:
    """Routes in order. The first match counts; if none has the method, the ``allow`` header names the first alone."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = list(routes)

    def find(self, request: Request) -> tuple[Handler, dict[str, Any]] | Response:
        """Return the handler and the path parameters, or a response: 307, 404 or 405."""
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
        """Redirect a path with a trailing slash, if the path without it has a route."""
        path = request.path.rstrip("/")
        if path == request.path or not any(candidate.pattern.fullmatch(path) for candidate in self.routes):
            return None
        query = "&".join(f"{quote(name)}={quote(value)}" for name, values in request.query.items() for value in values)
        location = f"{request.base_url}{quote(path, safe='/:@')}{'?' if query else ''}{query}"
        return Response(307, content_type=None, headers={"location": location})
