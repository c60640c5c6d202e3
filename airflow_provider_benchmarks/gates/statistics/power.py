"""The smallest drop that a comparison would have detected: a figure for reports, which decides nothing.

It assumes that a drop makes every row harder for the candidate by the same amount. A score is a rising step function of
a normal variable, one for each side; the two variables correlate so strongly that the differences without a shift vary
as the observed ones do; and a drop shifts the candidate's. Scores near the best one then move into the middle, where
they vary more, and the differences become skewed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import proportion_differences, skewed_means
from airflow_provider_benchmarks.gates.statistics.bounds import (
    POWER,
    detectable_beyond,
    detectable_by_t,
    median_unbiased_error,
)
from airflow_provider_benchmarks.gates.statistics.exact_shares import fewest_significant
from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs

Array = NDArray[np.float64]
#: Largest number of rows from which the distribution of scores is read.
_SAMPLED_ROWS = 10_000
#: Largest number of different scores; with more, neighbours become one.
_LEVELS = 40
#: Points of the integral over the baseline's normal variable, for 0/1 scores and for others.
_BINARY_POINTS, _POINTS = 500, 100
#: The shift, in standard deviations, at which all rows fail.
_LARGEST_SHIFT = 8.0
#: Bisections for a correlation or a shift.
_BISECTIONS = 20
#: Smallest share of the variance that remains, where a shift takes more away than was observed.
_LEAST_GROWTH = 1e-3
#: Largest number of counts of gains that are computed; where there are more, evenly spaced ones are.
_COUNTS = 200
#: With more values than these, the mean is nearly normal.
_FEW_VALUES = 100
#: The sum of more rows than these is nearly normal.
_FEW_ROWS = 8
#: Random numbers for all simulated runs together.
_DRAWN = 20_000
#: Largest number of steps to the drop that needs itself to be detected, and the share of it at which they end.
_STEPS, _TOLERANCE = 20, 0.003
#: Smallest divisor of a secant step, for a function whose slope is near 1.
_LEAST_DIVISOR = 0.25


def detectable_drop(
    candidate: Array,
    baseline: Array,
    *,
    margin: float,
    alpha: float,
    error: float | None = None,
    degrees: float = math.inf,
) -> float:
    """Estimate the smallest true drop that is shown to be beyond the margin in 80 % of runs.

    :param candidate: one finite score a row
    :param baseline: the scores of the same rows
    :param margin: accepted drop, in the unit of the scores
    :param alpha: one-sided level of the test
    :param error: standard error of the mean of rows or clusters of rows, above 0, where the bounds are those of
        ``skewed_means``; None where they are those of counts of 0/1 scores
    :param degrees: degrees of freedom of the standard error
    :return: 1.0 where no drop of 0/1 scores would be shown in 80 % of runs
    """
    gains, losses = int(np.count_nonzero(candidate > baseline)), int(np.count_nonzero(candidate < baseline))
    is_binary = all(bool(((side == 0) | (side == 1)).all()) for side in (candidate, baseline))
    n, ones = baseline.size, int(baseline.sum()) if is_binary else 0
    by_counts = _of_counts(gains, losses, n, baseline_ones=ones, margin=margin, alpha=alpha) if is_binary else 0.0
    if error is None:
        return by_counts
    least = 0.0
    if is_binary:
        shares = proportion_differences.of_pairs(gains, losses, n, margin=margin)
        least = shares.bounds(alpha)[1] - (gains - losses) / n
    model = _ShiftModel.of(candidate, baseline)
    by_values = _of_values(model, error=error, degrees=degrees, margin=margin, alpha=alpha, least=least)
    return max(by_values, by_counts)


@dataclass(frozen=True, slots=True)
class _ShiftModel:
    """Pairs of scores of which the candidate's normal variable can be shifted.

    :param levels: different scores, rising
    :param limits: values of the normal variable between the levels, with both infinities
    :param points: values of the baseline's variable, of equal weight in each level: level × point
    :param weights: share of each level, the same on both sides
    :param variance: of the observed differences
    :param correlation: of the two variables
    :param unshifted: variance without a shift, as near to the observed one as the levels allow
    """

    levels: Array
    limits: Array
    points: Array
    weights: Array
    variance: float
    correlation: float
    unshifted: float = 0.0

    @classmethod
    def of(cls, candidate: Array, baseline: Array) -> _ShiftModel:
        """Fit the distribution of scores to both sides together, and the correlation to their differences."""
        step = max(1, candidate.size // _SAMPLED_ROWS)
        both = np.sort(np.concatenate([candidate[::step], baseline[::step]]))
        levels, counts = np.unique(both, return_counts=True)
        if levels.size > _LEVELS:
            parts = np.array_split(both, _LEVELS)
            levels, counts = np.array([part.mean() for part in parts]), np.array([part.size for part in parts])
        return cls.fitted(levels, counts / both.size, float((candidate - baseline).var()))

    @classmethod
    def fitted(cls, levels: Array, weights: Array, variance: float, *, points: int = _POINTS) -> _ShiftModel:
        """Find the correlation under which the differences have a variance.

        :param points: number of points of the integral
        """
        before = np.concatenate([[0.0], np.cumsum(weights[:-1])])
        steps = (np.arange(max(1, points // levels.size)) + 0.5) / max(1, points // levels.size)
        limits = special.ndtri(np.append(before, 1.0))
        variables = special.ndtri(before[:, None] + weights[:, None] * steps)

        def with_correlation(correlation: float) -> _ShiftModel:
            return cls(levels, limits, variables, weights, variance, correlation)

        low, high = -0.99, 0.99999
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            is_too_low = with_correlation(middle).moments(0.0)[0] > variance
            low, high = (middle, high) if is_too_low else (low, middle)
        found = with_correlation(high)
        return replace(found, unshifted=found.moments(0.0)[0])

    def shares(self, shift: float) -> Array:
        """The share of each pair of levels: level of the baseline × level of the candidate."""
        scaled = self.limits + shift - self.correlation * self.points[:, :, None]
        below = special.ndtr(scaled / math.sqrt(1 - self.correlation**2))
        return np.asarray(np.diff(below, axis=2).mean(axis=1) * self.weights[:, None])

    def differences(self) -> Array:
        """Candidate − baseline of each pair of levels."""
        return self.levels[None, :] - self.levels[:, None]

    def moments(self, shift: float) -> tuple[float, float]:
        """Variance and skewness of the differences."""
        shares, deviations = self.shares(shift), self.differences()
        deviations = deviations - (shares * deviations).sum()
        variance = float((shares * deviations**2).sum())
        return variance, float((shares * deviations**3).sum()) / variance**1.5 if variance > 0 else 0.0

    def growth(self, shift: float) -> float:
        """The standard deviation of the differences after a shift, divided by the observed one.

        The variance that the shift adds is added to the observed one: differences that are smaller than the distances
        of the levels are not in the model.
        """
        added = self.moments(shift)[0] - self.unshifted
        return math.sqrt(max(1 + added / self.variance, _LEAST_GROWTH))

    def drop_of(self, shift: float) -> float:
        """The drop of the candidate's mean."""
        moved = np.diff(special.ndtr(self.limits + shift)) - self.weights
        return float(-(moved @ self.levels))

    def shift_of(self, drop: float) -> float:
        """The shift that makes a drop of the candidate's mean; the largest one where none does."""
        low, high = 0.0, _LARGEST_SHIFT
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.drop_of(middle) < drop else (low, middle)
        return high


