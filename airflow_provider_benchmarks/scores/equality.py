"""Equality of values of items, whatever format they come from: exactly those are equal that are equal as JSON.

1 and 1.0 are equal; true and 1 are not, nor 1 and "1". The order of an object's keys does not matter. Whole numbers are
compared exactly, however large they are. A missing value equals a missing value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import IncompleteResults

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_MISSING = "null"
#: What pandas calls a column of values of one type.
_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "floating": float}
_quoted = json.JSONEncoder().encode


def canonical(value: Any) -> str:
    """The text of a JSON value: the same for two values if, and only if, they are equal."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None or value is True or value is False:
        return _quoted(value)
    if isinstance(value, float):
        if not value.is_integer():
            return _MISSING if value != value else repr(value)  # noqa: PLR0124
        value = int(value)
    if isinstance(value, int):
        return f"{value:x}"  # not decimal: Python refuses that for thousands of digits
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(str(key))}:{canonical(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return canonical(value.tolist())
    return _quoted(str(value))  # a date, say, of a frame that somebody made


def canonical_texts(values: Iterable[Any]) -> NDArray[Any]:
    """The canonical texts of some values, as objects; None is missing.

    :raises IncompleteResults: one is nested too deeply
    """
    import numpy as np

    try:
        texts = list(map(canonical, values))
    except RecursionError as error:
        raise IncompleteResults("an item is nested too deeply to be compared with others") from error
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found


def canonical_column(column: pd.Series[Any]) -> NDArray[Any]:
    """The canonical texts of a column."""
    # As a list: pandas and numpy both make floats of integers in a column with missing values.
    missing = column.isna().to_numpy()
    return canonical_texts(None if no else value for value, no in zip(column.tolist(), missing, strict=True))


def comparable(one: pd.Series[Any], other: pd.Series[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two columns as arrays whose elements are equal where the values are; NaN is missing in both."""
    import numpy as np

    # Columns of one kind of number, or of text as pandas 3 has it, compare as they are, and much faster.
    is_plain = (isinstance(one.dtype, np.dtype) and one.dtype != object) or str(one.dtype) == "str"
    if is_plain and one.dtype == other.dtype:
        return one.to_numpy(), other.to_numpy()
    return canonical_column(one), canonical_column(other)


def same_values(one: pd.Series[Any], other: pd.Series[Any]) -> NDArray[np.bool_]:
    """Which values of two columns are equal, position by position."""
    import numpy as np

    first, second = comparable(one, other)
    equal = np.asarray(first == second, dtype=bool)
    return equal if equal.all() else equal | (one.isna().to_numpy() & other.isna().to_numpy())


def are_among(column: pd.Series[Any], values: Iterable[Any]) -> NDArray[np.bool_]:
    """Which values of a column are equal to one of some values; a missing one is to None."""
    import numpy as np
    import pandas as pd

    wanted = list(values)
    missing = column.isna().to_numpy()
    found: NDArray[np.bool_]
    # Of values of one kind, pandas' own comparison with such values is exact, and many times faster.
    if (kind := pd.api.types.infer_dtype(column, skipna=True)) in _TYPES:
        alike = [value for value in wanted if _exactly(value, _TYPES[kind]) is not None]
        found = column.isin([_exactly(value, _TYPES[kind]) for value in alike]).to_numpy(dtype=bool)
    else:
        texts = {canonical(value) for value in wanted}
        found = np.array([text in texts for text in canonical_column(column)], dtype=bool)
    return np.where(missing, None in wanted, found)


def _exactly(value: Any, kind: type) -> Any:
    """A value in a type; None where it has none in it that is equal."""
    if type(value) is kind:
        return value
    if {type(value), kind} != {int, float}:
        return None
    try:
        converted = kind(value)
    except (OverflowError, ValueError):
        return None
    return converted if converted == value else None


def hash_items(fields: Iterable[tuple[str, NDArray[Any]]], rows: int) -> NDArray[np.uint64]:
    """A number for each item: equal items have equal ones, and others hardly ever.

    The order of the fields does not matter, and one whose value is missing is as one that the item does not have.

    :param fields: name of each field, and the canonical texts of its values
    """
    import numpy as np

    total = np.zeros(rows, dtype=np.uint64)
    for name, texts in fields:
        total += hash_field(name, texts)
    return total


def hash_field(name: str, texts: NDArray[Any]) -> NDArray[np.uint64]:
    """What a field adds to the numbers of :func:`hash_items`: without it, the items are those without the field."""
    import numpy as np
    import pandas as pd

    # With its name, so that a text that moves to another field makes another item.
    hashes: NDArray[np.uint64] = pd.util.hash_array(texts, categorize=False, hash_key=_key_of(name))
    return np.where(texts == _MISSING, np.uint64(0), hashes)


def _key_of(name: str) -> str:
    """Sixteen bytes, as pandas asks for."""
    import hashlib

    return hashlib.md5(name.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()[:16]
