"""The fields without a column of their own, in CSV: one cell of JSON in each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_benchmarks.scores.columns import HalfCharacter, Kind, as_json, kind_of
from airflow_provider_benchmarks.scores.json_values import parse_json
from airflow_provider_benchmarks.scores.own_fields import MOST_LATER_FIELDS, OTHER_FIELDS


def others_among(names: Sequence[str]) -> str | None:
    """The column of the other fields; None where each has its own.

    No field's column is called so. In an earlier file one may be; but only where columns are many are there others.
    """
    return OTHER_FIELDS if len(names) > MOST_LATER_FIELDS and OTHER_FIELDS in names else None


def read_others(
    texts: Sequence[str], *, clean: Callable[[str], str], typed: Callable[[list[str]], list[Any]]
) -> list[dict[str, Any] | None] | None:
    """Read the cells, each value as a column of its own would give it back; None where they are something else.

    :param clean: makes a cell of a text
    :param typed: returns the values of the cells of a column
    """
    try:
        objects = [parse_json(text) if text else None for text in texts]
    except ValueError:
        return None
    if not all(found is None or isinstance(found, dict) for found in objects):
        return None
    by_field: dict[str, list[Any]] = {}
    for fields in objects:
        for name, value in (fields or {}).items():
            by_field.setdefault(name, []).append(HalfCharacter.where_needed(value))
    values = {name: iter(typed(_cells(found, clean))) for name, found in by_field.items()}
    return [None if fields is None else {name: next(values[name]) for name in fields} for fields in objects]


def _cells(values: list[Any], clean: Callable[[str], str]) -> list[str]:
    """Values of a field as the cells of its column."""
    kind = kind_of(values)
    if kind == Kind.JSON:
        return [as_json(value) or "" for value in values]
    if kind == Kind.FLOAT:
        values = [None if value is None else float(value) for value in values]
    cells = ["" if value is None else str(value) for value in values]
    return list(map(clean, cells)) if kind == Kind.TEXT else cells
