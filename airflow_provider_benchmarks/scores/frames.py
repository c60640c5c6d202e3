"""Row scores as a DataFrame, as the service's docs build one, without that recipe's two traps.

The documented recipe lets two metrics with the same score name overwrite each other, and takes every numeric column
for a score when it looks for low-scoring rows. Here both scores are kept, and only score columns count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.scores.rows import RowScore

if TYPE_CHECKING:
    import pandas as pd

#: Where a frame remembers which of its columns are scores.
SCORE_COLUMNS = "score_columns"
#: Where a frame remembers the row indices of rows that have no score since the call of the model failed.
CALL_ERRORS = "call_errors"
#: Column with a hash of each item, which stands for the items in a frame that was loaded without them.
ITEM_HASH = "__item__"
#: A float64 holds every whole number up to here; a larger one stays the int that it is.
EXACT_IN_FLOAT = 2**53


def row_scores_frame(rows: Iterable[RowScore]) -> pd.DataFrame:
    """Put row scores into a frame: the item's fields, then one column a score; the index is ``row_index``.

    A score's column is its name where that is unique in the job and no item field has it, else
    ``metric_ref:score``. Numbers are float64, with NaN where a row has none; a score with any other value in it
    (labels, booleans) is a column of objects, with its values as they are. ``frame.attrs["score_columns"]`` lists the
    score columns, and ``frame.attrs["call_errors"]`` the row indices for which the call of the model failed.
    """
    import pandas as pd

    rows = list(rows)
    items = list(dict.fromkeys(key for row in rows for key in row.item))
    scores = list(dict.fromkeys((m, name) for row in rows for m, named in row.metrics.items() for name in named))
    names = column_names(items, scores)
    numbers = [position if row.row_index is None else row.row_index for position, row in enumerate(rows)]
    index = pd.Index(numbers, name="row_index", dtype="int64")
    data: dict[str, Any] = {key: [row.item.get(key) for row in rows] for key in items}
    for metric, name in scores:
        values = [row.metrics.get(metric, {}).get(name) for row in rows]
        data[names[metric, name]] = pd.Series(values, index=index, dtype=_dtype(values))
    frame = pd.DataFrame(data, index=index)
    frame.attrs[SCORE_COLUMNS] = list(names.values())
    failed = [row.sample.get("inference_error") is not None for row in rows]
    frame.attrs[CALL_ERRORS] = [number for number, has_failed in zip(numbers, failed, strict=True) if has_failed]
    return frame


def column_names(items: Sequence[str], scores: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name the column of each ``(metric reference, score name)``.

    :raises IncompleteResults: an item field already has the long name ``metric_ref:score`` too
    """
    names = [name for _, name in scores]
    taken = set(items)
    columns = {}
    for metric, name in scores:
        column = name if names.count(name) == 1 and name not in taken else f"{metric}:{name}"
        if column in taken:
            raise IncompleteResults(f'the dataset has a field "{column}", which is the name of a score column too')
        columns[metric, name] = column
    return columns


def low_scoring_rows(frame: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Give the rows in which any numeric score is below a threshold; NaN is never below.

    :param frame: as :func:`row_scores_frame` gives it
    :raises ConfigurationError: the frame does not say which of its columns are scores
    """
    columns = frame.attrs.get(SCORE_COLUMNS)
    if columns is None:
        raise ConfigurationError(
            f'the frame does not know its score columns: set frame.attrs["{SCORE_COLUMNS}"] to their names'
        )
    numeric = frame[[c for c in columns if c in frame]].select_dtypes(include="number")
    return frame[numeric.lt(threshold).any(axis=1)]


def _dtype(values: list[Any]) -> str:
    numeric = all(
        value is None or isinstance(value, float) or (type(value) is int and abs(value) <= EXACT_IN_FLOAT)
        for value in values
    )
    return "float64" if numeric else "object"
