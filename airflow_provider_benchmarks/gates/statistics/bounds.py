"""The methods that bound a difference of means: its confidence bounds, its p-value and its power."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import proportion_differences, skewed_means
from airflow_provider_benchmarks.gates.statistics.means import Moments, rare_loss_bound, score_range

Array = NDArray[np.float64]
#: Power that "detectable" stands for: the probability that a drop is shown to be beyond the margin.
POWER = 0.8
#: Largest share of rows that differ at which a sample without any is evidence of none.
RARE = 0.05
#: Number of quantiles of the standard error in an average over it.
_ERRORS = 200
_Z_OF_POWER = float(special.ndtri(POWER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method that bounds a difference."""

    name: str
    #: Standard error.
    error: float
    #: Degrees of freedom of the standard error.
    degrees: float
    #: alpha of each bound → lower and upper bound
    bounds: Callable[[float], tuple[float, float]]
    #: margin → one-sided p-value of a difference below −margin
    p_value: Callable[[float], float]
    #: alpha → smallest distance of the true difference below −margin that is shown in 80 % of such runs
    detectable_beyond: Callable[[float], float]
    #: factor → the same method with that many times the rows, of the same distribution
    scaled: Callable[[float], Method]


def of_pairs_of_ones(gains: float, losses: float, n: float) -> Method:
    """Bound the difference of paired 0/1 scores by counts.

    :param gains: number of pairs where only the candidate has 1
    :param losses: number of pairs where only the baseline has 1
    :param n: number of pairs
    """
    error = float(proportion_differences.bonett_price(gains, losses, n)[1])

    def bounds(alpha: float) -> tuple[float, float]:
        lower, upper = proportion_differences.paired_bounds(gains, losses, n, alpha=alpha)
        return float(lower), float(upper)

    return Method(
        name="Bonett–Price, widened by exact bounds",
        error=error,
        degrees=math.inf,
        bounds=bounds,
        detectable_beyond=lambda alpha: detectable_beyond(bounds(alpha)[1] - (gains - losses) / n, error=error),
        p_value=lambda margin: float(proportion_differences.paired_p_value(gains, losses, n, margin=margin)),
        scaled=lambda factor: of_pairs_of_ones(gains * factor, losses * factor, n * factor),
    )


def of_shares(candidate: Moments, baseline: Moments) -> Method:
    """Bound the difference of two independent shares."""
    return _of_counts(round(candidate.mean * candidate.n), candidate.n, round(baseline.mean * baseline.n), baseline.n)


def _of_counts(*counts: float) -> Method:
    """The method for 0/1 scores that are not paired.

    :param counts: number of ones and of rows of the candidate, then of the baseline
    """
    error = float(proportion_differences.agresti_caffo(*counts)[1])

    def bounds(alpha: float) -> tuple[float, float]:
        lower, upper = proportion_differences.unpaired_bounds(*counts, alpha=alpha)
        return float(lower), float(upper)

    return Method(
        name="unpaired (Agresti–Caffo, widened by exact bounds)",
        error=error,
        degrees=math.inf,
        bounds=bounds,
        detectable_beyond=lambda alpha: detectable_beyond(
            bounds(alpha)[1] - counts[0] / counts[1] + counts[2] / counts[3], error=error
        ),
        p_value=lambda margin: float(proportion_differences.unpaired_p_value(*counts, margin=margin)),
        scaled=lambda factor: _of_counts(*(count * factor for count in counts)),
    )


