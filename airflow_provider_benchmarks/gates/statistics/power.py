"""What a comparison could have seen, and how many rows would settle it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import skewed, zero_one
from airflow_provider_benchmarks.gates.statistics.harder import HARDEST, Harder

#: Chance of seeing a drop that "could be seen" stands for.
POWER = 0.8
#: Counts of gains that are looked at; with more than these, every so many.
_GRID = 200
#: As many of them at which losses are searched for.
_KNOTS = 25
#: Points of an integral.
_PAIR_POINTS = 500
#: With more values than these, the mean is nearly normal.
_FEW = 100
#: The sum of more rows than these is nearly normal.
_SUMMED = 8
#: Numbers that are drawn for all runs together.
_DRAWN = 20_000
#: Standard errors that are looked at of those that are likely.
_ERRORS = 200
_SEEN = float(special.ndtri(POWER))
#: A drop changes what is needed to see it; how often, at most, and to what share of it that is followed.
_STEPS, _NEAR = 20, 0.003
#: A secant is not followed further than so, where the function is as steep as what it is given.
_LEAST_DIVISOR = 0.25


def seen_beyond(reach: float, *, error: float) -> float:
    """Give how far a true mean must be beyond a limit to be shown in 80 % of runs, by a bound always so far from it.

    :param error: standard error of the mean
    """
    return reach + _SEEN * error


def seen_by_t(*, error: float, degrees: float, alpha: float) -> float:
    """Give how far a true mean must be beyond a limit for Student's t to show it in 80 % of runs.

    :param error: standard error of the mean, as it was found in one run
    :param degrees: degrees of freedom of the standard error, 1 or more

    Source: the noncentral t distribution, as normal means over equally likely standard errors: scipy's own inverse does
    not end for few degrees of freedom. A standard error from few values is too small in more than half of all runs; it
    is taken for one that is as often too large.
    """
    errors = np.sqrt(special.chdtri(degrees, (np.arange(_ERRORS) + 0.5) / _ERRORS) / degrees)
    reaches = float(special.stdtrit(degrees, 1 - alpha)) * errors
    low, high = 0.0, float(np.abs(reaches).max()) + 4
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if float(special.ndtr(middle - reaches).mean()) >= POWER else (middle, high)
    return high * _typical(error, degrees)


def detectable_drop_of_values(
    harder: Harder, *, error: float, degrees: float, margin: float, alpha: float, least: float = 0.0
) -> float:
    """Give the smallest true drop that a mean's bounds show to be beyond the margin in 80 % of runs.

    A drop makes all rows harder (see :class:`Harder`), which changes how the differences vary. The bounds are those of
    ``skewed``; of a few values they are computed for runs that are drawn, always with the same numbers.

    :param harder: the rows' pairs
    :param error: standard error of the mean, above 0; its values may be rows or clusters of them
    :param degrees: degrees of freedom of the standard error
    :param least: how far the upper bound is from the mean at least
    """
    values = round(degrees) + 1
    # So many independent rows vary as one value does; rather fewer, for rows that depend on one another are more skewed
    # together.
    rows = max(1, math.floor(harder.variance / (error**2 * values) + 0.1))
    typical = _typical(error, degrees)
    by_t = seen_by_t(error=error, degrees=degrees, alpha=alpha)

    def needed(drop: float) -> float:
        """Give what would be seen if differences varied as they do after ``drop``."""
        shift = harder.shift_of(drop)
        growth = harder.growth(shift)
        if values > _FEW:
            return margin + max(by_t * growth, seen_beyond(least, error=typical * growth))
        runs = _runs(harder, shift, values=values, rows=rows) * (typical * growth * math.sqrt(values))
        mean, run_error, skewness = skewed.moments(runs)
        upper = skewed.bounds(mean, run_error, skewness, values, alpha=alpha)[1]
        reaches = np.where(run_error > 0, np.maximum(upper, mean + least), np.inf)
        return margin + float(np.quantile(reaches, POWER, method="higher"))

    return _fixed_point(needed, margin + by_t, near=_NEAR * by_t)


def _fixed_point(function: Callable[[float], float], start: float, *, near: float) -> float:
    """Find where a function gives what it is given, by secants; infinity where it gives that."""
    before, value = start, function(start)
    at = value
    for _ in range(_STEPS):
        if not math.isfinite(at) or abs(at - before) <= near:
            break
        here = function(at)
        slope = (here - value) / (at - before)
        before, value = at, here
        at += (here - at) / max(1 - slope, _LEAST_DIVISOR)
    return at


def _typical(error: float, degrees: float) -> float:
    return error * math.sqrt(degrees / float(special.chdtri(degrees, 0.5)))


def _runs(harder: Harder, shift: float, *, values: int, rows: int) -> NDArray[np.float64]:
    """Draw runs of so many values, each the mean of so many rows' differences, less the true mean and in its spread."""
    variance, skewness = harder.moments(shift)
    if rows > _SUMMED or variance == 0:
        drawn = _drawn(values, 1)[:, :, 0]
        # Cornish and Fisher 1938, "Moments and cumulants in the specification of distributions", the first term.
        return np.asarray(drawn + skewness / math.sqrt(rows) * (drawn**2 - 1) / 6)
    shares, differences = harder.shares(shift).ravel(), harder.differences().ravel()
    order = np.argsort(differences, kind="stable")
    limits = special.ndtri(np.minimum(np.cumsum(shares[order])[:-1], 1.0))
    means = differences[order][np.searchsorted(limits, _drawn(values, rows))].mean(axis=2)
    return np.asarray((means - shares @ differences) / math.sqrt(variance / rows))


