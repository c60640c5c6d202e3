"""The mean difference between a candidate and a baseline, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import bounds, proportion_differences, skewed_means
from airflow_provider_benchmarks.gates.statistics.mean_bounds import (
    Limits,
    MeanBounds,
    cluster_sizes,
    cluster_values,
    effective_clusters,
    possible_limits,
    possible_range,
)
from airflow_provider_benchmarks.gates.statistics.means import Moments
from airflow_provider_benchmarks.gates.statistics.power import detectable_drop
from airflow_provider_benchmarks.gates.statistics.proportions import tail
from airflow_provider_benchmarks.gates.statistics.small_samples import (
    p_value_of_clusters,
    p_value_of_sides,
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
    #: One-sided, of the hypothesis that the drop is the margin or more; small: no such drop.
    proof: Callable[[], float] = field(repr=False, compare=False)
    #: The lower bound if there are no losses too rare to be in the sample; higher than the other where those decide.
    lower_of_seen: float
    #: The same as ``p_value`` and ``lower``, where missing scores were bounded: with the values that are worst for the
    #: candidate, and without any.
    worst_p_value: float
    lower_of_complete: float
    #: One-sided level of the test → smallest true drop that it shows to be beyond the margin in 80 % of such runs.
    detectable: Callable[[float], float] = field(repr=False, compare=False)
    bounded_by: bounds.Method = field(repr=False, compare=False)

    @property
    def detectable_drop(self) -> float:
        """The smallest detectable drop where no other test shares the error budget."""
        return self.detectable(tail(self.confidence, one_sided=True))

    @property
    def rare_losses_decide(self) -> bool:
        """True if the lower bound is that for losses too rare to be in the sample."""
        return self.lower < self.lower_of_seen

    def chance_of_equal(self, allowed: float) -> float:
        """The probability that the lower bound of two equal models is high enough, in runs that vary as this one does.

        :param allowed: drop of the mean that is allowed
        """
        room = allowed - (self.estimate - self.lower)
        if self.standard_error == 0:
            return float(room >= 0)
        return float(special.ndtr(room / self.standard_error)) if math.isfinite(self.standard_error) else 0.0

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
            worst_p_value=worst.p_value,
            proof=worst.proof,
            lower_of_seen=worst.lower_of_seen,
        )


def paired_difference(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    margin: float,
    confidence: float,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    limits: tuple[float, float] | None = None,
    rare_losses: bool = True,
    rare_gains: bool = False,
    unit: str = "row",
) -> Difference:
    """Compare scores of the same rows, higher being better.

    0/1 scores get exact unconditional tests, other scores Student's t, widened where it is known to err (see
    ``exact_shares``, ``skewed_means`` and ``unseen_values``); with clusters the errors are those of whole clusters.

    :param candidate: one finite score a row
    :param baseline: the score of the same rows, in the same order
    :param margin: drop that is accepted, 0 or more, in the unit of the scores
    :param confidence: of the interval, and of each one-sided bound
    :param clusters: label of each row; rows with the same label may depend on one another
    :param limits: the lowest and the highest difference that a row may have; None where they are not known
    :param rare_losses: False: there are no losses too rare to be in the sample
    :param rare_gains: True: a drop is shown with room for gains too rare to be in the sample, too
    :param unit: what a score is of, for messages
    :raises ValueError: lengths differ, there is no row, or a number is not finite or not possible
    """
    first, second = (np.asarray(side, dtype=float) for side in (candidate, baseline))
    _require(first, second, margin, confidence, clusters)
    differences = first - second
    is_binary = all(bool(((side == 0) | (side == 1)).all()) for side in (first, second))
    gains, losses = int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
    n = differences.size
    shares = bounds.of_pairs_of_ones(gains, losses, n, margin=margin) if is_binary else None
    found = {"estimate": float(differences.mean()), "n": n, "margin": margin, "confidence": confidence}
    if shares is not None and clusters is None:
        return _difference(
            shares,
            **found,
            mcnemar_p=proportion_differences.mcnemar_p_value(gains, losses),
            detectable=lambda alpha: detectable_drop(first, second, margin=margin, alpha=alpha),
            problem=_problem_of_rows(n, unit),
        )
    known = (-1.0, 1.0) if is_binary else limits
    room = {"rare_losses": rare_losses, "rare_gains": rare_gains}
    by_values, count, problem = _by_values(first, second, clusters, known, unit=unit, **room)
    method = by_values if shares is None else bounds.wider_of(by_values, shares)

    def detectable(alpha: float) -> float:
        if not 0 < by_values.error < math.inf:
            return margin + method.detectable_beyond(alpha)
        spread = {"error": by_values.error, "degrees": by_values.degrees}
        return detectable_drop(first, second, margin=margin, alpha=alpha, **spread)

    return _difference(method, **found, clusters=count, detectable=detectable, problem=problem)


def _by_values(
    first: Array,
    second: Array,
    clusters: Any,
    limits: tuple[float, float] | None,
    *,
    unit: str,
    rare_losses: bool,
    rare_gains: bool,
) -> tuple[bounds.Method, int | None, str | None]:
    """Bound the mean of differences between rows, or between clusters of them.

    :return: the method, the number of clusters, and why the data can only show a collapse
    """
    rows = units = first - second
    size, count, problem, name = float(rows.size), None, _problem_of_rows(rows.size, unit), "paired t"
    if clusters is not None:
        labels, sizes = cluster_sizes(clusters)
        units, size = cluster_values(rows, labels, sizes)
        problem, name, count = _problem_of_clusters(sizes) or problem, "clustered t", sizes.size
    lowest, highest = _limits_of_differences(first, second, size, limits)
    if units.size < 2 or size < 2:
        method = bounds.unbounded(name)
    else:
        # A detected drop needs no room for rare gains, unless nothing is known of how much the values vary.
        knows_variance = (problem is None or clusters is not None) and skewed_means.moments(units)[1] > 0
        beyond: Limits = (lowest if rare_losses else None, None if knows_variance and not rare_gains else highest)
        method = bounds.of_means(MeanBounds.of_values(units, limits=beyond, size=size), name)
    if problem and clusters is not None:
        by_t = None if math.isinf(method.error) or method.error == 0 else method.p_value

        def p_value(margin: float) -> float:
            by_clusters = p_value_of_clusters(float(rows.mean()), size, highest, margin=margin)
            return by_clusters if by_t is None else max(by_clusters, by_t(margin))

        method = replace(method, p_value=p_value)
    return method, count, problem


def _limits_of_differences(
    first: Array, second: Array, size: float, known: tuple[float, float] | None
) -> tuple[float, float]:
    """The lowest and the highest difference that a row may have."""
    if known is not None:
        return known
    ends = (float(end) for side in (first, second) for end in (side.min(), side.max()))
    spread = possible_range(size, *ends)
    return -spread, spread


def unpaired_difference(
    candidate: Moments,
    baseline: Moments,
    *,
    margin: float,
    confidence: float,
    score_range: tuple[float, float] | None = None,
    rare_losses: bool = True,
    rare_gains: bool = False,
) -> Difference:
    """Compare two sides by their moments alone; far less is significant than in pairs.

    0/1 scores get exact unconditional tests, like those of pairs, other scores Welch's t, widened where it is known to
    err.

    :param margin: drop that is accepted, 0 or more, in the unit of the scores
    :param confidence: of the interval, and of each one-sided bound
    :param score_range: the lowest and the highest score that there may be; None where that is not known
    :param rare_losses: False: there are no losses too rare to be in the sample
    :param rare_gains: True: a drop is shown with room for gains too rare to be in the sample, too
    :raises ValueError: the margin or the confidence is not possible
    """
    _require_margin(margin, confidence)
    n, ends = int(min(candidate.n, baseline.n)), (*candidate.ends, *baseline.ends)
    estimate, sizes = candidate.mean - baseline.mean, (candidate.n, baseline.n)
    problem, limits = _problem_of_rows(n), possible_limits(n, *ends, known=score_range)
    if candidate.is_binary and baseline.is_binary:
        method = bounds.of_shares(candidate, baseline, margin=margin)
    elif n == 1:
        method = bounds.unbounded("unpaired (Welch)")
    elif candidate.std_dev == baseline.std_dev == 0:
        method = bounds.of_equal_scores(candidate, baseline, limits)
    else:
        method = bounds.of_welch(candidate, baseline, limits if rare_losses else (None, None))
        if rare_gains:
            method = bounds.with_room_for_gains(method, bounds.of_welch(baseline, candidate, limits))
    if problem and not (candidate.is_binary and baseline.is_binary):
        scale = possible_range(n, *ends, known=score_range)
        method = replace(method, p_value=lambda beyond: p_value_of_sides(estimate, sizes, scale, margin=beyond))
    return _difference(method, estimate=estimate, n=n, margin=margin, confidence=confidence, problem=problem)


def rows_to_decide(
    difference: Difference, *, margin: float, confidence: float, assumed: float | None = None
) -> int | None:
    """Estimate the number of rows that would decide an inconclusive comparison in 80 % of runs, in mode "prove".

    It assumes that further rows have the same distribution.

    :param margin: that of the difference
    :param confidence: that of the difference
    :param assumed: the true difference; the observed one unless given
    :return: None where no number of rows is enough: the difference is −margin itself, or nothing is known
    """
    _require_margin(margin, confidence)
    truth = difference.estimate if assumed is None else assumed
    alpha, distance = tail(confidence, one_sided=True), abs(truth + margin)
    if distance <= 1e-9 * max(1.0, abs(margin)) or not math.isfinite(difference.standard_error):
        return None

    def decides(factor: float) -> bool:
        method = difference.bounded_by.scaled(factor)
        lower, upper = method.bounds(alpha)
        distance_of_bound = difference.estimate - lower if truth > -margin else upper - difference.estimate
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
) -> Difference:
    """Compute the bounds and the p-value of a difference.

    :param problem: why the data can only show a collapse
    """
    alpha = tail(confidence, one_sided=True)
    lower, upper = method.bounds(alpha)
    p_value = method.p_value(margin)
    return Difference(
        estimate=estimate,
        interval=method.bounds(tail(confidence, one_sided=False)),
        lower=lower,
        upper=upper,
        p_value=p_value,
        worst_p_value=p_value,
        lower_of_complete=lower,
        standard_error=method.error,
        confidence=confidence,
        n=n,
        clusters=clusters,
        method=method.name,
        mcnemar_p=mcnemar_p,
        problem=problem,
        proof=lambda: method.proof_p_value(margin),
        lower_of_seen=method.seen_lower(alpha),
        detectable=detectable or (lambda alpha: margin + method.detectable_beyond(alpha)),
        bounded_by=method,
    )


def _problem_of_rows(n: int, unit: str = "row") -> str | None:
    return f"{bounds.counted(n, unit)}, {MIN_ROWS} are needed" if n < MIN_ROWS else None


def _problem_of_clusters(sizes: NDArray[np.intp]) -> str | None:
    if sizes.size < MIN_CLUSTERS:
        return f"{bounds.counted(sizes.size, 'cluster')}, {MIN_CLUSTERS} are needed"
    effective = effective_clusters(sizes)
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
