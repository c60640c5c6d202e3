"""A number for each item, the same for the same item whichever columns hold its fields.

In one file a field has a column of its own, and in another it is among the other fields, where its rows came in another
order, or were stored before the number of columns had a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.columns import FIXED
from airflow_provider_benchmarks.scores.equality import canonical_column, canonical_texts, hash_field, hash_items
from airflow_provider_benchmarks.scores.frames import FIELD_NAMES, OTHERS_COLUMN

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
    others = others_column(rows)
    own = ((field_of(rows, name), canonical_column(rows[name])) for name in columns if name != others)
    total = hash_items(own, len(rows))
    return total if others not in columns else total + hash_others(rows[others].tolist(), len(rows))


def others_column(rows: pd.DataFrame) -> str | None:
    """The column of the fields that have none of their own; None where all have."""
    name: str | None = rows.attrs.get(OTHERS_COLUMN)
    return name if name in rows.columns else None


def field_of(rows: pd.DataFrame, column: str) -> str:
    """The field in a column of a frame."""
    names: Mapping[str, str] = rows.attrs.get(FIELD_NAMES, {})
    return names.get(column) or field_named(column)


def field_named(column: str) -> str:
    """The field in a column, as far as its name says so."""
    name = column.removeprefix("item.")
    return name if name in FIXED else column


def by_column(item: Mapping[str, Any], others: str | None) -> dict[str, Any]:
    """An item without the fields that it does not have; each is called as its column is, or would be.

    :param item: values by column
    :param others: the column of all others
    """
    found = {name: value for name, value in item.items() if value is not None}
    fields = found.pop(others, None) if others is not None else None
    for name, value in (fields or {}).items():
        if value is not None:
            found[f"item.{name}" if name in FIXED else name] = value
    return found
