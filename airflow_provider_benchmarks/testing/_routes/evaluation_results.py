"""Routes of the stored results of jobs that bring their metrics along, since 0.3. They outlive their jobs."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route
from airflow_provider_benchmarks.testing._jobs.spec_validation import without_nulls
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.entities import COMMON_FILTERS, list_entities
from airflow_provider_benchmarks.testing._state.entity import Entity

_FILTERS = (*COMMON_FILTERS, "dataset_ref", "job_id")


def evaluation_result_routes(release: Release) -> list[Route]:
    results = f"/apis/{release.prefix}/v2/workspaces/{{workspace}}/eval-results"
    return [Route.at("GET", results, list_results), Route.at("GET", results + "/{name}", get_result)]


def _show_result(result: Entity) -> dict[str, Any]:
    fields = dict(result.fields)
    head = {
        "id": result.id,
        "name": result.name,
        "workspace": result.workspace,
        "job_id": result.name,  # the job's name, not its id
        "scores": fields.pop("scores"),
        "bundle_ref": fields.pop("bundle_ref"),
        "created_at": result.created_at,
        "updated_at": result.created_at,
    }
    shown: dict[str, Any] = without_nulls({**head, **fields})
    return shown


def list_results(context: Context, request: Request, workspace: str) -> Response:
    context.controllers.refresh_all(workspace)
    entities = (result for (home, _), result in context.state.job_results.items() if home == workspace)
    return list_entities(context.state, request, workspace, entities, _FILTERS, show=_show_result)


def get_result(context: Context, request: Request, workspace: str, name: str) -> Response:
    context.controllers.refresh_all(workspace)
    result = context.state.job_results.get((workspace, name))
    if result is None:
        raise HttpError(404, f"Result not found: {workspace}/{name}")
    return json_response(_show_result(result))
