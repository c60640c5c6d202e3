"""Exact unconditional tests of a difference of shares: they keep their level whatever the other share is.

Outcomes are ordered by how much they speak for a drop beyond the margin. The p-value of an outcome is the largest
probability, over all values of the share that the hypothesis leaves open (the nuisance parameter), of this outcome and
all that are more extreme. So 5 % of equal models at most have a p-value of 5 % or less; that of a test which only
approximates the probability may be twice as many.

What is left to choose is the order, and much depends on it. A score statistic alone (Suissa and Shuster 1985 and 1991;
Tango 1998 and Farrington and Manning 1990 with a margin) has large steps of its level: in single cells it sees less
than half as much as the best order. Here the order is the estimated p-value of a statistic, its probability at the
likeliest value of the other share, which is then maximised as above (Lloyd 2008, "A new exact and more powerful
unconditional test of no treatment effect from binary matched pairs": "E + M"). The statistic is the score statistic;
of pairs its mean with the signed root of the likelihood ratio, which sees more where no row gains.
``benchmarks/zero_one_power.py`` has the power of all of these. Where there are too many outcomes for that, the order is
that of the statistic itself, and with thousands of rows the maximum is that over a confidence interval of the other
share, whose error is added (Berger and Boos 1994, "P values maximized over a confidence set for the nuisance
parameter").

Bounds invert the test of every other drop (Chan and Zhang 1999, "Test-based exact confidence intervals for the
difference of two binomial proportions"), in the order of the statistic for that drop. A bound is beyond the margin
exactly if the p-value at the margin is alpha or less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs, Sides

Array = NDArray[np.float64]
Design: TypeAlias = "Pairs | Sides"
#: Largest number of outcomes of which estimated p-values are computed.
_ESTIMATED_OUTCOMES = 46_000
#: Largest number of rows of a side with which the maximum is over all values of the other share.
_MOST_ROWS = 1_000
#: With more rows: the part of the error that the confidence interval of the other share has, the number of values in
#: it, the largest number of counts i in a sum, and what it may be wrong by where it leaves some out.
_BERGER_BOOS, _SHARES, _COUNTS, _SAFETY = 1e-9, 25, 100, 1.02
#: Distance of neighbouring values of the other share near the ends of its range, in roots of counts; the root of the
#: count at which it starts to grow, and the factor.
_STEP, _FINE, _GROWTH = 0.2, 10.0, 1.03
#: Standard deviations, and counts beyond, that a sum over counts includes.
_DEVIATIONS, _BEYOND = 7.0, 15
#: Logarithm of the smallest probability that is added up, and the smallest p-value: less is not told apart.
_LEAST, _SMALLEST = -32.0, 1e-10
#: Scores nearer than this are ties.
_TIE = 1e-9
#: Precision of bounds, as a share of their distance from the estimate: where the p-value varies steadily, and where it
#: jumps; and how near they come to −1.
_PRECISION, _JUMP, _NEAR = 1e-6, 5e-3, 1e-9


@dataclass(frozen=True, slots=True)
class Region:
    """Outcomes that are at least as extreme as one: i with j or more.

    :param i: evenly spaced counts
    :param fewest: smallest j that is in the region, for each i
    :param limits: of the other share, where it is a confidence interval
    """

    i: Array
    fewest: Array
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ExactTest:
    """The test of an outcome: is the drop larger than the margin?

    :param margin: drop that is accepted; negative where a rise is to be shown
    """

    design: Design
    i: int
    j: int
    margin: float

    def p_value(self, margin: float | None = None) -> float:
        """The p-value of the hypothesis that the drop is no larger than the margin, or than another one."""
        drop = self.margin if margin is None else margin
        if not -1 < drop < 1:
            return float(drop >= 1)
        return _p_value(self.design, self.i, self.j, drop, drop == self.margin)

    def lower_bound(self, alpha: float) -> float:
        """Bound the drop from below; it is larger than the margin exactly if the p-value is alpha or less."""
        return _lower_bound(self, alpha)


@lru_cache(maxsize=20_000)
def _p_value(design: Design, i: int, j: int, drop: float, is_margin: bool) -> float:
    return largest_probability(design, region_of(design, i, j, drop, is_margin=is_margin), drop)


@lru_cache(maxsize=20_000)
def _lower_bound(test: ExactTest, alpha: float) -> float:
    design, i, j = test.design, test.i, test.j

    def excess(drop: float) -> float:
        """Distance of the p-value from alpha as normal quantiles, nearly linear in the drop."""
        region = region_of(design, i, j, drop, is_margin=False)
        p_value = largest_probability(design, region, drop)
        return float(special.ndtri(min(max(p_value, 1e-15), 1 - 1e-15)) - special.ndtri(alpha))

    observed = float(design.drop(np.array(i), np.array(j)))
    bound = _crossing(excess, observed, guess=_score_bound(test, observed, alpha))
    if test.p_value() <= alpha:
        return max(bound, math.nextafter(test.margin, math.inf))
    return min(bound, math.nextafter(test.margin, -math.inf))


def _score_bound(test: ExactTest, observed: float, alpha: float) -> float:
    """The drop under which the statistic has its normal quantile."""
    wanted, low, high = -float(special.ndtri(alpha)), -1.0, observed
    for _ in range(20):
        middle = (low + high) / 2
        is_low = statistic(test.design, np.array(test.i), np.array(test.j), middle) > wanted
        low, high = (middle, high) if is_low else (low, middle)
    return low


def _crossing(rising: Callable[[float], float], end: float, *, guess: float) -> float:
    """Find where a rising function, or one that jumps up, reaches 0 below ``end``, where it is positive; −1 if nowhere.

    :return: where it is 0 at most, and nearly so
    """
    low, high, at = (-1.0, 0.0), (end, math.inf), max(guess, -1 + _NEAR)
    slope = 2 / max(end - guess, _NEAR)
    for turn in range(40):
        value = rising(at)
        if -_PRECISION < value <= 0:
            return at
        low, high = ((at, value), high) if value <= 0 else (low, (at, value))
        width = high[0] - low[0]
        is_jump = low[1] < 0 and high[1] - low[1] > 10 * slope * width
        if width <= (_JUMP if is_jump else _PRECISION) * (end - guess) or high[0] <= -1 + _NEAR:
            break
        if low[1] < 0 and high[1] < math.inf and turn % 3 < 2:
            share = (low[1] + _PRECISION / 2) / (low[1] - high[1])
            at = low[0] + min(max(share, 0.02), 0.98) * (high[0] - low[0])
        elif low[1] < 0 and high[1] < math.inf:
            at = (low[0] + high[0]) / 2
        else:
            at -= 1.05 * 2**turn * (value + _PRECISION / 2) / slope
            at = min(max(at, -1 + _NEAR), (low[0] + 3 * end) / 4)
    return low[0]


def statistic(design: Design, i: Array, j: Array, drop: float) -> Array:
    """How much outcomes speak for a larger drop.

    Of pairs it is the mean of the score statistic and the likelihood ratio's signed root. Of two sides the score
    statistic alone does better: with the root, some cells lose up to 18 points.
    """
    share = design.likeliest_share(i, j, drop)
    score = design.score(i, j, drop, share)
    if not isinstance(design, Pairs):
        return score
    root = np.sign(score) * np.sqrt(np.maximum(design.deviance(i, j, drop, share), 0.0))
    return np.asarray(np.where(np.abs(score) > 1e4, score, (score + root) / 2))


def region_of(design: Design, i: int, j: int, drop: float, *, is_margin: bool) -> Region:
    """Find the outcomes that speak at least as much for a larger drop as one does.

    :param is_margin: order outcomes by their estimated p-values, and over all values of the other share, where there
        are not too many
    """
    if is_margin and design.outcomes <= _ESTIMATED_OUTCOMES:
        scores = estimated_p_values(design, drop)
        return region_below(design, scores, scores[i, j])
    if is_margin and max(design.most) <= _MOST_ROWS:
        counts, limits = np.arange(design.most[0] + 1.0), None
    else:
        counts, limits = _counts_near(design, i)
    level = float(statistic(design, np.array(i), np.array(j), drop)) - _TIE
    return Region(counts, fewest_by_statistic(design, counts, drop, level), limits)


def region_below(design: Design, scores: Array, level: float) -> Region:
    """The outcomes whose score is at most a level."""
    counts = np.arange(design.most[0] + 1.0)
    return Region(counts, (scores > level + _TIE).sum(axis=1).astype(float))


def _counts_near(design: Design, i: int) -> tuple[Array, tuple[float, float]]:
    """The counts that are possible under shares in a confidence interval, and the interval."""
    n = design.most[0]
    low = float(special.betaincinv(max(i, 1e-300), n - i + 1, _BERGER_BOOS / 2)) if i else 0.0
    high = float(special.betaincinv(i + 1, max(n - i, 1e-300), 1 - _BERGER_BOOS / 2)) if i < n else 1.0
    first, last = _window(n, np.array([low]))[0][0], _window(n, np.array([high]))[1][0]
    step = max(1, int((last - first) // _COUNTS)) if max(design.most) > _MOST_ROWS else 1
    return np.arange(first, last + 1, step), (low, high)


def _window(n: int, shares: Array) -> tuple[Array, Array]:
    """The first and the last count that are possible under shares."""
    away = _DEVIATIONS * np.sqrt(n * shares * (1 - shares)) + _BEYOND
    return np.floor(np.maximum(n * shares - away, 0)), np.ceil(np.minimum(n * shares + away, n))


def fewest_by_statistic(design: Design, i: Array, drop: float, level: float) -> Array:
    """The smallest j with at least a value of the statistic, for each i; more than possible where there is none."""
    low, high = np.zeros(i.size), design.most_j(i) + 1
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        enough = (middle > design.most_j(i)) | (
            statistic(design, i, np.minimum(middle, design.most_j(i)), drop) >= level
        )
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return np.asarray(np.maximum.accumulate(high))


def largest_probability(design: Design, region: Region, drop: float, *, is_refined: bool = True) -> float:
    """The largest probability of a region under a drop, over all values of the other share.

    :param is_refined: search between the values of the grid, too
    """
    low, high = design.limits(drop)
    if region.limits is not None:
        low, high = max(low, region.limits[0]), min(high, region.limits[1])
        if low > high:
            return _BERGER_BOOS  # no share of the interval agrees with the drop
        shares = np.linspace(math.sqrt(low), math.sqrt(high), _SHARES) ** 2
        zooms: tuple[int, ...] = (2,)
    else:
        shares, zooms = shares_between(low, high, max(design.most)), (6, 2, 1)
    shares = np.clip(shares, low, high)
    found = probability(design, region, shares, drop)
    for number in zooms if is_refined else ():
        peaks = np.argsort(-np.where(_is_peak(found), found, -1.0))[:number]
        ends = shares[np.maximum(peaks - 1, 0)], shares[np.minimum(peaks + 1, shares.size - 1)]
        between = np.linspace(*ends, 9)[1:-1].ravel()
        shares, kept = _distinct(np.concatenate([shares, between]))
        found = np.concatenate([found, probability(design, region, between, drop)])[kept]
    largest = float(found.max())
    if region.limits is not None:
        largest = largest * (_SAFETY if region.i.size > 1 and region.i[1] - region.i[0] > 1 else 1.0) + _BERGER_BOOS
    return min(max(largest, _SMALLEST), 1.0)


def _is_peak(values: Array) -> NDArray[np.bool_]:
    around = np.concatenate([[-1.0], values, [-1.0]])
    return np.asarray((values >= around[:-2]) & (values >= around[2:]))


def shares_between(low: float, high: float, n: int, *, step: float = _STEP) -> Array:
    """A grid of shares that is fine near both ends, where single counts matter.

    :param step: distance of neighbours near the ends, in roots of counts
    """
    half = math.sqrt(max(high - low, 0.0) / 2 * n)
    roots = list(np.arange(0, min(half, _FINE) + step, step))
    while roots[-1] < half:
        roots.append(max(roots[-1] * _GROWTH, roots[-1] + step))
    away = np.minimum(np.array(roots) ** 2 / n, (high - low) / 2)
    return _distinct(np.concatenate([low + away, high - away]))[0]


def _distinct(shares: Array) -> tuple[Array, NDArray[np.intp]]:
    """Shares in order without those that differ by rounding only, and where they were."""
    order = np.argsort(shares, kind="stable")
    kept = order[np.concatenate([[True], np.diff(shares[order]) > 1e-12])]
    return shares[kept], kept


def probability(design: Design, region: Region, shares: Array, drop: float) -> Array:
    """The probability of a region under each share."""
    n, step = design.most[0], float(region.i[1] - region.i[0]) if region.i.size > 1 else 1.0
    first, last = _window(n, shares)
    start = np.clip(np.floor((first - region.i[0]) / step), 0, region.i.size - 1).astype(int)
    sizes = np.clip(np.ceil((last - region.i[0]) / step), 0, region.i.size - 1).astype(int) - start + 1
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    at = np.arange(sizes.sum()) - np.repeat(offsets - start, sizes)
    i, fewest, most_j = region.i[at], region.fewest[at], design.most_j(region.i)[at]
    share, other = np.repeat(shares, sizes), np.repeat(design.share_of_j(shares, drop), sizes)
    logarithm = special.gammaln(n + 1) - special.gammaln(i + 1) - special.gammaln(n - i + 1)
    logarithm += special.xlogy(i, share) + special.xlog1py(n - i, -share)
    tails = np.where(fewest <= 0, 1.0, 0.0)
    some = (fewest > 0) & (fewest <= most_j) & (logarithm > _LEAST)
    tails[some] = special.bdtrc(fewest[some] - 1, most_j[some].astype(np.int64), other[some])
    return np.asarray(np.add.reduceat(np.exp(logarithm) * tails, offsets) * step)


@lru_cache(maxsize=32)
def estimated_p_values(design: Design, drop: float) -> Array:
    """Scores that order all outcomes, i × j: p-values at the likeliest value of the other share.

    Outcomes that do not speak for a larger drop have scores above 1. More of j, or less of i, never makes an outcome
    less extreme; impossible outcomes have −1.
    """
    i, j = (axis.ravel() for axis in np.indices((design.most[0] + 1, design.most[1] + 1)).astype(float))
    is_possible = j <= design.most_j(i)
    values = np.full(i.size, -np.inf)
    values[is_possible] = statistic(design, i[is_possible], j[is_possible], drop)
    scores = np.where(is_possible, 1 - values, -1.0)
    above = np.flatnonzero(values > _TIE)
    above = above[np.argsort(-values[above], kind="stable")]
    if above.size:
        # A coarser grid orders outcomes wrongly that are nearly as extreme: up to 4 points are lost.
        shares = shares_between(*design.limits(drop), max(design.most), step=_STEP / 2)
        cumulated = np.cumsum(np.exp(design.log_probability(i[above], j[above], shares, drop)), axis=0)
        last = np.searchsorted(-values[above], -values[above] + _TIE, side="right") - 1
        likeliest = design.likeliest_share(i[above], j[above], drop)
        right = np.clip(np.searchsorted(shares, likeliest), 1, shares.size - 1)
        weight = (likeliest - shares[right - 1]) / (shares[right] - shares[right - 1])
        scores[above] = cumulated[last, right - 1] * (1 - weight) + cumulated[last, right] * weight
    table = scores.reshape(design.most[0] + 1, design.most[1] + 1)
    convex = np.maximum.accumulate(np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1], axis=0)
    return np.asarray(np.where(table == -1.0, -1.0, convex))


@lru_cache(maxsize=256)
def critical_region(design: Design, drop: float, alpha: float, *, is_refined: bool = False) -> Region:
    """The outcomes that are significant.

    With too many outcomes for estimated p-values it is found to three digits of the statistic.

    :param is_refined: as in :func:`largest_probability`
    """

    def is_level(region: Region) -> bool:
        return largest_probability(design, region, drop, is_refined=is_refined) <= alpha

    if design.outcomes <= _ESTIMATED_OUTCOMES:
        table = estimated_p_values(design, drop)
        scores = np.unique(table[table >= 0])
        scores = scores[np.concatenate([np.diff(scores) > _TIE, [True]])]
        # The largest probability is the estimated one or a little more.
        low, high = (int(np.searchsorted(scores, share * alpha, side="right")) for share in (0.7, 1.0))
        low = low - 1 if low and is_level(region_below(design, table, scores[low - 1])) else -1
        while high < scores.size and is_level(region_below(design, table, scores[high])):
            low, high = high, high + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_level(region_below(design, table, scores[middle])) else (low, middle)
        return region_below(design, table, scores[low] if low >= 0 else -0.5)
    normal, counts = -float(special.ndtri(alpha)), np.arange(design.most[0] + 1.0)
    below, above = normal - 0.1, normal + 0.5
    while above - below > 1e-3:
        value = (below + above) / 2
        region = Region(counts, fewest_by_statistic(design, counts, drop, value))
        below, above = (below, value) if is_level(region) else (value, above)
    return Region(counts, fewest_by_statistic(design, counts, drop, above))


def fewest_significant(design: Design, i: NDArray[np.int_], drop: float, alpha: float) -> Array:
    """The smallest j that is significant, for each i; more than possible where none is.

    With thousands of rows it is the one whose statistic has its normal quantile.
    """
    if drop >= 1:
        return design.most_j(i.astype(float)) + 1
    if max(design.most) > _MOST_ROWS:
        return fewest_by_statistic(design, i.astype(float), drop, -float(special.ndtri(alpha)))
    return critical_region(design, drop, alpha).fewest[i]
