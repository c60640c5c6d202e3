"""The ways to bound a difference, each as one value with the same two questions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import power, skewed, zero_one
from airflow_provider_benchmarks.gates.statistics.means import Moments, range_of, unseen

Array = NDArray[np.float64]
#: Rows that differ may be this rare before a run without any is no evidence that there are none.
RARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to bound a difference."""

    name: str
    error: float
    degrees: float
    #: alpha of each bound → both bounds
    bounds: Callable[[float], tuple[float, float]]
    #: margin → p-value
    p_value: Callable[[float], float]
    #: alpha → how far below −margin the true difference must be for the upper bound to show that in 80 % of runs that
    #: vary as this one does
    seen: Callable[[float], float]
    #: factor → the same with so many times the rows, as like one another as these
    at: Callable[[float], Method]


def of_zero_one(gains: float, losses: float, n: float) -> Method:
    error = float(zero_one.bonett_price(gains, losses, n)[1])

    def bounds(alpha: float) -> tuple[float, float]:
        lower, upper = zero_one.paired_bounds(gains, losses, n, alpha=alpha)
        return float(lower), float(upper)

    return Method(
        name="Bonett–Price, widened by exact bounds",
        error=error,
        degrees=math.inf,
        bounds=bounds,
        seen=lambda alpha: power.seen_beyond(bounds(alpha)[1] - (gains - losses) / n, error=error),
        p_value=lambda margin: float(zero_one.paired_p_value(gains, losses, n, margin=margin)),
        at=lambda factor: of_zero_one(gains * factor, losses * factor, n * factor),
    )


def of_shares(candidate: Moments, baseline: Moments) -> Method:
    return _of_counts(round(candidate.mean * candidate.n), candidate.n, round(baseline.mean * baseline.n), baseline.n)


def _of_counts(*counts: float) -> Method:
    """:param counts: ones and rows of the candidate, ones and rows of the baseline"""
    error = float(zero_one.agresti_caffo(*counts)[1])

    def bounds(alpha: float) -> tuple[float, float]:
        lower, upper = zero_one.unpaired_bounds(*counts, alpha=alpha)
        return float(lower), float(upper)

    return Method(
        name="unpaired (Agresti–Caffo, widened by exact bounds)",
        error=error,
        degrees=math.inf,
        bounds=bounds,
        seen=lambda alpha: power.seen_beyond(
            bounds(alpha)[1] - counts[0] / counts[1] + counts[2] / counts[3], error=error
        ),
        p_value=lambda margin: float(zero_one.unpaired_p_value(*counts, margin=margin)),
        at=lambda factor: _of_counts(*(count * factor for count in counts)),
    )


def of_welch(candidate: Moments, baseline: Moments) -> Method:
    """Welch's t; from below no nearer than the worst skewness and losses that are too rare to be seen would leave it.

    Sources: Welch 1947, "The generalization of Student's problem"; the degrees of freedom are Satterthwaite's.
    """
    squares = [side.std_dev**2 / (side.n - 1) for side in (candidate, baseline)]
    error = math.sqrt(sum(squares))
    degrees = sum(squares) ** 2 / sum(
        square**2 / (side.n - 1) for square, side in zip(squares, (candidate, baseline), strict=True)
    )
    estimate = candidate.mean - baseline.mean
    skewness = _least_skewness(candidate, baseline)
    scale, rows = range_of(*candidate.ends, *baseline.ends), min(candidate.n, baseline.n)

    def bounds(alpha: float) -> tuple[float, float]:
        lower = skewed.bounds(estimate, error, skewness, 1, alpha=alpha, degrees=degrees)[0]
        half = float(special.stdtrit(degrees, 1 - alpha)) * error
        return min(float(lower), estimate - unseen(scale, rows, alpha)), estimate + half

    return Method(
        name="unpaired (Welch, widened for skewness and losses too rare to be seen)",
        error=error,
        degrees=degrees,
        bounds=bounds,
        seen=lambda alpha: power.seen_by_t(error=error, degrees=degrees, alpha=alpha),
        p_value=lambda margin: float(special.stdtr(degrees, (estimate + margin) / error)),
        at=lambda factor: of_welch(*(replace(side, n=side.n * factor) for side in (candidate, baseline))),
    )


def _least_skewness(candidate: Moments, baseline: Moments) -> float:
    """The least skewness of the difference of two means that their sides allow."""
    third = candidate.skewness_limits[0] * candidate.std_dev**3 / candidate.n**2
    third -= baseline.skewness_limits[1] * baseline.std_dev**3 / baseline.n**2
    return float(third / sum(side.std_dev**2 / side.n for side in (candidate, baseline)) ** 1.5)


def of_values(
    values: Array, *, unit: str, rows: int, scale: float, confidence: float, degrees: float
) -> tuple[Method, str | None]:
    """Bound the mean of independent values, and say why they can't judge if they can't.

    :param unit: what a value stands for, row or cluster
    :param rows: that the values stand for together
    :param scale: range of the scores
    :param degrees: degrees of freedom of the mean's standard error
    """
    n, name = values.size, "paired t" if unit == "row" else "clustered t"
    if n < 2 or degrees < 1:
        return unknown(name), None
    mean, error, skewness = skewed.moments(values)
    if error == 0:
        no_variance = problem_of_no_variance(n, confidence, unit)
        return without_variance(float(mean), n, scale, f"{name}, no variance"), no_variance
    method = _of_moments(
        mean=float(mean),
        error=float(error),
        skewness=float(skewness),
        n=n,
        rows=rows,
        scale=scale,
        degrees=degrees,
        name=f"{name}, widened for skewness and losses too rare to be seen",
    )
    return method, None


