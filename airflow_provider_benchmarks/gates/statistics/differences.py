"""The mean difference between a candidate and a baseline, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from airflow_provider_benchmarks.gates.statistics import bounds, proportion_differences
from airflow_provider_benchmarks.gates.statistics.means import Moments, score_range
from airflow_provider_benchmarks.gates.statistics.power import detectable_drop
from airflow_provider_benchmarks.gates.statistics.proportions import tail
from airflow_provider_benchmarks.gates.statistics.small_samples import (
    p_value_of_clusters,
    p_value_of_pairs,
    p_value_of_sides,
    p_value_of_zero_one,
)

#: With fewer rows the one-sided errors of the bounds exceed their level, and no bound can decide.
MIN_ROWS = 10
#: With fewer clusters the clustered standard error is itself too uncertain.
MIN_CLUSTERS = 5
#: Smallest effective number of clusters, which is smaller than their number where their sizes are unequal.
MIN_EFFECTIVE_CLUSTERS = 3
#: Where even this number of rows does not decide, none does in practice.
_MAX_ROWS = 1e12

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean difference candidate − baseline, with its uncertainty.

    Bounds are infinite where nothing is known. ``p_value < 1 − confidence`` is the same as ``upper < −margin``, except
    where there is a problem: then the bounds do not keep their level, and the p-value is of a test that does.
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
    #: Number of pairs; for unpaired sides the rows of the smaller one.
    n: int
    clusters: int | None
    method: str
    #: Exact and two-sided; of pairs of 0/1 scores only, and without clusters.
    mcnemar_p: float | None
    #: Why the data can only show a collapse, for example "4 clusters, 5 are needed"; None where they can decide.
    problem: str | None
    #: One-sided level of the test → smallest true drop that it shows to be beyond the margin in 80 % of such runs.
    detectable: Callable[[float], float] = field(repr=False, compare=False)
    bounded_by: bounds.Method = field(repr=False, compare=False)

    @property
    def detectable_drop(self) -> float:
        """The smallest detectable drop where no other test shares the error budget."""
        return self.detectable(tail(self.confidence, one_sided=True))

    def widened(self, *, worst: Difference, best: Difference) -> Difference:
        """The same, with bounds and a p-value that hold for any values of the missing scores.

        :param worst: the difference with the values that are worst for the candidate
        :param best: the difference with the best ones
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
    err (see ``proportion_differences`` and ``skewed_means``); with clusters the errors are those of whole clusters.

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
    shares = bounds.of_pairs_of_ones(gains, losses, n) if is_binary else None
    few_rows = _problem_of_rows(n)
    if shares is not None and few_rows:
        shares = replace(shares, p_value=lambda beyond: p_value_of_zero_one(gains, losses, n, margin=beyond))
    found = {"estimate": float(differences.mean()), "n": n, "margin": margin, "confidence": confidence}
    if shares is not None and clusters is None:
        return _difference(
            shares,
            **found,
            mcnemar_p=proportion_differences.mcnemar_p_value(gains, losses),
            detectable=lambda alpha: detectable_drop(first, second, margin=margin, alpha=alpha),
            problem=few_rows,
        )
    by_values, count, problem, no_variance = _by_values(first, second, confidence, clusters)
    method = by_values if shares is None else bounds.wider_of(by_values, shares)

    def detectable(alpha: float) -> float:
        if not 0 < by_values.error < math.inf:
            return margin + method.detectable_beyond(alpha)
        spread = {"error": by_values.error, "degrees": by_values.degrees}
        return detectable_drop(first, second, margin=margin, alpha=alpha, **spread)

    return _difference(method, **found, clusters=count, detectable=detectable, problem=problem, no_variance=no_variance)


