"""The check that a score stays near its own recent history."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates import field_rules as f
from airflow_provider_benchmarks.gates.check import Check, Needs
from airflow_provider_benchmarks.gates.past_scores import (
    MIN_HISTORY,
    PERCENTILE,
    ROUNDING,
    as_threshold,
    expected_text,
    measures_the_same,
    miss_of_candidate,
    one_row_change,
    value_of,
)
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome
from airflow_provider_benchmarks.gates.threshold import statistic_rule
from airflow_provider_benchmarks.gates.wording import exact_number

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.evidence import Evidence

#: Turns the median absolute deviation of a normal distribution into its standard deviation.
#: Source: Rousseeuw and Croux 1993, "Alternatives to the Median Absolute Deviation".
_STD_DEVS_PER_DEVIATION = 1.4826


@dataclass(frozen=True, slots=True)
class WithinHistory(Check):
    """A statistic must lie within its usual spread over the last jobs that passed.

    It is for outliers: a single job that is unlike the ones before it. A slow drift it does not find, as its window
    drifts along; that is what :class:`~airflow_provider_benchmarks.gates.NoDrift` is for. The usual value is the median
    of the window, the spread the median absolute deviation, scaled to the standard deviation of a normal distribution;
    single odd jobs do not move either. A mean may always be away by one row's whole change.

    With the default spread 7.6 % of unchanged jobs miss after 5 earlier ones, 2.4 % after 10 and 1.2 % after 20, as few
    jobs are weak evidence of their spread; with ``higher_is_better=None`` twice as many (15.5, 4.9 and 2.3 %). Each
    check errs by itself: of five metrics that are independent of one another, any misses in 33, 11 and 6 % of unchanged
    jobs, and of months of 30 nights in which a single one is checked, a quarter has a miss.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param statistic: as in a threshold; of percentiles those that the service gives, p10, p20 … p100
    :param window: number of latest jobs to compare with; at least five of them must have the score
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
        "statistic": statistic_rule(PERCENTILE, "p10, p20 … p100"),
        "window": f.whole(MIN_HISTORY),
        "spread": f.number("must be above 0", exclusiveMinimum=0),
        "higher_is_better": f.optional(f.FLAG),
        "max_nan_fraction": f.SHARE,
        "severity": f.SEVERITY,
    }

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

    @property
    def expected(self) -> str:
        return f"within {exact_number(self.spread)} spreads of the last {self.window}"

    def needs(self) -> Needs:
        return Needs(history=self.window)

    def judge(self, evidence: Evidence) -> list[Finding]:
        candidate = evidence.candidate
        if (miss := miss_of_candidate(self, candidate)) is not None:
            return [replace(miss, check=self, expected=self.expected, judged=True)]
        history = [job for job in evidence.history if measures_the_same(self, candidate, job)]
        named = as_threshold(self)
        values = [value for job in history[: self.window] if (value := value_of(named, job)) is not None]
        if len(values) < MIN_HISTORY:
            reason = f"{len(values)} earlier jobs have this score, {MIN_HISTORY} are needed"
            if others := len(evidence.history) - len(history):
                reason = f"{reason}; left out as they measured another version of the benchmark: {others}"
            return [self.result(Outcome.INCONCLUSIVE, reason=reason)]
        median, deviation = middle_and_deviation(values)
        usual = max(self.spread * deviation, one_row_change(self, candidate))
        reach = usual + ROUNDING * max(abs(median), 1.0)
        low = None if self.higher_is_better is False else median - reach
        high = None if self.higher_is_better is True else median + reach
        bar = as_threshold(self, low, high)
        (judged,) = bar.judge_scores(candidate)
        assert isinstance(judged, CheckResult)  # a threshold's results are final
        expected = expected_text(median, low, high, varies=usual > 0)
        reason = judged.reason
        if judged.observed is not None and not bar.holds(judged.observed, judged.observed):
            reason = (
                f"{self.statistic} of {judged.score} is {judged.observed:.6g}, expected {expected} from the last "
                f"{len(values)} jobs (median {median:.4g}, deviation {deviation:.2g})"
            )
        details = {"median": median, "deviation": deviation, "low": low, "high": high, "jobs": len(values)}
        return [replace(judged, check=self, expected=expected, reason=reason, details=details, judged=True)]


def middle_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """The median of some values, and their median absolute deviation, scaled to a standard deviation."""
    median = statistics.median(values)
    return median, _STD_DEVS_PER_DEVIATION * statistics.median(abs(value - median) for value in values)
