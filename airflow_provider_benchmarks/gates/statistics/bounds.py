"""The methods that bound a difference of means: its confidence bounds, its p-value and its power."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import proportion_differences
from airflow_provider_benchmarks.gates.statistics.mean_bounds import Limits, MeanBounds
from airflow_provider_benchmarks.gates.statistics.means import Moments

Array = NDArray[np.float64]
#: Power that "detectable" stands for: the probability that a drop is shown to be beyond the margin.
POWER = 0.8
#: Number of quantiles of the standard error in an average over it.
_ERRORS = 200
#: The smallest alpha that is told from 0, and the number of bisections that find one.
_SMALLEST_ALPHA, _BISECTIONS = 1e-300, 40
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
    #: alpha → lower bound if there are no losses too rare to be in the sample; None: the same lower bound
    lower_of_seen: Callable[[float], float] | None = None

    def seen_lower(self, alpha: float) -> float:
        """The lower bound if there are no losses too rare to be in the sample."""
        return self.bounds(alpha)[0] if self.lower_of_seen is None else self.lower_of_seen(alpha)


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


def of_welch(candidate: Moments, baseline: Moments, limits: Limits) -> Method:
    """Welch's t; the lower bound is widened for the worst skewness and for losses too rare to be in the sample.

    The lower bound is put together from those of each side's mean.

    :param limits: the lowest and the highest score that there may be

    Sources: Welch 1947, "The generalization of Student's problem"; the degrees of freedom are Satterthwaite's. Zou and
    Donner 2008, "Construction of confidence limits about effect measures: a general approach", for the lower bound.
    """
    squares = [side.std_dev**2 / (side.n - 1) for side in (candidate, baseline)]
    error = math.sqrt(sum(squares))
    degrees = sum(squares) ** 2 / sum(
        square**2 / (side.n - 1) for square, side in zip(squares, (candidate, baseline), strict=True)
    )
    estimate = candidate.mean - baseline.mean
    sides = [MeanBounds.of_moments(side, limits=limits) for side in (candidate, baseline)]

    def lower(alpha: float, *, of_seen: bool = False) -> float:
        mine, theirs = (replace(side, limits=(None, None)) if of_seen else side for side in sides)
        by_sides = math.hypot(mine.mean - mine.lower(alpha), theirs.upper(alpha) - theirs.mean)
        return estimate - max(by_sides, float(special.stdtrit(degrees, 1 - alpha)) * error)

    return Method(
        name="unpaired (Welch, widened for skewness)",
        error=error,
        degrees=degrees,
        bounds=lambda alpha: (lower(alpha), estimate + float(special.stdtrit(degrees, 1 - alpha)) * error),
        detectable_beyond=lambda alpha: detectable_by_t(error=error, degrees=degrees, alpha=alpha),
        p_value=lambda margin: float(special.stdtr(degrees, (estimate + margin) / error)),
        lower_of_seen=lambda alpha: lower(alpha, of_seen=True),
        scaled=lambda factor: of_welch(candidate.repeated(factor), baseline.repeated(factor), limits),
    )


def of_equal_scores(candidate: Moments, baseline: Moments, limits: Limits) -> Method:
    """Bound the difference of two sides whose scores are all equal: each may have others, too rare to be seen."""
    mine, theirs = (MeanBounds.of_moments(side, limits=limits) for side in (candidate, baseline))
    estimate = mine.mean - theirs.mean

    def bounds(alpha: float) -> tuple[float, float]:
        lower = math.hypot(mine.mean - mine.lower(alpha), theirs.upper(alpha) - theirs.mean)
        upper = math.hypot(mine.upper(alpha) - mine.mean, theirs.mean - theirs.lower(alpha))
        return estimate - lower, estimate + upper

    return Method(
        name="unpaired, no variance",
        error=0.0,
        degrees=min(candidate.n, baseline.n) - 1,
        bounds=bounds,
        detectable_beyond=lambda alpha: bounds(alpha)[1] - estimate,
        p_value=lambda margin: alpha_at(margin, lambda alpha: -bounds(alpha)[1]),
        lower_of_seen=lambda alpha: estimate,
        scaled=lambda factor: of_equal_scores(candidate.repeated(factor), baseline.repeated(factor), limits),
    )


def of_means(found: MeanBounds, name: str) -> Method:
    """Bound a mean of independent values."""

    def detectable(alpha: float) -> float:
        if found.error == 0:
            return found.upper(alpha) - found.mean
        return detectable_by_t(error=found.error, degrees=found.degrees, alpha=alpha)

    return Method(
        name=f"{name}, widened for skewness" if found.error else f"{name}, no variance",
        error=found.error,
        degrees=found.degrees,
        bounds=lambda alpha: (found.lower(alpha), found.upper(alpha)),
        detectable_beyond=detectable,
        p_value=lambda margin: found.p_value(-margin),
        lower_of_seen=found.lower_of_seen,
        scaled=lambda factor: of_means(found.scaled(factor), name),
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
        lower_of_seen=lambda alpha: min(first.seen_lower(alpha), second.seen_lower(alpha)),
    )


def alpha_at(limit: float, lower: Callable[[float], float]) -> float:
    """The smallest alpha at which a lower bound is the limit or more; 1 where it is at none below a half.

    :param lower: alpha → lower bound, which rises
    """
    low, high = math.log(_SMALLEST_ALPHA), math.log(0.5)
    if lower(math.exp(high)) < limit:
        return 1.0
    if lower(math.exp(low)) >= limit:
        return 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if lower(math.exp(middle)) >= limit else (middle, high)
    return math.exp(high)


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
