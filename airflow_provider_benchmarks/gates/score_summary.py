"""The statistics of a score: of some rows as the service computes them, and as the moments that intervals need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.gates.extreme_numbers import LARGEST_SCORE, without_rounding
from airflow_provider_benchmarks.gates.observed_statistics import categories_of_rows
from airflow_provider_benchmarks.gates.row_values import RowValues
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.value_statistics import value_statistics

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.statistics import Moments

#: A check may ask for any percentile of some rows.
_PERCENTS = range(1, 101)


def summarise(score: AggregateScore, found: RowValues, rows: pd.DataFrame) -> AggregateScore:
    """Compute the statistics of some rows as the service computes those of all.

    :param score: that of all rows, for its names and its rubric's categories
    :param found: the values of the rows
    """
    return AggregateScore(
        metric=score.metric,
        name=score.name,
        nan_count=found.counts.without_value + found.counts.call_failed,
        rubric_distribution=categories_of_rows(score, rows),
        **value_statistics(found.values, _PERCENTS),
    )


def moments_of(score: AggregateScore) -> Moments | None:
    """The moments of aggregate scores; None where they lack the mean, the standard deviation or the count."""
    from airflow_provider_benchmarks.gates.statistics import Moments

    if not score.count or not is_number(score.mean) or not is_number(score.std_dev) or score.std_dev < 0:
        return None
    low, high = (end if is_number(end) else None for end in (score.min, score.max))
    std_dev = without_rounding(score.std_dev, score.mean, low, high)
    return Moments(mean=score.mean, std_dev=std_dev, n=score.count, is_binary=is_binary(score), low=low, high=high)


def is_binary(score: AggregateScore, found: RowValues | None = None) -> bool:
    """True if all values are 0 or 1.

    Without rows it follows from the ends and the variance: only of such values is that the mean times 1 − mean.
    """
    if found is not None:
        return found.is_binary
    if score.mean is None or score.variance is None or not {score.min, score.max} <= {0.0, 1.0}:
        return False
    if not 0 <= score.mean <= 1:
        return False
    return math.isclose(score.variance, score.mean * (1 - score.mean), rel_tol=1e-6, abs_tol=1e-9)


def known_range(score: AggregateScore, given: Sequence[float] | None = None) -> tuple[float, float] | None:
    """The lowest and the highest value that a score may have; None where that is not known.

    :param given: by the check; without it a rubric's categories say it
    """
    if given is not None:
        # As floats: numpy 1 makes objects of integers past 64 bits.
        return float(max(given[0], -LARGEST_SCORE)), float(min(given[1], LARGEST_SCORE))
    values = [float(value) for each in score.rubric_distribution if is_number(value := each.get("value"))]
    if len(values) < len(score.rubric_distribution) or len(set(values)) < 2:
        return None
    return min(values), max(values)


def outside_range(given: Sequence[float] | None, *ends: float) -> str | None:
    """Why scores are not in the range that a check gives; None where all are, or it gives none.

    :param ends: the smallest and the largest score, of each side
    """
    if given is None or not ends or (given[0] <= min(ends) and max(ends) <= given[1]):
        return None
    return f"scores from {min(ends):g} to {max(ends):g} are not all in score_range {given[0]:g} to {given[1]:g}"
