"""The rows that a check judges: those that meet its conditions, together or in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates.check import Check
from airflow_provider_benchmarks.gates.result import Finding, Outcome
from airflow_provider_benchmarks.gates.row_conditions import matching, shown_value, why_none_matches
from airflow_provider_benchmarks.gates.row_values import field_column
from airflow_provider_benchmarks.gates.wording import conditions
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.equality import canonical_column

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: Judges a slice, from its name and its rows.
JudgeSlice: TypeAlias = "Callable[[str, pd.DataFrame], Finding]"


#: Number of groups of one check. On a busy machine 10,000 take 50 s, in a comparison 120 s, and 4 to 15 MB of the
#: verdict; both grow with their number (benchmarks/many_groups.py).
MOST_GROUPS = 10_000


class TooManyGroups(Exception):
    """A field has more values than can be judged one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """The slices of a check.

    :param where: conditions on fields of the items; None for all rows
    :param by: field whose values make a group each; None for one group
    :param min_count: rows that a group needs to be judged by itself
    """

    check: Check
    where: Mapping[str, Any] | None
    by: str | None
    min_count: int

    def judge(
        self,
        rows: pd.DataFrame,
        judge: JudgeSlice,
        *,
        score: AggregateScore,
        judge_small: JudgeSlice | None = None,
    ) -> list[Finding]:
        """Judge each slice. A group that is too small is reported only; without any other, the check fails.

        It fails, too, where no row meets the conditions.

        :param judge_small: judges the rows of all groups that are too small, as one, so that a loss in them is seen
        :raises ScoreNotFound: the items have no field that the check names
        """
        chosen = matching(rows, self.where)
        if self.where and len(rows) and not len(chosen):
            return [self._failed(why_none_matches(rows, self.where), score, count=0, nan_count=0)]
        findings: list[Finding] = []
        small: list[tuple[str, pd.DataFrame]] = []
        try:
            slices = self._split(chosen)
        except TooManyGroups as error:
            return [self._failed(str(error), score)]
        for name, group in slices:
            if self.by is not None and len(group) < self.min_count:
                small.append((name, group))
            else:
                findings.append(judge(name, group))
        if not findings:
            too_small = f"no group has the {self.min_count:g} rows that are needed"
            findings = [self._failed(too_small if small else "there are no rows", score)]
        if judge_small is not None and len(small) == 1:
            return [*findings, judge_small(*small.pop())]
        if judge_small is not None and small:
            findings.append(judge_small(*self._joined(small)))
        for name, group in small:
            reason = f"{len(group)} rows, {self.min_count:g} are needed: not judged"
            findings.append(self.check.result(Outcome.WARN, score=score, reason=reason, group=name, count=len(group)))
        return findings

    def _failed(self, reason: str, score: AggregateScore, **figures: Any) -> Finding:
        return self.check.result(Outcome.FAIL, score=score, reason=reason, group=conditions(self.where), **figures)

    def _split(self, chosen: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """The name and the rows of each slice.

        :param chosen: the rows that meet the conditions
        :raises TooManyGroups: there are more groups than can be judged
        """
        name = conditions(self.where)
        if self.by is None:
            return iter([(name, chosen)])
        found = groups(chosen, self.by)
        return ((", ".join(part for part in (name, f"{self.by} = {value}") if part), group) for value, group in found)

    def _joined(self, groups: Sequence[tuple[str, pd.DataFrame]]) -> tuple[str, pd.DataFrame]:
        import pandas as pd

        where = conditions(self.where)
        rows = pd.concat([group for _, group in groups])
        rows.attrs = groups[0][1].attrs
        return f"{where}{', ' if where else ''}{self.by}: {len(groups)} small groups together", rows


def groups(rows: pd.DataFrame, by: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each value of a field, in the order of the values' texts; rows without a value are a group too.

    A text is in quotes where another value has the same text.

    :raises ScoreNotFound: the items have no such field
    :raises TooManyGroups: it has more than ``MOST_GROUPS`` values
    """
    import numpy as np
    import pandas as pd

    column = field_column(rows, by)
    kinds = column
    if column.dtype == object:  # 1, True and "1" are equal or have the same text, and are three groups
        kinds = pd.Series(canonical_column(column)).mask(column.isna().to_numpy())
    numbers, values = pd.factorize(kinds)
    if len(values) > MOST_GROUPS:
        raise TooManyGroups(
            f"{shortened(by)} has {len(values):,} values, and by= judges {MOST_GROUPS:,} groups at most: name a field "
            f"that groups rows, or name it with cluster_by= if its rows belong together"
        )
    places = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers + 1))[:-1])
    named = [(shown_value(column.iloc[at[0]]) if numbers[at[0]] >= 0 else None, at) for at in places if at.size]
    times = Counter(str(value) for value, _ in named)

    def group_at(places: NDArray[np.intp]) -> pd.DataFrame:
        group = rows.iloc[places]
        group.attrs = rows.attrs
        return group

    return (
        (f'"{value}"' if isinstance(value, str) and times[value] > 1 else str(value), group_at(at))
        for value, at in sorted(named, key=lambda group: str(group[0]))
    )
