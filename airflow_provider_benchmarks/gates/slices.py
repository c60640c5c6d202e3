"""The rows that a check judges: those that meet its conditions, together or in groups."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_benchmarks.gates.check import Check
from airflow_provider_benchmarks.gates.result import Finding, Outcome
from airflow_provider_benchmarks.gates.row_values import field_column
from airflow_provider_benchmarks.gates.wording import conditions
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.equality import are_among, canonical_column

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: Judges a slice, from its name and its rows.
JudgeSlice: TypeAlias = "Callable[[str, pd.DataFrame], Finding]"
_COMPARE = {"at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt}


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

        :param judge_small: judges the rows of all groups that are too small, as one, so that a loss in them is seen
        :raises ScoreNotFound: the items have no field that the check names
        """
        findings: list[Finding] = []
        small: list[tuple[str, pd.DataFrame]] = []
        for name, group in self._split(rows):
            if self.by is not None and len(group) < self.min_count:
                small.append((name, group))
            else:
                findings.append(judge(name, group))
        if not findings:
            reason = "no rows match" if not small else f"no group has the {self.min_count:g} rows that are needed"
            group_name = conditions(self.where)
            findings = [self.check.result(Outcome.FAIL, score=score, reason=reason, group=group_name)]
        if judge_small is not None and len(small) == 1:
            return [*findings, judge_small(*small.pop())]
        if judge_small is not None and small:
            findings.append(judge_small(*self._joined(small)))
        for name, group in small:
            reason = f"{len(group)} rows, {self.min_count:g} are needed: not judged"
            findings.append(self.check.result(Outcome.WARN, score=score, reason=reason, group=name, count=len(group)))
        return findings

    def _split(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """The name and the rows of each slice."""
        chosen = matching(rows, self.where)
        name = conditions(self.where)
        if self.by is None:
            yield name, chosen
            return
        for value, group in groups(chosen, self.by):
            yield ", ".join(part for part in (name, f"{self.by} = {value}") if part), group

    def _joined(self, groups: Sequence[tuple[str, pd.DataFrame]]) -> tuple[str, pd.DataFrame]:
        import pandas as pd

        where = conditions(self.where)
        rows = pd.concat([group for _, group in groups])
        rows.attrs = groups[0][1].attrs
        return f"{where}{', ' if where else ''}{self.by}: {len(groups)} small groups together", rows


def matching(rows: pd.DataFrame, where: Mapping[str, Any] | None) -> pd.DataFrame:
    """The rows whose items meet all conditions; a missing value meets none but ``None``.

    :raises ScoreNotFound: the items have no such field
    """
    import numpy as np

    if not where:
        return rows
    chosen = np.ones(len(rows), dtype=bool)
    for name, wanted in where.items():
        column = field_column(rows, name)
        if isinstance(wanted, Mapping):
            numbers = _numbers(column)
            for end, bar in wanted.items():
                chosen &= _COMPARE[end](numbers, bar)
        else:
            chosen &= are_among(column, wanted if isinstance(wanted, list) else [wanted])
    found = rows[chosen]
    found.attrs = rows.attrs
    return found


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    """The numbers of a column, and those that are written as text; NaN for all else."""
    import pandas as pd

    if column.dtype == object:  # which pandas refuses where there is a list among them
        column = column.map(lambda value: None if isinstance(value, bool | list | dict) else value)
    numbers: NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=float("nan"))
    return numbers


def groups(rows: pd.DataFrame, by: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each value of a field, in the order of the values' texts; rows without a value are a group too.

    :raises ScoreNotFound: the items have no such field
    """
    import numpy as np
    import pandas as pd

    column = field_column(rows, by)
    kinds = column
    if column.dtype == object:  # 1, True and "1" are equal or have the same text, and are three groups
        kinds = pd.Series(canonical_column(column)).mask(column.isna().to_numpy())
    numbers, _ = pd.factorize(kinds)
    places = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers + 1))[:-1])
    named = [(_shown(column.iloc[at[0]]) if numbers[at[0]] >= 0 else None, at) for at in places if at.size]
    for value, at in sorted(named, key=lambda group: str(group[0])):
        group = rows.iloc[at]
        group.attrs = rows.attrs
        yield value, group


def _shown(value: Any) -> Any:
    """A value in words; a whole number in one way, whatever the type of its column."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return int(value) if isinstance(value, float) and value.is_integer() else value
