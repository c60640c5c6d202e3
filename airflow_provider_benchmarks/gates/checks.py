"""What a gate asks of the scores. Checks are plain data: they compare, serialise and read as they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.values import is_number

#: Statistics that the service computes for every score, and the share of rows without a value.
STATISTICS = ("mean", "std_dev", "variance", "min", "max", "sum", "count", "nan_count", "nan_fraction")
_PERCENTILE = re.compile(r"^p(10|20|30|40|50|60|70|80|90|100)$")


class Severity(StrEnum):
    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score must reach a bar, or stay under one, or both.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param statistic: mean, std_dev, variance, min, max, sum, count, nan_count, nan_fraction, or p10, p20 … p100
    :param at_least: the statistic must be this or more
    :param at_most: the statistic must be this or less
    :param min_count: rows with a value that there must be; with fewer the check misses
    :param max_nan_fraction: share of rows without a value (0 to 1) that there may be; with more the check misses
    :param severity: ``warn`` reports a miss without failing the gate
    :raises ConfigurationError: an argument is wrong, or there is no bar
    """

    metric: str
    score: str | None = None
    statistic: str = "mean"
    at_least: float | None = None
    at_most: float | None = None
    min_count: int = 1
    max_nan_fraction: float = 0.0
    severity: str = Severity.FAIL

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise ConfigurationError(f"a threshold needs the name of a metric, found {self.metric!r}")
        what = f'threshold on "{self.metric}"'
        if self.statistic not in STATISTICS and not _PERCENTILE.match(str(self.statistic)):
            raise ConfigurationError(
                f'{what}: unknown statistic "{self.statistic}"; known: {", ".join(STATISTICS)}, p10, p20 … p100'
            )
        bars = [bar for bar in (self.at_least, self.at_most) if bar is not None]
        if not bars:
            raise ConfigurationError(f"{what}: give at_least, at_most, or both")
        if not all(is_number(bar) for bar in bars):
            raise ConfigurationError(f"{what}: at_least and at_most must be finite numbers, found {bars}")
        if len(bars) == 2 and bars[0] > bars[1]:
            raise ConfigurationError(f"{what}: at_least {bars[0]} is above at_most {bars[1]}, nothing can pass")
        if not is_number(self.min_count) or self.min_count < 1:
            raise ConfigurationError(f"{what}: min_count must be 1 or more, found {self.min_count!r}")
        if not is_number(self.max_nan_fraction) or not 0 <= self.max_nan_fraction <= 1:
            raise ConfigurationError(f"{what}: max_nan_fraction must be 0 to 1, found {self.max_nan_fraction!r}")
        if self.severity not in tuple(Severity):
            raise ConfigurationError(f'{what}: severity must be "fail" or "warn", found {self.severity!r}')

    @property
    def expected(self) -> str:
        """The bar in words: ``≥ 0.7``, ``≤ 3``, ``0.2 to 0.4``."""
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    def holds(self, observed: float) -> bool:
        return (self.at_least is None or observed >= self.at_least) and (
            self.at_most is None or observed <= self.at_most
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without what was left at its default."""
        defaults = {f.name: f.default for f in fields(self)}
        given = {key: value for key, value in asdict(self).items() if value != defaults[key]}
        return {"type": "threshold", **given}


def check_from_dict(data: Mapping[str, Any]) -> Threshold:
    """Build a check from plain data; ``type`` may be left out.

    :raises ConfigurationError: it has unknown or wrong fields; names the known ones
    """
    arguments = dict(data)
    kind = arguments.pop("type", "threshold")
    known = [f.name for f in fields(Threshold)]
    unknown = sorted(set(arguments) - set(known))
    if kind != "threshold":
        raise ConfigurationError(f'unknown type of check "{kind}"; known: threshold')
    if unknown or "metric" not in arguments:
        what = f"unknown fields {unknown}" if unknown else "no metric"
        raise ConfigurationError(f"threshold {dict(data)!r} has {what}; known: {', '.join(known)}")
    return Threshold(**arguments)
