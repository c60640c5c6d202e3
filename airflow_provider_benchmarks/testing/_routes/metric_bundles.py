"""Routes of stored metrics, since 0.2: bundles that jobs name instead of bringing them along."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route
from airflow_provider_benchmarks.testing._http.validation import check_entity_name
from airflow_provider_benchmarks.testing._jobs.bundle_spec import check_bundle, wrong_outputs
from airflow_provider_benchmarks.testing._jobs.bundles import complete_bundle, has_wrong_outputs
from airflow_provider_benchmarks.testing._jobs.spec_validation import without_nulls
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.entities import COMMON_FILTERS, list_entities
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.identifiers import new_id

_FILTERS = (*COMMON_FILTERS, "metric_type")


def bundle_routes(release: Release) -> list[Route]:
    metrics = f"/apis/{release.prefix}/v2/workspaces/{{workspace}}/metrics"
    return [
        Route.at("GET", metrics, list_metrics),
        Route.at("GET", metrics + "/{name}", get_metric),
        Route.at("POST", metrics + "/{name}", post_metric),
    ]


def _show_metric(metric: Entity) -> dict[str, Any]:
    bundle = metric.fields["bundle"]
    return {
        "id": metric.id,
        "name": metric.name,
        "workspace": metric.workspace,
        "project": None,
        "metric_type": bundle["metric_type"],
        **bundle["metadata"],
        "outputs": bundle["outputs"],
        "secrets": bundle["secrets"],
        "payload_kind": bundle["payload"]["kind"],
        "payload_digest": bundle["payload"]["digest"],
        "bundle_ref": metric.fields["bundle_ref"],
        "derived": False,
        "created_at": metric.created_at,
        "updated_at": metric.created_at,
    }


def _show_in_list(metric: Entity) -> dict[str, Any]:
    shown: dict[str, Any] = without_nulls(_show_metric(metric))
    return shown


def list_metrics(context: Context, request: Request, workspace: str) -> Response:
    entities = (metric for (home, _), metric in context.state.metrics.items() if home == workspace)
    return list_entities(context.state, request, workspace, entities, _FILTERS, show=_show_in_list, sort="created_at")


def get_metric(context: Context, request: Request, workspace: str, name: str) -> Response:
    metric = context.state.metrics.get((workspace, name))
    if metric is None:
        raise HttpError(404, f"Metric not found: {workspace}/{name}")  # the wording is not the service's
    return json_response(_show_metric(metric))


def post_metric(context: Context, request: Request, workspace: str, name: str) -> Response:
    errors: list[Any] = []
    body = request.json()
    check_bundle(body, ("body",), errors)
    if errors:
        raise HttpError(422, errors)
    bundle = complete_bundle(body)
    if has_wrong_outputs(bundle):
        raise HttpError(422, wrong_outputs(bundle))
    if (workspace, name) in context.state.metrics:
        raise HttpError(409, f"Metric with workspace '{workspace}' and name '{name}' already exists")
    check_entity_name(name)
    if workspace not in context.state.workspaces:
        raise HttpError(422, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
    reference = f"{workspace}/metric-bundle.{uuid.uuid4().hex}#bundle.json"
    fields = {"bundle": bundle, "bundle_ref": reference}
    metric = Entity(name, workspace, context.state.now(), new_id("metric-bundle"), fields)
    context.state.metrics[workspace, name] = metric
    return json_response(_show_metric(metric), status=201)
