"""Bounds of a mean: of values, of clusters of them, or of the moments that aggregate scores have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from airflow_provider_benchmarks.gates.statistics import skewed_means, unseen_values
from airflow_provider_benchmarks.gates.statistics.means import Moments
from airflow_provider_benchmarks.gates.statistics.proportions import exact_interval, tail
from airflow_provider_benchmarks.gates.statistics.unseen_values import Sample

Array = NDArray[np.float64]
#: Lowest and highest value that there may be; None: none is assumed beyond those in the sample.
Limits = tuple[float | None, float | None]
#: What is added to the range that was seen, for n values: this divided by n, as a share of it.
_UNSEEN_RANGE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanBounds:
    """The bounds of a mean: Student's t, corrected for skewness, no narrower than those for values too rare to be seen.

    :param mean: of the values
    :param error: standard error of the mean
    :param skewness: the smallest and the largest one that the values may have
    :param n: number of independent values
    :param degrees: degrees of freedom of the standard error
    :param lower_sample: values whose lower bound is that of the mean; of moments the most skewed ones that have these
    :param upper_sample: the same for the upper bound
    :param limits: the lowest and the highest value that there may be
    """

    mean: float
    error: float
    skewness: tuple[float, float]
    n: float
    degrees: float
    lower_sample: Sample
    upper_sample: Sample
    limits: Limits

    @classmethod
    def of_values(cls, values: Array, *, limits: Limits, size: float | None = None) -> MeanBounds:
        """Bound the mean of independent values, two or more.

        :param size: number of independent values that they are worth, where that is not their number
        """
        mean, error, skewness = (float(moment) for moment in skewed_means.moments(values))
        sample = Sample.of(values, size=size)
        return cls(
            mean=mean,
            error=error,
            skewness=(skewness, skewness),
            n=values.size,
            degrees=(size or values.size) - 1,
            lower_sample=sample,
            upper_sample=sample,
            limits=limits,
        )

    @classmethod
    def of_moments(cls, moments: Moments, *, limits: Limits) -> MeanBounds:
        """Bound the mean of values of which only the moments are known: as if they were the most skewed ones."""
        return cls(
            mean=moments.mean,
            error=moments.std_dev / math.sqrt(moments.n - 1),
            skewness=moments.skewness_limits,
            n=moments.n,
            degrees=moments.n - 1,
            lower_sample=_two_values(moments),
            upper_sample=_two_values(moments.mirrored()).mirrored(),
            limits=limits,
        )

    def scaled(self, factor: float) -> MeanBounds:
        """The bounds of that many times the values, of the same distribution."""
        return replace(
            self,
            error=self.error / math.sqrt(factor),
            n=self.n * factor,
            degrees=self.degrees * factor,
            lower_sample=self.lower_sample.scaled(factor),
            upper_sample=self.upper_sample.scaled(factor),
        )

    def mirrored(self) -> MeanBounds:
        """The bounds of the negative values."""
        lowest, highest = self.limits
        return replace(
            self,
            mean=-self.mean,
            skewness=(-self.skewness[1], -self.skewness[0]),
            lower_sample=self.upper_sample.mirrored(),
            upper_sample=self.lower_sample.mirrored(),
            limits=(None if highest is None else -highest, None if lowest is None else -lowest),
        )

    def lower(self, alpha: float) -> float:
        """The lower bound, which is above the true mean with probability alpha."""
        seen = self.lower_of_seen(alpha)
        return seen if self.limits[0] is None else min(seen, self._lower_of_unseen(self.limits[0], alpha))

    def upper(self, alpha: float) -> float:
        """The upper bound, which is below the true mean with probability alpha."""
        return -self.mirrored().lower(alpha)

    def lower_of_seen(self, alpha: float) -> float:
        """The lower bound if there are no values too rare to be in the sample."""
        if self.error == 0:
            return self.mean
        return float(
            skewed_means.bounds(self.mean, self.error, self.skewness[0], self.n, alpha=alpha, degrees=self.degrees)[0]
        )

    def rare_values_decide(self, alpha: float) -> bool:
        """True if the lower bound is that for values too rare to be in the sample."""
        return self.lower(alpha) < self.lower_of_seen(alpha)

    def p_value(self, limit: float) -> float:
        """P-value of the hypothesis that the mean is the limit or more: the alpha at which the upper bound is it."""
        return self.mirrored().p_value_of_less(-limit)

    def p_value_of_less(self, limit: float) -> float:
        """P-value of the hypothesis that the mean is the limit or less: the alpha at which the lower bound is it."""
        lowest = self.limits[0]
        unseen = 0.0 if lowest is None else unseen_values.p_value(self.lower_sample, lowest, limit=limit)
        return max(self._p_value_of_seen(limit), unseen)

    def _p_value_of_seen(self, limit: float) -> float:
        if self.error == 0:
            return float(self.mean <= limit)
        # Of the negative values: a mean of −limit or more.
        return float(
            skewed_means.p_value(-self.mean, self.error, -self.skewness[0], self.n, margin=limit, degrees=self.degrees)
        )

    def _lower_of_unseen(self, lowest: float, alpha: float) -> float:
        # Random weights centre on the mean of the sample and its lowest value; a bound is never above the sample's own.
        return min(self.mean, unseen_values.lower_bound(self.lower_sample, lowest, alpha=alpha))


def possible_range(n: float, *ends: float, known: tuple[float, float] | None = None) -> float:
    """The range that scores may have: the known one, else one that is larger than that of the n scores that were seen.

    Scores that lie close together are no evidence of how low the score of a row that fails may be: the range that was
    seen counts from 0. Of lognormal losses, the largest of 20 is less than half of the range that keeps the level.

    :param ends: smallest and largest scores that were seen
    :param known: the lowest and the highest score that there may be
    """
    if known is not None:
        return known[1] - known[0]
    return (1 + _UNSEEN_RANGE / n) * (max(0.0, *ends) - min(0.0, *ends))


def possible_limits(n: float, *ends: float, known: tuple[float, float] | None = None) -> tuple[float, float]:
    """The lowest and the highest score that there may be: the known ones, else as far as the possible range allows."""
    if known is not None:
        return known
    spread = possible_range(n, *ends)
    return max(ends) - spread, min(ends) + spread


def mean_interval(
    scores: ArrayLike | Moments,
    *,
    confidence: float,
    one_sided: bool = False,
    score_range: tuple[float, float] | None = None,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    rare_values: bool = True,
) -> tuple[float, float]:
    """Interval of a mean: Student's t, widened for skewness and for values too rare to be in the sample.

    :param scores: finite ones, or their moments: then a skewness that is not known is assumed to be the worst possible
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    :param score_range: the lowest and the highest score that there may be; None where that is not known
    :param clusters: label of each score; scores with the same label may depend on one another
    :param rare_values: False: there are no values too rare to be in the sample
    :return: infinite ends for a single value, or cluster, which has no spread
    :raises ValueError: the confidence is not possible, there is no score, or one is not finite
    """
    alpha = tail(confidence, one_sided=one_sided)
    if isinstance(scores, Moments):
        if scores.n < 2:
            return -math.inf, math.inf
        limits = possible_limits(scores.n, *scores.ends, known=score_range)
        found = MeanBounds.of_moments(scores, limits=limits if rare_values else (None, None))
        return found.lower(alpha), found.upper(alpha)
    values = finite_values(scores)
    units, size = values, float(values.size)
    if clusters is not None:
        units, size = cluster_values(values, *cluster_sizes(clusters))
    if units.size < 2 or size <= 1:
        return -math.inf, math.inf
    limits = possible_limits(size, float(values.min()), float(values.max()), known=score_range)
    found = MeanBounds.of_values(units, limits=limits if rare_values else (None, None), size=size)
    return found.lower(alpha), found.upper(alpha)


def share_interval(
    successes: Array, clusters: Sequence[Any] | NDArray[Any] | None, *, confidence: float, one_sided: bool = False
) -> tuple[float, float]:
    """Interval of a share of rows: exact, and with clusters no narrower than that of the mean of whole clusters.

    :param successes: 1 for a success, 0 for a failure
    :param clusters: label of each row; None where rows are independent
    :param one_sided: each end is a bound at ``confidence`` by itself, rather than both together
    """
    level: Any = {"confidence": confidence, "one_sided": one_sided}
    low, high = exact_interval(float(successes.sum()), successes.size, **level)
    if clusters is None:
        return low, high
    by_clusters = mean_interval(successes, clusters=clusters, score_range=(0.0, 1.0), **level)
    return max(0.0, min(low, by_clusters[0])), min(1.0, max(high, by_clusters[1]))


def finite_values(scores: ArrayLike) -> Array:
    """Scores as an array.

    :raises ValueError: there is none, or one is not finite
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("the mean of a list of one or more finite values is asked for")
    return values


