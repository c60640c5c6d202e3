"""One score of rows that belong together: of a candidate and of its baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_benchmarks.gates._results import json_item
from airflow_provider_benchmarks.gates.row_values import RowValues, item_fields

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Values: TypeAlias = "NDArray[np.float64]"
#: Rows that a result shows of those that got worse.
WORST_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """The values of a score.

    :param candidate: what became of all the candidate's rows
    :param baseline: the same of the baseline's
    :param rows: the candidate's rows of these pairs
    :param first: the candidate's value in each pair; NaN where it has none
    :param second: the baseline's
    :param items: number of the item of each pair, where items are repeated
    """

    candidate: RowValues
    baseline: RowValues
    rows: pd.DataFrame
    first: Values
    second: Values
    items: NDArray[np.intp] | None

    @classmethod
    def of(
        cls, candidate: pd.DataFrame, column: str, baseline: pd.DataFrame, base_column: str, items: NDArray[Any] | None
    ) -> PairedScores:
        """Take the values of rows that stand at the same places of two frames."""
        mine, theirs = RowValues.of(candidate, column), RowValues.of(baseline, base_column)
        return cls(
            candidate=mine, baseline=theirs, rows=candidate, first=mine.numbers, second=theirs.numbers, items=items
        )

    def complete(self) -> PairedScores:
        """The pairs in which both have a value."""
        import numpy as np

        if self.candidate.count == self.candidate.rows and self.baseline.count == self.baseline.rows:
            return self
        both = ~(np.isnan(self.first) | np.isnan(self.second))
        return replace(
            self,
            rows=self.rows[both],
            first=self.first[both],
            second=self.second[both],
            items=None if self.items is None else self.items[both],
        )

    def filled(self, first: float, second: float) -> PairedScores:
        """All pairs, with one value for each of the candidate that is missing, and one for each of the baseline."""
        import numpy as np

        candidate, baseline = (
            np.where(np.isnan(values), value, values) for values, value in ((self.first, first), (self.second, second))
        )
        return replace(self, first=candidate, second=baseline)

    @property
    def count(self) -> int:
        return self.first.size

    def worst(self, *, higher_is_better: bool) -> tuple[dict[str, Any], ...]:
        """The rows that got worse most, worst first; of equal ones the first."""
        import numpy as np

        change = (self.first - self.second) * (1 if higher_is_better else -1)
        (lost,) = np.nonzero(change < 0)
        if lost.size > WORST_ROWS:
            # Of all that are as bad as the last one shown, the first are shown.
            lost = lost[change[lost] <= np.partition(change[lost], WORST_ROWS - 1)[WORST_ROWS - 1]]
        lost = lost[np.argsort(change[lost], kind="stable")][:WORST_ROWS]
        fields = item_fields(self.rows)
        return tuple(
            {
                "row_index": int(self.rows.index[place]),
                "candidate": float(self.first[place]),
                "baseline": float(self.second[place]),
                # Value by value: a row of several columns is one type, which a large integer does not fit.
                "item": json_item({name: self.rows[name].iloc[place] for name in fields}),
            }
            for place in lost.tolist()
        )

    def by_item(self, clusters: NDArray[Any] | None) -> tuple[Values, Values, NDArray[Any] | None]:
        """One pair of values for each item: repeats of an item are not independent of one another.

        :param clusters: the cluster of each pair; given back as those of the items
        """
        import numpy as np

        if self.items is None:
            return self.first, self.second, clusters
        _, places, numbers, counts = np.unique(self.items, return_index=True, return_inverse=True, return_counts=True)
        first, second = (np.bincount(numbers, weights=side) / counts for side in (self.first, self.second))
        return first, second, None if clusters is None else clusters[places]
