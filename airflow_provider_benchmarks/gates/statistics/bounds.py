"""The methods that bound a difference of means: its confidence bounds, its p-value and its power."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import mover_bounds, proportion_differences
from airflow_provider_benchmarks.gates.statistics.mean_bounds import Limits, MeanBounds
from airflow_provider_benchmarks.gates.statistics.means import Moments

Array = NDArray[np.float64]
#: Power that "detectable" stands for: the probability that a drop is shown to be beyond the margin.
POWER = 0.8
#: Number of quantiles of the standard error in an average over it.
_ERRORS = 200
#: The smallest alpha that is told from 0, and the number of bisections that find one.
_SMALLEST_ALPHA, _BISECTIONS = 1e-300, 24
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
    #: margin → one-sided p-value of a difference of −margin or less; None: alpha where the lower bound is −margin
    proof: Callable[[float], float] | None = None

    def proof_p_value(self, margin: float) -> float:
        """The p-value of the hypothesis that the drop is the margin or more."""
        if self.proof is not None:
            return self.proof(margin)
        return alpha_at(-margin, lambda alpha: self.bounds(alpha)[0])

    def seen_lower(self, alpha: float) -> float:
        """The lower bound if there are no losses too rare to be in the sample."""
        return self.bounds(alpha)[0] if self.lower_of_seen is None else self.lower_of_seen(alpha)


def of_pairs_of_ones(gains: int, losses: int, n: int, *, margin: float) -> Method:
    """Bound the difference of paired 0/1 scores by counts.

    :param gains: number of pairs where only the candidate has 1
    :param losses: number of pairs where only the baseline has 1
    :param n: number of pairs
    """
    found = proportion_differences.of_pairs(gains, losses, n, margin=margin)

    def planned(factor: float) -> Method:
        more = np.array([gains, losses, n]) * factor
        return _planned(
            (gains - losses) / n,
            float(proportion_differences.paired_error(*more)),
            lambda alpha: (
                -float(mover_bounds.paired_upper(more[1], more[0], more[2], alpha=alpha)),
                float(mover_bounds.paired_upper(*more, alpha=alpha)),
            ),
            planned,
        )

    return _exact("exact unconditional (Suissa–Shuster, E + M)", (gains - losses) / n, found, planned)


def of_shares(candidate: Moments, baseline: Moments, *, margin: float) -> Method:
    """Bound the difference of two independent shares by counts."""
    counts = [round(count) for side in (candidate, baseline) for count in (side.mean * side.n, side.n)]
    found = proportion_differences.of_sides(*counts, margin=margin)
    estimate = counts[0] / counts[1] - counts[2] / counts[3]

    def planned(factor: float) -> Method:
        more = np.array(counts) * factor
        return _planned(
            estimate,
            float(proportion_differences.unpaired_error(*more)),
            lambda alpha: (
                -float(mover_bounds.unpaired_upper(*more[[2, 3, 0, 1]], alpha=alpha)),
                float(mover_bounds.unpaired_upper(*more, alpha=alpha)),
            ),
            planned,
        )

    return _exact("unpaired (exact unconditional: Boschloo, E + M)", estimate, found, planned)


def _exact(
    name: str,
    estimate: float,
    found: proportion_differences.ShareDifference,
    planned: Callable[[float], Method],
) -> Method:
    """The method that bounds a difference of shares by exact tests."""
    error = planned(1.0).error
    return Method(
        name=name,
        error=error,
        degrees=math.inf,
        bounds=found.bounds,
        p_value=found.p_value,
        proof=lambda margin: found.rise.p_value(-margin),
        detectable_beyond=lambda alpha: detectable_beyond(found.bounds(alpha)[1] - estimate, error=error),
        scaled=planned,
    )


def _planned(
    estimate: float,
    error: float,
    bounds: Callable[[float], tuple[float, float]],
    scaled: Callable[[float], Method],
) -> Method:
    """Quick bounds of a difference of shares, to plan a number of rows with: exact ones take too long for that."""
    return Method(
        name="MOVER",
        error=error,
        degrees=math.inf,
        bounds=bounds,
        p_value=lambda margin: float(special.ndtr((estimate + margin) / error)),
        detectable_beyond=lambda alpha: detectable_beyond(bounds(alpha)[1] - estimate, error=error),
        scaled=scaled,
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


def with_room_for_gains(method: Method, mirrored: Method) -> Method:
    """The method, with the upper bound that the other one has as its lower one.

    :param mirrored: of the sides exchanged
    """
    return replace(
        method,
        bounds=lambda alpha: (method.bounds(alpha)[0], -mirrored.bounds(alpha)[0]),
        p_value=lambda margin: mirrored.proof_p_value(-margin),
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
        proof=lambda margin: max(first.proof_p_value(margin), second.proof_p_value(margin)),
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
