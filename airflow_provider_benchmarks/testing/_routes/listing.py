"""Filters and pages of the service's lists."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError, Response, json_response
from airflow_provider_benchmarks.testing._jobs.lifecycle import STATUSES
from airflow_provider_benchmarks.testing._release import Release

_OPERATORS = ("$eq", "$like", "$lt", "$lte", "$gt", "$gte", "$in", "$nin")
_RANGES = ("$gt", "$gte", "$lt", "$lte")
_DATES = ("created_at", "updated_at")
_COMBINATIONS: Mapping[str, Callable[[Iterable[bool]], bool]] = {
    "$or": any,
    "$and": all,
    "$not": lambda results: not all(results),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a field of the entries of a list."""

    field: str
    operator: str
    value: Any

    @property
    def fields(self) -> frozenset[str]:
        return frozenset([self.field])

    def holds(self, read: Callable[[str], Any]) -> bool:
        """Whether an entry matches.

        :param read: returns the entry's value of a field
        """
        return self._holds(read(self.field))

    def as_json(self) -> dict[str, Any]:
        return {self.field: {self.operator: self.value}}

    def _holds(self, actual: Any) -> bool:
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


@dataclass(frozen=True, slots=True)
class Combination:
    """Conditions that ``$or``, ``$and`` or ``$not`` combines."""

    operator: str
    parts: tuple[Condition | Combination, ...]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(field for part in self.parts for field in part.fields)

    def holds(self, read: Callable[[str], Any]) -> bool:
        """Whether an entry matches, see :meth:`Condition.holds`."""
        return _COMBINATIONS[self.operator](part.holds(read) for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        parts = [part.as_json() for part in self.parts]
        return {self.operator: parts[0] if self.operator == "$not" else parts}


def parse_filter(request: Request, fields: Sequence[str], release: Release) -> list[Condition | Combination]:
    """Parse ``filter[field]=value``, ``filter[field][$operator]=value`` or ``filter={"field": …}``.

    An entry matches if all conditions hold.

    :raises HttpError: 400, an unknown field or operator; 500, what the release can't process
    """
    conditions: list[Condition | Combination] = []
    for name, values in request.query.items():
        if name == "filter":
            conditions += _parse_json(values[-1], fields, release)
        elif match := re.fullmatch(r"filter\[([^\]]*)\](?:\[([^\]]*)\])?", name):
            value: Any = values if len(values) > 1 else values[0] or None
            if isinstance(value, str) and "," in value:
                value = value.split(",")
            if match[2] in ("$in", "$nin") and isinstance(value, str):
                value = [value]
            conditions.append(_condition(match[1], match[2] or "$eq", value, fields, release))
    return conditions


def _parse_json(text: str, fields: Sequence[str], release: Release) -> list[Condition | Combination]:
    try:
        tree = json.loads(text)
    except ValueError:
        raise HttpError(400, f"Invalid JSON in filter parameter: {text}") from None
    return _parse_tree(tree, fields, release)


def _parse_tree(tree: Any, fields: Sequence[str], release: Release) -> list[Condition | Combination]:
    if not isinstance(tree, dict):
        raise HttpError(400, f"'{type(tree).__name__}' object has no attribute 'items'")
    conditions: list[Condition | Combination] = []
    for name, value in tree.items():
        if name in ("$or", "$not") and not release.combines_filters:
            # As 0.1 does for status; the local service as 0.1 supports them nowhere.
            raise HttpError(500, UNEXPECTED_ERROR)
        if name == "$and":
            conditions += [inner for part in value for inner in _parse_tree(part, fields, release)]
        elif name == "$not":
            conditions.append(Combination(name, tuple(_parse_tree(value, fields, release))))
        elif name == "$or":
            parts = [_parse_tree(part, fields, release) for part in value]
            conditions.append(Combination(name, tuple(_joined(part) for part in parts)))
        elif isinstance(value, dict):
            conditions += [_condition(name, operator, inner, fields, release) for operator, inner in value.items()]
        else:
            conditions.append(_condition(name, "$eq", value, fields, release))
    return conditions


def _joined(parts: Sequence[Condition | Combination]) -> Condition | Combination:
    return parts[0] if len(parts) == 1 else Combination("$and", tuple(parts))


def _condition(field: str, operator: str, value: Any, fields: Sequence[str], release: Release) -> Condition:
    if field not in fields:
        raise HttpError(400, f"Unknown filter field '{field}'. Valid fields: {sorted(fields)}")
    if operator not in _OPERATORS:
        raise HttpError(400, f"'{operator}' is not a valid FilterOperator")
    if field == "status":
        _check_status(operator, value)
        if operator == "$nin" and not release.combines_filters:
            raise HttpError(500, UNEXPECTED_ERROR)
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


def _check_date(field: str, operator: str, value: Any) -> None:
    if operator not in _RANGES:
        raise HttpError(400, f"Operator '{operator}' is not supported on '{field}'; use one of {sorted(_RANGES)}")
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise HttpError(400, f"Invalid datetime value '{value}' for '{field}'") from None


def filter_as_json(conditions: Sequence[Condition | Combination]) -> dict[str, Any] | None:
    """Return the filter as the response repeats it."""
    return _joined(conditions).as_json() if conditions else None


def page_response(
    entries: Sequence[Any],
    *,
    total: int,
    page: int,
    page_size: int,
    sort: str,
    conditions: Sequence[Condition | Combination],
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
