"""The mean difference between a candidate and a baseline, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import methods, power, zero_one
from airflow_provider_benchmarks.gates.statistics.harder import Harder
from airflow_provider_benchmarks.gates.statistics.means import Moments, range_of
from airflow_provider_benchmarks.gates.statistics.proportions import tail
from airflow_provider_benchmarks.gates.statistics.small_samples import (
    p_value_of_clusters,
    p_value_of_pairs,
    p_value_of_sides,
    p_value_of_zero_one,
)

#: With fewer rows exact one-sided errors pass their level, and no bound is worth a verdict.
MIN_ROWS = 10
#: With fewer clusters the clustered error is itself too uncertain.
MIN_CLUSTERS = 5
#: Clusters of unequal sizes must count as this many of one size.
MIN_EFFECTIVE_CLUSTERS = 3
#: More rows than these decide nothing that anybody would wait for.
_MOST_ROWS = 1e12

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean difference candidate − baseline, with its uncertainty.

    Bounds are infinite where nothing is known. ``p_value < 1 − confidence`` says the same as ``upper < −margin``, but
    where there is a problem: the bounds are worth nothing then, and the p-value is one that keeps its level all the
    same.
    """

    estimate: float
    #: Two-sided at the confidence.
    interval: tuple[float, float]
    #: One-sided bounds, each at the confidence.
    lower: float
    upper: float
    #: One-sided, of the hypothesis that the difference is −margin or more; small: a significant drop beyond the margin.
    p_value: float
    standard_error: float
    confidence: float
    #: Pairs; for unpaired sides the rows of the smaller one.
    n: int
    clusters: int | None
    method: str
    #: Exact and two-sided; of pairs of 0/1 scores only, and without clusters.
    mcnemar_p: float | None
    #: Why the data can't judge, but show a collapse, for example "4 clusters, 5 are needed".
    problem: str | None
    #: One-sided level of the test → smallest true drop that it would show to be beyond the margin in 80 % of such runs.
    detectable: Callable[[float], float] = field(repr=False, compare=False)
    bounded_by: methods.Method = field(repr=False, compare=False)

    @property
    def detectable_drop(self) -> float:
        """What could have been seen where no other comparison shares the error budget."""
        return self.detectable(tail(self.confidence, one_sided=True))

    def widened(self, *, worst: Difference, best: Difference) -> Difference:
        """The same, with bounds and a p-value that hold for any values that were lost.

        :param worst: the difference where they are the worst for the candidate
        :param best: where they are the best
        """
        return replace(
            self,
            interval=(worst.interval[0], best.interval[1]),
            lower=worst.lower,
            upper=best.upper,
            p_value=best.p_value,
        )


def paired_difference(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    margin: float,
    confidence: float,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
) -> Difference:
    """Compare scores of the same rows, higher being better.

    0/1 scores get Bonett and Price's adjusted Wald bounds, other scores Student's t, each widened where it is known to
    err (see ``zero_one`` and ``skewed``); with clusters the errors are those of whole clusters.

    :param candidate: one finite score a row
    :param baseline: the score of the same rows, in the same order
    :param margin: drop that is accepted, 0 or more, in the unit of the scores
    :param confidence: of the interval, and of each one-sided bound
    :param clusters: label of each row; rows with the same label may depend on one another
    :raises ValueError: lengths differ, there is no row, or a number is not finite or not possible
    """
    first, second = (np.asarray(side, dtype=float) for side in (candidate, baseline))
    _require(first, second, margin, confidence, clusters)
    differences = first - second
    is_binary = all(bool(((side == 0) | (side == 1)).all()) for side in (first, second))
    gains, losses = int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
    n = differences.size
    shares = methods.of_zero_one(gains, losses, n) if is_binary else None
    few_rows = _problem_of_rows(n)
    if shares is not None and few_rows:
        shares = replace(shares, p_value=lambda beyond: p_value_of_zero_one(gains, losses, n, margin=beyond))
    found = {"estimate": float(differences.mean()), "n": n, "margin": margin, "confidence": confidence}

    def seen_in_pairs(alpha: float) -> float:
        ones = int(second.sum())
        return power.detectable_drop_of_pairs(gains, losses, n, baseline_ones=ones, margin=margin, alpha=alpha)

    if shares is not None and clusters is None:
        mcnemar_p = zero_one.mcnemar_p_value(gains, losses)
        return _difference(shares, **found, mcnemar_p=mcnemar_p, detectable=seen_in_pairs, problem=few_rows)
    method, count, problem, no_variance = _by_values(first, second, confidence, clusters)
    by_pairs = method if shares is None else methods.more_careful(method, shares)

    def seen_in_values(alpha: float) -> float:
        if not 0 < method.error < math.inf:
            return margin + by_pairs.seen(alpha)
        least = 0.0 if shares is None else shares.bounds(alpha)[1] - found["estimate"]
        harder = Harder.of(first, second)
        drop = power.detectable_drop_of_values(
            harder, error=method.error, degrees=method.degrees, margin=margin, alpha=alpha, least=least
        )
        return drop if shares is None else max(drop, seen_in_pairs(alpha))

    return _difference(
        by_pairs, **found, clusters=count, detectable=seen_in_values, problem=problem, no_variance=no_variance
    )


