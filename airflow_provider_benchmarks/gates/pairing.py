"""Pair the rows of a candidate with those of its baseline, and the scores of the pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.gates.row_values import (
    RowValues,
    all_item_fields,
    field_column,
    item_columns,
    own_column,
)
from airflow_provider_benchmarks.scores.equality import canonical, comparable, same_values
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, ITEM_HASH, PLACE, STORED_ITEMS
from airflow_provider_benchmarks.scores.item_hashes import field_of, hash_rows, others_column, present
from airflow_provider_benchmarks.scores.own_fields import OTHER_FIELDS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from airflow_provider_benchmarks.gates.repeated_pairs import RepeatedPairs, RepeatedValues

Values: TypeAlias = "NDArray[np.float64]"
#: Number of pairs with different items that are searched for the fields that differ.
_COMPARED_ITEMS = 100


class NotPairable(Exception):
    """Rows can't be paired; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """One score of some pairs of rows.

    :param candidate: the score of the candidate's rows, of pairs without a value too
    :param baseline: the same of the baseline
    :param rows: the candidate's rows of these pairs
    :param first: the candidate's value in each pair; NaN where it has none
    :param second: the baseline's
    :param items: number of the item of each pair, where items are repeated
    :param baseline_index: row indices of the baseline's rows, where they are not those of the candidate's
    :param repeats: the values of the repeats that the value of each pair is of; None where each row is a pair
    """

    candidate: RowValues
    baseline: RowValues
    rows: pd.DataFrame
    first: Values
    second: Values
    items: NDArray[np.intp] | None
    baseline_index: Any = None
    repeats: tuple[RepeatedValues, RepeatedValues] | None = None

    @classmethod
    def of(
        cls, candidate: pd.DataFrame, column: str, baseline: pd.DataFrame, base_column: str, **places: Any
    ) -> PairedScores:
        """Read the values of two frames whose rows are pairs by position; ``places`` are fields of pairs."""
        mine, theirs = RowValues.of(candidate, column), RowValues.of(baseline, base_column)
        return cls(candidate=mine, baseline=theirs, rows=candidate, first=mine.numbers, second=theirs.numbers, **places)

    @classmethod
    def of_items(cls, items: pd.DataFrame, repeats: tuple[RepeatedValues, RepeatedValues]) -> PairedScores:
        """Take the values of pairs of items.

        :param items: a row of each
        """
        mine, theirs = repeats
        return cls(
            candidate=mine.values,
            baseline=theirs.values,
            rows=items,
            first=mine.by_item(),
            second=theirs.by_item(),
            items=None,
            repeats=repeats,
        )

    @property
    def is_complete(self) -> bool:
        """True if all rows of both have a value."""
        return self.candidate.count == self.candidate.rows and self.baseline.count == self.baseline.rows

    @property
    def is_of_binary(self) -> bool:
        """True if the values of all rows, which pairs of items may be means of, are 0 or 1."""
        return self.repeats is not None and self.candidate.is_binary and self.baseline.is_binary

    def complete(self) -> PairedScores:
        """The pairs in which both have a value."""
        import numpy as np

        if self.is_complete:
            return self
        both = ~(np.isnan(self.first) | np.isnan(self.second))
        return replace(
            self,
            rows=self.rows[both],
            first=self.first[both],
            second=self.second[both],
            items=None if self.items is None else self.items[both],
            baseline_index=None if self.baseline_index is None else self.baseline_index[both],
        )

    def filled(self, first: float, second: float) -> PairedScores:
        """All pairs, with these values for the missing ones of the candidate and of the baseline."""
        import numpy as np

        if self.repeats is not None:
            mine, theirs = self.repeats
            return replace(self, first=mine.by_item(first), second=theirs.by_item(second))
        candidate, baseline = (
            np.where(np.isnan(values), value, values) for values, value in ((self.first, first), (self.second, second))
        )
        return replace(self, first=candidate, second=baseline)

    @property
    def count(self) -> int:
        return self.first.size

    @property
    def ends(self) -> tuple[float, ...]:
        """The smallest and the largest value of each side; none of a side without a value."""
        return (*self.candidate.ends, *self.baseline.ends)

    def by_item(self, clusters: NDArray[Any] | None) -> tuple[Values, Values, NDArray[Any] | None]:
        """The mean pair of values of each item: repeats of an item are not independent of one another.

        :param clusters: the cluster of each pair
        :return: the candidate's values, the baseline's, and the cluster of each item
        """
        import numpy as np

        if self.items is None:
            return self.first, self.second, clusters
        _, places, numbers, counts = np.unique(self.items, return_index=True, return_inverse=True, return_counts=True)
        first, second = (np.bincount(numbers, weights=side) / counts for side in (self.first, self.second))
        return first, second, None if clusters is None else clusters[places]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRows:
    """The pairs of rows of two jobs, by position.

    :param candidate: rows of the candidate
    :param baseline: rows of the baseline, under the row indices of the candidate
    :param items: number of the item of each pair; pairs of one item are repeats of it. None where all items differ
    :param baseline_index: the baseline's own row indices, where they are others than the candidate's
    :param unpaired: number of rows of either job that are in no pair
    :param rows: number of different rows of both jobs together
    :param rows_of_jobs: number of rows of the candidate, and of the baseline
    :param hint: why rows are in no pair, where that is known
    :param repeated: all rows of both jobs, where pairs are of items whose repeats they are. Then the frames have one
        row an item, and the counts are of items
    """

    candidate: pd.DataFrame
    baseline: pd.DataFrame
    items: NDArray[np.intp] | None
    unpaired: int
    rows: int
    rows_of_jobs: tuple[int, int]
    hint: str = ""
    baseline_index: Any = None
    repeated: RepeatedPairs | None = None
    _scores_of_all: dict[tuple[str, str], tuple[PairedScores, PairedScores]] = field(default_factory=dict, repr=False)

    def scores(self, column: str, base_column: str, part: pd.DataFrame | None) -> tuple[PairedScores, PairedScores]:
        """One score of all pairs, and of those in which both have a value.

        :param column: the score's column of the candidate
        :param base_column: the score's column of the baseline
        :param part: some of the candidate's rows; None for all, which are cached for other checks
        """
        if part is None:
            key = (column, base_column)
            if key not in self._scores_of_all:
                scores = self._scores(column, base_column)
                self._scores_of_all[key] = scores, scores.complete()
            return self._scores_of_all[key]
        places = part[PLACE].to_numpy() if PLACE in part.columns else self.candidate.index.get_indexer(part.index)
        if self.repeated is not None:
            values = self.repeated.of(places).values(column, base_column)
            scores = PairedScores.of_items(taken(self.candidate, places), values)
            return scores, scores.complete()
        candidate, baseline = taken(self.candidate, places), taken(self.baseline, places)
        of_pairs = {"items": self.items, "baseline_index": self.baseline_index}
        chosen = {name: None if each is None else each[places] for name, each in of_pairs.items()}
        scores = PairedScores.of(candidate, column, baseline, base_column, **chosen)
        return scores, scores.complete()

    def _scores(self, column: str, base_column: str) -> PairedScores:
        if self.repeated is not None:
            return PairedScores.of_items(self.candidate, self.repeated.values(column, base_column))
        places = {"items": self.items, "baseline_index": self.baseline_index}
        return PairedScores.of(self.candidate, column, self.baseline, base_column, **places)

    @property
    def why_unpaired(self) -> str:
        """Why rows are in no pair, or what may be the reason, and what to do."""
        mine, theirs = self.rows_of_jobs
        sizes = f"the candidate has {mine:,}, the baseline {theirs:,}"
        if self.hint:
            return self.hint if mine == theirs else f"{sizes}, and {self.hint}"
        sampled = "" if mine == theirs else "Was one limited to a sample (limit_samples)? "
        return (
            f"{sizes}. {sampled}Compare with, or pin, a job that measured the same {self.unit}, or accept the "
            f"difference with max_unpaired="
        )

    @property
    def unit(self) -> str:
        """What is paired, in a word."""
        return "rows" if self.repeated is None else "items"


def pair_rows(candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str] = ()) -> PairedRows:
    """Pair the rows of two jobs.

    Without keys two rows are a pair when their row indices and their items are equal; with keys when these fields are.

    :raises NotPairable: a row index or a key comes twice
    :raises ScoreNotFound: the items have no such field
    """
    first, second = keys_of(candidate, baseline, keys) if keys else (candidate.index, baseline.index)
    for index, side, which in ((first, candidate, "candidate"), (second, baseline, "baseline")):
        # For a monotonic index pandas needs no hash table.
        if not (index.is_monotonic_increasing and index.is_unique) and not index.is_unique:
            raise NotPairable(f"{named_twice(index, side, keys)} comes twice in the rows of the {which}")
    rows, rows_of_jobs = len(first), (len(first), len(second))
    if not first.equals(second):
        common: Any = first.intersection(second, sort=False)
        rows = len(first) + len(second) - len(common)
        candidate = taken(candidate, first.get_indexer(common))
        baseline = taken(baseline, second.get_indexer(common))
    hint, items = "", None
    if not keys:
        same, hint = _same_items(candidate, baseline)
        if hint:
            candidate, baseline = taken(candidate, same), taken(baseline, same)
        items = _numbers_of_repeats(_item_hashes(candidate))
    return PairedRows(
        candidate=with_places(candidate),
        baseline=_under_indices(baseline, candidate.index),
        items=items,
        unpaired=rows - len(candidate),
        rows=rows,
        rows_of_jobs=rows_of_jobs,
        hint=hint,
        baseline_index=None if baseline.index.equals(candidate.index) else baseline.index,
    )


def taken(rows: pd.DataFrame, places: NDArray[Any]) -> pd.DataFrame:
    """Rows by position or mask, with the attributes of the frame."""
    taken = rows.iloc[places]
    taken.attrs = rows.attrs
    return taken


def with_places(rows: pd.DataFrame) -> pd.DataFrame:
    """The candidate's rows of pairs, numbered where their indices do not tell which is which."""
    import numpy as np

    if rows.index.is_unique:
        return rows
    numbered = rows.copy(deep=False)
    numbered[PLACE] = np.arange(len(rows))
    return numbered