def cluster_sizes(clusters: Sequence[Any] | NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The number of each row's cluster, and the number of rows of each cluster."""
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1].reshape(-1)
    return labels, np.bincount(labels)


def cluster_values(values: Array, labels: NDArray[np.intp], sizes: NDArray[np.intp]) -> tuple[Array, float]:
    """One value for each cluster, whose mean and standard error are those of the mean over all rows.

    They are the jackknife's: the variance of their mean equals Miller's clustered variance times C/(C − 1) when all
    clusters have one size, and does not shrink when one of them is large.

    :param values: one for each row
    :param labels: number of each row's cluster
    :param sizes: number of rows of each cluster
    :return: the values, and the effective number of clusters

    Source: Miller 2024, "Adding Error Bars to Evals", section 2.2; MacKinnon, Nielsen and Webb 2023, "Fast and reliable
    jackknife and bootstrap methods for cluster-robust inference".
    """
    n, count = values.size, sizes.size
    if count == 1:
        return np.asarray([values.mean()], dtype=float), 1.0
    sums = np.bincount(labels, weights=values, minlength=count)
    without = (values.sum() - sums) / (n - sizes)
    of_clusters = values.mean() + (count - 1) * (without.mean() - without)
    return np.asarray(of_clusters, dtype=float), effective_clusters(sizes)


def effective_clusters(sizes: NDArray[np.intp]) -> float:
    """The effective number of clusters: all of them where they have one size, hardly more than one where one is large.

    Source: Kish 1965, "Survey Sampling"; Carter, Schnepel and Steigerwald 2017, "Asymptotic behavior of a t-test robust
    to cluster heterogeneity", for its use as degrees of freedom.
    """
    return float(sizes.sum() ** 2 / (sizes.astype(float) ** 2).sum())


def _two_values(moments: Moments) -> Sample:
    """The values with these moments that are equal but for those at the low end."""
    away = moments.mean - moments.ends[0]
    if moments.std_dev == 0 or away <= 0:
        return Sample(values=np.array([moments.mean]), counts=np.array([float(moments.n)]))
    above = moments.std_dev**2 / away
    share = above / (away + above)
    return Sample(
        values=np.array([moments.mean - away, moments.mean + above]),
        counts=np.array([share, 1 - share]) * moments.n,
    )