def _of_values(model: _ShiftModel, *, error: float, degrees: float, margin: float, alpha: float, least: float) -> float:
    """The detectable drop where the bounds are those of ``skewed_means``.

    With few values the bounds are computed for simulated runs, always with the same random numbers.

    :param least: smallest distance of the upper bound from the mean
    """
    values = round(degrees) + 1
    # The number of independent rows that vary as one value does. Rounded down, as dependent rows are more skewed
    # together.
    rows = max(1, math.floor(model.variance / (error**2 * values) + 0.1))
    typical = median_unbiased_error(error, degrees)
    by_t = detectable_by_t(error=error, degrees=degrees, alpha=alpha)

    def needed(drop: float) -> float:
        """The detectable drop if the differences varied as they do after ``drop``."""
        shift = model.shift_of(drop)
        growth = model.growth(shift)
        if values > _FEW_VALUES:
            return margin + max(by_t * growth, detectable_beyond(least, error=typical * growth))
        runs = _simulated_runs(model, shift, values=values, rows=rows) * (typical * growth * math.sqrt(values))
        mean, run_error, skewness = skewed_means.moments(runs)
        upper = skewed_means.bounds(mean, run_error, skewness, values, alpha=alpha)[1]
        distances = np.where(run_error > 0, np.maximum(upper, mean + least), np.inf)
        return margin + float(np.quantile(distances, POWER, method="higher"))

    return _fixed_point(needed, margin + by_t, tolerance=_TOLERANCE * by_t)


