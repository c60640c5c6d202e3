"""One error budget for several tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is left of several p-values when they share one error budget, in the order in which they came."""

    rejected: tuple[bool, ...]
    adjusted: tuple[float, ...]


def holm(p_values: Sequence[float], *, alpha: float) -> Correction:
    """Share one error budget between several tests, so that any false rejection at all has probability alpha at most.

    :param p_values: of all tests that share the budget, 0 to 1
    :param alpha: the budget, 1 − confidence
    :return: which are rejected, and p-values that compare with alpha directly
    :raises ValueError: a p-value or alpha is not a probability

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    if not 0 < alpha < 1 or not all(math.isfinite(p) and 0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values and alpha must be probabilities, found {list(p_values)} and {alpha!r}")
    adjusted = [0.0] * len(p_values)
    floor = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return Correction(rejected=tuple(p <= alpha for p in adjusted), adjusted=tuple(adjusted))