def _by_values(
    first: NDArray[np.float64], second: NDArray[np.float64], confidence: float, clusters: Any
) -> tuple[methods.Method, int | None, str | None, str | None]:
    """Bound the mean of differences between rows, or between clusters of them.

    :return: how, the number of clusters, why the data can't judge, and why they can't prove anything
    """
    values, n = first - second, first.size
    estimate, scale = float(values.mean()), range_of(*(float(end) for side in (first, second) for end in _ends(side)))
    if clusters is None:
        method, no_variance = methods.of_values(
            values, unit="row", rows=n, scale=scale, confidence=confidence, degrees=n - 1.0
        )
        problem = _problem_of_rows(n)
        if problem:
            method = replace(method, p_value=lambda margin: p_value_of_pairs(estimate, n, scale, margin=margin))
        return method, None, problem, no_variance
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(labels)
    values, effective = methods.cluster_values(values, labels, sizes), methods.effective_clusters(sizes)
    method, no_variance = methods.of_values(
        values, unit="cluster", rows=n, scale=scale, confidence=confidence, degrees=effective - 1
    )
    problem = _problem_of_clusters(sizes) or _problem_of_rows(n)
    if problem:
        by_t = None if math.isinf(method.error) else method.p_value

        def p_value(margin: float) -> float:
            unseen = p_value_of_clusters(estimate, effective, scale, margin=margin)
            return unseen if by_t is None else max(unseen, by_t(margin))

        method = replace(method, p_value=p_value)
    return method, sizes.size, problem, no_variance


def _ends(values: Array) -> tuple[float, float]:
    return values.min(), values.max()


def unpaired_difference(candidate: Moments, baseline: Moments, *, margin: float, confidence: float) -> Difference:
    """Compare two sides of which only moments are at hand; far less can be seen than in pairs.

    0/1 scores get Agresti and Caffo's adjusted Wald bounds, widened like those of pairs, other scores Welch's t.

    :param margin: drop that is accepted, 0 or more, in the unit of the scores
    :param confidence: of the interval, and of each one-sided bound
    :raises ValueError: the margin or the confidence is not possible
    """
    _require_margin(margin, confidence)
    n, scale = int(min(candidate.n, baseline.n)), range_of(*candidate.ends, *baseline.ends)
    estimate, sizes = candidate.mean - baseline.mean, (candidate.n, baseline.n)
    no_variance, problem = None, _problem_of_rows(n)
    if candidate.is_binary and baseline.is_binary:
        method = methods.of_shares(candidate, baseline)
    elif n == 1:
        method = methods.unknown("unpaired (Welch)")
    elif candidate.std_dev == baseline.std_dev == 0:
        method = methods.without_variance(estimate, n, scale, "unpaired, no variance")
        no_variance = methods.problem_of_no_variance(n, confidence, "row")
    else:
        method = methods.of_welch(candidate, baseline)
    if problem:
        method = replace(method, p_value=lambda beyond: p_value_of_sides(estimate, sizes, scale, margin=beyond))
    return _difference(
        method,
        estimate=estimate,
        n=n,
        margin=margin,
        confidence=confidence,
        problem=problem,
        no_variance=no_variance,
    )