def _under_indices(rows: pd.DataFrame, index: Any) -> pd.DataFrame:
    """Rows of the baseline under the row indices of the candidate's rows that they are paired with."""
    if rows.index.equals(index):
        return rows
    failed = rows.index.isin(rows.attrs.get(CALL_ERRORS, ()))
    moved = rows.set_axis(index)
    moved.attrs = {**rows.attrs, CALL_ERRORS: list(index[failed])}
    return moved


def _numbers_of_repeats(hashes: NDArray[Any]) -> NDArray[np.intp] | None:
    """Number the items; None where none comes twice, or none has a field: then each row is an item of its own."""
    import numpy as np
    import pandas as pd

    if bool(np.all(hashes[1:] > hashes[:-1])) or not hashes.any():
        return None
    numbers, found = pd.factorize(hashes)
    return numbers if len(found) < len(numbers) else None


def keys_of(candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str]) -> tuple[Any, Any]:
    """The keys of the rows of each job, as exact values that compare across both."""
    import pandas as pd

    sides = zip(*(comparable(field_column(candidate, key), field_column(baseline, key)) for key in keys), strict=True)
    first, second = (
        pd.Index(columns[0]) if len(keys) == 1 else pd.MultiIndex.from_arrays(list(columns)) for columns in sides
    )
    return first, second


