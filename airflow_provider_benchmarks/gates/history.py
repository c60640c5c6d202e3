"""The check that a score stays near its own recent history."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates import field_rules as f
from airflow_provider_benchmarks.gates.benchmark_versions import differences_in_content
from airflow_provider_benchmarks.gates.check import Check, Needs
from airflow_provider_benchmarks.gates.extreme_numbers import is_computable
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome
from airflow_provider_benchmarks.gates.threshold import Threshold, statistic_rule
from airflow_provider_benchmarks.gates.wording import exact_number
from airflow_provider_benchmarks.scores import JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.evidence import Evidence

#: The percentiles that aggregate scores have; the rows of earlier jobs are not read.
_PERCENTILE = re.compile("p([1-9]0|100)")
#: Fewer earlier jobs are no evidence of how much a score varies.
MIN_HISTORY = 5
#: Turns the median absolute deviation of a normal distribution into its standard deviation.
#: Source: Rousseeuw and Croux 1993, "Alternatives to the Median Absolute Deviation".
_STD_DEVS_PER_DEVIATION = 1.4826
#: Relative difference below which two sums of the same rows, in another order, are equal.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class WithinHistory(Check):
    """A statistic must lie within its usual spread over the last jobs that passed.

    It catches a slow drift, of which each step is within the margin of a comparison with the last job. The usual value
    is the median of the window, the spread the median absolute deviation, scaled to the standard deviation of a normal
    distribution; single odd jobs do not move either. A mean may always be away by one row's whole change. With the
    default spread about 1 in 13 unchanged jobs is further below after 5 earlier ones, and 1 in 90 after 20, as few jobs
    are weak evidence of their spread.

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
        "statistic": statistic_rule(_PERCENTILE, "p10, p20 … p100"),
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
        history = [job for job in evidence.history if self._measures_the_same(candidate, job)]
        values = self._values(history)
        if len(values) < MIN_HISTORY:
            reason = f"{len(values)} earlier jobs have this score, {MIN_HISTORY} are needed"
            if others := len(evidence.history) - len(history):
                reason = f"{reason}; left out as they measured another version of the benchmark: {others}"
            return [self.result(Outcome.INCONCLUSIVE, reason=reason)]
        median = statistics.median(values)
        deviation = _STD_DEVS_PER_DEVIATION * statistics.median(abs(value - median) for value in values)
        reach = max(self.spread * deviation, self._one_row_change(candidate)) + _ROUNDING * max(abs(median), 1.0)
        low = None if self.higher_is_better is False else median - reach
        high = None if self.higher_is_better is True else median + reach
        bar = self._threshold(low, high)
        (judged,) = bar.judge_scores(candidate)
        assert isinstance(judged, CheckResult)  # a threshold's results are final
        expected = " and ".join(f"{sign} {end:.6g}" for sign, end in (("≥", low), ("≤", high)) if end is not None)
        reason = judged.reason
        if judged.observed is not None and not bar.holds(judged.observed, judged.observed):
            reason = (
                f"{self.statistic} of {judged.score} is {judged.observed:.6g}, expected {expected} from the last "
                f"{len(values)} jobs (median {median:.4g}, deviation {deviation:.2g})"
            )
        details = {"median": median, "deviation": deviation, "low": low, "high": high, "jobs": len(values)}
        return [replace(judged, check=self, expected=expected, reason=reason, details=details, judged=True)]

    def _threshold(self, low: float | None = None, high: float | None = None) -> Threshold:
        """The same check as a threshold.

        :param low: its lower bar; where neither bar is known the threshold only names the statistic
        """
        bars: dict[str, Any] = {"at_least": low, "at_most": high} if (low, high) != (None, None) else {"at_least": 0.0}
        return Threshold(
            self.metric,
            score=self.score,
            statistic=self.statistic,
            max_nan_fraction=self.max_nan_fraction,
            severity=self.severity,
            **bars,
        )

    def _one_row_change(self, candidate: JobScores) -> float:
        """The change of the mean when one row's score goes from one end of the scores to the other.

        Jobs that all have the very same mean are no evidence that no row ever changes.
        """
        try:
            score = candidate.aggregate.get(self.metric, self.score)
        except ScoreNotFound:
            return 0.0
        low, high = score.min, score.max
        if self.statistic != "mean" or not score.count or not is_computable(low) or not is_computable(high):
            return 0.0
        return (high - low) / score.count

    def _measures_the_same(self, candidate: JobScores, job: JobScores) -> bool:
        """False where the benchmark has changed since in what this score depends on."""
        try:
            metric = candidate.aggregate.get(self.metric, self.score).metric
        except ScoreNotFound:
            metric = self.metric
        return not differences_in_content(candidate, job, metric)

    def _values(self, history: Sequence[JobScores]) -> list[float]:
        """The statistic of each job of the window that has it."""
        threshold = self._threshold()
        values = []
        for job in history[: self.window]:
            try:
                value = threshold.statistic_of(job.aggregate.get(self.metric, self.score))
            except ScoreNotFound:
                continue
            if value is not None and is_computable(value):
                values.append(value)
        return values
