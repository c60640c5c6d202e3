"""One error budget for several tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The p-values of several tests that share one error budget, adjusted, in the order in which they were given."""

    rejected: tuple[bool, ...]
    adjusted: tuple[float, ...]


def holm(p_values: Sequence[float], *, alpha: float, weights: Sequence[float] | None = None) -> Correction:
    """Adjust p-values so that the probability of any false rejection is alpha at most.

    :param p_values: of all tests that share the error budget, 0 to 1
    :param alpha: the error budget, 1 − confidence
    :param weights: share of the budget that each test has for certain, above 0; equal ones where left out
    :return: which are rejected, and p-values that compare with alpha directly
    :raises ValueError: a p-value or alpha is not a probability

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", section 3.3 for weights.
    """
    if not 0 < alpha < 1 or not all(math.isfinite(p) and 0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values and alpha must be probabilities, found {list(p_values)} and {alpha!r}")
    shares = [1.0] * len(p_values) if weights is None else list(weights)
    adjusted = [0.0] * len(p_values)
    floor, left = 0.0, math.fsum(shares)
    for index in sorted(range(len(p_values)), key=lambda place: p_values[place] / shares[place]):
        # Rounding must not leave less than this test's own share.
        floor = max(floor, min(1.0, max(left / shares[index], 1.0) * p_values[index]))
        adjusted[index] = floor
        left -= shares[index]
    return Correction(rejected=tuple(p <= alpha for p in adjusted), adjusted=tuple(adjusted))
