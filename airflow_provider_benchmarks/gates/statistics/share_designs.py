"""Two ways to compare shares, pairs of rows and two independent sides, in the terms of ``exact_shares``.

An outcome is a pair of counts (i, j): j counts against the candidate, i for it. The drop is the share that j counts
less the share that i counts. All functions are elementwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Paired 0/1 scores: i is the number of gains, j that of losses; all other pairs are ties.

    :param n: number of pairs
    """

    n: int

    @property
    def most(self) -> tuple[int, int]:
        """The largest i and the largest j."""
        return self.n, self.n

    @property
    def outcomes(self) -> float:
        return (self.n + 1) * (self.n + 2) / 2

    def most_j(self, i: Array) -> Array:
        return self.n - i

    def drop(self, i: Array, j: Array) -> Array:
        return np.asarray((j - i) / self.n)

    def limits(self, drop: float) -> tuple[float, float]:
        """The smallest and the largest share of gains under a drop."""
        return max(0.0, -drop), (1 - drop) / 2

    def share_of_j(self, share: Array, drop: float) -> Array:
        """The share of losses among the pairs without a gain."""
        return np.asarray(_between((share + drop) / np.maximum(1 - share, 1e-300), 0.0, 1.0))

    def log_probability(self, i: Array, j: Array, shares: Array, drop: float) -> Array:
        """Logarithm of the probability of outcomes: outcome × share of gains."""
        ties = self.n - i - j
        ways = special.gammaln(self.n + 1) - special.gammaln([i + 1, j + 1, ties + 1]).sum(axis=0)
        lost, tied = _between(shares + drop, 0, 1), _between(1 - 2 * shares - drop, 0, 1)
        return np.asarray(ways[:, None] + _powers(i, shares) + _powers(j, lost) + _powers(ties, tied))

    def likeliest_share(self, i: Array, j: Array, drop: float) -> Array:
        """The share of gains under a drop that makes an outcome likeliest.

        Source: Nam 1997, "Establishing equivalence of two treatments and sample size requirements in matched-pairs
        design"; Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design".
        """
        linear = (i + j) * (1 - drop) - 2 * drop * (self.n - j)
        constant = 8 * self.n * drop * (1 - drop) * i
        share = (linear + np.sqrt(np.maximum(linear**2 + constant, 0.0))) / (4 * self.n)
        return np.asarray(_between(share, *self.limits(drop)))

    def score(self, i: Array, j: Array, drop: float, share: Array) -> Array:
        """McNemar's statistic, with Tango's variance under a drop.

        :param share: the likeliest one
        """
        variance = 2 * share + drop - drop**2
        return _ratio(self.drop(i, j) - drop, variance / self.n)

    def deviance(self, i: Array, j: Array, drop: float, share: Array) -> Array:
        """Twice the logarithm of the likelihood ratio.

        :param share: the likeliest one
        """
        ties = self.n - i - j
        cells = ((i, share), (j, share + drop), (ties, 1 - 2 * share - drop))
        return np.asarray(sum(_deviance(count, self.n, _between(cell, 0.0, 1.0)) for count, cell in cells))