@lru_cache(maxsize=16)
def _drawn(values: int, rows: int) -> NDArray[np.float64]:
    """Draw normal numbers, always the same ones: run × value × row.

    The values' means and spreads of the runs are given exactly the distribution that they have, so that few runs do.
    """
    drawn = np.random.default_rng(1938).standard_normal((_DRAWN // (values * rows), values, rows))
    of_values = drawn.mean(axis=2) * math.sqrt(rows)
    mean, spread = of_values.mean(axis=1), of_values.std(axis=1, ddof=1)
    steps = (np.arange(mean.size) + 0.5) / mean.size
    right_mean = special.ndtri(steps)[mean.argsort().argsort()] / math.sqrt(values)
    right_spread = np.sqrt(special.chdtri(values - 1, 1 - steps) / (values - 1))[spread.argsort().argsort()]
    balanced = (of_values - mean[:, None]) * (right_spread / spread)[:, None] + right_mean[:, None]
    return np.asarray(drawn + ((balanced - of_values) / math.sqrt(rows))[:, :, None])


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
    zero_one_scores, weights = np.array([0.0, 1.0]), np.array([1 - share, share])
    harder = Harder.fitted(zero_one_scores, weights, (gains + losses) / n, points=_PAIR_POINTS)

    at_margin = harder.shift_of(margin)
    most_gains = special.bdtrik(0.9999, n, max(float(harder.shares(at_margin)[0, 1]), 1e-12))
    gained = np.unique(np.linspace(0, min(math.ceil(float(most_gains)), n), _GRID).astype(int))
    fewest_losses = _fewest_losses(gained, n, margin=margin, alpha=alpha)
    between = (gained[1:] + gained[:-1]) // 2

    def seen(shift: float) -> bool:
        gain = float(harder.shares(shift)[0, 1])
        loss = gain + harder.drop_of(shift)
        cumulated = np.concatenate([[0.0], special.bdtr(between, n, gain), [1.0]])
        enough = special.bdtrc(fewest_losses - 1, n - gained, min(loss / (1 - gain), 1.0))
        return float(np.diff(cumulated) @ np.where(fewest_losses > n - gained, 0.0, enough)) >= POWER

    low, high = at_margin, HARDEST
    if not seen(high):
        return 1.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return harder.drop_of(high)


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
