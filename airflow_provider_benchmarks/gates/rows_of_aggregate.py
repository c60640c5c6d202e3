"""Whether rows are those that aggregate scores were made of, where nothing else says that both are of one job.

A download compares the number of rows, and the manifest of a score store has the sums of its files. Files that somebody
has put into a folder have neither: the rows may be cut short, or another job's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults, ScoreNotFound
from airflow_provider_benchmarks.gates.row_values import RowValues, score_column
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.scores import AggregateScore

#: Difference of two means of the same values, computed in another order, as a share of the largest value.
_ROUNDING = 1e-6


def require_rows_of(aggregate: AggregateScores, rows: pd.DataFrame, *, file: Any, aggregate_file: Any) -> None:
    """Refuse rows that the aggregate scores were not made of.

    Compared are the number of rows, and of each score that the rows have the number of its values and their mean, as
    far as the aggregate scores say them. There may be more rows without a value than the aggregate scores count, as
    some services leave out those whose call of the model failed.

    :param rows: as of :func:`~airflow_provider_benchmarks.scores.read_row_scores`; may lack columns
    :param file: the path of the rows, for the error
    :param aggregate_file: that of the aggregate scores
    :raises IncompleteResults: names both files, and the figures
    """
    found = [(score, values) for score in aggregate.scores if (values := _values_of(score, rows)) is not None]
    check = RowCheck()
    check.rows = len(rows)
    check.scores = {(score.metric, score.name) for score, values in found if values.count}
    expected = check.expected_rows(aggregate)
    if expected is not None and len(rows) < expected:
        differing = f"it has {len(rows)} rows, and {aggregate_file} counts {expected}"
    else:
        differing = next(filter(None, (_difference(*each, aggregate_file) for each in found)), "")
    if differing:
        raise IncompleteResults(
            f"{file} does not have the rows of {aggregate_file}: {differing}. One of them is cut short, or of another "
            f"job. Put both files of one job into the folder."
        )


def _values_of(score: AggregateScore, rows: pd.DataFrame) -> RowValues | None:
    """The values of a score.

    None where the rows do not have them, or have some that services count in ways of their own: labels, booleans and
    infinities.
    """
    import numpy as np

    try:
        column = score_column(rows, score)
    except ScoreNotFound:
        return None
    found = RowValues.of(rows, column)
    is_numeric = rows[column].dtype.kind in "iuf"
    if found.counts.not_numbers or (is_numeric and bool(np.isinf(rows[column].to_numpy()).any())):
        return None
    # One number for the whole job, of which rows have no value.
    return None if score.count == 1 and not found.count else found


def _difference(score: AggregateScore, found: RowValues, aggregate_file: Any) -> str:
    """What differs between a score of the rows and its aggregate, in words; empty for nothing."""
    name = f'"{shortened(score.name)}" of {shortened(score.metric)}'
    if score.count is not None and score.count != found.count:
        return f"it has {found.count} values of {name}, and {aggregate_file} counts {score.count}"
    if not found.count:
        return ""
    largest = max(map(abs, found.ends)) or 1.0
    mean = float((found.values / largest).mean())  # the sum of large values may be beyond floats
    if is_number(score.mean) and abs(mean - score.mean / largest) > max(_ROUNDING, _half_a_digit(score.mean) / largest):
        return f"the mean of {name} is {mean * largest:.6g} in its rows, and {score.mean:.6g} there"
    return ""


def _half_a_digit(mean: float) -> float:
    """Half a unit of the last digit of a mean that may be rounded; 0 of one or two digits, which may be all it has."""
    written = Decimal(repr(float(mean))).normalize().as_tuple()
    exponent = int(written.exponent)
    return 0.5 * 10.0**exponent if exponent < 0 and len(written.digits) > 2 else 0.0