def of_welch(candidate: Moments, baseline: Moments) -> Method:
    """Welch's t; the lower bound is widened for the worst skewness and for losses too rare to be in the sample.

    Sources: Welch 1947, "The generalization of Student's problem"; the degrees of freedom are Satterthwaite's.
    """
    squares = [side.std_dev**2 / (side.n - 1) for side in (candidate, baseline)]
    error = math.sqrt(sum(squares))
    degrees = sum(squares) ** 2 / sum(
        square**2 / (side.n - 1) for square, side in zip(squares, (candidate, baseline), strict=True)
    )
    estimate = candidate.mean - baseline.mean
    skewness = _least_skewness(candidate, baseline)
    scale, rows = score_range(*candidate.ends, *baseline.ends), min(candidate.n, baseline.n)

    def bounds(alpha: float) -> tuple[float, float]:
        lower = skewed_means.bounds(estimate, error, skewness, 1, alpha=alpha, degrees=degrees)[0]
        half = float(special.stdtrit(degrees, 1 - alpha)) * error
        return min(float(lower), estimate - rare_loss_bound(scale, rows, alpha)), estimate + half

    return Method(
        name="unpaired (Welch, widened for skewness and losses too rare to be seen)",
        error=error,
        degrees=degrees,
        bounds=bounds,
        detectable_beyond=lambda alpha: detectable_by_t(error=error, degrees=degrees, alpha=alpha),
        p_value=lambda margin: float(special.stdtr(degrees, (estimate + margin) / error)),
        scaled=lambda factor: of_welch(*(replace(side, n=side.n * factor) for side in (candidate, baseline))),
    )


def _least_skewness(candidate: Moments, baseline: Moments) -> float:
    """The smallest skewness that the difference of two means can have."""
    third = candidate.skewness_limits[0] * candidate.std_dev**3 / candidate.n**2
    third -= baseline.skewness_limits[1] * baseline.std_dev**3 / baseline.n**2
    return float(third / sum(side.std_dev**2 / side.n for side in (candidate, baseline)) ** 1.5)


def of_values(
    values: Array, *, unit: str, rows: int, scale: float, confidence: float, degrees: float
) -> tuple[Method, str | None]:
    """Bound the mean of independent values.

    :param unit: ``row`` or ``cluster``: what one value is of
    :param rows: number of rows that the values are of
    :param scale: range of the scores
    :param degrees: degrees of freedom of the mean's standard error
    :return: the method, and why the values can't prove that there is no drop; None where they can
    """
    n, name = values.size, "paired t" if unit == "row" else "clustered t"
    if n < 2 or degrees < 1:
        return unbounded(name), None
    mean, error, skewness = skewed_means.moments(values)
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
    """Bound a mean by its moments; the lower bound is widened for losses too rare to be in the sample.

    Values that hardly vary are no evidence against a loss that one row in a hundred has. Without the widening, with
    such losses and small differences of all other rows, candidates beyond the margin passed in up to 80 % of runs.
    """

    def bounds(alpha: float) -> tuple[float, float]:
        lower, upper = skewed_means.bounds(mean, error, skewness, n, alpha=alpha, degrees=degrees)
        return min(float(lower), mean - rare_loss_bound(scale, rows, alpha)), float(upper)

    def scaled(factor: float) -> Method:
        more = {"n": n * factor, "rows": rows * factor, "degrees": degrees * factor}
        return _of_moments(mean=mean, error=error / factor**0.5, skewness=skewness, scale=scale, name=name, **more)

    return Method(
        name=name,
        error=error,
        degrees=degrees,
        bounds=bounds,
        detectable_beyond=lambda alpha: detectable_by_t(error=error, degrees=degrees, alpha=alpha),
        p_value=lambda margin: float(skewed_means.p_value(mean, error, skewness, n, margin=margin, degrees=degrees)),
        scaled=scaled,
    )


def without_variance(estimate: float, n: float, scale: float, name: str) -> Method:
    """Bound a mean of equal values: rows too rare to be in the sample may each differ by the full range."""

    def bounds(alpha: float) -> tuple[float, float]:
        half = rare_loss_bound(scale, n, alpha)
        return estimate - half, estimate + half

    def p_value(margin: float) -> float:
        if estimate >= -margin:
            return 1.0
        return float(max(0.0, 1 + (estimate + margin) / scale) ** n) if scale > 0 else 0.0

    def scaled(factor: float) -> Method:
        return without_variance(estimate, n * factor, scale, name)

    return Method(
        name=name,
        error=0.0,
        degrees=n - 1,
        bounds=bounds,
        detectable_beyond=lambda alpha: bounds(alpha)[1] - estimate,
        p_value=p_value,
        scaled=scaled,
    )


