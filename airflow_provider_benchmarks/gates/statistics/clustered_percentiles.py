"""Intervals of a percentile of rows that depend on one another within clusters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from airflow_provider_benchmarks.gates.statistics.mean_bounds import finite_values, share_interval

Array = NDArray[np.float64]


def clustered_percentile_interval(
    values: ArrayLike,
    percent: float,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    confidence: float,
    one_sided: bool = False,
) -> tuple[float, float]:
    """Interval of a percentile between two of the sorted values: those at which the bounds of their share pass it.

    :param values: finite, one or more
    :param percent: 0 to 100, both excluded
    :param clusters: label of each value; values with the same label may depend on one another
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :return: an end is infinite where there are too few clusters to bound the percentile on that side
    :raises ValueError: there is no value, or one is not finite

    Source: Woodruff 1952, "Confidence intervals for medians and other position measures".
    """
    numbers, labels = finite_values(values), np.asarray(clusters)
    ordered, share = np.unique(numbers), percent / 100

    def ends(is_success: NDArray[np.bool_]) -> tuple[float, float]:
        return share_interval(is_success.astype(float), labels, confidence=confidence, one_sided=one_sided)

    # Where no more than the share is certainly below a value, the percentile is not below it.
    below = _last(ordered.size, lambda place: ends(numbers < ordered[place])[1] <= share)
    above = _last(ordered.size, lambda place: ends(numbers > ordered[-1 - place])[1] <= 1 - share)
    return (
        -math.inf if below is None else float(ordered[below]),
        math.inf if above is None else float(ordered[-1 - above]),
    )


def _last(size: int, holds: Callable[[int], bool]) -> int | None:
    """The last place at which a condition holds that, once it does not, holds at none after; None where at none."""
    low, high = -1, size - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return None if low < 0 else low
