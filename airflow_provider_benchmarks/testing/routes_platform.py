"""Routes that tell about the platform itself: health, status, version, how to log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_benchmarks.testing.messages import HttpError, Request, Response, json_response
from airflow_provider_benchmarks.testing.routing import Route, route

if TYPE_CHECKING:
    from airflow_provider_benchmarks.testing.app import Application

ROUTES: list[Route] = []
DISCOVERY = "/apis/auth/discovery"
_SERVICES = ["entities", "secrets", "files", "models", "jobs", "evaluation"]


@route(ROUTES, "GET", "/health/ready")
def ready(app: Application, request: Request) -> Response:
    return json_response({"status": "ready"})


@route(ROUTES, "GET", "/health/live")
def live(app: Application, request: Request) -> Response:
    return json_response({"status": "live"})


@route(ROUTES, "GET", "/status")
def status(app: Application, request: Request) -> Response:
    running = {"job_scheduler": True, "job_reconciler": True} if app.controllers.enabled else {}
    return json_response(
        {
            "status": "healthy",
            "services": {"ready": _SERVICES, "not_ready": []},
            "controllers": {"healthy": True, "status": running},
        }
    )


@route(ROUTES, "GET", "/cluster-info")
def cluster_info(app: Application, request: Request) -> Response:
    # So says an installation from the package registry, too: it does not tell its version anywhere.
    return json_response({"platform_version": "dev", "revision": "dev"})


@route(ROUTES, "GET", DISCOVERY)
def discovery(app: Application, request: Request) -> Response:
    if app.token is None:
        raise HttpError(404, "Not Found")  # the auth service runs only where it is wanted
    return json_response({"auth_enabled": True, "oidc": None})
