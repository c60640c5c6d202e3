"""Routes of workspaces and secrets."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import NAME_PATTERN, Fields
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.entities import find_workspace
from airflow_provider_benchmarks.testing._state.entity import Entity

ROUTES: list[Route] = []
_WORKSPACES = "/apis/entities/v2/workspaces"


def _show_workspace(entity: Entity) -> dict[str, Any]:
    times = {
        "created_at": entity.created_at,
        "created_by": "",
        "updated_at": entity.created_at,
        "updated_by": "",
    }
    return {"id": entity.id, "name": entity.name, **entity.fields, **times}


@route(ROUTES, "POST", _WORKSPACES)
def post_workspace(context: Context, request: Request) -> Response:
    fields = Fields(request.json())
    name = fields.text("name", required=True, pattern=NAME_PATTERN)
    description = fields.text("description", nullable=True)
    fields.raise_errors()
    assert name is not None
    if name in context.state.workspaces:
        raise HttpError(409, f"Workspace '{name}' already exists")
    return json_response(_show_workspace(context.state.add_workspace(name, description)), status=201)


@route(ROUTES, "GET", _WORKSPACES + "/{workspace}")
def get_workspace(context: Context, request: Request, workspace: str) -> Response:
    return json_response(_show_workspace(find_workspace(context.state, workspace)))


@route(ROUTES, "POST", "/apis/secrets/v2/workspaces/{workspace}/secrets")
def post_secret(context: Context, request: Request, workspace: str) -> Response:
    """Store the name of a secret; its value is never used."""
    fields = Fields(request.json())
    name, _ = fields.text("name", required=True), fields.text("value", required=True)
    fields.raise_errors()
    assert name is not None
    context.state.secrets.add((workspace, name))
    now = context.state.now()
    secret = {"name": name, "workspace": workspace, "description": None, "created_at": now, "updated_at": now}
    return json_response(secret, status=201)
