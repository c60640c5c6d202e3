"""One score of the rows of a job: its values, and what became of the rows that have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, SCORE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValues:
    """The values of a score by row index.

    :param values: finite numbers
    :param without_value: rows that were answered and have no number: NaN, null or infinite
    :param not_numbers: rows whose value is a label, a boolean or other JSON
    :param call_failed: rows without a score because the call of the model failed
    """

    values: pd.Series[float]
    without_value: int
    not_numbers: int
    call_failed: int

    @classmethod
    def of(cls, rows: pd.DataFrame, column: str) -> RowValues:
        """Sort the rows of a frame into values and reasons for none."""
        import numpy as np
        import pandas as pd

        scores = rows[column]
        if scores.dtype == object:
            is_other = scores.map(lambda value: value is not None and not _is_float(value)).to_numpy(dtype=bool)
            numbers = pd.to_numeric(scores.where(~is_other), errors="coerce")
        else:
            is_other, numbers = np.zeros(len(scores), dtype=bool), scores
        finite = np.isfinite(numbers.to_numpy(dtype=float, na_value=np.nan))
        failed = ~finite & ~is_other & rows.index.isin(rows.attrs.get(CALL_ERRORS, ()))
        return cls(
            values=numbers[finite].astype(float),
            without_value=int((~finite & ~is_other & ~failed).sum()),
            not_numbers=int(is_other.sum()),
            call_failed=int(failed.sum()),
        )

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def rows(self) -> int:
        return self.count + self.without_value + self.not_numbers + self.call_failed

    @property
    def is_binary(self) -> bool:
        return bool(self.values.isin((0.0, 1.0)).all())


def _is_float(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def score_column(rows: pd.DataFrame, score: AggregateScore) -> str:
    """The column of a score.

    :raises ScoreNotFound: the rows do not have it
    """
    known = rows.attrs.get(SCORE_COLUMNS, list(rows.columns))
    for column in (f"{score.metric}:{score.name}", score.name):
        if column in known:
            return column
    raise ScoreNotFound(f'the row scores have no column for score "{score.name}" of {score.metric}; they have {known}')


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
            choices = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
            rows = rows[column.isin(choices) | (column.isna() if None in choices else False)]
    return rows


def groups(rows: pd.DataFrame, by: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each value of a field, in the order of the values' texts; rows without one are a group too."""
    column = field_column(rows, by)
    texts = column.map(str, na_action="ignore")
    for _, group in sorted(rows.groupby(texts, dropna=False), key=lambda pair: str(pair[0])):
        value = column.loc[group.index[0]]
        group.attrs = rows.attrs
        yield (None if _is_missing(value) else value), group


def field_column(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A field of the items.

    :raises ScoreNotFound: the items have no such field
    """
    column = name if name in rows.columns else f"item.{name}"
    scores = rows.attrs.get(SCORE_COLUMNS, ())
    if column not in rows.columns or column in scores:
        known = [field for field in rows.columns if field not in scores]
        raise ScoreNotFound(f'the rows have no field "{name}"; they have: {", ".join(map(str, known))}')
    return rows[column]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124
