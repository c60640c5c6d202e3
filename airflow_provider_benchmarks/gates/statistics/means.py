"""Intervals of a mean, from values or from the moments that aggregate scores have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from airflow_provider_benchmarks.gates.statistics import skewed_means
from airflow_provider_benchmarks.gates.statistics.proportions import tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The moments of the scores of one job.

    :param std_dev: of the population, divided by n, as the service has it
    :param n: number of scores
    :param is_binary: every score is 0 or 1
    :param low: the smallest score; None where it is not known
    :param high: the largest one; None where it is not known
    :param skewness: of the scores; None where it is not known
    """

    mean: float
    std_dev: float
    n: float
    is_binary: bool = False
    low: float | None = None
    high: float | None = None
    skewness: float | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or not math.isfinite(self.mean) or not (math.isfinite(self.std_dev) and self.std_dev >= 0):
            raise ValueError(f"moments need a finite mean, std_dev >= 0 and n >= 1, found {self!r}")
        if self.is_binary and not 0 <= self.mean <= 1:
            raise ValueError(f"the mean of 0/1 scores lies between 0 and 1, found {self!r}")

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Compute the moments of values.

        :raises ValueError: there is no value, or one is not finite
        """
        numbers = np.asarray(values, dtype=float)
        if numbers.ndim != 1 or numbers.size == 0 or not np.isfinite(numbers).all():
            raise ValueError("the mean of a list of one or more finite values is asked for")
        mean, error, skewness = (
            (float(moment) for moment in skewed_means.moments(numbers)) if numbers.size > 1 else (0, 0, 0)
        )
        return cls(
            mean=mean if numbers.size > 1 else float(numbers[0]),
            std_dev=error * math.sqrt(numbers.size - 1),
            n=numbers.size,
            low=float(numbers.min()),
            high=float(numbers.max()),
            skewness=skewness,
        )

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest score; where they are not known, the furthest that they can be from the mean.

        Source: Samuelson 1968, "How deviant can you be?".
        """
        furthest = self.std_dev * math.sqrt(self.n - 1)
        low = self.mean - furthest if self.low is None else min(self.low, self.mean)
        high = self.mean + furthest if self.high is None else max(self.high, self.mean)
        return low, high

    @property
    def skewness_limits(self) -> tuple[float, float]:
        """The smallest and the largest skewness that scores with these moments and ends can have.

        It is that of scores that are equal but for those at one end.
        """
        if self.skewness is not None:
            return self.skewness, self.skewness
        if self.std_dev == 0 or self.n < 2:
            return 0.0, 0.0
        most = (self.n - 2) / math.sqrt(self.n - 1)
        least, greatest = (
            min(max(away / self.std_dev - self.std_dev / away, -most), most) if away > 0 else most
            for away in (self.mean - self.ends[0], self.ends[1] - self.mean)
        )
        return -least, greatest

    def with_more(self, count: int, value: float) -> Moments:
        """The moments with further scores, all of one value; their skewness is not known."""
        n = self.n + count
        mean = self.mean + (value - self.mean) * count / n
        square = (self.n * (self.std_dev**2 + (self.mean - mean) ** 2) + count * (value - mean) ** 2) / n
        low, high = self.ends
        return Moments(
            mean=mean,
            std_dev=math.sqrt(square),
            n=n,
            is_binary=self.is_binary and value in (0, 1),
            low=min(low, value),
            high=max(high, value),
        )


def score_range(*ends: float) -> float:
    """The range that scores may have, as far as it is known: from the smallest to the largest one, including 0.

    Scores that lie close together are no evidence of how low the score of a row that fails may be.
    """
    return max(0.0, *ends) - min(0.0, *ends)


def mean_interval(moments: Moments, *, confidence: float, one_sided: bool = False) -> tuple[float, float]:
    """Interval of a mean: Student's t, widened for skewness and for values too rare to be in the sample.

    A skewness that is not known is assumed to be the worst possible one.

    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :return: infinite ends for a single value, which has no spread
    :raises ValueError: the confidence is not possible
    """
    alpha = tail(confidence, one_sided=one_sided)
    if moments.n < 2:
        return -math.inf, math.inf
    error = moments.std_dev / math.sqrt(moments.n - 1)
    low, high = (skewed_means.bounds(moments.mean, error, s, moments.n, alpha=alpha) for s in moments.skewness_limits)
    half = rare_loss_bound(score_range(*moments.ends), moments.n, alpha)
    return min(float(low[0]), moments.mean - half), max(float(high[1]), moments.mean + half)


def rare_loss_bound(scale: float, rows: float, alpha: float) -> float:
    """Upper bound of the loss in the mean from rows too rare to be in the sample, each losing the full range.

    :param scale: the range of the scores
    :param rows: number of rows in the sample
    :param alpha: probability that the loss is larger

    Source: Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?", the exact form of the rule
    of three.
    """
    return scale * -math.expm1(math.log(alpha) / rows)