def _by_values(
    first: NDArray[np.float64], second: NDArray[np.float64], confidence: float, clusters: Any
) -> tuple[bounds.Method, int | None, str | None, str | None]:
    """Bound the mean of differences between rows, or between clusters of them.

    :return: the method, the number of clusters, why the data can only show a collapse, and why they can't prove that
        there is no drop
    """
    values, n = first - second, first.size
    estimate, scale = (
        float(values.mean()),
        score_range(*(float(end) for side in (first, second) for end in _ends(side))),
    )
    if clusters is None:
        method, no_variance = bounds.of_values(
            values, unit="row", rows=n, scale=scale, confidence=confidence, degrees=n - 1.0
        )
        problem = _problem_of_rows(n)
        if problem:
            method = replace(method, p_value=lambda margin: p_value_of_pairs(estimate, n, scale, margin=margin))
        return method, None, problem, no_variance
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(labels)
    values, effective = bounds.cluster_values(values, labels, sizes), bounds.effective_clusters(sizes)
    method, no_variance = bounds.of_values(
        values, unit="cluster", rows=n, scale=scale, confidence=confidence, degrees=effective - 1
    )
    problem = _problem_of_clusters(sizes) or _problem_of_rows(n)
    if problem:
        by_t = None if math.isinf(method.error) else method.p_value

        def p_value(margin: float) -> float:
            by_clusters = p_value_of_clusters(estimate, effective, scale, margin=margin)
            return by_clusters if by_t is None else max(by_clusters, by_t(margin))

        method = replace(method, p_value=p_value)
    return method, sizes.size, problem, no_variance


def _ends(values: Array) -> tuple[float, float]:
    return values.min(), values.max()


def unpaired_difference(candidate: Moments, baseline: Moments, *, margin: float, confidence: float) -> Difference:
    """Compare two sides by their moments alone; far less is significant than in pairs.

    0/1 scores get Agresti and Caffo's adjusted Wald bounds, widened like those of pairs, other scores Welch's t.

    :param margin: drop that is accepted, 0 or more, in the unit of the scores
    :param confidence: of the interval, and of each one-sided bound
    :raises ValueError: the margin or the confidence is not possible
    """
    _require_margin(margin, confidence)
    n, scale = int(min(candidate.n, baseline.n)), score_range(*candidate.ends, *baseline.ends)
    estimate, sizes = candidate.mean - baseline.mean, (candidate.n, baseline.n)
    no_variance, problem = None, _problem_of_rows(n)
    if candidate.is_binary and baseline.is_binary:
        method = bounds.of_shares(candidate, baseline)
    elif n == 1:
        method = bounds.unbounded("unpaired (Welch)")
    elif candidate.std_dev == baseline.std_dev == 0:
        method = bounds.without_variance(estimate, n, scale, "unpaired, no variance")
        no_variance = bounds.problem_of_no_variance(n, confidence, "row")
    else:
        method = bounds.of_welch(candidate, baseline)
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
    """Estimate the number of rows that would decide an inconclusive comparison in 80 % of runs, in mode "prove".

    It assumes that the observed difference is the true one, and that further rows have the same distribution.

    :param margin: that of the difference
    :param confidence: that of the difference
    :return: None where no number of rows is enough: the difference is −margin itself, or nothing is known
    """
    _require_margin(margin, confidence)
    alpha, distance = tail(confidence, one_sided=True), abs(difference.estimate + margin)
    if distance <= 1e-9 * max(1.0, abs(margin)) or not math.isfinite(difference.standard_error):
        return None

    def decides(factor: float) -> bool:
        method = difference.bounded_by.scaled(factor)
        lower, upper = method.bounds(alpha)
        distance_of_bound = (
            difference.estimate - lower if difference.estimate > -margin else upper - difference.estimate
        )
        return bounds.detectable_beyond(distance_of_bound, error=method.error) <= distance

    low, high = MIN_ROWS / difference.n / 2, MIN_ROWS / difference.n
    while not decides(high):
        low, high = high, 2 * high
        if difference.n * high > _MAX_ROWS:
            return None
    while difference.n * (high - low) > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    rows = max(math.ceil(difference.n * high), MIN_ROWS)
    if difference.clusters is not None:
        rows = max(rows, math.ceil(difference.n / difference.clusters * MIN_CLUSTERS))
    if difference.standard_error == 0:
        rows = max(rows, bounds.rows_without_variance(confidence))
    return rows if rows > difference.n else difference.n + 1


def _difference(
    method: bounds.Method,
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
    """Compute the bounds and the p-value of a difference.

    :param problem: why the data can only show a collapse
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
        detectable=detectable or (lambda alpha: margin + method.detectable_beyond(alpha)),
        bounded_by=method,
    )


def _problem_of_rows(n: int) -> str | None:
    return f"{bounds.counted(n, 'row')}, {MIN_ROWS} are needed" if n < MIN_ROWS else None


def _problem_of_clusters(sizes: NDArray[np.intp]) -> str | None:
    if sizes.size < MIN_CLUSTERS:
        return f"{bounds.counted(sizes.size, 'cluster')}, {MIN_CLUSTERS} are needed"
    effective = bounds.effective_clusters(sizes)
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