@dataclass(frozen=True, slots=True)
class Sides:
    """0/1 scores of two independent jobs: i is the candidate's number of ones, j the baseline's.

    :param candidate_n: number of the candidate's rows
    :param baseline_n: number of the baseline's rows
    """

    candidate_n: int
    baseline_n: int

    @property
    def n(self) -> int:
        return self.candidate_n

    @property
    def most(self) -> tuple[int, int]:
        """The largest i and the largest j."""
        return self.candidate_n, self.baseline_n

    @property
    def outcomes(self) -> float:
        return (self.candidate_n + 1) * (self.baseline_n + 1)

    def most_j(self, i: Array) -> Array:
        return np.full(np.shape(i), float(self.baseline_n))

    def drop(self, i: Array, j: Array) -> Array:
        return np.asarray(j / self.baseline_n - i / self.candidate_n)

    def limits(self, drop: float) -> tuple[float, float]:
        """The smallest and the largest share of the candidate under a drop."""
        return max(0.0, -drop), min(1.0, 1 - drop)

    def share_of_j(self, share: Array, drop: float) -> Array:
        """The baseline's share."""
        return np.asarray(_between(share + drop, 0.0, 1.0))

    def log_probability(self, i: Array, j: Array, shares: Array, drop: float) -> Array:
        """Logarithm of the probability of outcomes: outcome × share of the candidate."""
        logarithm = np.zeros((i.size, shares.size))
        for count, n, share in ((i, self.candidate_n, shares), (j, self.baseline_n, self.share_of_j(shares, drop))):
            ways = special.gammaln(n + 1) - special.gammaln([count + 1, n - count + 1]).sum(axis=0)
            logarithm += ways[:, None] + _powers(count, share) + _powers(n - count, _between(1 - share, 0, 1))
        return logarithm

    def likeliest_share(self, i: Array, j: Array, drop: float) -> Array:
        """The candidate's share under a drop that makes an outcome likeliest.

        Source: Miettinen and Nurminen 1985, "Comparative analysis of two rates"; Farrington and Manning 1990, "Test
        statistics and sample size formulae for comparative binomial trials".
        """
        n = self.candidate_n + self.baseline_n
        square = ((self.baseline_n + 2 * self.candidate_n) * drop - n - i - j) / (3 * n)
        linear = ((self.candidate_n * drop - n - 2 * i) * drop + i + j) / (3 * n)
        constant = i * drop * (1 - drop) / n
        turning = square**3 - 1.5 * square * linear + constant / 2
        size = np.where(turning < 0, -1.0, 1.0) * np.sqrt(np.maximum(square**2 - linear, 0.0))
        cube = np.where(size == 0, 1.0, size**3)
        angle = (np.pi + np.arccos(_between(turning / cube, -1, 1))) / 3
        return np.asarray(_between(2 * size * np.cos(angle) - square, *self.limits(drop)))

    def score(self, i: Array, j: Array, drop: float, share: Array) -> Array:
        """The difference of the shares over its standard error under a drop.

        :param share: the likeliest one of the candidate
        """
        other = self.share_of_j(share, drop)
        variance = share * (1 - share) / self.candidate_n + other * (1 - other) / self.baseline_n
        return _ratio(self.drop(i, j) - drop, variance)

    def deviance(self, i: Array, j: Array, drop: float, share: Array) -> Array:
        """Twice the logarithm of the likelihood ratio; ``benchmarks/zero_one_power.py`` compares with tests by it.

        :param share: the likeliest one of the candidate
        """
        total: Array = np.zeros(np.broadcast(i, j).shape)
        for count, n, part in ((i, self.candidate_n, share), (j, self.baseline_n, self.share_of_j(share, drop))):
            total = total + _deviance(count, n, part) + _deviance(n - count, n, 1 - part)
        return total


def _between(values: Array, low: float, high: float) -> Array:
    """What ``np.clip`` returns, which takes several times as long for few values."""
    return np.asarray(np.minimum(np.maximum(values, low), high))


def _powers(counts: Array, shares: Array) -> Array:
    """Logarithm of share to the power of count, count × share; 0 to the power of 0 is 1."""
    return np.asarray(np.outer(counts, np.log(np.maximum(shares, 1e-300))))


def _ratio(difference: Array, variance: Array) -> Array:
    """Difference over standard error; 0 where there is neither."""
    error = np.sqrt(np.maximum(variance, 0.0))
    return np.asarray(difference / np.where((error == 0) & (np.abs(difference) < 1e-12), 1.0, np.maximum(error, 1e-9)))


def _deviance(count: Array, n: int, share: Array) -> Array:
    return np.asarray(2 * special.xlogy(count, count / n / np.where(count > 0, np.maximum(share, 1e-300), 1.0)))
