"""Row scores as a DataFrame, as the service's docs build one, without that recipe's two traps.

The documented recipe lets two metrics with the same score name overwrite each other, and takes every numeric column
for a score when it selects low-scoring rows. Here both scores are in the frame, and only score columns count.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import Enum
from numbers import Real
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import did_you_mean
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.column_names import column_names
from airflow_provider_benchmarks.scores.columns import (
    EXACT_IN_FLOAT,
    FIXED,
    ROW_INDEX,
    HalfCharacter,
    Kind,
    field_named,
    kind_of,
)
from airflow_provider_benchmarks.scores.json_values import LABEL
from airflow_provider_benchmarks.scores.own_fields import OTHERS, Field, OwnFields
from airflow_provider_benchmarks.scores.rows import RowScore

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: Key of ``frame.attrs``: names of the score columns.
SCORE_COLUMNS = "score_columns"
#: Key of ``frame.attrs``: indices of the rows without a score because the call of the model failed.
CALL_ERRORS = "call_errors"
#: Key of ``frame.attrs``: all fields of the items, of a frame that was loaded without some of them.
ITEM_FIELDS = "item_fields"
#: Key of ``frame.attrs``: name of the column with the fields that have none of their own, of a frame with such fields.
OTHERS_COLUMN = "others_column"
#: Key of ``frame.attrs``: the fields in columns, by column, where its name does not say so.
FIELD_NAMES = "field_names"
#: Key of ``frame.attrs``: what looks like repeats of items, of a frame that was loaded without some fields; None for
#: nothing.
REPEATS = "repeats"
#: Key of ``frame.attrs`` of low-scoring rows: number of values that were not compared, by column: no numbers.
NOT_NUMBERS = "not_numbers"
#: Key of ``frame.attrs``: reads the items of some rows, of a frame that was loaded without them.
STORED_ITEMS = "stored_items"


class _Label(Enum):
    """Labels of columns that no field of an item can have: those are texts."""

    ITEM_HASH = "item hash"
    PLACE = "place"


#: Column with a hash of each item, in place of the items in a frame that was loaded without them.
ITEM_HASH: Any = _Label.ITEM_HASH
#: Column with the position of each row of a pair, in a frame with row indices that come twice.
PLACE: Any = _Label.PLACE


def row_scores_frame(rows: Iterable[RowScore]) -> pd.DataFrame:
    """Put row scores into a frame: the item's fields, then one column a score; the index is ``row_index``.

    A score's column is its name where that is unique in the job and no item field has it, else
    ``metric_ref:score``; names that would still be the same are numbered, ``name (2)``. An item field with the name of
    a column that stored rows have besides (``row_index``, ``sample``, …), or of ``other_fields``, is ``item.<field>``,
    as there, and so is one that is called ``item.<such a name>`` itself. Of items with more than 2,000 fields the first
    ones have columns, and ``other_fields`` has objects of the rest. Numbers are float64, with NaN where a row has none;
    a score with any other value in it (labels, booleans) is a column of objects, with its values as they are.
    ``frame.attrs["score_columns"]`` lists the score columns, and ``frame.attrs["call_errors"]`` the row indices for
    which the call of the model failed.
    """
    import pandas as pd

    rows = list(rows)
    fields = OwnFields()
    fields.see(row.item for row in rows)
    values = fields.columns([row.item for row in rows])
    items, scores = column_names(
        values,
        list(dict.fromkeys((m, name) for row in rows for m, named in row.metrics.items() for name in named)),
        fixed=FIXED,
    )
    numbers = [position if row.row_index is None else row.row_index for position, row in enumerate(rows)]
    index = pd.Index(numbers, name="row_index", dtype="int64")
    data = {name: item_column(values[key], index) for key, name in items.items()}
    for (metric, score), name in scores.items():
        data[name] = score_column([row.metrics.get(metric, {}).get(score) for row in rows], index)
    frame = pd.DataFrame(data, index=index)
    frame.attrs |= {SCORE_COLUMNS: list(scores.values()), **says_fields({name: key for key, name in items.items()})}
    frame.attrs[CALL_ERRORS] = [n for n, row in zip(numbers, rows, strict=True) if row.inference_error is not None]
    return frame


def says_fields(fields: Mapping[str, Field]) -> dict[Hashable, Any]:
    """Attributes of a frame that say which fields are in its columns, where their names do not.

    :param fields: by column
    """
    others = next((name for name, field in fields.items() if field is OTHERS), None)
    odd = {name: field for name, field in fields.items() if field not in (OTHERS, field_named(name))}
    said: dict[Hashable, Any] = {OTHERS_COLUMN: others, FIELD_NAMES: odd}
    return {key: found for key, found in said.items() if found}


def item_column(values: list[Any], index: pd.Index[Any]) -> pd.Series[Any]:
    """A column as pandas makes it of these values, or one of objects where that would change them."""
    import pandas as pd

    kind = kind_of(values)
    if kind == Kind.JSON or (kind == Kind.LONG and None in values):
        return pd.Series([_plain(value) for value in values], index=index, dtype="object")
    try:
        return pd.Series(values, index=index)
    except UnicodeEncodeError:  # half a character: Arrow, which holds the texts of pandas 3, can't
        return pd.Series(values, index=index, dtype="object")


def score_column(values: list[Any], index: pd.Index[Any]) -> pd.Series[Any]:
    """A column of floats, or of objects where a value is anything else."""
    import pandas as pd

    numeric = all(
        value is None or isinstance(value, float) or (type(value) is int and abs(value) <= EXACT_IN_FLOAT)
        for value in values
    )
    if numeric:
        return pd.Series(values, index=index, dtype="float64")
    return pd.Series([_plain(value) for value in values], index=index, dtype="object")


def json_column(texts: list[str | None], index: pd.Index[Any]) -> pd.Series[Any]:
    """A column of the values of JSON texts."""
    import pandas as pd

    return pd.Series([None if text is None else json.loads(text) for text in texts], index=index, dtype="object")


def choose_columns(columns: Sequence[str] | None, known: Sequence[str], path: str) -> list[str]:
    """The columns that the frame of a file is to have, apart from its index.

    :param known: the columns of the file
    :raises ConfigurationError: the file does not have one, or no row indices
    """
    if missing := [name for name in (ROW_INDEX, *(columns or ())) if name not in known]:
        raise ConfigurationError(
            f"{path} has no columns {missing}; it has: {', '.join(known)}{did_you_mean(missing[0], known)}"
        )
    return [name for name in dict.fromkeys(known if columns is None else columns) if name != ROW_INDEX]


def _plain(value: Any) -> Any:
    return str(value) if type(value) is HalfCharacter else value


def low_scoring_rows(frame: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return the rows in which any score is a number below a threshold; NaN is never below.

    Labels (columns ``….label``) are no scores. ``attrs["not_numbers"]`` of the result is the number of values of other
    score columns that are no numbers and so were not compared, by column.

    :param frame: as :func:`row_scores_frame` gives it
    :raises ConfigurationError: the frame does not say which of its columns are scores
    """
    import numpy as np

    columns = frame.attrs.get(SCORE_COLUMNS)
    if columns is None:
        raise ConfigurationError(
            f'the frame does not know its score columns: set frame.attrs["{SCORE_COLUMNS}"] to their names'
        )
    is_low = np.zeros(len(frame), dtype=bool)
    not_numbers: dict[str, int] = {}
    for column in columns:
        if column in frame and not column.endswith(LABEL):
            below, others = _below(frame[column], threshold)
            is_low |= below
            if others:
                not_numbers[column] = others
    low = frame[is_low]
    low.attrs[NOT_NUMBERS] = not_numbers
    return low


def _below(scores: pd.Series[Any], threshold: float) -> tuple[NDArray[Any], int]:
    """Which values are numbers below a threshold, and the number of values that are neither numbers nor missing."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(scores) and not pd.api.types.is_bool_dtype(scores):
        return scores.lt(threshold).to_numpy(dtype=bool, na_value=False), 0
    # One by one: a number may be too large for a float.
    values = list(scores)
    are_numbers = [isinstance(value, Real) and not isinstance(value, bool) for value in values]
    below = [is_number and value < threshold for is_number, value in zip(are_numbers, values, strict=True)]
    missing = sum(value is None or value is pd.NA for value in values)
    return np.array(below, dtype=bool), len(values) - sum(are_numbers) - missing
