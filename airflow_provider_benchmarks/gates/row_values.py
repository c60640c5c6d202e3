"""One score of the rows of a job: its values, and the reasons of the rows that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief_names, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.column_names import without_number
from airflow_provider_benchmarks.scores.columns import FIXED
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, ITEM_FIELDS, ITEM_HASH, PLACE, SCORE_COLUMNS
from airflow_provider_benchmarks.scores.item_hashes import columns_of, field_of, others_column

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """The number of rows with a score, and of those without one by reason.

    :param scored: rows with a finite number
    :param without_value: rows that the model answered and that have no number: NaN, null or infinite
    :param not_numbers: rows whose value is a label, a boolean or other JSON
    :param call_failed: rows without a score because the call of the model failed
    """

    scored: int
    without_value: int = 0
    not_numbers: int = 0
    call_failed: int = 0

    def problem(self, *, max_nan_fraction: float, max_error_rate: float) -> str | None:
        """Why so many rows are without a score that the others are no evidence; None where they are.

        :param max_nan_fraction: largest accepted share of answered rows without a value
        :param max_error_rate: largest accepted share of rows whose call of the model failed
        """
        answered = self.scored + self.without_value + self.not_numbers
        rows = answered + self.call_failed
        if self.not_numbers:
            return f"{self.not_numbers} of {rows} values are not numbers"
        if rows and self.call_failed / rows > max_error_rate:
            return (
                f"the call of the model failed for {self.call_failed} of {rows} rows ({self.call_failed / rows:.1%}), "
                f"at most {max_error_rate:.1%} may fail"
            )
        if answered and self.without_value / answered > max_nan_fraction:
            return (
                f"{self.without_value} of {answered} rows have no value ({self.without_value / answered:.1%}), at most "
                f"{max_nan_fraction:.1%} may be missing"
            )
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValues:
    """The values of a score, row by row.

    :param numbers: a float for each row; NaN for a row without a value
    :param counts: number of rows with a value, and without by reason
    """

    numbers: NDArray[np.float64]
    counts: RowCounts

    @classmethod
    def of(cls, rows: pd.DataFrame, column: str) -> RowValues:
        """Read a column: a number is a value, anything else a reason for none."""
        import numpy as np

        scores = rows[column]
        is_other: Any = np.zeros((), dtype=bool)
        if scores.dtype.kind in "iuf" and isinstance(scores.dtype, np.dtype):
            # Asked for another type than the column's, numpy copies.
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
        counts = RowCounts(
            scored=int(finite.sum()),
            without_value=int((~finite & ~is_other & ~failed).sum()),
            not_numbers=int(is_other.sum()),
            call_failed=int(failed.sum()),
        )
        return cls(numbers=numbers, counts=counts)

    @property
    def count(self) -> int:
        """Number of rows with a value."""
        return self.counts.scored

    @property
    def rows(self) -> int:
        return self.numbers.size

    @property
    def is_scored(self) -> NDArray[np.bool_]:
        """True for each row with a value."""
        import numpy as np

        return np.isfinite(self.numbers)

    @property
    def values(self) -> NDArray[np.float64]:
        """The values of the rows that have one."""
        import numpy as np

        return self.numbers if self.count == self.numbers.size else self.numbers[np.isfinite(self.numbers)]

    @property
    def ends(self) -> tuple[float, ...]:
        """The smallest and the largest value; none where there is none."""
        return (float(self.values.min()), float(self.values.max())) if self.count else ()

    @property
    def is_binary(self) -> bool:
        return are_binary(self.values)


def are_binary(values: NDArray[np.float64]) -> bool:
    """True if all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def _number(value: Any) -> float | None:
    """A number as a float; None for anything else, such as a boolean or a number that is too large for a float."""
    if getattr(value, "shape", None) == ():  # numpy's, in a column of objects
        value = value.item()
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
    names = (f"{score.metric}:{score.name}", score.name)
    for column in names:
        if column in known:
            return column
    # Only a field of the items with the same name gives a score's column a number.
    numbered = [column for column in rows.attrs.get(SCORE_COLUMNS, ()) if without_number(column) in names]
    if len(numbered) == 1:
        return str(numbered[0])
    raise ScoreNotFound(
        f'the row scores have no column for score "{shortened(score.name)}" of {shortened(score.metric)}; they have '
        f"{brief_names(known) or 'none'}{did_you_mean(score.name, known)}"
    )


def field_column(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A field of the items.

    :raises ScoreNotFound: the items have no such field
    """
    if (column := own_column(rows, name)) is not None:
        return rows[column]
    if (values := _without_column(rows, name)) is not None:
        return values
    known = list(all_item_fields(rows))
    has = f"{brief_names(known) or 'none'}{did_you_mean(name, known)}"
    raise ScoreNotFound(f'the items have no field "{shortened(name)}"; they have: {has}')


def own_column(rows: pd.DataFrame, name: str) -> str | None:
    """The column of a field of the items; None where it has none of its own, or no item has it."""
    others = (*rows.attrs.get(SCORE_COLUMNS, ()), *FIXED)
    return next((column for column in columns_of(rows, name) if column not in others), None)


def _without_column(rows: pd.DataFrame, name: str) -> pd.Series[Any] | None:
    """The values of a field that has no column of its own; None where no item has it."""
    import pandas as pd

    if (others := others_column(rows)) is None:
        return None
    values = [other.get(name) if isinstance(other, dict) else None for other in rows[others]]
    if all(value is None for value in values):
        return None
    return pd.Series(values, index=rows.index, dtype=object, name=name)


def item_columns(rows: pd.DataFrame) -> list[str]:
    """The columns that hold fields of the items."""
    others = {*rows.attrs.get(SCORE_COLUMNS, ()), *FIXED, ITEM_HASH, PLACE}
    return [column for column in rows.columns if column not in others]


def all_item_fields(rows: pd.DataFrame) -> dict[str, None]:
    """The fields of the items that have columns, of a frame that was loaded without some, too."""
    found: list[str] | None = rows.attrs.get(ITEM_FIELDS)
    columns = item_columns(rows) if found is None else found
    return dict.fromkeys(str(field_of(rows, column)) for column in columns)
