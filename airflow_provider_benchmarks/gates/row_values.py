"""One score of the rows of a job: its values, and what became of the rows that have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.columns import INFERENCE_ERROR, METRIC_ERRORS, SAMPLE
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, ITEM_FIELDS, ITEM_HASH, SCORE_COLUMNS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValues:
    """The values of a score, row by row.

    :param numbers: a float for each row; NaN for a row without a value
    :param without_value: rows that were answered and have no number: NaN, null or infinite
    :param not_numbers: rows whose value is a label, a boolean or other JSON
    :param call_failed: rows without a score because the call of the model failed
    """

    numbers: NDArray[np.float64]
    count: int
    without_value: int
    not_numbers: int
    call_failed: int

    @classmethod
    def of(cls, rows: pd.DataFrame, column: str) -> RowValues:
        """Sort the rows of a frame into values and reasons for none."""
        import numpy as np

        scores = rows[column]
        is_other: Any = np.zeros((), dtype=bool)
        if scores.dtype.kind in "iuf" and isinstance(scores.dtype, np.dtype):
            # With another type numpy copies.
            numbers = scores.to_numpy() if scores.dtype == float else scores.to_numpy(dtype=float)
        else:
            missing = scores.isna().to_numpy()
            found = [None if no else _number(v) for v, no in zip(scores.tolist(), missing, strict=True)]
            numbers = np.array([np.nan if value is None else value for value in found], dtype=float)
            is_other = np.array([value is None for value in found], dtype=bool) & ~missing
        finite = np.isfinite(numbers)
        if not finite.all():
            numbers = np.where(finite, numbers, np.nan)
        calls = rows.attrs.get(CALL_ERRORS)
        failed = ~finite & ~is_other & rows.index.isin(calls) if calls else np.zeros((), dtype=bool)
        return cls(
            numbers=numbers,
            count=int(finite.sum()),
            without_value=int((~finite & ~is_other & ~failed).sum()),
            not_numbers=int(is_other.sum()),
            call_failed=int(failed.sum()),
        )

    @property
    def rows(self) -> int:
        return self.numbers.size

    @property
    def values(self) -> NDArray[np.float64]:
        """Those rows' that have one."""
        import numpy as np

        return self.numbers if self.count == self.numbers.size else self.numbers[np.isfinite(self.numbers)]

    @property
    def ends(self) -> tuple[float, ...]:
        """The smallest and the largest value; none where there is none."""
        return (float(self.values.min()), float(self.values.max())) if self.count else ()

    def counts(self) -> dict[str, int]:
        return {
            "scored": self.count,
            "without_value": self.without_value,
            "not_numbers": self.not_numbers,
            "call_failed": self.call_failed,
        }

    @property
    def is_binary(self) -> bool:
        return are_binary(self.values)


def are_binary(values: NDArray[np.float64]) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def _number(value: Any) -> float | None:
    """A number as a float; None for anything else, a boolean and a number that is too large among it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def score_column(rows: pd.DataFrame, score: AggregateScore) -> str:
    """The column of a score.

    :raises ScoreNotFound: the rows do not have it
    """
    known = rows.attrs.get(SCORE_COLUMNS, list(rows.columns))
    for column in (f"{score.metric}:{score.name}", score.name):
        if column in known:
            return column
    raise ScoreNotFound(
        f'the row scores have no column for score "{shortened(score.name)}" of {shortened(score.metric)}; they have '
        f"{brief_names(known) or 'none'}"
    )


def matching(rows: pd.DataFrame, where: Mapping[str, Any] | None) -> pd.DataFrame:
    """The rows whose items meet all conditions; a missing value meets none but ``None``.

    :raises ScoreNotFound: the items have no such field
    """
    import operator

    import pandas as pd

    compare = {"at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt}
    for name, wanted in (where or {}).items():
        column = field_column(rows, name)
        if isinstance(wanted, Mapping):
            numbers = pd.to_numeric(column, errors="coerce")
            for end, bar in wanted.items():
                rows = rows[compare[end](numbers.loc[rows.index], bar)]
        else:
            choices = wanted if isinstance(wanted, list) else [wanted]
            rows = rows[column.isin(choices) | (column.isna() if None in choices else False)]
    return rows


def groups(rows: pd.DataFrame, by: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each value of a field, in the order of the values' texts; rows without one are a group too."""
    import numpy as np
    import pandas as pd

    column = field_column(rows, by)
    kinds = column
    if column.dtype == object:  # 1, True and "1" are not to be taken for one another as they are equal or look alike
        kinds = column.map(lambda value: (type(value).__name__, str(value)), na_action="ignore")
    numbers, _ = pd.factorize(kinds)
    places = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers + 1))[:-1])
    for at in sorted((at for at in places if at.size), key=lambda at: str(column.iloc[at[0]])):
        group = rows.iloc[at]
        group.attrs = rows.attrs
        yield (None if numbers[at[0]] < 0 else column.iloc[at[0]]), group


def field_column(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A field of the items.

    :raises ScoreNotFound: the items have no such field
    """
    column = name if name in rows.columns else f"item.{name}"
    scores = rows.attrs.get(SCORE_COLUMNS, ())
    if column not in rows.columns or column in scores:
        known = rows.attrs.get(ITEM_FIELDS) or item_fields(rows)
        raise ScoreNotFound(f'the items have no field "{shortened(name)}"; they have: {brief_names(known) or "none"}')
    return rows[column]


def item_fields(rows: pd.DataFrame) -> list[str]:
    """The columns that hold fields of the items."""
    others = {*rows.attrs.get(SCORE_COLUMNS, ()), METRIC_ERRORS, SAMPLE, INFERENCE_ERROR, ITEM_HASH}
    return [column for column in rows.columns if column not in others]
