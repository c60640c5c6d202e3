"""Routes of metrics."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import Fields, check_entity_name, validation_error
from airflow_provider_benchmarks.testing._jobs.metric_fields import metric_fields
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.identifiers import new_id

ROUTES: list[Route] = []
_METRIC = "/apis/evaluation/v2/workspaces/{workspace}/metrics/{name}"


def _show_metric(metric: Entity) -> dict[str, Any]:
    head = {"name": metric.name, "workspace": metric.workspace, "id": metric.id}
    return {**head, "created_at": metric.created_at, "updated_at": metric.created_at, **metric.fields}


@route(ROUTES, "GET", _METRIC)
def get_metric(context: Context, request: Request, workspace: str, name: str) -> Response:
    metric = context.state.metrics.get((workspace, name))
    if metric is None:
        raise HttpError(404, f"Metric '{workspace}/{name}' not found.")
    return json_response(_show_metric(metric))


@route(ROUTES, "POST", _METRIC)
def post_metric(context: Context, request: Request, workspace: str, name: str) -> Response:
    fields = _metric_fields(request.json())
    if (workspace, name) in context.state.metrics:
        raise HttpError(409, f"Entity with name '{name}' already exists in workspace '{workspace}'")
    check_entity_name(name)
    if workspace not in context.state.workspaces:
        raise HttpError(422, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
    metric = Entity(name, workspace, context.state.now(), new_id("metric"), fields)
    context.state.metrics[workspace, name] = metric
    return json_response(_show_metric(metric))


def _metric_fields(body: Any) -> dict[str, Any]:
    """Validate the fields of metrics that the local service computes; others are stored unchanged."""
    if not isinstance(body, dict) or "type" not in body:
        message = "Unable to extract tag using discriminator 'type'"
        raise HttpError(
            422, [validation_error("union_tag_not_found", ["body"], message, body, {"discriminator": "'type'"})]
        )
    kind = str(body["type"])
    head = {
        "type": kind,
        "description": body.get("description"),
        "labels": body.get("labels", {}),
        "supported_job_types": body.get("supported_job_types", ["online", "offline"]),
    }
    fields = Fields(body, ("body", kind))
    computed = metric_fields(fields, kind)
    own = {name: value for name, value in body.items() if name not in head} if computed is None else computed
    fields.raise_errors()
    return {name: value for name, value in {**head, **own}.items() if value is not None}
