"""The local service apart from its socket: a request in, an answer out."""

from __future__ import annotations

import re

from airflow_provider_benchmarks.testing import (
    routes_entities,
    routes_files,
    routes_jobs,
    routes_jobs_service,
    routes_platform,
    routes_results,
)
from airflow_provider_benchmarks.testing.messages import HttpError, Request, Response
from airflow_provider_benchmarks.testing.routing import Router
from airflow_provider_benchmarks.testing.scenarios import Scenarios
from airflow_provider_benchmarks.testing.state import State
from airflow_provider_benchmarks.testing.timetable import Controllers

ROUTER = Router(
    [
        *routes_platform.ROUTES,
        *routes_entities.ROUTES,
        *routes_files.ROUTES,
        *routes_results.ROUTES,
        *routes_jobs.ROUTES,
        *routes_jobs_service.ROUTES,
    ]
)
_PRINCIPAL = re.compile(r"[\w@.\-:+/]+")


class Application:
    """Answers requests.

    :param token: bearer token that every request must carry, but for health and discovery
    :param read_only_token: another one, which may not change anything
    """

    def __init__(
        self,
        state: State,
        scenarios: Scenarios,
        controllers: Controllers,
        *,
        token: str | None = None,
        read_only_token: str | None = None,
    ) -> None:
        self.state = state
        self.scenarios = scenarios
        self.controllers = controllers
        self.token = token
        self.read_only_token = read_only_token

    def respond(self, request: Request) -> Response:
        try:
            self._authorise(request)
            found = ROUTER.find(request)
            if isinstance(found, Response):
                return found
            handler, values = found
            with self.state.lock:
                return handler(self, request, **values)
        except HttpError as error:
            return error.response()

    def _authorise(self, request: Request) -> None:
        if not request.path.startswith("/apis/") or request.path == routes_platform.DISCOVERY:
            return
        principal = request.headers.get("x-nmp-principal-id")
        if principal is not None and not _PRINCIPAL.fullmatch(principal):
            raise HttpError(
                400,
                "X-NMP-Principal-Id contains invalid characters; allowed: alphanumeric, @, ., -, _, :, +, /",
            )
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (self.token is None or presented not in (self.token, self.read_only_token)):
            raise HttpError(401, "Invalid or expired token")  # also where no token is asked for
        if self.token is None:
            return
        if scheme.lower() != "bearer":
            raise HttpError(401, "Unauthorized")
        workspace = re.match(r"/apis/\w+/v2/workspaces/([^/]+)/", request.path)
        reads = request.method in ("GET", "HEAD")
        if (workspace and workspace[1] not in self.state.workspaces) or (presented != self.token and not reads):
            raise HttpError(403, "Forbidden")
