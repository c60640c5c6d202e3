"""What a comparison could have seen, and how many rows would settle it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import zero_one

#: Chance of seeing a drop that "could be seen" stands for.
POWER = 0.8
#: Counts of gains that are looked at; with more than these, every so many.
_GRID = 200
#: As many of them at which losses are searched for.
_KNOTS = 25
#: Points of an integral over the normal distribution, or over a half of it.
_STEPS = 1000
#: Standard errors that are looked at of those that are likely.
_ERRORS = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """How the spread of the differences grows with a drop, as factors of the standard error at rising drops."""

    drops: NDArray[np.float64]
    factors: NDArray[np.float64]

    @classmethod
    def unchanged(cls) -> Spread:
        return cls(np.zeros(1), np.ones(1))

    @classmethod
    def of(cls, candidate: NDArray[np.float64], baseline: NDArray[np.float64]) -> Spread:
        """Take every row to get harder by the same amount.

        Scores near the best there is then come down into the middle, where they vary more. The amount is counted on a
        normal variable of which the scores seen, of both sides together, are a rising function.
        """
        steps = (np.arange(_STEPS) + 0.5) / _STEPS
        seen = np.quantile(np.concatenate([candidate, baseline]), steps, method="inverted_cdf")
        harder = special.ndtri(steps) - np.linspace(0, 4, 81)[:, None]
        scores = seen[(special.ndtr(harder) * _STEPS).astype(int)]
        before, after = scores[0].std(), scores.std(axis=1)
        if before == 0 or candidate.std() == 0 or baseline.std() == 0:
            return cls.unchanged()
        together = min(float(np.corrcoef(candidate, baseline)[0, 1]), 1 - 1e-6)
        variance = before**2 + after**2 - 2 * together * before * after
        return cls(
            scores[0].mean() - scores.mean(axis=1), np.sqrt(np.maximum(variance / (2 * before**2 * (1 - together)), 1))
        )

    def after(self, drop: float) -> float:
        return float(np.interp(drop, self.drops, self.factors))


def detectable_drop(
    *, reaches: NDArray[np.float64], least: float, error: float, degrees: float, margin: float, spread: Spread
) -> float:
    """Give the smallest true drop that a test of a mean shows to be beyond the margin in 80 % of runs.

    :param reaches: how far the one-sided upper bound is from the estimate in equally likely runs, in standard errors of
        the run
    :param least: how far it is at least, in the unit of the scores
    :param error: standard error of the mean
    :param degrees: degrees of freedom of the standard error, 1 or more

    Source: Miller 2024, "Adding Error Bars to Evals", section 5, with standard errors that vary from run to run as a root
    of chi-squared, so that for a single reach it is the noncentral t.
    """
    if error == 0:
        return margin + least
    typical, errors = error, np.ones(1)
    if math.isfinite(degrees):
        # A standard error from few values is too small in more than half of all runs; this one is in half of them.
        typical = error * math.sqrt(degrees / float(special.chdtri(degrees, 0.5)))
        errors = np.sqrt(special.chdtri(degrees, (np.arange(_ERRORS) + 0.5) / _ERRORS) / degrees)
    needed = np.maximum(errors[:, None] * reaches, least / typical)
    low, high = 0.0, float(needed.max()) + 4
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if float(special.ndtr(middle - needed).mean()) >= POWER else (middle, high)
    seen = high * typical
    low, high = margin + seen, margin + seen * float(spread.factors.max())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if margin + seen * spread.after(middle) > middle else (low, middle)
    return high


def detectable_drop_of_pairs(
    gains: int, losses: int, n: int, *, baseline_ones: int, margin: float, alpha: float
) -> float:
    """Give the smallest true drop of 0/1 scores that is shown to be beyond the margin in 80 % of runs.

    A drop changes how many pairs differ. It is taken to make every row harder by the same amount: a score is 1 where a
    normal variable is above a limit, the two sides' variables correlate so that as many pairs differ as were found,
    and the drop moves the candidate's limit.

    :param gains: pairs where only the candidate has 1
    :param losses: pairs where only the baseline has 1
    :param baseline_ones: rows where the baseline has 1
    :param alpha: one-sided level of the test
    :return: 1.0 when no drop could be seen in 80 % of runs
    """
    if baseline_ones == 0:
        return 1.0
    # A limit at infinity has no correlation; this one is as good as there.
    share = min(baseline_ones / n, 1 - 1e-9)
    correlation = _correlation(share, (gains + losses) / n)
    most_gains = special.bdtrik(0.9999, n, max(_shares(share, correlation, margin)[0], 1e-12))
    gained = np.unique(np.linspace(0, min(math.ceil(float(most_gains)), n), _GRID).astype(int))
    fewest_losses = _fewest_losses(gained, n, margin=margin, alpha=alpha)
    between = (gained[1:] + gained[:-1]) // 2

    def seen(drop: float) -> bool:
        gain, loss = _shares(share, correlation, drop)
        cumulated = np.concatenate([[0.0], special.bdtr(between, n, gain), [1.0]])
        enough = special.bdtrc(fewest_losses - 1, n - gained, min(loss / (1 - gain), 1.0))
        return float(np.diff(cumulated) @ np.where(fewest_losses > n - gained, 0.0, enough)) >= POWER

    low, high = min(margin, share), share
    if not seen(high):
        return 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def _fewest_losses(gained: NDArray[np.int_], n: int, *, margin: float, alpha: float) -> NDArray[np.int_]:
    """Find how many losses it takes, beside so many gains, for a significant drop; n − gains + 1 where none are enough."""
    if (
        gained[-1] > _GRID
    ):  # so many that lines between a few of them are right to one, but for the first, where gains are unlikely
        knots = np.unique(np.append(gained[:: _GRID // _KNOTS], gained[-1]))
        found = _fewest_losses_exactly(knots, n, margin=margin, alpha=alpha)
        between: NDArray[np.int_] = np.ceil(np.interp(gained, knots, found)).astype(int)
        return np.minimum(between, n - gained + 1)
    return _fewest_losses_exactly(gained, n, margin=margin, alpha=alpha)


def _fewest_losses_exactly(gained: NDArray[np.int_], n: int, *, margin: float, alpha: float) -> NDArray[np.int_]:
    low, high = np.zeros_like(gained), n - gained + 1
    while (low < high).any():
        middle = (low + high) // 2
        lost = np.minimum(middle, n - gained).astype(float)
        upper = zero_one.paired_upper_bound(gained.astype(float), lost, n, alpha=alpha)
        enough = (upper < -margin) | (middle > n - gained)
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return high


def _correlation(share: float, differing: float) -> float:
    """Find the correlation under which the given share of pairs differs when there is no drop."""
    low, high = -0.99, 0.99999
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(_shares(share, middle, 0.0)) > differing else (low, middle)
    return (low + high) / 2


def _shares(share: float, correlation: float, drop: float) -> tuple[float, float]:
    """Give the shares of gains and losses when the baseline has ``share`` ones and the candidate ``drop`` fewer."""
    limit = special.ndtri(1 - max(share - drop, 0.0))

    def ones(baseline: NDArray[np.float64]) -> float:
        scaled = (correlation * special.ndtri(baseline) - limit) / math.sqrt(1 - correlation**2)
        return float(special.ndtr(scaled).mean())

    steps = (np.arange(_STEPS) + 0.5) / _STEPS
    return (1 - share) * ones((1 - share) * steps), share * (1 - ones(1 - share * steps))
