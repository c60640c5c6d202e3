"""What the routes of workspaces, metrics, benchmarks and stored results share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response
from airflow_provider_benchmarks.testing._http.validation import query_choice, query_integer
from airflow_provider_benchmarks.testing._routes.listing import page_response, parse_filter
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.state import State

COMMON_FILTERS = ("created_at", "entity_type", "id", "name", "project", "updated_at", "workspace")
_SORTS = ("-created_at", "created_at", "-updated_at", "updated_at", "-name", "name")
_DEFAULT_PAGE_SIZE = 100


def find_workspace(state: State, workspace: str) -> Entity:
    if workspace not in state.workspaces:
        raise HttpError(404, f"Workspace '{workspace}' not found")
    return state.workspaces[workspace]


def show_entity(entity: Entity, *, created_by: str) -> dict[str, Any]:
    """Return the JSON of an entity, without null fields."""
    fields = {"name": entity.name, "workspace": entity.workspace, **entity.fields}
    return {
        **{name: value for name, value in fields.items() if value is not None},
        "id": entity.id,
        "created_at": entity.created_at,
        "created_by": created_by,
        "updated_at": entity.created_at,
        "updated_by": created_by,
        "entity_id": entity.id,
    }


def list_entities(
    state: State,
    request: Request,
    workspace: str,
    entities: Iterable[Entity],
    filters: Sequence[str],
    *,
    show: Callable[[Entity], dict[str, Any]],
    sort: str = "-created_at",
) -> Response:
    """Return the page of entities that the query requests.

    :param filters: fields that can be filtered by
    :param show: returns the JSON of an entity
    :param sort: order if the query requests none
    :raises HttpError: 404, the workspace does not exist; 400 or 422, the query is wrong
    """
    page = query_integer(request, "page", 1)
    page_size = query_integer(request, "page_size", _DEFAULT_PAGE_SIZE, at_most=1000)
    sort = query_choice(request, "sort", _SORTS, default=sort, kind="literal_error")
    conditions = parse_filter(request, filters, state.release)
    find_workspace(state, workspace)
    entries = [show(entity) for entity in entities]
    found = [entry for entry in entries if all(condition.holds(entry.get) for condition in conditions)]
    found.sort(key=lambda entry: str(entry[sort.lstrip("-")]), reverse=sort.startswith("-"))
    start = (page - 1) * page_size
    return page_response(
        found[start : start + page_size],
        total=len(found),
        page=page,
        page_size=page_size,
        sort=sort,
        conditions=conditions,
        min_pages=0,
    )
