"""Intervals of a percentile, from rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from airflow_provider_benchmarks.gates.statistics.proportions import tail


def percentile_interval(
    values: ArrayLike, percent: float, *, confidence: float, one_sided: bool = False
) -> tuple[float, float]:
    """Interval of a percentile between two of the sorted values, for any distribution.

    As both ends are values that occur, it covers its level or more, with ties too.

    :param values: independent, finite, one or more
    :param percent: 0 to 100, both excluded: 50 is the median
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :return: an end is infinite where there are too few values to bound the percentile on that side
    :raises ValueError: there is no value, one is not finite, or the percent is not between 0 and 100

    Source: David and Nagaraja 2003, "Order Statistics", section 7.1.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    if ordered.ndim != 1 or ordered.size == 0 or not np.isfinite(ordered).all():
        raise ValueError("the interval of a percentile needs a list of one or more finite values")
    if not 0 < percent < 100:
        raise ValueError(f"percent must lie between 0 and 100, found {percent!r}; the ends of a range have no interval")
    alpha = tail(confidence, one_sided=one_sided)
    n, share = ordered.size, percent / 100
    # The count of values under the percentile is binomial. The r-th smallest is above it with P(count < r), the s-th
    # smallest below it with P(count >= s): r is the largest and s the smallest for which that is alpha at most.
    rank = _largest_rank(n, share, alpha)
    mirrored = _largest_rank(n, 1 - share, alpha)
    lower = float(ordered[rank - 1]) if rank >= 1 else -math.inf
    upper = float(ordered[n - mirrored]) if mirrored >= 1 else math.inf
    return lower, upper


def rows_needed_for_percentile(percent: float, *, confidence: float, is_upper: bool) -> int:
    """The number of values that a percentile has a one-sided bound from."""
    beyond = percent / 100 if is_upper else 1 - percent / 100
    return math.ceil(math.log1p(-confidence) / math.log(beyond))


def _largest_rank(n: int, share: float, alpha: float) -> int:
    """The largest rank r so that fewer than r of n values are below the percentile with probability alpha at most."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if special.bdtr(middle - 1, n, share) <= alpha else (low, middle - 1)
    return low
