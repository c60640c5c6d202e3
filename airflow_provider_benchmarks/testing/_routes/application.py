"""The local service apart from its socket: returns the response to a request."""

from __future__ import annotations

import re
from functools import cache

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response
from airflow_provider_benchmarks.testing._http.router import Router
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._routes import (
    benchmark_jobs,
    benchmarks,
    filesets,
    jobs_service,
    metrics,
    platform,
    stored_results,
    workspaces,
)
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.evaluate_jobs import evaluate_routes
from airflow_provider_benchmarks.testing._routes.evaluation_results import evaluation_result_routes
from airflow_provider_benchmarks.testing._routes.metric_bundles import bundle_routes


@cache
def _router(release: Release) -> Router:
    if release.evaluates_bundles:
        own = [*bundle_routes(release), *evaluate_routes(release)]
        if release.has_stored_results:
            own += evaluation_result_routes(release)
    else:
        own = [*metrics.ROUTES, *benchmarks.ROUTES, *stored_results.ROUTES, *benchmark_jobs.ROUTES]
    return Router([*platform.routes(release), *workspaces.ROUTES, *filesets.ROUTES, *own, *jobs_service.ROUTES])


_PRINCIPAL = re.compile(r"[\w@.\-:+/]+")
_WORKSPACE_PATH = re.compile(r"/apis/\w+/v2/workspaces/([^/]+)/")


class Application:
    """Authorizes requests, finds their handlers and calls them under the state's lock."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._router = _router(context.state.release)

    def respond(self, request: Request) -> Response:
        """Execute a request and return its response."""
        try:
            self._authorize(request)
            found = self._router.find(request)
            if isinstance(found, Response):
                return found
            handler, path_parameters = found
            with self._context.state.lock:
                return handler(self._context, request, **path_parameters)
        except HttpError as error:
            return error.response()

    def _authorize(self, request: Request) -> None:
        """Check the token. Health and discovery need none.

        :raises HttpError: 400, 401 or 403
        """
        if not request.path.startswith("/apis/") or request.path == platform.DISCOVERY:
            return
        principal = request.headers.get("x-nmp-principal-id")
        if principal is not None and not _PRINCIPAL.fullmatch(principal):
            raise HttpError(
                400,
                "X-NMP-Principal-Id contains invalid characters; allowed: alphanumeric, @, ., -, _, :, +, /",
            )
        token = self._context.token
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        unknown_token = scheme.lower() == "bearer" and presented not in (token, self._context.read_only_token)
        if unknown_token and (token is not None or self._context.state.release.refuses_any_token):
            raise HttpError(401, "Invalid or expired token")
        if token is None:
            return
        if scheme.lower() != "bearer":
            raise HttpError(401, "Unauthorized")
        workspace = _WORKSPACE_PATH.match(request.path)
        unknown = workspace is not None and workspace[1] not in self._context.state.workspaces
        reads = request.method in ("GET", "HEAD")
        if unknown or (presented != token and not reads):
            raise HttpError(403, "Forbidden")