def _of_moments(
    *, mean: float, error: float, skewness: float, n: float, rows: float, scale: float, degrees: float, name: str
) -> Method:
    """Bound a mean from its moments; from below no nearer than losses that are too rare to be seen would leave it.

    Values that hardly vary say nothing of a loss that one row in a hundred has. Without this, and such losses beside
    small differences of all other rows, candidates beyond the margin passed in up to 80 % of runs.
    """

    def bounds(alpha: float) -> tuple[float, float]:
        lower, upper = skewed.bounds(mean, error, skewness, n, alpha=alpha, degrees=degrees)
        return min(float(lower), mean - unseen(scale, rows, alpha)), float(upper)

    def at(factor: float) -> Method:
        more = {"n": n * factor, "rows": rows * factor, "degrees": degrees * factor}
        return _of_moments(mean=mean, error=error / factor**0.5, skewness=skewness, scale=scale, name=name, **more)

    return Method(
        name=name,
        error=error,
        degrees=degrees,
        bounds=bounds,
        seen=lambda alpha: power.seen_by_t(error=error, degrees=degrees, alpha=alpha),
        p_value=lambda margin: float(skewed.p_value(mean, error, skewness, n, margin=margin, degrees=degrees)),
        at=at,
    )


def without_variance(estimate: float, n: float, scale: float, name: str) -> Method:
    """Bound a mean of equal values: as many as could have differed unseen, each by the whole range of the scores."""

    def bounds(alpha: float) -> tuple[float, float]:
        half = unseen(scale, n, alpha)
        return estimate - half, estimate + half

    def p_value(margin: float) -> float:
        if estimate >= -margin:
            return 1.0
        return float(max(0.0, 1 + (estimate + margin) / scale) ** n) if scale > 0 else 0.0

    def at(factor: float) -> Method:
        return without_variance(estimate, n * factor, scale, name)

    return Method(
        name=name,
        error=0.0,
        degrees=n - 1,
        bounds=bounds,
        seen=lambda alpha: bounds(alpha)[1] - estimate,
        p_value=p_value,
        at=at,
    )


def unknown(name: str) -> Method:
    return Method(
        name=name,
        error=math.inf,
        degrees=0,
        bounds=lambda alpha: (-math.inf, math.inf),
        seen=lambda alpha: math.inf,
        p_value=lambda margin: 1.0,
        at=lambda factor: unknown(name),
    )


def more_careful(first: Method, second: Method) -> Method:
    """Take the wider bounds of two methods."""

    def bounds(alpha: float) -> tuple[float, float]:
        ends = first.bounds(alpha), second.bounds(alpha)
        return min(low for low, _ in ends), max(high for _, high in ends)

    return Method(
        name=f"{first.name}, no narrower than {second.name}",
        error=first.error or second.error,
        degrees=first.degrees,
        bounds=bounds,
        seen=lambda alpha: max(first.seen(alpha), second.seen(alpha)),
        p_value=lambda margin: max(first.p_value(margin), second.p_value(margin)),
        at=lambda factor: more_careful(first.at(factor), second.at(factor)),
    )


def cluster_values(differences: Array, labels: NDArray[np.intp], sizes: NDArray[np.intp]) -> Array:
    """Give one value a cluster, whose mean and spread are those of the mean over all rows.

    They are the jackknife's: the variance of their mean equals Miller's clustered variance times C/(C − 1) when all
    clusters have one size, and does not shrink when one of them is large.

    Source: Miller 2024, "Adding Error Bars to Evals", section 2.2; MacKinnon, Nielsen and Webb 2023, "Fast and reliable
    jackknife and bootstrap methods for cluster-robust inference".
    """
    n, count = differences.size, sizes.size
    if count == 1:
        return np.asarray([differences.mean()], dtype=float)
    sums = np.bincount(labels, weights=differences, minlength=count)
    without = (differences.sum() - sums) / (n - sizes)
    values = differences.mean() + (count - 1) * (without.mean() - without)
    return np.asarray(values, dtype=float)


def effective_clusters(sizes: NDArray[np.intp]) -> float:
    """Count clusters by their weight: all of them when they have one size, hardly more than one beside a giant.

    Source: Kish 1965, "Survey Sampling"; Carter, Schnepel and Steigerwald 2017, "Asymptotic behavior of a t-test robust
    to cluster heterogeneity", for its use as degrees of freedom.
    """
    return float(sizes.sum() ** 2 / (sizes.astype(float) ** 2).sum())


def problem_of_no_variance(n: int, confidence: float, unit: str) -> str | None:
    needed = rows_without_variance(confidence)
    return f"zero variance with {counted(n, unit)}, {needed} are needed" if n < needed else None


def rows_without_variance(confidence: float) -> int:
    return math.ceil(math.log1p(-confidence) / math.log1p(-RARE))


def counted(n: int, unit: str) -> str:
    return f"{n} {unit}{'s' * (n != 1)}"