def _fixed_point(function: Callable[[float], float], start: float, *, tolerance: float) -> float:
    """Find the argument that a function returns, by secants; infinity where it returns that."""
    before, value = start, function(start)
    at = value
    for _ in range(_STEPS):
        if not math.isfinite(at) or abs(at - before) <= tolerance:
            break
        here = function(at)
        slope = (here - value) / (at - before)
        before, value = at, here
        at += (here - at) / max(1 - slope, _LEAST_DIVISOR)
    return at


def _simulated_runs(model: _ShiftModel, shift: float, *, values: int, rows: int) -> Array:
    """Runs of values, each the mean of the differences of some rows, standardised by the true mean and error."""
    variance, skewness = model.moments(shift)
    if rows > _FEW_ROWS or variance == 0:
        drawn = _normal_numbers(values, 1)[:, :, 0]
        # Cornish and Fisher 1938, "Moments and cumulants in the specification of distributions", the first term.
        return np.asarray(drawn + skewness / math.sqrt(rows) * (drawn**2 - 1) / 6)
    shares, differences = model.shares(shift).ravel(), model.differences().ravel()
    order = np.argsort(differences, kind="stable")
    limits = special.ndtri(np.minimum(np.cumsum(shares[order])[:-1], 1.0))
    means = differences[order][np.searchsorted(limits, _normal_numbers(values, rows))].mean(axis=2)
    return np.asarray((means - shares @ differences) / math.sqrt(variance / rows))


@lru_cache(maxsize=16)
def _normal_numbers(values: int, rows: int) -> Array:
    """Normal random numbers, always the same ones: run × value × row.

    The means and spreads of the runs are moved to the quantiles of their exact distributions, so that few runs do.
    """
    drawn = np.random.default_rng(1938).standard_normal((_DRAWN // (values * rows), values, rows))
    of_values = drawn.mean(axis=2) * math.sqrt(rows)
    mean, spread = of_values.mean(axis=1), of_values.std(axis=1, ddof=1)
    steps = (np.arange(mean.size) + 0.5) / mean.size
    exact_mean = special.ndtri(steps)[mean.argsort().argsort()] / math.sqrt(values)
    exact_spread = np.sqrt(special.chdtri(values - 1, 1 - steps) / (values - 1))[spread.argsort().argsort()]
    balanced = (of_values - mean[:, None]) * (exact_spread / spread)[:, None] + exact_mean[:, None]
    return np.asarray(drawn + ((balanced - of_values) / math.sqrt(rows))[:, :, None])


def _of_counts(gains: int, losses: int, n: int, *, baseline_ones: int, margin: float, alpha: float) -> float:
    """The detectable drop of 0/1 scores where the bounds are those of counts.

    A score is 1 where its normal variable is above a limit, and a drop moves the candidate's limit.

    :param gains: number of pairs where only the candidate has 1
    :param losses: number of pairs where only the baseline has 1
    :param baseline_ones: number of rows where the baseline has 1
    """
    if baseline_ones == 0:
        return 1.0
    # A limit at infinity has no correlation; this one is as good as there.
    share = min(baseline_ones / n, 1 - 1e-9)
    weights = np.array([1 - share, share])
    model = _ShiftModel.fitted(np.array([0.0, 1.0]), weights, (gains + losses) / n, points=_BINARY_POINTS)
    at_margin = model.shift_of(margin)
    most_gains = special.bdtrik(0.9999, n, max(float(model.shares(at_margin)[0, 1]), 1e-12))
    gained = np.unique(np.linspace(0, min(math.ceil(float(most_gains)), n), _COUNTS).astype(int))
    fewest_losses = fewest_significant(Pairs(n), gained, margin, alpha)
    between = (gained[1:] + gained[:-1]) // 2

    def is_detected(shift: float) -> bool:
        gain = float(model.shares(shift)[0, 1])
        loss = gain + model.drop_of(shift)
        cumulated = np.concatenate([[0.0], special.bdtr(between, n, gain), [1.0]])
        enough = special.bdtrc(fewest_losses - 1, n - gained, min(loss / (1 - gain), 1.0))
        return float(np.diff(cumulated) @ np.where(fewest_losses > n - gained, 0.0, enough)) >= POWER

    low, high = at_margin, _LARGEST_SHIFT
    if not is_detected(high):
        return 1.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (low, middle) if is_detected(middle) else (middle, high)
    return model.drop_of(high)
