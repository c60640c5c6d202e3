"""The moments of the scores of one job, as aggregate scores have them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The moments of the scores of one job.

    :param std_dev: of the population, divided by n, as the service has it
    :param n: number of scores
    :param is_binary: every score is 0 or 1
    :param low: the smallest score; None where it is not known
    :param high: the largest one; None where it is not known
    """

    mean: float
    std_dev: float
    n: float
    is_binary: bool = False
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or not math.isfinite(self.mean) or not (math.isfinite(self.std_dev) and self.std_dev >= 0):
            raise ValueError(f"moments need a finite mean, std_dev >= 0 and n >= 1, found {self!r}")
        if self.is_binary and not 0 <= self.mean <= 1:
            raise ValueError(f"the mean of 0/1 scores lies between 0 and 1, found {self!r}")

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest score; where they are not known, the furthest that they can be from the mean.

        Source: Samuelson 1968, "How deviant can you be?".
        """
        furthest = self.std_dev * math.sqrt(self.n - 1)
        low = self.mean - furthest if self.low is None else min(self.low, self.mean)
        high = self.mean + furthest if self.high is None else max(self.high, self.mean)
        return low, high

    @property
    def skewness_limits(self) -> tuple[float, float]:
        """The smallest and the largest skewness that scores with these moments and ends can have.

        It is that of scores that are equal but for those at one end.
        """
        if self.std_dev == 0 or self.n < 2:
            return 0.0, 0.0
        most = (self.n - 2) / math.sqrt(self.n - 1)
        least, greatest = (
            min(max(away / self.std_dev - self.std_dev / away, -most), most) if away > 0 else most
            for away in (self.mean - self.ends[0], self.ends[1] - self.mean)
        )
        return -least, greatest

    def mirrored(self) -> Moments:
        """The moments of the negative scores."""
        return self.scaled(-1.0)

    def scaled(self, factor: float) -> Moments:
        """The moments of the scores multiplied by a factor."""
        ends = [None if end is None else end * factor for end in (self.low, self.high)]
        low, high = ends if factor >= 0 else reversed(ends)
        return replace(
            self,
            mean=self.mean * factor,
            std_dev=self.std_dev * abs(factor),
            is_binary=self.is_binary and factor == 1,
            low=low,
            high=high,
        )

    def repeated(self, times: float) -> Moments:
        """The moments of that many times the scores, of the same distribution."""
        return replace(self, n=self.n * times)

    def with_more(self, count: int, value: float) -> Moments:
        """The moments with further scores, all of one value."""
        n = self.n + count
        mean = self.mean + (value - self.mean) * count / n
        square = (self.n * (self.std_dev**2 + (self.mean - mean) ** 2) + count * (value - mean) ** 2) / n
        low, high = self.ends
        return Moments(
            mean=mean,
            std_dev=math.sqrt(square),
            n=n,
            is_binary=self.is_binary and value in (0, 1),
            low=min(low, value),
            high=max(high, value),
        )