def named_twice(index: Any, rows: pd.DataFrame, keys: Sequence[str]) -> str:
    """The first key, or row index, that comes twice."""
    place = int(index.duplicated().argmax())
    if not keys:
        return f"row index {index[place]}"
    values = tuple(field_column(rows, key).tolist()[place] for key in keys)
    return f"{', '.join(keys)} {brief(values[0] if len(keys) == 1 else values)}"


def _same_items(candidate: pd.DataFrame, baseline: pd.DataFrame) -> tuple[NDArray[np.bool_], str]:
    """A mask of the pairs with equal items, and a hint that names the fields that differ in the others."""
    import numpy as np

    names = [*all_item_fields(candidate) | all_item_fields(baseline)]
    if ITEM_HASH in candidate.columns and ITEM_HASH in baseline.columns:
        same = np.asarray(candidate[ITEM_HASH].to_numpy() == baseline[ITEM_HASH].to_numpy(), dtype=bool)
    elif others_column(candidate) or others_column(baseline):
        same = hash_rows(candidate, item_columns(candidate)) == hash_rows(baseline, item_columns(baseline))
    else:
        same = np.ones(len(candidate), dtype=bool)
        for name in names:
            same &= same_values(_field(candidate, name), _field(baseline, name))
    if same.all():
        return same, ""
    names = list(dict.fromkeys([*names, OTHER_FIELDS]))
    shown = np.flatnonzero(~same)[:_COMPARED_ITEMS]
    items = zip(*(_items_at(rows, shown) for rows in (candidate, baseline)), strict=True)
    # Fields without a column are not named one by one: there may be thousands.
    differing = {
        name if name in names else OTHER_FIELDS
        for one, other in items
        for name in one.keys() | other.keys()
        if not _are_equal(one.get(name), other.get(name))
    }
    return same, (
        f"{int((~same).sum())} rows with the same index have items that differ in "
        f"{', '.join(name for name in names if name in differing)}; where that is meant, name the fields that tell "
        f"which row is which with key="
    )


def _items_at(rows: pd.DataFrame, places: NDArray[np.intp]) -> list[dict[str, Any]]:
    """The items of some rows, without the fields that they do not have."""
    if (stored := rows.attrs.get(STORED_ITEMS)) is not None:
        indices = rows.index[places].tolist()
        found = stored.read(indices)
        return [found.get(index, {}) for index in indices]
    return items_in(rows, places)


def items_in(rows: pd.DataFrame, places: NDArray[np.intp]) -> list[dict[str, Any]]:
    """The items of some rows, as far as they are in the frame."""
    columns = {field_of(rows, name): rows[name] for name in item_columns(rows)}
    # Value by value: pandas gives a row of several columns one type, which may round a large integer.
    return [
        present({field: json_value(column.iloc[place]) for field, column in columns.items()})
        for place in places.tolist()
    ]


def _are_equal(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)


def _field(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A field's values; a field that no item has is missing in all of them."""
    import pandas as pd

    if (column := own_column(rows, name)) is not None:
        return rows[column]
    return pd.Series([None] * len(rows), index=rows.index, dtype=object)


def _item_hashes(rows: pd.DataFrame) -> NDArray[Any]:
    if ITEM_HASH in rows.columns:
        hashes: NDArray[np.uint64] = rows[ITEM_HASH].to_numpy()
        return hashes
    return hash_rows(rows, item_columns(rows))


def json_value(value: Any) -> Any:
    """A value of a frame as JSON; None for a missing one."""
    import pandas as pd

    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        value = value.tolist()
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value if isinstance(value, str | int | float | list | tuple | dict) else str(value)
