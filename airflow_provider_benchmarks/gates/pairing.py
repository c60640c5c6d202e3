"""Which row of the candidate belongs to which row of the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.gates.paired_scores import PairedScores
from airflow_provider_benchmarks.gates.row_values import field_column, item_fields
from airflow_provider_benchmarks.scores.equality import canonical_column, comparable, hash_items, same_values
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
    _whole: dict[tuple[str, str], tuple[PairedScores, PairedScores]] = field(default_factory=dict, repr=False)

    def scores(self, column: str, base_column: str, index: pd.Index[Any] | None) -> tuple[PairedScores, PairedScores]:
        """One score of all pairs, and of those in which both have a value.

        :param index: row indices of the candidate's rows to take; None for all, which are kept for the next check
        """
        if index is None:
            key = (column, base_column)
            if key not in self._whole:
                scores = PairedScores.of(self.candidate, column, self.baseline, base_column, self.items)
                self._whole[key] = scores, scores.complete()
            return self._whole[key]
        places = self.candidate.index.get_indexer(index)
        candidate, baseline = _taken(self.candidate, places), _taken(self.baseline, places)
        items = None if self.items is None else self.items[places]
        scores = PairedScores.of(candidate, column, baseline, base_column, items)
        return scores, scores.complete()


def pair_rows(candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str] = ()) -> PairedRows:
    """Pair the rows of two jobs.

    Without keys rows belong together when their row indices and their items are equal; with keys when these fields are.

    :raises NotPairable: a row index or a key comes twice
    :raises ScoreNotFound: the items have no such field
    """
    first, second = _keys_of(candidate, baseline, keys) if keys else (candidate.index, baseline.index)
    for index, side, which in ((first, candidate, "candidate"), (second, baseline, "baseline")):
        # Where it is monotonic pandas knows without a hash table.
        if not (index.is_monotonic_increasing and index.is_unique) and not index.is_unique:
            raise NotPairable(f"{_named_twice(index, side, keys)} comes twice in the rows of the {which}")
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


def _keys_of(candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str]) -> tuple[Any, Any]:
    """What tells the rows of either side apart, exactly."""
    import pandas as pd

    sides = zip(*(comparable(field_column(candidate, key), field_column(baseline, key)) for key in keys), strict=True)
    first, second = (
        pd.Index(columns[0]) if len(keys) == 1 else pd.MultiIndex.from_arrays(list(columns)) for columns in sides
    )
    return first, second


def _named_twice(index: Any, rows: pd.DataFrame, keys: Sequence[str]) -> str:
    """The first key, or row index, that comes twice."""
    place = int(index.duplicated().argmax())
    if not keys:
        return f"row index {index[place]}"
    values = tuple(field_column(rows, key).tolist()[place] for key in keys)
    return f"{', '.join(keys)} {brief(values[0] if len(keys) == 1 else values)}"


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
        equal = same_values(_field(candidate, name), _field(baseline, name))
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


def _field(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A field's values; one that no item has is missing in all of them."""
    import pandas as pd

    if name in rows.columns and name in {*item_fields(rows), ITEM_HASH}:
        return rows[name]
    return pd.Series([None] * len(rows), index=rows.index, dtype=object)


def _item_hashes(rows: pd.DataFrame) -> NDArray[Any]:
    if ITEM_HASH in rows.columns:
        return rows[ITEM_HASH].to_numpy()
    fields = item_fields(rows)
    if not fields:
        return rows.index.to_numpy()
    return hash_items(((name, canonical_column(rows[name])) for name in fields), len(rows))
