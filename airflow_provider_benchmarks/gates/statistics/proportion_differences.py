"""Exact bounds and p-values of the difference of two shares, of paired rows or of independent sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics.exact_shares import ExactTest
from airflow_provider_benchmarks.gates.statistics.proportions import Numbers
from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs, Sides


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """A difference of shares, candidate − baseline, and the two exact tests that bound it.

    :param drop: is the drop larger than the margin?
    :param rise: is the drop smaller than the margin? The same with the sides exchanged and the margin negated
    """

    drop: ExactTest
    rise: ExactTest

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Lower and upper bound, each of which misses the true difference with probability alpha at most.

        The upper one is below −margin exactly if the drop's p-value is alpha or less, and the lower one is above it
        exactly if the rise's is.
        """
        return max(self.rise.lower_bound(alpha), -1.0), min(-self.drop.lower_bound(alpha), 1.0)

    def p_value(self, margin: float) -> float:
        """One-sided p-value of a drop beyond a margin."""
        return self.drop.p_value(margin)


def of_pairs(gains: int, losses: int, n: int, *, margin: float) -> ShareDifference:
    """Compare paired 0/1 scores.

    :param gains: number of pairs where only the candidate has 1
    :param losses: number of pairs where only the baseline has 1
    :param n: number of pairs
    :param margin: drop that is accepted
    """
    design = Pairs(n)
    return ShareDifference(ExactTest(design, gains, losses, margin), ExactTest(design, losses, gains, -margin))


def of_sides(candidate: int, candidate_n: int, baseline: int, baseline_n: int, *, margin: float) -> ShareDifference:
    """Compare the 0/1 scores of two independent jobs.

    :param candidate: number of the candidate's rows that have 1
    :param candidate_n: number of the candidate's rows
    :param baseline: number of the baseline's rows that have 1
    :param baseline_n: number of the baseline's rows
    :param margin: drop that is accepted
    """
    drop, rise = Sides(candidate_n, baseline_n), Sides(baseline_n, candidate_n)
    return ShareDifference(ExactTest(drop, candidate, baseline, margin), ExactTest(rise, baseline, candidate, -margin))


def paired_error(gains: Numbers, losses: Numbers, n: Numbers) -> NDArray[np.float64]:
    """Standard error of the mean paired difference, with one more pair in each cell that differs.

    Source: Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data".
    """
    gains, losses, n = (np.asarray(count, dtype=float) for count in (gains, losses, n))
    variance = ((gains + losses + 2) / (n + 2) - ((gains - losses) / (n + 2)) ** 2) / (n + 2)
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def unpaired_error(
    candidate: Numbers, candidate_n: Numbers, baseline: Numbers, baseline_n: Numbers
) -> NDArray[np.float64]:
    """Standard error of the difference of two independent shares, with one more 1 and one more 0 on each side.

    Source: Agresti and Caffo 2000, "Simple and effective confidence intervals for proportions and differences of
    proportions".
    """
    first = (np.asarray(candidate, dtype=float) + 1) / (candidate_n + 2)
    second = (np.asarray(baseline, dtype=float) + 1) / (baseline_n + 2)
    return np.asarray(np.sqrt(first * (1 - first) / (candidate_n + 2) + second * (1 - second) / (baseline_n + 2)))


def mcnemar_p_value(gains: int, losses: int) -> float:
    """Exact two-sided p-value of the hypothesis that gains and losses are equally likely.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions".
    """
    return float(min(1.0, 2 * special.bdtr(min(gains, losses), gains + losses, 0.5)))
