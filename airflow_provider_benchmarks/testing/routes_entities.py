"""Routes for workspaces, secrets, metrics, benchmarks and the stored results of benchmark jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.testing.evaluation import OPERATIONS
from airflow_provider_benchmarks.testing.listing import Condition, page_response, parse_filter
from airflow_provider_benchmarks.testing.messages import HttpError, Request, Response, json_response
from airflow_provider_benchmarks.testing.routing import Route, route
from airflow_provider_benchmarks.testing.state import Entity, State, new_id
from airflow_provider_benchmarks.testing.validation import (
    NAME_PATTERN,
    REFERENCE_PATTERN,
    Fields,
    check_entity_name,
    forbid_other_parameters,
    pattern_problem,
    problem,
    query_choice,
    query_integer,
)

if TYPE_CHECKING:
    from airflow_provider_benchmarks.testing.app import Application

ROUTES: list[Route] = []
_WORKSPACES = "/apis/entities/v2/workspaces"
_EVALUATION = "/apis/evaluation/v2/workspaces/{workspace}"
_SORTS = ("-created_at", "created_at", "-updated_at", "updated_at", "-name", "name")
_DEFAULT_PAGE = 100
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
_COMMON_FILTERS = ("created_at", "entity_type", "id", "name", "project", "updated_at", "workspace")
_RESULT_FILTERS = (*_COMMON_FILTERS, "benchmark", "dataset", "metrics", "model")
_BENCHMARK_FILTERS = (*_COMMON_FILTERS, "dataset", "description")


def show_entity(entity: Entity, *, created_by: str) -> dict[str, Any]:
    """Show an entity as its routes do: fields without a value are left out."""
    shown = {"name": entity.name, "workspace": entity.workspace, **entity.fields}
    return {
        **{name: value for name, value in shown.items() if value is not None},
        "id": entity.id,
        "created_at": entity.created_at,
        "created_by": created_by,
        "updated_at": entity.created_at,
        "updated_by": created_by,
        "entity_id": entity.id,
    }


def _show_workspace(entity: Entity) -> dict[str, Any]:
    times = {
        "created_at": entity.created_at,
        "created_by": "",
        "updated_at": entity.created_at,
        "updated_by": "",
    }
    return {"id": entity.id, "name": entity.name, **entity.fields, **times}


@route(ROUTES, "POST", _WORKSPACES)
def post_workspace(app: Application, request: Request) -> Response:
    fields = Fields(request.json())
    name = fields.text("name", required=True, pattern=NAME_PATTERN)
    description = fields.text("description", nullable=True)
    fields.done()
    assert name is not None
    if name in app.state.workspaces:
        raise HttpError(409, f"Workspace '{name}' already exists")
    return json_response(_show_workspace(app.state.add_workspace(name, description)), status=201)


@route(ROUTES, "GET", _WORKSPACES + "/{workspace}")
def get_workspace(app: Application, request: Request, workspace: str) -> Response:
    return json_response(_show_workspace(_find_workspace(app.state, workspace)))


def _find_workspace(state: State, workspace: str) -> Entity:
    if workspace not in state.workspaces:
        raise HttpError(404, f"Workspace '{workspace}' not found")
    return state.workspaces[workspace]


@route(ROUTES, "POST", "/apis/secrets/v2/workspaces/{workspace}/secrets")
def post_secret(app: Application, request: Request, workspace: str) -> Response:
    """Take note of a secret; its value is never needed."""
    fields = Fields(request.json())
    name, _ = fields.text("name", required=True), fields.text("value", required=True)
    fields.done()
    assert name is not None
    app.state.secrets.add((workspace, name))
    now = app.state.now()
    shown = {"name": name, "workspace": workspace, "description": None, "created_at": now, "updated_at": now}
    return json_response(shown, status=201)


def _show_metric(metric: Entity) -> dict[str, Any]:
    head = {"name": metric.name, "workspace": metric.workspace, "id": metric.id}
    return {**head, "created_at": metric.created_at, "updated_at": metric.created_at, **metric.fields}


@route(ROUTES, "GET", _EVALUATION + "/metrics/{name}")
def get_metric(app: Application, request: Request, workspace: str, name: str) -> Response:
    metric = app.state.metrics.get((workspace, name))
    if metric is None:
        raise HttpError(404, f"Metric '{workspace}/{name}' not found.")
    return json_response(_show_metric(metric))


@route(ROUTES, "POST", _EVALUATION + "/metrics/{name}")
def post_metric(app: Application, request: Request, workspace: str, name: str) -> Response:
    fields = _metric_fields(request.json())
    if (workspace, name) in app.state.metrics:
        raise HttpError(409, f"Entity with name '{name}' already exists in workspace '{workspace}'")
    check_entity_name(name)
    if workspace not in app.state.workspaces:
        raise HttpError(422, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
    metric = Entity(name, workspace, app.state.now(), new_id("metric"), fields)
    app.state.metrics[workspace, name] = metric
    return json_response(_show_metric(metric))


def _metric_fields(body: Any) -> dict[str, Any]:
    """Check the fields of the metrics that the local service computes; others are stored as they come."""
    if not isinstance(body, dict) or "type" not in body:
        message = "Unable to extract tag using discriminator 'type'"
        raise HttpError(422, [problem("union_tag_not_found", ["body"], message, body, {"discriminator": "'type'"})])
    kind = str(body["type"])
    head = {
        "type": kind,
        "description": body.get("description"),
        "labels": body.get("labels", {}),
        "supported_job_types": body.get("supported_job_types", ["online", "offline"]),
    }
    fields = Fields(body, ("body", kind))
    own: dict[str, Any] = {name: value for name, value in body.items() if name not in head}
    if kind == "exact-match":
        own = {
            "reference": fields.text("reference", required=True),
            "candidate": fields.text("candidate", nullable=True),
        }
    elif kind == "string-check":
        own = {
            "operation": fields.choice("operation", tuple(OPERATIONS)),
            "left_template": fields.text("left_template", required=True),
            "right_template": fields.text("right_template", required=True),
        }
    fields.done()
    return {name: value for name, value in {**head, **own}.items() if value is not None}


@route(ROUTES, "GET", _EVALUATION + "/benchmarks")
def list_benchmarks(app: Application, request: Request, workspace: str) -> Response:
    forbid_other_parameters(request, ("page", "extended_response", "page_size", "filter", "sort"))
    entities = (benchmark for (home, _), benchmark in app.state.benchmarks.items() if home == workspace)
    return _list_entities(app.state, request, workspace, entities, _BENCHMARK_FILTERS, created_by="service:platform")


@route(ROUTES, "GET", _EVALUATION + "/benchmarks/{name}")
def get_benchmark(app: Application, request: Request, workspace: str, name: str) -> Response:
    benchmark = app.state.benchmarks.get((workspace, name))
    if benchmark is None:
        raise HttpError(404, f"Benchmark '{workspace}/{name}' not found.")
    return json_response(show_entity(benchmark, created_by="service:platform"))


@route(ROUTES, "POST", _EVALUATION + "/benchmarks")
def post_benchmark(app: Application, request: Request, workspace: str) -> Response:
    name, fields = _benchmark_fields(request.json())
    for reference in fields["metrics"]:
        if tuple(reference.split("/")) not in app.state.metrics:
            raise HttpError(404, f"Metric '{reference}' not found.")
    if not fields["metrics"]:
        detail = "Benchmark metrics have no compatible job types. The supported_job_types intersection is empty."
        raise HttpError(422, detail)
    _check_dataset(app.state, fields["dataset"])
    if (workspace, name) in app.state.benchmarks:
        raise HttpError(409, f"Benchmark '{workspace}/{name}' already exists.")
    if workspace not in app.state.workspaces:
        raise HttpError(500, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
    try:
        check_entity_name(name)
    except HttpError as error:
        raise HttpError(500, error.detail) from None  # 500 for a bad name: this route's own way
    benchmark = Entity(name, workspace, app.state.now(), new_id("benchmark"), fields)
    app.state.benchmarks[workspace, name] = benchmark
    return json_response(show_entity(benchmark, created_by="service:platform"), status=201)


def _benchmark_fields(body: Any) -> tuple[str, dict[str, Any]]:
    fields = Fields(body)
    name = fields.text("name", required=True)
    description = fields.text("description", required=True, nullable=True)
    metrics = fields.value.get("metrics")
    if not isinstance(metrics, list):
        fields.errors.append(problem("list_type", ["body", "metrics"], "Input should be a valid list", metrics))
        metrics = []
    for position, metric in enumerate(metrics):
        loc: list[str | int] = ["body", "metrics", position]
        if not isinstance(metric, str):
            fields.errors.append(problem("string_type", loc, "Input should be a valid string", metric))
        elif not re.match(REFERENCE_PATTERN, metric):
            fields.errors.append(pattern_problem(loc, metric, REFERENCE_PATTERN))
    dataset = fields.text("dataset", required=True)
    labels = fields.mapping("labels")
    fields.forbid_others(("name", "description", "metrics", "dataset", "labels", "field_mapping"))
    fields.done()
    assert name is not None
    return name, {"description": description, "metrics": metrics, "dataset": dataset, "labels": labels or {}}


def _check_dataset(state: State, reference: str) -> None:
    workspace, slash, name = reference.partition("#")[0].partition("/")
    if not slash:
        raise HttpError(422, "Invalid dataset schema metadata: FilesetRef must use 'workspace/fileset-name' format")
    if (workspace, name) not in state.filesets:
        answer = {"detail": f"Fileset '{name}' not found in workspace '{workspace}'"}
        raise HttpError(422, f"Invalid dataset schema metadata: Error code: 404 - {answer}")


@route(ROUTES, "GET", _EVALUATION + "/benchmark-job-results")
def list_job_results(app: Application, request: Request, workspace: str) -> Response:
    forbid_other_parameters(request, ("aggregate_fields", "page", "page_size", "filter", "sort"))
    wanted = _aggregate_fields(request)
    app.controllers.refresh_all(workspace)
    entities = (_trimmed(entity, wanted) for (home, _), entity in app.state.job_results.items() if home == workspace)
    return _list_entities(app.state, request, workspace, entities, _RESULT_FILTERS, created_by="")


@route(ROUTES, "GET", _EVALUATION + "/benchmark-job-results/{name}")
def get_job_result(app: Application, request: Request, workspace: str, name: str) -> Response:
    wanted = _aggregate_fields(request)
    app.controllers.refresh_all(workspace)
    entity = app.state.job_results.get((workspace, name))
    if entity is None:
        raise HttpError(404, f"Benchmark job result '{workspace}/{name}' not found.")
    return json_response(show_entity(_trimmed(entity, wanted), created_by=""))


def _aggregate_fields(request: Request) -> set[str] | None:
    wanted = [field for value in request.query.get("aggregate_fields", []) for field in value.split(",")]
    for field in wanted:
        if field not in _AGGREGATE_FIELDS:
            raise HttpError(422, f"Invalid aggregate field: '{field}'. Valid fields: {list(_AGGREGATE_FIELDS)}")
    return {*wanted, "name", "count"} if wanted else None


def _trimmed(entity: Entity, wanted: set[str] | None) -> Entity:
    """Leave of every score what was asked for, and nothing that has no value."""
    results = [
        {
            "scores": [
                {name: value for name, value in score.items() if value is not None and (not wanted or name in wanted)}
                for score in entry["scores"]
            ],
            "metric": entry["metric"],
        }
        for entry in entity.fields["results"]
    ]
    fields = {**entity.fields, "results": results}
    return Entity(entity.name, entity.workspace, entity.created_at, entity.id, fields)


def _list_entities(
    state: State,
    request: Request,
    workspace: str,
    entities: Iterable[Entity],
    filters: Sequence[str],
    *,
    created_by: str,
) -> Response:
    page = query_integer(request, "page", 1)
    page_size = query_integer(request, "page_size", _DEFAULT_PAGE, at_most=1000)
    sort = query_choice(request, "sort", _SORTS, default="-created_at", kind="literal_error")
    conditions = parse_filter(request, filters)
    _find_workspace(state, workspace)
    shown = [show_entity(entity, created_by=created_by) for entity in entities]
    kept = [entry for entry in shown if all(_holds(condition, entry) for condition in conditions)]
    kept.sort(key=lambda entry: str(entry[sort.lstrip("-")]), reverse=sort.startswith("-"))
    start = (page - 1) * page_size
    return page_response(
        kept[start : start + page_size],
        total=len(kept),
        page=page,
        page_size=page_size,
        sort=sort,
        conditions=conditions,
        least_pages=0,
    )


def _holds(condition: Condition, entry: dict[str, Any]) -> bool:
    return condition.holds(entry.get(condition.field))
