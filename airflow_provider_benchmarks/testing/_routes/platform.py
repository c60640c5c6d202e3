"""Routes of the platform itself: health, status, version, authentication."""

from __future__ import annotations

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._routes.context import Context

ROUTES: list[Route] = []
DISCOVERY = "/apis/auth/discovery"
_SERVICES = ["entities", "secrets", "files", "models", "jobs", "evaluation"]


@route(ROUTES, "GET", "/health/ready")
def ready(context: Context, request: Request) -> Response:
    return json_response({"status": "ready"})


@route(ROUTES, "GET", "/health/live")
def live(context: Context, request: Request) -> Response:
    return json_response({"status": "live"})


@route(ROUTES, "GET", "/status")
def status(context: Context, request: Request) -> Response:
    running = {"job_scheduler": True, "job_reconciler": True} if context.controllers.enabled else {}
    return json_response(
        {
            "status": "healthy",
            "services": {"ready": _SERVICES, "not_ready": []},
            "controllers": {"healthy": True, "status": running},
        }
    )


@route(ROUTES, "GET", "/cluster-info")
def cluster_info(context: Context, request: Request) -> Response:
    # An installation from the package registry returns this, too: its version is nowhere.
    return json_response({"platform_version": "dev", "revision": "dev"})


@route(ROUTES, "GET", DISCOVERY)
def discovery(context: Context, request: Request) -> Response:
    if context.token is None:
        raise HttpError(404, "Not Found")  # the auth service runs only if authentication is on
    return json_response({"auth_enabled": True, "oidc": None})
