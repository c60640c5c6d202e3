"""The mean difference between a candidate and a baseline, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import methods, power, zero_one
from airflow_provider_benchmarks.gates.statistics.means import Moments
from airflow_provider_benchmarks.gates.statistics.proportions import tail

#: With fewer rows exact one-sided errors pass their level, and no bound is worth a verdict.
MIN_ROWS = 10
#: With fewer clusters the clustered error is itself too uncertain.
MIN_CLUSTERS = 5
#: Clusters of unequal sizes must count as this many of one size.
MIN_EFFECTIVE_CLUSTERS = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean difference candidate − baseline, with its uncertainty.

    Bounds are infinite where nothing is known. ``p_value < 1 − confidence`` says the same as ``upper < −margin``.
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
    #: Pairs; for unpaired sides the rows of the smaller one.
    n: int
    clusters: int | None
    method: str
    #: Exact and two-sided; of pairs of 0/1 scores only, and without clusters.
    mcnemar_p: float | None
    #: Smallest true drop that would be shown to be beyond the margin in 80 % of such runs.
    detectable_drop: float
    #: Of random numbers; none of the present methods uses any.
    seed: int | None
    #: Why the data can't judge, for example "4 clusters, 5 are needed".
    problem: str | None


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
    gains, losses, n = int((differences > 0).sum()), int((differences < 0).sum()), differences.size
    method: methods.Method | None = methods.of_zero_one(gains, losses, n) if is_binary else None
    problem = _problem_of_rows(n)
    sizes: NDArray[np.intp] | None = None
    values = differences
    if clusters is not None:
        labels = np.unique(np.asarray(clusters), return_inverse=True)[1].reshape(-1)
        sizes = np.bincount(labels)
        values = methods.cluster_values(differences, labels, sizes)
        problem = _problem_of_clusters(sizes) or problem
    if sizes is not None or method is None:
        scale = float(np.ptp(np.concatenate([first, second]))) or float(np.abs(first).max())
        unit = "row" if sizes is None else "cluster"
        degrees = (n if sizes is None else methods.effective_clusters(sizes)) - 1
        by_values, no_variance = methods.of_values(
            values, unit=unit, scale=scale, confidence=confidence, degrees=degrees
        )
        problem = problem or no_variance
        method = by_values if method is None else methods.more_careful(by_values, method)

    by_pairs = is_binary and sizes is None
    return _difference(
        method,
        estimate=float(differences.mean()),
        n=n,
        margin=margin,
        confidence=confidence,
        clusters=None if sizes is None else sizes.size,
        mcnemar_p=zero_one.mcnemar_p_value(gains, losses) if by_pairs else None,
        detectable=(
            power.detectable_drop_of_pairs(
                gains, losses, n, baseline_ones=int(second.sum()), margin=margin, alpha=tail(confidence, one_sided=True)
            )
            if by_pairs
            else None
        ),
        spread=power.Spread.unchanged() if by_pairs else power.Spread.of(first, second),
        problem=problem,
    )


def unpaired_difference(candidate: Moments, baseline: Moments, *, margin: float, confidence: float) -> Difference:
    """Compare two sides of which only moments are at hand; far less can be seen than in pairs.

    0/1 scores get Agresti and Caffo's adjusted Wald bounds, widened like those of pairs, other scores Welch's t.

    :param margin: drop that is accepted, 0 or more, in the unit of the scores
    :param confidence: of the interval, and of each one-sided bound
    :raises ValueError: the margin or the confidence is not possible
    """
    _require_margin(margin, confidence)
    n = min(candidate.n, baseline.n)
    problem = _problem_of_rows(n)
    if candidate.is_binary and baseline.is_binary:
        method = methods.of_shares(candidate, baseline)
    elif n == 1:
        method = methods.unknown("unpaired (Welch)")
    elif candidate.std_dev == baseline.std_dev == 0:
        scale = max(abs(candidate.mean), abs(baseline.mean))
        method = methods.without_variance(candidate.mean - baseline.mean, n, scale, "unpaired, no variance")
        problem = problem or methods.problem_of_no_variance(n, confidence, "row")
    else:
        method = methods.of_welch(candidate, baseline)
    return _difference(
        method,
        estimate=candidate.mean - baseline.mean,
        n=n,
        margin=margin,
        confidence=confidence,
        clusters=None,
        mcnemar_p=None,
        detectable=None,
        spread=power.Spread.unchanged(),
        problem=problem,
    )


def rows_to_decide(difference: Difference, *, margin: float, confidence: float) -> int | None:
    """Give the rows with which an inconclusive comparison would be decided in 80 % of runs, in mode "prove".

    The true difference is taken to be the one that was found, and bounds to narrow with the root of the rows.

    :param margin: as it was given for the difference
    :param confidence: as it was given for the difference
    :return: None when no number of rows is enough: the difference found lies at −margin itself, or nothing is known
    """
    _require_margin(margin, confidence)
    distance = abs(difference.estimate + margin)
    passes = difference.estimate > -margin
    reach = difference.estimate - difference.lower if passes else difference.upper - difference.estimate
    if distance <= 1e-9 * max(1.0, abs(margin)) or not math.isfinite(reach):
        return None
    factor = ((reach + float(special.ndtri(power.POWER)) * difference.standard_error) / distance) ** 2
    rows = max(math.ceil(difference.n * factor), MIN_ROWS)
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
    clusters: int | None,
    mcnemar_p: float | None,
    detectable: float | None,
    spread: power.Spread,
    problem: str | None,
) -> Difference:
    lower, upper = method.bounds(tail(confidence, one_sided=True))
    if detectable is None:
        reach = upper - estimate
        detectable = (
            power.detectable_drop(reach=reach, error=method.error, degrees=method.degrees, margin=margin, spread=spread)
            if method.error > 0 and math.isfinite(reach)
            else margin + reach
        )
    return Difference(
        estimate=estimate,
        interval=method.bounds(tail(confidence, one_sided=False)),
        lower=lower,
        upper=upper,
        p_value=method.p_value(margin),
        standard_error=method.error,
        n=n,
        clusters=clusters,
        method=method.name,
        mcnemar_p=mcnemar_p,
        detectable_drop=detectable,
        seed=None,
        problem=problem,
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
