"""Routes of the stored results of benchmark jobs, which outlive their jobs."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import forbid_other_parameters
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.entities import COMMON_FILTERS, list_entities, show_entity
from airflow_provider_benchmarks.testing._state.entity import Entity

ROUTES: list[Route] = []
_RESULTS = "/apis/evaluation/v2/workspaces/{workspace}/benchmark-job-results"
_FILTERS = (*COMMON_FILTERS, "benchmark", "dataset", "metrics", "model")
_AGGREGATE_FIELDS = (
    "histogram",
    "max",
    "mean",
    "min",
    "mode_category",
    "nan_count",
    "percentiles",
    "rubric_distribution",
    "score_type",
    "std_dev",
    "sum",
    "variance",
)


def _show(result: Entity) -> dict[str, Any]:
    return show_entity(result, created_by="")


@route(ROUTES, "GET", _RESULTS)
def list_job_results(context: Context, request: Request, workspace: str) -> Response:
    forbid_other_parameters(request, ("aggregate_fields", "page", "page_size", "filter", "sort"))
    requested = _requested_fields(request)
    context.controllers.refresh_all(workspace)
    entities = (
        _with_fields(entity, requested) for (home, _), entity in context.state.job_results.items() if home == workspace
    )
    return list_entities(context.state, request, workspace, entities, _FILTERS, show=_show)


@route(ROUTES, "GET", _RESULTS + "/{name}")
def get_job_result(context: Context, request: Request, workspace: str, name: str) -> Response:
    requested = _requested_fields(request)
    context.controllers.refresh_all(workspace)
    entity = context.state.job_results.get((workspace, name))
    if entity is None:
        raise HttpError(404, f"Benchmark job result '{workspace}/{name}' not found.")
    return json_response(_show(_with_fields(entity, requested)))


def _requested_fields(request: Request) -> set[str] | None:
    """Return the fields of scores that the query requests; None: all.

    :raises HttpError: 422, an unknown field
    """
    requested = [field for value in request.query.get("aggregate_fields", []) for field in value.split(",")]
    for field in requested:
        if field not in _AGGREGATE_FIELDS:
            raise HttpError(422, f"Invalid aggregate field: '{field}'. Valid fields: {list(_AGGREGATE_FIELDS)}")
    return {*requested, "name", "count"} if requested else None


def _with_fields(entity: Entity, requested: set[str] | None) -> Entity:
    """Return the entity with the requested fields of each score, without null fields."""
    results = [
        {
            "scores": [
                {
                    name: value
                    for name, value in score.items()
                    if value is not None and (requested is None or name in requested)
                }
                for score in entry["scores"]
            ],
            "metric": entry["metric"],
        }
        for entry in entity.fields["results"]
    ]
    fields = {**entity.fields, "results": results}
    return Entity(entity.name, entity.workspace, entity.created_at, entity.id, fields)
