"""Routes of the platform itself: health, status, version, authentication."""

from __future__ import annotations

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._routes.context import Context

DISCOVERY = "/apis/auth/discovery"
_SERVICES = ("entities", "secrets", "files", "models", "jobs")


def ready(context: Context, request: Request) -> Response:
    return json_response({"status": "ready"})


def live(context: Context, request: Request) -> Response:
    return json_response({"status": "live"})


def status(context: Context, request: Request) -> Response:
    release = context.state.release
    names = ("job_scheduler", "job_reconciler") if release.minor < 7 else ("jobs",)
    running = dict.fromkeys(names, True) if context.controllers.enabled else {}
    return json_response(
        {
            "status": "healthy",
            "services": {"ready": [*_SERVICES, release.prefix], "not_ready": []},
            "controllers": {"healthy": True, "status": running},
        }
    )


def cluster_info(context: Context, request: Request) -> Response:
    return json_response({"platform_version": context.state.release.version, "revision": "dev"})


def discovery(context: Context, request: Request) -> Response:
    if context.token is None:
        raise HttpError(404, "Not Found")  # the auth service runs only if authentication is on
    return json_response({"auth_enabled": True, "oidc": None})


def plugin_health(context: Context, request: Request) -> Response:
    prefix = context.state.release.prefix
    jobs = [f"{prefix}.{name}" for name in ("evaluate", "agent-evaluate", "retrieve-eval")]
    return json_response({"plugin": prefix, "status": "ok", "mode": "sdk-backed-job-scaffold", "jobs": jobs})


def routes(release: Release) -> list[Route]:
    own = [Route.at("GET", f"/apis/{release.prefix}/v1/healthz", plugin_health)] if release.evaluates_bundles else []
    return [
        Route.at("GET", "/health/ready", ready),
        Route.at("GET", "/health/live", live),
        Route.at("GET", "/status", status),
        Route.at("GET", "/cluster-info", cluster_info),
        Route.at("GET", DISCOVERY, discovery),
        *own,
    ]
