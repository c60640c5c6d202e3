"""Bounds and p-values of a mean whose values may be skewed, elementwise on moments.

Every bound is the wider one of Student's t and Hall's bound, which takes the skewness of the values out of the
t statistic by a cubic. Compared over 4,000 samples each of normal, exponential, ordinal and mostly-zero values with 10,
20, 50 and 200 rows, that keeps one-sided errors at 95 % under 6 % from 50 rows on, where t alone errs in up to 14 % of
them, and the wider one of t and a BCa bootstrap in up to 9 %; and it needs no random numbers. Where values are
symmetric it is 1 % wider than t at 50 rows. Heavy tails without a limit (lognormal) exceed it: 9 % at 50 rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics.proportions import Numbers

Array = NDArray[np.float64]
#: A mean that is as many standard errors away from the margin, or more, is as significant; its third power is a float.
_FARTHEST = 1e60


def moments(values: Array) -> tuple[Array, Array, Array]:
    """Mean, standard error of the mean (n − 1) and skewness along the last axis, of two values or more."""
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    deviations = values - mean[..., None]
    # In a unit of their own, a power of two: neither cubes of the largest nor squares of the smallest leave the floats.
    unit = np.frexp(np.abs(deviations).max(axis=-1))[1]
    deviations = np.ldexp(deviations, -unit[..., None])
    second, third = (deviations**2).mean(axis=-1), (deviations**3).mean(axis=-1)
    # Equal values have no variance but that of rounding.
    rounding = np.ldexp(1e-12 * np.abs(values).max(axis=-1), -unit)
    second = np.where(np.sqrt(second) <= rounding, 0.0, second)
    skewness = np.where(second > 0, third / np.where(second > 0, second, 1.0) ** 1.5, 0.0)
    return mean, np.ldexp(np.sqrt(second / (n - 1)), unit), skewness


def bounds(
    mean: Numbers, error: Numbers, skewness: Numbers, n: float, *, alpha: float, degrees: float | None = None
) -> tuple[Array, Array]:
    """Lower and upper bound of a mean.

    :param error: standard error of the mean
    :param n: number of independent values, 2 or more
    :param alpha: probability that each of the two bounds misses the true mean
    :param degrees: degrees of freedom of the standard error, n − 1 unless given

    Source: Hall 1992, "On the removal of skewness by transformation"; Student's t with n − 1 degrees of freedom.
    """
    t = float(special.stdtrit(degrees or n - 1, 1 - alpha))
    skew = np.asarray(skewness) / np.sqrt(n)
    lower = mean - error * np.maximum(t, _inverse_of_cubic(t, skew))
    upper = mean - error * np.minimum(-t, _inverse_of_cubic(-t, skew))
    return np.asarray(lower), np.asarray(upper)


def p_value(
    mean: Numbers, error: Numbers, skewness: Numbers, n: float, *, margin: float, degrees: float | None = None
) -> Array:
    """One-sided p-value of a mean below −margin: the alpha at which the upper bound is −margin.

    :param error: standard error of the mean, above 0
    :param degrees: degrees of freedom of the standard error, n − 1 unless given
    """
    with np.errstate(over="ignore"):
        t = np.clip((np.asarray(mean) + margin) / error, -_FARTHEST, _FARTHEST)
    skew = np.asarray(skewness) / np.sqrt(n)
    cubic = t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6
    return np.asarray(special.stdtr(degrees or n - 1, np.maximum(t, cubic)))


def _inverse_of_cubic(value: float, skew: Array) -> Array:
    safe = np.where(np.abs(skew) < 1e-9, 1.0, skew)
    root = 3 / safe * (np.cbrt(1 + safe * value - safe**2 / 6) - 1)
    return np.where(np.abs(skew) < 1e-9, value, root)