def unbounded(name: str) -> Method:
    """No bound: there are too few values."""
    return Method(
        name=name,
        error=math.inf,
        degrees=0,
        bounds=lambda alpha: (-math.inf, math.inf),
        detectable_beyond=lambda alpha: math.inf,
        p_value=lambda margin: 1.0,
        scaled=lambda factor: unbounded(name),
    )


def wider_of(first: Method, second: Method) -> Method:
    """The wider bounds and the larger p-value of two methods."""

    def bounds(alpha: float) -> tuple[float, float]:
        ends = first.bounds(alpha), second.bounds(alpha)
        return min(low for low, _ in ends), max(high for _, high in ends)

    return Method(
        name=f"{first.name}, no narrower than {second.name}",
        error=first.error or second.error,
        degrees=first.degrees,
        bounds=bounds,
        detectable_beyond=lambda alpha: max(first.detectable_beyond(alpha), second.detectable_beyond(alpha)),
        p_value=lambda margin: max(first.p_value(margin), second.p_value(margin)),
        scaled=lambda factor: wider_of(first.scaled(factor), second.scaled(factor)),
    )


def cluster_values(differences: Array, labels: NDArray[np.intp], sizes: NDArray[np.intp]) -> Array:
    """One value for each cluster, whose mean and standard error are those of the mean over all rows.

    They are the jackknife's: the variance of their mean equals Miller's clustered variance times C/(C − 1) when all
    clusters have one size, and does not shrink when one of them is large.

    :param differences: one for each row
    :param labels: number of each row's cluster
    :param sizes: number of rows of each cluster

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
    """The effective number of clusters: all of them where they have one size, hardly more than one where one is large.

    Source: Kish 1965, "Survey Sampling"; Carter, Schnepel and Steigerwald 2017, "Asymptotic behavior of a t-test robust
    to cluster heterogeneity", for its use as degrees of freedom.
    """
    return float(sizes.sum() ** 2 / (sizes.astype(float) ** 2).sum())


def problem_of_no_variance(n: int, confidence: float, unit: str) -> str | None:
    """Why equal values are no proof of no drop; None where there are enough of them."""
    needed = rows_without_variance(confidence)
    return f"zero variance with {counted(n, unit)}, {needed} are needed" if n < needed else None


def rows_without_variance(confidence: float) -> int:
    """The number of equal values that shows at a confidence that fewer than 5 % differ."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-RARE))


def counted(n: int, unit: str) -> str:
    return f"{n} {unit}{'s' * (n != 1)}"


def detectable_beyond(distance: float, *, error: float) -> float:
    """The distance of a true mean beyond a limit that a bound at a fixed distance from the mean shows in 80 % of runs.

    :param distance: of the bound from the mean
    :param error: standard error of the mean
    """
    return distance + _Z_OF_POWER * error


def detectable_by_t(*, error: float, degrees: float, alpha: float) -> float:
    """The distance of a true mean beyond a limit that Student's t shows in 80 % of runs.

    :param error: standard error of the mean, as one run found it
    :param degrees: degrees of freedom of the standard error, 1 or more

    Source: the noncentral t distribution, as an average of normal means over quantiles of the standard error: scipy's
    own inverse does not end for few degrees of freedom.
    """
    errors = np.sqrt(special.chdtri(degrees, (np.arange(_ERRORS) + 0.5) / _ERRORS) / degrees)
    distances = float(special.stdtrit(degrees, 1 - alpha)) * errors
    low, high = 0.0, float(np.abs(distances).max()) + 4
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if float(special.ndtr(middle - distances).mean()) >= POWER else (middle, high)
    return high * median_unbiased_error(error, degrees)


def median_unbiased_error(error: float, degrees: float) -> float:
    """A standard error that is as often too large as too small: that of few values is too small in most runs."""
    return error * math.sqrt(degrees / float(special.chdtri(degrees, 0.5)))
