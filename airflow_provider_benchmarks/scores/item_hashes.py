"""A number for each item, the same for the same item whichever columns hold its fields.

In one file a field has a column of its own, and in another it is among the other fields, where its rows came in another
order, or were stored before the number of columns had a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.columns import column_named, field_named
from airflow_provider_benchmarks.scores.equality import canonical_column, canonical_texts, hash_field, hash_items
from airflow_provider_benchmarks.scores.frames import FIELD_NAMES, OTHERS_COLUMN
from airflow_provider_benchmarks.scores.own_fields import OTHERS, Field, item_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: Number of values of other fields that are in memory at a time.
_MOST_VALUES = 200_000


def hash_others(objects: Iterable[Mapping[str, Any] | None], rows: int) -> NDArray[np.uint64]:
    """What the fields without a column add to the numbers of ``hash_items``, row by row.

    :param objects: of each row, the fields without a column; read one by one
    """
    import numpy as np

    total = np.zeros(rows, dtype=np.uint64)
    found: dict[str, tuple[list[int], list[Any]]] = {}
    values = 0

    def add() -> None:
        for name, (places, some) in found.items():
            total[places] += hash_field(name, canonical_texts(some))
        found.clear()

    for place, fields in enumerate(objects):
        for name, value in (fields or {}).items():
            places, some = found.setdefault(name, ([], []))
            places.append(place)
            some.append(value)
            values += 1
        if values >= _MOST_VALUES:
            add()
            values = 0
    add()
    return total


def hash_rows(rows: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.uint64]:
    """The numbers of the items of a frame.

    :param columns: of their fields
    """
    fields = {name: field_of(rows, name) for name in columns}
    own = ((field, canonical_column(rows[name])) for name, field in fields.items() if field is not OTHERS)
    total = hash_items(own, len(rows))
    for name in (name for name, field in fields.items() if field is OTHERS):
        total += hash_others((found if isinstance(found, dict) else None for found in rows[name]), len(rows))
    return total


def others_column(rows: pd.DataFrame) -> str | None:
    """The column of the fields that have none of their own; None where all have."""
    name: str | None = rows.attrs.get(OTHERS_COLUMN)
    return name if name in rows.columns else None


def field_of(rows: pd.DataFrame, column: str) -> Field:
    """The field in a column of a frame."""
    if column == others_column(rows):
        return OTHERS
    names: Mapping[str, str] = rows.attrs.get(FIELD_NAMES, {})
    return names[column] if column in names else field_named(column)


def columns_of(rows: pd.DataFrame, field: str) -> list[str]:
    """The columns of a frame that may hold a field, of which some may not be of the items."""
    names: Mapping[str, str] = rows.attrs.get(FIELD_NAMES, {})
    likely = dict.fromkeys([*(name for name, own in names.items() if own == field), column_named(field), field])
    return [name for name in likely if name in rows.columns and field_of(rows, name) == field]


def present(fields: Mapping[Field, Any]) -> dict[str, Any]:
    """An item without the fields that it does not have.

    :param fields: values by field, or of all fields without a column
    """
    return {name: value for name, value in item_of(fields).items() if value is not None}
