"""Changes the types of rows as the service's table reader (Apache Arrow) does.

Every row gets every column. Integers become floats if the column has a float. Text becomes a time if all rows of the
column are dates. Rows whose columns mix types, which no table can hold, are not changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d)?")


class _MixedTypes(Exception):
    """The values of a column have no common type."""


def unify_column_types(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows as a table returns them."""
    try:
        return _unified(rows)
    except _MixedTypes:
        return list(rows)


def _unified(values: Sequence[Any]) -> list[Any]:
    """Convert the values of one column to one type; null stays null."""
    present = [value for value in values if value is not None]
    types = {float if type(value) is int else type(value) for value in present}
    if len(types) > 1:
        raise _MixedTypes
    column_type = types.pop() if types else None
    if column_type is dict:
        return _unified_objects(values)
    if column_type is list:
        return _unified_lists(values)
    if column_type is float and any(isinstance(value, float) for value in present):
        return [None if value is None else float(value) for value in values]
    if column_type is str and all(_TIME.fullmatch(value) for value in present):
        return [None if value is None else _as_time(value) for value in values]
    return list(values)


def _unified_objects(values: Sequence[dict[str, Any] | None]) -> list[dict[str, Any] | None]:
    names = dict.fromkeys(name for value in values if value is not None for name in value)
    columns = {name: _unified([None if value is None else value.get(name) for value in values]) for name in names}
    return [
        None if value is None else {name: column[position] for name, column in columns.items()}
        for position, value in enumerate(values)
    ]


def _unified_lists(values: Sequence[list[Any] | None]) -> list[list[Any] | None]:
    entries = iter(_unified([entry for value in values if value is not None for entry in value]))
    return [None if value is None else [next(entries) for _ in value] for value in values]


def _as_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _MixedTypes from None
