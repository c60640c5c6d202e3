"""Intervals of a share of successes, from counts."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

#: A number, or an array of numbers for elementwise computations.
Numbers: TypeAlias = "float | NDArray[np.float64]"


def tail(confidence: float, *, one_sided: bool) -> float:
    """Probability outside one end of an interval.

    :param confidence: 0 to 1, both excluded
    :param one_sided: each end is a bound at ``confidence`` by itself
    :raises ValueError: the confidence is not between 0 and 1
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, found {confidence!r}")
    return (1 - confidence) if one_sided else (1 - confidence) / 2


def exact_interval(successes: float, n: float, *, confidence: float, one_sided: bool = False) -> tuple[float, float]:
    """Exact interval of a share, which covers at least its level whatever the true share is.

    :param successes: 0 to n
    :param n: trials, 1 or more
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :raises ValueError: the counts or the confidence are not possible

    Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits".
    """
    _require_counts(successes, n)
    alpha = tail(confidence, one_sided=one_sided)
    return float(exact_lower(successes, n, alpha=alpha)), float(exact_upper(successes, n, alpha=alpha))


def exact_lower(successes: Numbers, n: Numbers, *, alpha: Numbers) -> NDArray[np.float64]:
    """Clopper and Pearson's lower bound, elementwise; it misses the true share with probability alpha at most.

    :param successes: counts, not necessarily whole: scaled samples have fractions of rows
    """
    counts, failures = np.asarray(successes, dtype=float), np.asarray(n - successes, dtype=float)
    # The beta distribution has no parameter 0; the bound of no success is 0.
    lower = special.betaincinv(np.where(counts > 0, counts, 1.0), failures + 1, alpha)
    return np.where(counts > 0, lower, 0.0)


def exact_upper(successes: Numbers, n: Numbers, *, alpha: Numbers) -> NDArray[np.float64]:
    """The upper bound: that of :func:`exact_lower` with successes and failures exchanged."""
    return 1 - exact_lower(n - successes, n, alpha=alpha)


def _require_counts(successes: float, n: float) -> None:
    if not (n >= 1 and 0 <= successes <= n):
        raise ValueError(f"a share needs 0 to n successes of n >= 1 trials, found {successes!r} of {n!r}")
