"""The check that a score stays near its own recent history."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates import _fields as f
from airflow_provider_benchmarks.gates.threshold import Threshold, statistic_rule

#: The percentiles that aggregate scores have: of the history nothing else is read.
_PERCENTILE = re.compile("p([1-9]0|100)")
#: Fewer earlier jobs tell nothing of how much a score varies.
MIN_HISTORY = 5


@dataclass(frozen=True, slots=True)
class WithinHistory:
    """A statistic must lie within its usual spread over the last jobs that passed.

    It catches a slow drift, of which each step is within the margin of a comparison with the last job. The usual value
    is the median of the window, the spread the median absolute deviation, scaled to the standard deviation of a normal
    distribution; single odd jobs do not move either. A mean may always be away by one row's whole change. With the
    default spread about 1 in 13 unchanged jobs is further below after 5 earlier ones, and 1 in 90 after 20, as few jobs
    tell little of their spread.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param statistic: as in a threshold; of percentiles those that the service gives, p10, p20 … p100
    :param window: latest jobs that are looked at; five at least must have the score
    :param spread: scaled deviations that the statistic may be away from the median
    :param higher_is_better: only a fall counts; False: only a rise; None: both
    :param max_nan_fraction: share of rows without a value that there may be
    :param severity: ``warn`` reports a miss without failing the gate
    :raises ConfigurationError: an argument is wrong
    """

    kind: ClassVar[str] = "within_history"
    rules: ClassVar[Mapping[str, f.Rule]] = {
        "metric": f.METRIC,
        "score": f.NAME,
        "statistic": statistic_rule(_PERCENTILE, "p10, p20 … p100"),
        "window": f.whole(MIN_HISTORY),
        "spread": f.number("must be above 0", exclusiveMinimum=0),
        "higher_is_better": f.optional(f.FLAG),
        "max_nan_fraction": f.SHARE,
        "severity": f.SEVERITY,
    }
    together: ClassVar[Mapping[str, Any]] = {}

    metric: str
    score: str | None = None
    statistic: str = "mean"
    window: int = 20
    spread: float = 3.0
    higher_is_better: bool | None = True
    max_nan_fraction: float = 0.0
    severity: str = f.Severity.FAIL

    def __post_init__(self) -> None:
        f.read_fields(self, f'check of the history of "{shortened(self.metric)}"')

    def as_threshold(self, low: float | None = None, high: float | None = None) -> Threshold:
        """The threshold that a history comes down to."""
        bars: dict[str, Any] = {"at_least": low, "at_most": high} if (low, high) != (None, None) else {"at_least": 0.0}
        return Threshold(
            self.metric,
            score=self.score,
            statistic=self.statistic,
            max_nan_fraction=self.max_nan_fraction,
            severity=self.severity,
            **bars,
        )

    @property
    def expected(self) -> str:
        return f"within {f.exactly(self.spread)} spreads of the last {self.window}"

    @property
    def needs_rows(self) -> bool:
        return self.as_threshold().needs_rows

    @property
    def needs_statistics(self) -> bool:
        return False

    @property
    def fields(self) -> tuple[str, ...]:
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without what was left at its default."""
        return f.plain(self)
