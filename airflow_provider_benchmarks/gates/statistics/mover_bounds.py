"""Quick bounds of a difference of shares, elementwise, also of fractions of counts: to plan numbers of rows with.

They are put together from each share's exact bounds by the method of variance estimates recovery. They decide nothing:
with few rows they may err more often than they should, and with many they are wider than exact tests are.

Source: Zou and Donner 2008, "Construction of confidence limits about effect measures: a general approach"; Tang, Li and
Tang 2010, "Confidence interval construction for the difference between two proportions in paired data".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from airflow_provider_benchmarks.gates.statistics.proportions import Numbers, exact_lower, exact_upper

Array = NDArray[np.float64]


def paired_upper(gains: Numbers, losses: Numbers, n: Numbers, *, alpha: Numbers) -> Array:
    """Bound the mean paired difference of 0/1 scores from above; from below with gains and losses exchanged, negated.

    :param gains: number of pairs where only the candidate has 1
    :param losses: number of pairs where only the baseline has 1
    :param n: number of pairs
    """
    gained, lost = np.asarray(gains / np.asarray(n)), np.asarray(losses / np.asarray(n))
    # A row in one cell is in no other: the two shares of a multinomial correlate negatively, and with −1 where no row
    # is in a third cell.
    others = (1 - gained) * (1 - lost)
    odds = np.where(gained + lost > 1 - 1e-12, 1.0, gained * lost / np.where(others > 0, others, 1.0))
    correlation = -np.sqrt(np.minimum(odds, 1.0))
    up, down = exact_upper(gains, n, alpha=alpha) - gained, lost - exact_lower(losses, n, alpha=alpha)
    return np.asarray(gained - lost + np.sqrt(up**2 + down**2 - 2 * correlation * up * down))


def unpaired_upper(
    candidate: Numbers, candidate_n: Numbers, baseline: Numbers, baseline_n: Numbers, *, alpha: Numbers
) -> Array:
    """Bound the difference of two independent shares from above, candidate − baseline.

    :param candidate: number of the candidate's rows that have 1
    :param baseline: number of the baseline's rows that have 1
    """
    first, second = np.asarray(candidate / np.asarray(candidate_n)), np.asarray(baseline / np.asarray(baseline_n))
    up = exact_upper(candidate, candidate_n, alpha=alpha) - first
    down = second - exact_lower(baseline, baseline_n, alpha=alpha)
    return np.asarray(first - second + np.sqrt(up**2 + down**2))
