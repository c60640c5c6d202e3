"""Intervals of a mean, from values or from the moments that the service gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from airflow_provider_benchmarks.gates.statistics.proportions import tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What aggregate scores tell of one side.

    :param std_dev: of the population, divided by n, as the service has it
    :param is_binary: every score is 0 or 1
    """

    mean: float
    std_dev: float
    n: float
    is_binary: bool = False

    def __post_init__(self) -> None:
        if self.n < 1 or not math.isfinite(self.mean) or not (math.isfinite(self.std_dev) and self.std_dev >= 0):
            raise ValueError(f"moments need a finite mean, std_dev >= 0 and n >= 1, found {self!r}")
        if self.is_binary and not 0 <= self.mean <= 1:
            raise ValueError(f"the mean of 0/1 scores lies between 0 and 1, found {self!r}")


def mean_interval(values: ArrayLike, *, confidence: float, one_sided: bool = False) -> tuple[float, float]:
    """Give Student's t interval of the mean of independent values.

    :param values: one-dimensional, finite
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :return: infinite ends for a single value, which tells nothing of its spread
    :raises ValueError: there is no value, or one is not finite
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError("the interval of a mean needs a list of one or more finite values")
    return mean_interval_of_moments(
        float(numbers.mean()), float(numbers.std()), numbers.size, confidence=confidence, one_sided=one_sided
    )


def mean_interval_of_equal_values(
    mean: float, n: int, *, confidence: float, one_sided: bool = False
) -> tuple[float, float]:
    """Give the interval of a mean of values that are all the same, of which Student's has no width.

    As many values as could have differed unseen may differ, each by the mean's distance from 0: nothing else tells what
    other values there could be.

    :param n: values, 1 or more
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    """
    half = unseen(abs(mean), n, tail(confidence, one_sided=one_sided))
    return mean - half, mean + half


def unseen(scale: float, rows: float, alpha: float) -> float:
    """Give what a mean may lose by rows of a kind that none of these rows is of, each by the whole range of the scores.

    :param scale: the range

    Source: Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?", the exact form of the rule
    of three.
    """
    return scale * -math.expm1(math.log(alpha) / rows)


def mean_interval_of_moments(
    mean: float, population_std_dev: float, n: int, *, confidence: float, one_sided: bool = False
) -> tuple[float, float]:
    """Give Student's t interval of a mean from moments.

    :param population_std_dev: root of the mean squared deviation, divided by n and not by n − 1, as the service has it
    :param n: values, 1 or more
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :return: infinite ends for a single value, which tells nothing of its spread
    :raises ValueError: the moments or the confidence are not possible
    """
    alpha = tail(confidence, one_sided=one_sided)
    if n < 1 or not math.isfinite(mean) or not (math.isfinite(population_std_dev) and population_std_dev >= 0):
        raise ValueError(
            "the interval of a mean needs a finite mean, a standard deviation of 0 or more and a count of 1 or more, "
            f"found {mean!r}, {population_std_dev!r} and {n!r}"
        )
    if n == 1:
        return -math.inf, math.inf
    # Dividing by n − 1 here turns the population's deviation into the sample's.
    half = float(special.stdtrit(n - 1, 1 - alpha)) * population_std_dev / math.sqrt(n - 1)
    return mean - half, mean + half
