"""CUSUM charts of a job's statistic against a fixed reference, whose mean and spread are estimated from few jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

#: Change in spreads that is accepted in each job: a lasting change of less never adds up. Of 0.5, 0.75 and 1, this one
#: sees steps of one spread nearly as often as 0.5, and raises fewer alarms in later months, in which an error of the
#: reference's mean (0.3 spreads of ten jobs) goes on.
ALLOWANCE = 0.75
#: Number of jobs after the reference that the rate of false alarms is told for.
MONTH = 30
#: Share of months of an unchanged model with a false alarm that the limit is made for, where 0.05 is promised: what is
#: simulated is normal, and nightly means are not quite.
_FALSE_MONTHS = 0.04
#: Simulated months. The standard error of their share with a false alarm is 0.0014.
_MONTHS = 20_000
#: Degrees of freedom that a squared difference of successive jobs is worth: of n jobs, the estimator's variance is
#: (3n − 4)/(n − 1)² σ⁴ (von Neumann, Kent, Bellinson and Hart 1941, "The Mean Square Successive Difference").
_DEGREES_PER_DIFFERENCE = 2 / 3
#: A difference counts as at most this many of the reference's standard deviations of one: a single odd job that only
#: warned must not hide what comes after it.
_LARGEST_DIFFERENCE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CusumChart:
    """A tabular CUSUM (Page 1954) of jobs against a reference.

    After each job a sum grows by what it is below the reference's mean, in spreads, less :data:`ALLOWANCE`, and never
    falls below 0; another sum does so above the mean. The mean stays that of the reference. The spread is estimated
    from the reference's variance and from the squared differences of the successive jobs after it, which a slow drift
    hardly changes. A sum that is past the limit is cut there, so that a model that has recovered need not make up for
    all that was.

    :param mean: of the reference
    :param spread: standard deviation of one job
    :param limit: sum in spreads past which there is an alarm
    :param falls: the sum below the mean after each job that follows the reference
    :param rises: the sum above the mean
    """

    mean: float
    spread: float
    limit: float
    falls: tuple[float, ...]
    rises: tuple[float, ...]

    @classmethod
    def of(cls, reference: Sequence[float], later: Sequence[float], *, two_sided: bool, least_spread: float) -> Self:
        """Make the chart.

        :param reference: the statistic of each job of the reference, two or more
        :param later: that of each job after these, oldest first
        :param two_sided: falls and rises are alarms, and share the rate of false ones
        :param least_spread: below which the spread is not believed, above 0
        """
        # In a unit in which no square is too large for a float.
        unit = max(1.0, *map(abs, reference), *map(abs, later))
        first, second = np.asarray(reference, dtype=float) / unit, np.asarray(later, dtype=float) / unit
        mean = float(first.mean())
        squares, degrees = float(((first - mean) ** 2).sum()), first.size - 1.0
        least = least_spread / unit
        if second.size > 1:
            largest = _LARGEST_DIFFERENCE**2 * max(squares / degrees, least**2)
            squares += _DEGREES_PER_DIFFERENCE * float(np.minimum(np.diff(second) ** 2 / 2, largest).sum())
            degrees += _DEGREES_PER_DIFFERENCE * (second.size - 1)
        spread = max((squares / degrees) ** 0.5, least)
        limit = limit_of(first.size, two_sided=two_sided)
        below = (mean - second) / spread
        return cls(
            mean=mean * unit,
            spread=spread * unit,
            limit=limit,
            falls=_sums(below, limit),
            rises=_sums(-below, limit),
        )

    @property
    def lowest(self) -> float:
        """The least value of the next job without an alarm."""
        return self.mean - self._reach(self.falls)

    @property
    def highest(self) -> float:
        """The largest value of the next job without an alarm."""
        return self.mean + self._reach(self.rises)

    def _reach(self, sums: Sequence[float]) -> float:
        return (self.limit + ALLOWANCE - (sums[-1] if sums else 0.0)) * self.spread


def next_sum(earlier: float, deviation: float) -> float:
    """The sum after one more job.

    :param deviation: of the job from the mean, in spreads
    """
    return max(0.0, earlier + deviation - ALLOWANCE)


def _sums(deviations: Array, limit: float) -> tuple[float, ...]:
    sums, last = [], 0.0
    for deviation in deviations.tolist():
        last = min(next_sum(last, deviation), limit)
        sums.append(last)
    return tuple(sums)


@lru_cache(maxsize=64)
def limit_of(reference: int, *, two_sided: bool) -> float:
    """The limit that a sum passes in 4 % of months of an unchanged model.

    A textbook's limit takes mean and spread for known: of ten jobs it is passed several times as often. So months are
    simulated, the estimates included, always with the same random numbers (0.1 s).

    :param reference: number of jobs of the reference, two or more
    :param two_sided: an alarm is a fall or a rise
    """
    random: Any = np.random.default_rng(1954)
    nights = random.standard_normal((MONTH, _MONTHS))
    below = random.standard_normal(_MONTHS) / reference**0.5 - nights
    squares = np.tile(random.chisquare(reference - 1, _MONTHS), (MONTH, 1))
    moves = np.minimum(np.diff(nights, axis=0)[:-1] ** 2 / 2, _LARGEST_DIFFERENCE**2 * squares[0] / (reference - 1))
    squares[2:] += _DEGREES_PER_DIFFERENCE * np.cumsum(moves, axis=0)
    differences = np.maximum(np.arange(MONTH) - 1, 0)
    spreads = np.sqrt(squares / (reference - 1 + _DEGREES_PER_DIFFERENCE * differences)[:, None])
    largest = _largest_sums(below, spreads)
    if two_sided:
        largest = np.maximum(largest, _largest_sums(-below, spreads))
    return float(np.quantile(largest, 1 - _FALSE_MONTHS))


def _largest_sums(below: Array, spreads: Array) -> Array:
    """The largest sum of each month, in the spread that is known in the night of it.

    :param below: for each night, and each month, what is below the mean
    :param spreads: the spread as estimated from the nights before
    """
    largest = np.zeros(below.shape[1])
    for night, spread in enumerate(spreads):
        sums = np.zeros(below.shape[1])
        for deviation in below[: night + 1]:
            sums = np.maximum(0.0, sums + deviation - ALLOWANCE * spread)
        largest = np.maximum(largest, sums / spread)
    return largest
