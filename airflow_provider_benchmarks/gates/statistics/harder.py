"""What becomes of pairs of scores when every row gets harder for the candidate by the same amount."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
#: Rows that are looked at to tell how scores are distributed.
_ROWS = 10_000
#: As many different scores at most; more of them are put together.
_LEVELS = 40
#: Points of an integral over the baseline's normal variable.
_POINTS = 100
#: All rows fail at this, in standard deviations.
HARDEST = 8.0
_HALVINGS = 20
#: What is left of the variance at least, where a shift takes more away than was seen.
_LEAST_GROWTH = 1e-3


@dataclass(frozen=True, slots=True)
class Harder:
    """Pairs of scores that depend on one normal variable a side, of which the candidate's can be shifted.

    A score is a rising step function of its side's variable. The two variables correlate so strongly that differences
    without a shift vary as those that were seen. Scores near the best there is come down into the middle, where they
    vary more; and differences become skewed.
    """

    #: Different scores, rising.
    levels: Array
    #: Where the normal variable goes from one level to the next, with both infinities.
    limits: Array
    #: The baseline's variable, as many points of equal weight a level: level × point.
    points: Array
    weights: Array
    #: Of the differences that were seen.
    variance: float
    correlation: float
    #: Variance without a shift, as near to what was seen as the levels allow.
    unshifted: float = 0.0

    @classmethod
    def of(cls, candidate: Array, baseline: Array) -> Harder:
        """Take the distribution of scores from both sides together, and how they vary from their differences."""
        step = max(1, candidate.size // _ROWS)
        both = np.sort(np.concatenate([candidate[::step], baseline[::step]]))
        levels, counts = np.unique(both, return_counts=True)
        if levels.size > _LEVELS:
            parts = np.array_split(both, _LEVELS)
            levels, counts = np.array([part.mean() for part in parts]), np.array([part.size for part in parts])
        return cls.fitted(levels, counts / both.size, float((candidate - baseline).var()))

    @classmethod
    def fitted(cls, levels: Array, weights: Array, variance: float, *, points: int = _POINTS) -> Harder:
        """Find the correlation under which differences vary as those that were seen.

        :param levels: different scores, rising
        :param weights: share of each level, the same on both sides
        :param variance: of the differences
        :param points: of an integral
        """
        before = np.concatenate([[0.0], np.cumsum(weights[:-1])])
        steps = (np.arange(max(1, points // levels.size)) + 0.5) / max(1, points // levels.size)
        limits = special.ndtri(np.append(before, 1.0))
        variables = special.ndtri(before[:, None] + weights[:, None] * steps)

        def with_correlation(correlation: float) -> Harder:
            return cls(levels, limits, variables, weights, variance, correlation)

        low, high = -0.99, 0.99999
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            too_far = with_correlation(middle).moments(0.0)[0] > variance
            low, high = (middle, high) if too_far else (low, middle)
        found = with_correlation(high)
        return replace(found, unshifted=found.moments(0.0)[0])

    def shares(self, shift: float) -> Array:
        """Give the share of each pair of levels: level of the baseline × level of the candidate."""
        scaled = self.limits + shift - self.correlation * self.points[:, :, None]
        below = special.ndtr(scaled / math.sqrt(1 - self.correlation**2))
        return np.asarray(np.diff(below, axis=2).mean(axis=1) * self.weights[:, None])

    def differences(self) -> Array:
        """Candidate − baseline of each pair of levels."""
        return self.levels[None, :] - self.levels[:, None]

    def moments(self, shift: float) -> tuple[float, float]:
        """Give variance and skewness of the differences."""
        shares, away = self.shares(shift), self.differences()
        away = away - (shares * away).sum()
        variance = float((shares * away**2).sum())
        return variance, float((shares * away**3).sum()) / variance**1.5 if variance > 0 else 0.0

    def growth(self, shift: float) -> float:
        """Give how many times as far as those that were seen the differences spread after a shift.

        What the shift adds to the variance is added to what was seen: a few levels can't show differences that are
        smaller than their distances.
        """
        added = self.moments(shift)[0] - self.unshifted
        return math.sqrt(max(1 + added / self.variance, _LEAST_GROWTH))

    def drop_of(self, shift: float) -> float:
        """Give how far the candidate's mean falls."""
        moved = np.diff(special.ndtr(self.limits + shift)) - self.weights
        return float(-(moved @ self.levels))

    def shift_of(self, drop: float) -> float:
        """Find how much harder rows must get for the candidate's mean to fall so far; the hardest where it can't."""
        low, high = 0.0, HARDEST
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.drop_of(middle) < drop else (low, middle)
        return high
