"""Which row of the candidate belongs to which row of the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.row_values import field_column
from airflow_provider_benchmarks.scores.frames import ITEM_HASH, SCORE_COLUMNS
from airflow_provider_benchmarks.scores.table import INFERENCE_ERROR, METRIC_ERRORS, SAMPLE

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class NotPairable(Exception):
    """Rows can't be paired; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Positions of the rows that belong together.

    :param candidate: positions of rows of the candidate
    :param baseline: positions of the rows of the baseline that belong to them
    :param items: number of the item of each pair; pairs of one item are repeats of it. None where all items differ
    :param unpaired: rows of either side that are in no pair
    :param rows: different rows of both sides together
    :param hint: why rows are in no pair, where that is known
    """

    candidate: NDArray[np.intp]
    baseline: NDArray[np.intp]
    items: NDArray[np.intp] | None
    unpaired: int
    rows: int
    hint: str = ""


def pair_rows(candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str] = ()) -> Pairing:
    """Pair the rows of two jobs.

    Without keys rows belong together when their row indices and their items are equal; with keys when these fields are.

    :raises NotPairable: a row index or a key comes twice
    :raises ScoreNotFound: the items have no such field
    """
    import numpy as np
    import pandas as pd

    if keys:
        first, second = (_keys_of(side, keys) for side in (candidate, baseline))
    else:
        first, second = candidate.index, baseline.index
    for index, which in ((first, "candidate"), (second, "baseline")):
        if not index.is_unique:
            what = ", ".join(keys) or "row index"
            twice = index[index.duplicated()].tolist()[0]
            raise NotPairable(f"{what} {twice!r} comes twice in the rows of the {which}")
    common: Any = first.intersection(second, sort=False)
    here, there = first.get_indexer(common), second.get_indexer(common)
    rows = len(first) + len(second) - len(common)
    hint, items = "", None
    if not keys:
        same, hint = _same_items(candidate, baseline, here, there)
        here, there = here[same], there[same]
        numbers, found = pd.factorize(_item_hashes(candidate)[here])
        items = numbers if len(found) < len(numbers) else None
    return Pairing(
        candidate=np.asarray(here),
        baseline=np.asarray(there),
        items=items,
        unpaired=rows - len(here),
        rows=rows,
        hint=hint,
    )


def item_fields(rows: pd.DataFrame) -> list[str]:
    """The columns that hold fields of the items."""
    others = {*rows.attrs.get(SCORE_COLUMNS, ()), METRIC_ERRORS, SAMPLE, INFERENCE_ERROR, ITEM_HASH}
    return [column for column in rows.columns if column not in others]


def _keys_of(rows: pd.DataFrame, keys: Sequence[str]) -> Any:
    import pandas as pd

    columns = [field_column(rows, key).map(_hashable) for key in keys]
    return pd.Index(columns[0]) if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def _same_items(
    candidate: pd.DataFrame, baseline: pd.DataFrame, here: NDArray[np.intp], there: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], str]:
    """Which pairs have equal items, and which fields differ in the others."""
    import numpy as np

    if ITEM_HASH in candidate.columns and ITEM_HASH in baseline.columns:
        compared = [ITEM_HASH]
    else:
        compared = [field for field in item_fields(candidate) if field in item_fields(baseline)]
    same = np.ones(len(here), dtype=bool)
    differing = []
    for field in compared:
        one, other = (side[field].to_numpy()[at] for side, at in ((candidate, here), (baseline, there)))
        equal = np.asarray(one == other, dtype=bool)
        if not equal.all() and field != ITEM_HASH:
            equal |= _missing(one) & _missing(other)
        if not equal.all():
            differing.append(field)
        same &= equal
    if not differing:
        return same, ""
    named = f" in {', '.join(differing)}" if differing != [ITEM_HASH] else ""
    return same, (
        f"{int((~same).sum())} rows with the same index have items that differ{named}; where that is meant, name the "
        f"fields that tell which row is which with key="
    )


def _missing(values: Any) -> Any:
    import pandas as pd

    return pd.isna(pd.Series(list(values), dtype=object)).to_numpy()


def _item_hashes(rows: pd.DataFrame) -> NDArray[Any]:
    import pandas as pd

    if ITEM_HASH in rows.columns:
        return rows[ITEM_HASH].to_numpy()
    fields = item_fields(rows)
    if not fields:
        return rows.index.to_numpy()
    return pd.util.hash_pandas_object(rows[fields].map(repr), index=False).to_numpy()
