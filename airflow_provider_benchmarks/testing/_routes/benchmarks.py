"""Routes of benchmarks."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import (
    REFERENCE_PATTERN,
    Fields,
    check_entity_name,
    forbid_other_parameters,
    pattern_error,
    validation_error,
)
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.entities import COMMON_FILTERS, list_entities, show_entity
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.identifiers import new_id
from airflow_provider_benchmarks.testing._state.state import State

ROUTES: list[Route] = []
_BENCHMARKS = "/apis/evaluation/v2/workspaces/{workspace}/benchmarks"
_FILTERS = (*COMMON_FILTERS, "dataset", "description")


def _show(benchmark: Entity) -> dict[str, Any]:
    return show_entity(benchmark, created_by="service:platform")


@route(ROUTES, "GET", _BENCHMARKS)
def list_benchmarks(context: Context, request: Request, workspace: str) -> Response:
    forbid_other_parameters(request, ("page", "extended_response", "page_size", "filter", "sort"))
    entities = (benchmark for (home, _), benchmark in context.state.benchmarks.items() if home == workspace)
    return list_entities(context.state, request, workspace, entities, _FILTERS, show=_show)


@route(ROUTES, "GET", _BENCHMARKS + "/{name}")
def get_benchmark(context: Context, request: Request, workspace: str, name: str) -> Response:
    benchmark = context.state.benchmarks.get((workspace, name))
    if benchmark is None:
        raise HttpError(404, f"Benchmark '{workspace}/{name}' not found.")
    return json_response(_show(benchmark))


@route(ROUTES, "POST", _BENCHMARKS)
def post_benchmark(context: Context, request: Request, workspace: str) -> Response:
    name, fields = _benchmark_fields(request.json())
    for reference in fields["metrics"]:
        if tuple(reference.split("/")) not in context.state.metrics:
            raise HttpError(404, f"Metric '{reference}' not found.")
    if not fields["metrics"]:
        detail = "Benchmark metrics have no compatible job types. The supported_job_types intersection is empty."
        raise HttpError(422, detail)
    _check_dataset(context.state, fields["dataset"])
    if (workspace, name) in context.state.benchmarks:
        raise HttpError(409, f"Benchmark '{workspace}/{name}' already exists.")
    if workspace not in context.state.workspaces:
        raise HttpError(500, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
    try:
        check_entity_name(name)
    except HttpError as error:
        raise HttpError(500, error.detail) from None  # only this route returns 500 for an invalid name
    benchmark = Entity(name, workspace, context.state.now(), new_id("benchmark"), fields)
    context.state.benchmarks[workspace, name] = benchmark
    return json_response(_show(benchmark), status=201)


def _benchmark_fields(body: Any) -> tuple[str, dict[str, Any]]:
    fields = Fields(body)
    name = fields.text("name", required=True)
    description = fields.text("description", required=True, nullable=True)
    metrics = fields.value.get("metrics")
    if not isinstance(metrics, list):
        fields.errors.append(
            validation_error("list_type", ["body", "metrics"], "Input should be a valid list", metrics)
        )
        metrics = []
    for position, metric in enumerate(metrics):
        loc: list[str | int] = ["body", "metrics", position]
        if not isinstance(metric, str):
            fields.errors.append(validation_error("string_type", loc, "Input should be a valid string", metric))
        elif not re.match(REFERENCE_PATTERN, metric):
            fields.errors.append(pattern_error(loc, metric, REFERENCE_PATTERN))
    dataset = fields.text("dataset", required=True)
    labels = fields.mapping("labels")
    fields.forbid_others(("name", "description", "metrics", "dataset", "labels", "field_mapping"))
    fields.raise_errors()
    assert name is not None
    return name, {"description": description, "metrics": metrics, "dataset": dataset, "labels": labels or {}}


def _check_dataset(state: State, reference: str) -> None:
    workspace, slash, name = reference.partition("#")[0].partition("/")
    if not slash:
        raise HttpError(422, "Invalid dataset schema metadata: FilesetRef must use 'workspace/fileset-name' format")
    if (workspace, name) not in state.filesets:
        response = {"detail": f"Fileset '{name}' not found in workspace '{workspace}'"}
        raise HttpError(422, f"Invalid dataset schema metadata: Error code: 404 - {response}")
