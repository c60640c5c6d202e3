"""Bounds and p-values of the difference of two shares, elementwise on counts: paired or not.

Every bound is the wider one of two. The adjusted Wald bound alone (Bonett and Price; Agresti and Caffo) covers its
level on average but not where it matters most: with drops only and n = 100, up to 9 % of candidates whose true drop is
beyond the margin get a one-sided 95 % bound within it, as samples without any drop are too frequent. Bounds put
together from each share's exact interval (Clopper and Pearson, by the method of variance estimates recovery) let
through less than 5 % there; with fewer than 10 rows it is they that err, and the adjusted Wald bound that is the wider.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics.proportions import Numbers, exact_lower, exact_upper

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
#: Smallest p-value that is reported.
_SMALLEST = 1e-300


def paired_bounds(gains: Numbers, losses: Numbers, n: Numbers, *, alpha: Numbers) -> Bounds:
    """Bound the mean paired difference of 0/1 scores, candidate − baseline.

    :param gains: number of pairs where only the candidate has 1
    :param losses: number of pairs where only the baseline has 1
    :param n: number of pairs
    :param alpha: probability that each of the two bounds misses the true difference

    Source: Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data"; Tang, Li and Tang 2010 for the method of variance estimates recovery on paired shares.
    """
    return -paired_upper_bound(losses, gains, n, alpha=alpha), paired_upper_bound(gains, losses, n, alpha=alpha)


def paired_upper_bound(gains: Numbers, losses: Numbers, n: Numbers, *, alpha: Numbers) -> NDArray[np.float64]:
    """The upper one of :func:`paired_bounds`; the lower one is the negative of it with gains and losses exchanged."""
    estimate, error = bonett_price(gains, losses, n)
    adjusted_wald = estimate + special.ndtri(1 - np.asarray(alpha)) * error
    return np.clip(np.maximum(_exact_paired_upper(gains, losses, n, alpha), adjusted_wald), -1, 1)


def paired_p_value(gains: Numbers, losses: Numbers, n: Numbers, *, margin: float) -> NDArray[np.float64]:
    """One-sided p-value of a drop beyond the margin: the alpha at which the upper bound is −margin."""
    estimate, error = bonett_price(gains, losses, n)
    adjusted_wald = special.ndtr((estimate + margin) / error)
    exact = _alpha_at(-margin, lambda alpha: _exact_paired_upper(gains, losses, n, alpha))
    return np.maximum(adjusted_wald, exact)


def bonett_price(gains: Numbers, losses: Numbers, n: Numbers) -> Bounds:
    """Adjusted difference and its standard error: one pair is added to each cell that differs."""
    gains, losses, n = (np.asarray(count, dtype=float) for count in (gains, losses, n))
    difference = (gains - losses) / (n + 2)
    variance = ((gains + losses + 2) / (n + 2) - difference**2) / (n + 2)
    return difference, np.sqrt(np.maximum(variance, 0))


def mcnemar_p_value(gains: int, losses: int) -> float:
    """Exact two-sided p-value of the hypothesis that gains and losses are equally likely.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions".
    """
    return float(min(1.0, 2 * special.bdtr(min(gains, losses), gains + losses, 0.5)))


def unpaired_bounds(
    candidate: Numbers, candidate_n: Numbers, baseline: Numbers, baseline_n: Numbers, *, alpha: Numbers
) -> Bounds:
    """Bound the difference of two independent shares, candidate − baseline.

    :param candidate: number of the candidate's rows that have 1
    :param candidate_n: number of the candidate's rows
    :param baseline: number of the baseline's rows that have 1
    :param baseline_n: number of the baseline's rows
    :param alpha: probability that each of the two bounds misses the true difference

    Source: Agresti and Caffo 2000, "Simple and effective confidence intervals for proportions and differences of
    proportions"; Zou and Donner 2008 for the method of variance estimates recovery.
    """
    estimate, error = agresti_caffo(candidate, candidate_n, baseline, baseline_n)
    half = special.ndtri(1 - np.asarray(alpha)) * error
    upper = _exact_unpaired_upper(candidate, candidate_n, baseline, baseline_n, alpha)
    lower = -_exact_unpaired_upper(baseline, baseline_n, candidate, candidate_n, alpha)
    return np.clip(np.minimum(lower, estimate - half), -1, 1), np.clip(np.maximum(upper, estimate + half), -1, 1)


def unpaired_p_value(
    candidate: Numbers, candidate_n: Numbers, baseline: Numbers, baseline_n: Numbers, *, margin: float
) -> NDArray[np.float64]:
    """One-sided p-value of a drop beyond the margin: the alpha at which the upper bound is −margin."""
    estimate, error = agresti_caffo(candidate, candidate_n, baseline, baseline_n)
    adjusted_wald = special.ndtr((estimate + margin) / error)
    exact = _alpha_at(-margin, lambda alpha: _exact_unpaired_upper(candidate, candidate_n, baseline, baseline_n, alpha))
    return np.maximum(adjusted_wald, exact)


def agresti_caffo(candidate: Numbers, candidate_n: Numbers, baseline: Numbers, baseline_n: Numbers) -> Bounds:
    """Adjusted difference and its standard error: each side gets one more row with 1 and one more with 0."""
    first = (np.asarray(candidate, dtype=float) + 1) / (candidate_n + 2)
    second = (np.asarray(baseline, dtype=float) + 1) / (baseline_n + 2)
    return first - second, np.sqrt(first * (1 - first) / (candidate_n + 2) + second * (1 - second) / (baseline_n + 2))


def _exact_paired_upper(gains: Numbers, losses: Numbers, n: Numbers, alpha: Numbers) -> NDArray[np.float64]:
    gained, lost = np.asarray(gains / np.asarray(n)), np.asarray(losses / np.asarray(n))
    # A row in one cell is in no other: the two shares of a multinomial correlate negatively, and with −1 where no row
    # is in a third cell.
    others = (1 - gained) * (1 - lost)
    odds = np.where(gained + lost > 1 - 1e-12, 1.0, gained * lost / np.where(others > 0, others, 1.0))
    correlation = -np.sqrt(np.minimum(odds, 1.0))
    up, down = exact_upper(gains, n, alpha=alpha) - gained, lost - exact_lower(losses, n, alpha=alpha)
    return _upper_of_difference(gained - lost, up, down, correlation)


def _exact_unpaired_upper(
    candidate: Numbers, candidate_n: Numbers, baseline: Numbers, baseline_n: Numbers, alpha: Numbers
) -> NDArray[np.float64]:
    first, second = np.asarray(candidate / np.asarray(candidate_n)), np.asarray(baseline / np.asarray(baseline_n))
    up = exact_upper(candidate, candidate_n, alpha=alpha) - first
    down = second - exact_lower(baseline, baseline_n, alpha=alpha)
    return _upper_of_difference(first - second, up, down, np.zeros(()))


def _upper_of_difference(
    estimate: NDArray[np.float64],
    up: NDArray[np.float64],
    down: NDArray[np.float64],
    correlation: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Upper bound of a difference of shares, from the distances of the shares to their own bounds."""
    return np.asarray(estimate + np.sqrt(up**2 + down**2 - 2 * correlation * up * down))


def _alpha_at(target: float, upper_bound: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Find the alpha at which an upper bound falls to the target; 0.5 where it is above it at all smaller ones."""
    shape = np.shape(upper_bound(np.asarray(0.5)))
    low, high = np.full(shape, np.log(_SMALLEST)), np.full(shape, np.log(0.5))
    for _ in range(50):
        middle = (low + high) / 2
        below = upper_bound(np.exp(middle)) < target
        low, high = np.where(below, low, middle), np.where(below, middle, high)
    return np.asarray(np.exp(high), dtype=float)
