"""Which row of the candidate belongs to which row of the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.gates.paired_scores import PairedScores
from airflow_provider_benchmarks.gates.row_values import field_column, item_fields
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, ITEM_HASH

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class NotPairable(Exception):
    """Rows can't be paired; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRows:
    """The rows of two jobs that belong together, one pair at the same place of both frames.

    :param candidate: rows of the candidate
    :param baseline: rows of the baseline, under the row indices of the candidate
    :param items: number of the item of each pair; pairs of one item are repeats of it. None where all items differ
    :param unpaired: rows of either side that are in no pair
    :param rows: different rows of both sides together
    :param hint: why rows are in no pair, where that is known
    """

    candidate: pd.DataFrame
    baseline: pd.DataFrame
    items: NDArray[np.intp] | None
    unpaired: int
    rows: int
    hint: str = ""
    _whole: dict[tuple[str, str], PairedScores] = field(default_factory=dict, repr=False)

    def scores(self, column: str, base_column: str, index: pd.Index[Any] | None) -> PairedScores:
        """One score of the pairs.

        :param index: row indices of the candidate's rows to take; None for all, which are kept for the next check
        """
        if index is None:
            key = (column, base_column)
            if key not in self._whole:
                self._whole[key] = PairedScores.of(self.candidate, column, self.baseline, base_column, self.items)
            return self._whole[key]
        places = self.candidate.index.get_indexer(index)
        candidate, baseline = _taken(self.candidate, places), _taken(self.baseline, places)
        items = None if self.items is None else self.items[places]
        return PairedScores.of(candidate, column, baseline, base_column, items)


def pair_rows(candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str] = ()) -> PairedRows:
    """Pair the rows of two jobs.

    Without keys rows belong together when their row indices and their items are equal; with keys when these fields are.

    :raises NotPairable: a row index or a key comes twice
    :raises ScoreNotFound: the items have no such field
    """
    if keys:
        first, second = (_keys_of(side, keys) for side in (candidate, baseline))
    else:
        first, second = candidate.index, baseline.index
    for index, which in ((first, "candidate"), (second, "baseline")):
        # Where it is monotonic pandas knows without a hash table.
        if not (index.is_monotonic_increasing and index.is_unique) and not index.is_unique:
            what = ", ".join(keys) or "row index"
            twice = index[index.duplicated()].tolist()[0]
            raise NotPairable(f"{what} {brief(twice)} comes twice in the rows of the {which}")
    rows = len(first)
    if not first.equals(second):
        common: Any = first.intersection(second, sort=False)
        rows = len(first) + len(second) - len(common)
        candidate = _taken(candidate, first.get_indexer(common))
        baseline = _taken(baseline, second.get_indexer(common))
    hint, items = "", None
    if not keys:
        same, hint = _same_items(candidate, baseline)
        if hint:
            candidate, baseline = _taken(candidate, same), _taken(baseline, same)
        items = _numbers_of_repeats(_item_hashes(candidate))
    return PairedRows(
        candidate=candidate,
        baseline=_under_indices(baseline, candidate.index),
        items=items,
        unpaired=rows - len(candidate),
        rows=rows,
        hint=hint,
    )


def _taken(rows: pd.DataFrame, places: NDArray[Any]) -> pd.DataFrame:
    """Rows by position or mask, with what the frame tells of itself."""
    taken = rows.iloc[places]
    taken.attrs = rows.attrs
    return taken


def _under_indices(rows: pd.DataFrame, index: Any) -> pd.DataFrame:
    """Rows under the row indices of those that they belong to."""
    if rows.index.equals(index):
        return rows
    failed = rows.index.isin(rows.attrs.get(CALL_ERRORS, ()))
    moved = rows.set_axis(index)
    moved.attrs = {**rows.attrs, CALL_ERRORS: list(index[failed])}
    return moved


def _numbers_of_repeats(hashes: NDArray[Any]) -> NDArray[np.intp] | None:
    """Number the items; None where none comes twice."""
    import numpy as np
    import pandas as pd

    if hashes.dtype.kind in "ui" and bool(np.all(hashes[1:] > hashes[:-1])):
        return None
    numbers, found = pd.factorize(hashes)
    return numbers if len(found) < len(numbers) else None


def _keys_of(rows: pd.DataFrame, keys: Sequence[str]) -> Any:
    import pandas as pd

    columns = [field_column(rows, key).map(_hashable) for key in keys]
    return pd.Index(columns[0]) if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def _same_items(candidate: pd.DataFrame, baseline: pd.DataFrame) -> tuple[NDArray[np.bool_], str]:
    """Which pairs have equal items, and which fields differ in the others."""
    import numpy as np

    if ITEM_HASH in candidate.columns and ITEM_HASH in baseline.columns:
        compared = [ITEM_HASH]
    else:
        compared = list(dict.fromkeys([*item_fields(candidate), *item_fields(baseline)]))
    same = np.ones(len(candidate), dtype=bool)
    differing = []
    for name in compared:
        one, other = (_values(side, name) for side in (candidate, baseline))
        equal = np.asarray(one == other, dtype=bool)
        if not equal.all() and name != ITEM_HASH:
            equal |= _missing(one) & _missing(other)
        if not equal.all():
            differing.append(name)
        same &= equal
    if not differing:
        return same, ""
    named = f" in {', '.join(differing)}" if differing != [ITEM_HASH] else ""
    return same, (
        f"{int((~same).sum())} rows with the same index have items that differ{named}; where that is meant, name the "
        f"fields that tell which row is which with key="
    )


def _values(rows: pd.DataFrame, field: str) -> Any:
    """A field's values; one that no item has is missing in all of them."""
    import numpy as np

    known = {*item_fields(rows), ITEM_HASH} & {*rows.columns}
    return rows[field].to_numpy() if field in known else np.full(len(rows), None, dtype=object)


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
