"""Filters and pages of the service's lists."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError, Response, json_response
from airflow_provider_benchmarks.testing._jobs.lifecycle import STATUSES

_OPERATORS = ("$eq", "$like", "$lt", "$lte", "$gt", "$gte", "$in", "$nin")
_RANGES = ("$gt", "$gte", "$lt", "$lte")
_DATES = ("created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a field of the entries of a list."""

    field: str
    operator: str
    value: Any

    def holds(self, actual: Any) -> bool:
        compare: Mapping[str, Callable[[], bool]] = {
            "$eq": lambda: bool(actual == self.value),
            "$in": lambda: actual in self.value,
            "$nin": lambda: actual not in self.value,
            "$like": lambda: self._like(str(actual)),
            "$lt": lambda: str(actual) < str(self.value),
            "$lte": lambda: str(actual) <= str(self.value),
            "$gt": lambda: str(actual) > str(self.value),
            "$gte": lambda: str(actual) >= str(self.value),
        }
        if isinstance(actual, list):
            return self.value in actual
        return compare[self.operator]()

    def _like(self, actual: str) -> bool:
        return re.search(re.escape(str(self.value)).replace("%", ".*"), actual) is not None


def parse_filter(request: Request, fields: Sequence[str]) -> list[Condition]:
    """Parse ``filter[field]=value``, ``filter[field][$operator]=value`` or ``filter={"field": …}``.

    An entry matches if all conditions hold.

    :raises HttpError: 400, an unknown field or operator; 500, what the service can't process
    """
    conditions = []
    for name, values in request.query.items():
        if name == "filter":
            conditions += _parse_json(values[-1], fields)
        elif match := re.fullmatch(r"filter\[([^\]]*)\](?:\[([^\]]*)\])?", name):
            value: Any = values if len(values) > 1 else values[0] or None
            if isinstance(value, str) and "," in value:
                value = value.split(",")
            if match[2] in ("$in", "$nin") and isinstance(value, str):
                value = [value]
            conditions.append(_condition(match[1], match[2] or "$eq", value, fields))
    return conditions


def _parse_json(text: str, fields: Sequence[str]) -> list[Condition]:
    try:
        tree = json.loads(text)
    except ValueError:
        raise HttpError(400, f"Invalid JSON in filter parameter: {text}") from None
    conditions = []
    for name, value in tree.items():
        if name in ("$or", "$not"):
            raise HttpError(
                500, UNEXPECTED_ERROR
            )  # as the service does for status; the local service supports them nowhere
        if name == "$and":
            conditions += [inner for part in value for inner in _parse_json(json.dumps(part), fields)]
        elif isinstance(value, dict):
            conditions += [_condition(name, operator, inner, fields) for operator, inner in value.items()]
        else:
            conditions.append(_condition(name, "$eq", value, fields))
    return conditions


def _condition(field: str, operator: str, value: Any, fields: Sequence[str]) -> Condition:
    if field not in fields:
        raise HttpError(400, f"Unknown filter field '{field}'. Valid fields: {sorted(fields)}")
    if operator not in _OPERATORS:
        raise HttpError(400, f"'{operator}' is not a valid FilterOperator")
    if field == "status":
        _check_status(operator, value)
    if field in _DATES:
        _check_date(field, operator, value)
    return Condition(field, operator, value)


def _check_status(operator: str, value: Any) -> None:
    if operator not in ("$eq", "$in", "$nin"):
        raise HttpError(400, f"Operator '{operator}' is not supported on 'status'; use one of ['$eq', '$in', '$nin']")
    if operator == "$eq" and isinstance(value, list):
        raise HttpError(400, "Operator '$eq' on 'status' expects a scalar value, got a list")
    for status in value if isinstance(value, list) else [value]:
        if status is not None and status not in STATUSES:
            raise HttpError(400, f"Invalid status value '{status}'; valid values: {sorted(STATUSES)}")
    if operator == "$nin":
        raise HttpError(500, UNEXPECTED_ERROR)


def _check_date(field: str, operator: str, value: Any) -> None:
    if operator not in _RANGES:
        raise HttpError(400, f"Operator '{operator}' is not supported on '{field}'; use one of {sorted(_RANGES)}")
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise HttpError(400, f"Invalid datetime value '{value}' for '{field}'") from None


def filter_as_json(conditions: Sequence[Condition]) -> dict[str, Any] | None:
    """Return the filter as the response repeats it."""
    parts = [{condition.field: {condition.operator: condition.value}} for condition in conditions]
    return ({"$and": parts} if len(parts) > 1 else parts[0]) if parts else None


def page_response(
    entries: Sequence[Any],
    *,
    total: int,
    page: int,
    page_size: int,
    sort: str,
    conditions: Sequence[Condition],
    min_pages: int = 1,
) -> Response:
    """Return one page of a list.

    :param total: number of entries on all pages, as the service counts them: without the filter on status
    :param min_pages: number of pages of an empty list
    """
    response: dict[str, Any] = {
        "data": entries,
        "pagination": {
            "page": page,
            "page_size": page_size,
            "current_page_size": len(entries),
            "total_pages": max(math.ceil(total / page_size), min_pages),
            "total_results": total,
        },
        "sort": sort,
    }
    repeated = filter_as_json(conditions)
    return json_response(response if repeated is None else {**response, "filter": repeated})
