"""What a comparison allows: a margin in the unit of the score, or a share of the baseline's mean.

A relative margin is tested row by row: for scores of which higher ones are better, candidate − (1 − margin) · baseline
has a mean of 0 or more where the drop is within the margin. So the baseline's own noise counts, no ratio is taken, and
a baseline near 0 allows hardly any drop rather than an unknown one.

Source: Laster and Johnson 2003, "Non-inferiority trials: the 'at least as good as' criterion", for fractions of a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.regression import NoRegression

#: A mean this many standard errors away from 0 has a known sign.
_STANDARD_ERRORS = 4.0
#: A larger share of the mean allows anything; the powers of its product with a score are floats.
_LARGEST = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What is tested, in scores of which higher ones are better: that candidate − weight · baseline is −tested or more.

    :param tested: margin of that, in the unit of the score
    :param weights: of the baseline; two of them where the sign of its mean is not known
    """

    tested: float
    weights: tuple[float, ...]

    @classmethod
    def of(cls, check: NoRegression, mean: float, error: float, ends: tuple[float, float]) -> Margin:
        """
        :param mean: of the baseline, where higher scores are better
        :param error: standard error of the mean
        :param ends: the lowest and the highest score that there may be, or that the baseline has, where higher scores
            are better
        """
        if not check.relative:
            return cls(tested=check.absolute_margin, weights=(1.0,))
        low, high = ends
        if low >= 0 or mean > _STANDARD_ERRORS * error:
            signs: tuple[float, ...] = (1.0,)
        elif high <= 0 or mean < -_STANDARD_ERRORS * error:
            signs = (-1.0,)
        else:
            signs = (1.0, -1.0)
        return cls(tested=0.0, weights=tuple(1 - min(check.margin, _LARGEST) * sign for sign in signs))


def limits_of_weighted(known: tuple[float, float] | None, weight: float) -> tuple[float, float] | None:
    """The lowest and the highest candidate − weight · baseline; None where the range of scores is not known."""
    if known is None:
        return None
    low, high = known
    ends = weight * low, weight * high
    return low - max(ends), high - min(ends)
