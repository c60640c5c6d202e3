"""The check that a score reaches a bar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.gates import _fields as f

#: Statistics that the service computes for every score, and the share of rows without a value.
STATISTICS = ("mean", "std_dev", "variance", "min", "max", "sum", "count", "nan_count", "nan_fraction")
#: Percentiles: those of the service, and any other from rows.
PERCENTILE = re.compile("p([1-9][0-9]?|100)")
#: The share of a rubric's category, by its label: ``share:good``.
SHARE = "share:"
#: What confidence can be asked for.
_WITH_INTERVAL = "mean, a percentile or a share"


def _patterns(percentiles: re.Pattern[str]) -> list[dict[str, Any]]:
    return [{"pattern": f"^{percentiles.pattern}$"}, {"pattern": rf"^{SHARE}[\s\S]"}]


def statistic_rule(percentiles: re.Pattern[str], told: str) -> f.Rule:
    """What a statistic may be.

    :param told: the percentiles in words
    """
    return f.Rule(
        f"must be one of {', '.join(STATISTICS)}, {told}, share:<label>",
        {"type": "string", "anyOf": [{"enum": list(STATISTICS)}, *_patterns(percentiles)]},
        lambda value: (
            isinstance(value, str)
            and (
                value in STATISTICS
                or percentiles.fullmatch(value) is not None
                or (value.startswith(SHARE) and value != SHARE)
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score must reach a bar, or stay under one, or both.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param statistic: mean, std_dev, variance, min, max, sum, count, nan_count, nan_fraction, p1 … p100, or for rubrics
        ``share:<label>``, the share of rows in a category
    :param at_least: the statistic must be this or more
    :param at_most: the statistic must be this or less
    :param confidence: demand that the statistic's one-sided confidence bound clears the bar, rather than the value
        itself: Wilson's for the mean of 0/1 scores and for shares; Student's t for other means, corrected for skewness
        and with room for values too rare to be seen; order statistics for percentiles (extra ``stats``)
    :param where: judge only some rows, by fields of their items: ``{"category": "math"}``, ``{"level": [1, 2]}``,
        ``{"length": {"at_least": 10, "below": 100}}``
    :param by: judge the rows of each value of this field by themselves
    :param min_count: rows with a value that there must be; with fewer the check misses. With ``by``, smaller groups are
        reported and not judged
    :param max_nan_fraction: share of rows without a value (0 to 1) that there may be; with more the check misses
    :param max_error_rate: share of rows that there may be without a score because the call of the model failed; they
        are left out, and do not count as rows without a value
    :param severity: ``warn`` reports a miss without failing the gate
    :raises ConfigurationError: an argument is wrong, or there is no bar
    """

    kind: ClassVar[str] = "threshold"
    rules: ClassVar[Mapping[str, f.Rule]] = {
        "metric": f.METRIC,
        "score": f.NAME,
        "statistic": statistic_rule(PERCENTILE, "p1 … p100"),
        "at_least": f.BAR,
        "at_most": f.BAR,
        "confidence": f.optional(f.CONFIDENCE),
        "where": f.WHERE,
        "by": f.FIELD,
        "min_count": f.whole(1),
        "max_nan_fraction": f.SHARE,
        "max_error_rate": f.SHARE,
        "severity": f.SEVERITY,
    }
    #: What JSON Schema can say of fields together: there is a bar, and confidence goes with some statistics only.
    together: ClassVar[Mapping[str, Any]] = {
        "anyOf": [{"required": [bar], "properties": {bar: {"type": "number"}}} for bar in ("at_least", "at_most")],
        "if": {"required": ["confidence"], "properties": {"confidence": {"type": "number"}}},
        "then": {"properties": {"statistic": {"anyOf": [{"const": "mean"}, *_patterns(PERCENTILE)]}}},
    }

    metric: str
    score: str | None = None
    statistic: str = "mean"
    at_least: float | None = None
    at_most: float | None = None
    confidence: float | None = None
    where: Mapping[str, Any] | None = field(default=None, hash=False)
    by: str | None = None
    min_count: int = 1
    max_nan_fraction: float = 0.0
    max_error_rate: float = 0.0
    severity: str = f.Severity.FAIL

    def __post_init__(self) -> None:
        what = f'threshold on "{shortened(self.metric)}"'
        f.read_fields(self, what)
        low, high = self.at_least, self.at_most
        f.require(low is not None or high is not None, what, "give at_least, at_most, or both")
        f.require(
            low is None or high is None or low <= high,
            what,
            f"at_least {brief(low)} is above at_most {brief(high)}, nothing can pass",
            "at_least",
        )
        has_interval = self.statistic == "mean" or self.percent is not None or self.category is not None
        f.require(
            self.confidence is None or has_interval,
            what,
            f"confidence goes with {_WITH_INTERVAL}, found {shortened(self.statistic)}",
            "confidence",
        )

    @property
    def percent(self) -> int | None:
        """The percent of a percentile."""
        match = PERCENTILE.fullmatch(self.statistic)
        return int(match[1]) if match else None

    @property
    def category(self) -> str | None:
        """The label of a rubric's category."""
        return self.statistic.removeprefix(SHARE) if self.statistic.startswith(SHARE) else None

    @property
    def expected(self) -> str:
        """The bar in words: ``≥ 0.7``, ``≤ 3``, ``0.2 to 0.4``."""
        bars = [f.exactly(bar) for bar in (self.at_least, self.at_most) if bar is not None]
        sign = "≥" if self.at_least is not None else "≤"
        return " to ".join(bars) if len(bars) > 1 else f"{sign} {bars[0]}"

    @property
    def needs_rows(self) -> bool:
        """Whether the aggregate scores are not enough to judge."""
        beyond_service = self.percent is not None and (self.percent % 10 != 0 or self.confidence is not None)
        return self.where is not None or self.by is not None or beyond_service

    @property
    def needs_statistics(self) -> bool:
        return self.confidence is not None

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the items that the check looks at."""
        return tuple(dict.fromkeys([*(self.where or ()), *([self.by] if self.by else ())]))

    def holds(self, low: float, high: float) -> bool:
        """Whether everything from low to high clears the bar."""
        return (self.at_least is None or low >= self.at_least) and (self.at_most is None or high <= self.at_most)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without what was left at its default."""
        return f.plain(self)