def rows_to_decide(difference: Difference, *, margin: float, confidence: float) -> int | None:
    """Give the rows with which an inconclusive comparison would be decided in 80 % of runs, in mode "prove".

    The true difference is taken to be the one that was found, and further rows to be like these.

    :param margin: as it was given for the difference
    :param confidence: as it was given for the difference
    :return: None when no number of rows is enough: the difference found lies at −margin itself, or nothing is known
    """
    _require_margin(margin, confidence)
    alpha, distance = tail(confidence, one_sided=True), abs(difference.estimate + margin)
    if distance <= 1e-9 * max(1.0, abs(margin)) or not math.isfinite(difference.standard_error):
        return None

    def decide(factor: float) -> bool:
        method = difference.bounded_by.at(factor)
        lower, upper = method.bounds(alpha)
        reach = difference.estimate - lower if difference.estimate > -margin else upper - difference.estimate
        return reach + float(special.ndtri(power.POWER)) * method.error <= distance

    low, high = MIN_ROWS / difference.n / 2, MIN_ROWS / difference.n
    while not decide(high):
        low, high = high, 2 * high
        if difference.n * high > _MOST_ROWS:
            return None
    while difference.n * (high - low) > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if decide(middle) else (middle, high)
    rows = max(math.ceil(difference.n * high), MIN_ROWS)
    if difference.clusters is not None:
        rows = max(rows, math.ceil(difference.n / difference.clusters * MIN_CLUSTERS))
    if difference.standard_error == 0:
        rows = max(rows, methods.rows_without_variance(confidence))
    return rows if rows > difference.n else difference.n + 1


def _difference(
    method: methods.Method,
    *,
    estimate: float,
    n: int,
    margin: float,
    confidence: float,
    clusters: int | None = None,
    mcnemar_p: float | None = None,
    detectable: Callable[[float], float] | None = None,
    problem: str | None,
    no_variance: str | None = None,
) -> Difference:
    """Put a difference together.

    :param problem: why the data can't judge at all
    :param no_variance: why they can't prove that there is no drop; they can show one
    """
    lower, upper = method.bounds(tail(confidence, one_sided=True))

    return Difference(
        estimate=estimate,
        interval=method.bounds(tail(confidence, one_sided=False)),
        lower=lower,
        upper=upper,
        p_value=method.p_value(margin),
        standard_error=method.error,
        confidence=confidence,
        n=n,
        clusters=clusters,
        method=method.name,
        mcnemar_p=mcnemar_p,
        problem=problem or (no_variance if upper >= -margin else None),
        detectable=detectable or (lambda alpha: margin + method.seen(alpha)),
        bounded_by=method,
    )


def _problem_of_rows(n: int) -> str | None:
    return f"{methods.counted(n, 'row')}, {MIN_ROWS} are needed" if n < MIN_ROWS else None


def _problem_of_clusters(sizes: NDArray[np.intp]) -> str | None:
    if sizes.size < MIN_CLUSTERS:
        return f"{methods.counted(sizes.size, 'cluster')}, {MIN_CLUSTERS} are needed"
    effective = methods.effective_clusters(sizes)
    if effective < MIN_EFFECTIVE_CLUSTERS:
        return (
            f"{sizes.size} clusters of such unequal sizes count as {effective:.1f} equal ones, "
            f"{MIN_EFFECTIVE_CLUSTERS} are needed"
        )
    return None


def _require_margin(margin: float, confidence: float) -> None:
    tail(confidence, one_sided=True)
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin must be a finite number of 0 or more, found {margin!r}")


def _require(
    candidate: Array, baseline: Array, margin: float, confidence: float, clusters: Sequence[Any] | NDArray[Any] | None
) -> None:
    _require_margin(margin, confidence)
    if candidate.ndim != 1 or candidate.shape != baseline.shape or candidate.size == 0:
        raise ValueError(
            "paired scores need one or more rows and the same number on both sides, "
            f"found shapes {candidate.shape} and {baseline.shape}"
        )
    if not (np.isfinite(candidate).all() and np.isfinite(baseline).all()):
        raise ValueError("paired scores must be finite; leave rows without a value out on both sides")
    if clusters is not None and len(clusters) != candidate.size:
        raise ValueError(f"there must be one cluster label a row: {candidate.size} rows, {len(clusters)} labels")
