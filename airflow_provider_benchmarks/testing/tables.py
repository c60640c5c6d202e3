"""Reads rows as the service's table reader (Apache Arrow) does, which changes them.

Every row gets every column, whole numbers turn into floats next to floats, and text that is a date in all rows turns
into a time. Rows that no table can hold, since a column mixes kinds, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d)?")


class _MixedKinds(Exception):
    """A column holds values that have no type in common."""


def as_table(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the rows as they come out of a table."""
    try:
        return _unified(rows)
    except _MixedKinds:
        return list(rows)


def _unified(values: Sequence[Any]) -> list[Any]:
    """Bring the values of one column to one type; null stays null."""
    present = [value for value in values if value is not None]
    kinds = {float if type(value) is int else type(value) for value in present}
    if len(kinds) > 1:
        raise _MixedKinds
    kind = kinds.pop() if kinds else None
    if kind is dict:
        return _unified_objects(values)
    if kind is list:
        return _unified_lists(values)
    if kind is float and any(isinstance(value, float) for value in present):
        return [None if value is None else float(value) for value in values]
    if kind is str and all(_TIME.fullmatch(value) for value in present):
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
        raise _MixedKinds from None
