"""Pair the items of two jobs whose rows are repeats of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates import pairing
from airflow_provider_benchmarks.gates.repeats import (
    NoItemValues,
    Repeats,
    item_statistic,
    items_without,
    repeat_numbers,
    require_field,
)
from airflow_provider_benchmarks.gates.row_values import RowValues, own_column
from airflow_provider_benchmarks.scores.item_hashes import others_column

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RowsOfItems:
    """The rows of one job, as repeats of items.

    :param rows: those of items that both jobs have
    :param items: the item of each row, from 0
    """

    rows: pd.DataFrame
    items: NDArray[np.intp]

    def of(self, places: NDArray[np.intp], count: int) -> RowsOfItems:
        """The rows of some items, which are numbered anew.

        :param places: the items
        :param count: number of all items
        """
        import numpy as np

        numbers = np.full(count, -1, dtype=np.intp)
        numbers[places] = np.arange(places.size)
        items = numbers[self.items]
        return RowsOfItems(pairing.taken(self.rows, items >= 0), items[items >= 0])


@dataclass(frozen=True, slots=True)
class RepeatedValues:
    """One score of the rows of one job, as repeats of items.

    :param which: the job, for messages
    """

    values: RowValues
    items: NDArray[np.intp]
    count: int
    statistic: str
    which: str

    def by_item(self, missing: float | None = None) -> pairing.Values:
        """The statistic of each item; NaN where no repeat has a value.

        :param missing: the value of repeats that have none; None to leave them out
        :raises NotPairable: the statistic can't be had of these rows
        """
        import numpy as np

        numbers = self.values.numbers
        if missing is not None:
            numbers = np.where(np.isnan(numbers), missing, numbers)
        try:
            return item_statistic(numbers, self.items, self.count, self.statistic)
        except NoItemValues as error:
            raise pairing.NotPairable(f"{error} in the {self.which}") from error


@dataclass(frozen=True, slots=True)
class RepeatedPairs:
    """The rows of both jobs, as repeats of the items of pairs."""

    candidate: RowsOfItems
    baseline: RowsOfItems
    count: int
    statistic: str

    def of(self, places: NDArray[np.intp]) -> RepeatedPairs:
        """Those of some pairs."""
        first, second = (side.of(places, self.count) for side in (self.candidate, self.baseline))
        return RepeatedPairs(first, second, places.size, self.statistic)

    def values(self, column: str, base_column: str) -> tuple[RepeatedValues, RepeatedValues]:
        """One score of both jobs."""
        sides = ((self.candidate, column, "candidate"), (self.baseline, base_column, "baseline"))
        first, second = (
            RepeatedValues(RowValues.of(side.rows, name), side.items, self.count, self.statistic, which)
            for side, name, which in sides
        )
        return first, second


def pair_items(
    candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str], repeats: Repeats
) -> pairing.PairedRows:
    """Pair the items of two jobs.

    Without keys, rows are of one item when their items are equal but for the field that numbers repeats; with keys,
    when these fields are, but for that one. The pairs are in the order of the candidate.

    :raises NotPairable: one repeat comes twice under a key
    :raises ScoreNotFound: the items have no such field
    """
    import numpy as np
    import pandas as pd

    frames = (candidate, baseline)
    require_field(frames, repeats.field)
    sides = _items_of(candidate, baseline, keys, repeats.field)
    numbers, found = pd.factorize(np.concatenate(sides))
    first, second = numbers[: len(candidate)], numbers[len(candidate) :]
    if keys:
        _refuse_equal_repeats(frames, (first, second), keys, repeats.field)
    has = [np.bincount(side, minlength=len(found)) > 0 for side in (first, second)]
    common = np.flatnonzero(has[0] & has[1])
    of_candidate, of_baseline = (
        RowsOfItems(rows, items).of(common, len(found)) for rows, items in zip(frames, (first, second), strict=True)
    )
    firsts = [np.unique(side.items, return_index=True)[1] for side in (of_candidate, of_baseline)]
    unpaired = len(found) - common.size
    return pairing.PairedRows(
        candidate=pairing.with_places(_items_at(of_candidate.rows, firsts[0], repeats.field)),
        baseline=_items_at(of_baseline.rows, firsts[1], repeats.field),
        items=None,
        unpaired=unpaired,
        rows=len(found),
        rows_of_jobs=(int(has[0].sum()), int(has[1].sum())),
        hint=_hint(keys, repeats.field) if unpaired else "",
        repeated=RepeatedPairs(of_candidate, of_baseline, common.size, repeats.statistic),
    )


def _items_at(rows: pd.DataFrame, places: NDArray[np.intp], field: str) -> pd.DataFrame:
    """Some rows as items, without the field in which their repeats differ."""
    import pandas as pd

    items = pairing.taken(rows, places)
    if (column := own_column(rows, field)) is not None:
        return items.drop(columns=column)
    if (others := others_column(rows)) is None:
        return items
    left = [_without(other, field) for other in items[others]]
    changed = items.copy(deep=False)
    changed[others] = pd.Series(left, index=items.index, dtype="object")
    return changed


def _without(fields: Any, field: str) -> Any:
    return {name: value for name, value in fields.items() if name != field} if isinstance(fields, dict) else None


def _items_of(
    candidate: pd.DataFrame, baseline: pd.DataFrame, keys: Sequence[str], field: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """A number or key of the item of each row of both jobs."""
    import numpy as np
    import pandas as pd

    others = [key for key in keys if key != field]
    if not keys:
        return items_without(candidate, field), items_without(baseline, field)
    first, second = pairing.keys_of(candidate, baseline, others)
    numbers, _ = pd.factorize(first.append(second), use_na_sentinel=False)
    return numbers[: len(first)].astype(np.intp), numbers[len(first) :].astype(np.intp)


def _refuse_equal_repeats(
    frames: Sequence[pd.DataFrame], items: Sequence[NDArray[Any]], keys: Sequence[str], field: str
) -> None:
    import pandas as pd

    for rows, numbers, which in zip(frames, items, ("candidate", "baseline"), strict=True):
        index = pd.MultiIndex.from_arrays([numbers, repeat_numbers(rows, field)])
        if not index.is_unique:
            others = [key for key in keys if key != field]
            named = pairing.named_twice(index, rows, others)
            raise pairing.NotPairable(f"{named} comes twice with the same {field} in the rows of the {which}")


def _hint(keys: Sequence[str], field: str) -> str:
    if keys:
        return ""
    return (
        f"items that differ in more than {field} are different ones; where that is meant, name the fields that tell "
        f"which item is which with key="
    )
