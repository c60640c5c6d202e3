"""What checks of a job against earlier ones share: the statistic of each, and which jobs can be compared."""

from __future__ import annotations

import re
import sys
from typing import Any, Protocol

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates.benchmark_versions import differences_in_content
from airflow_provider_benchmarks.gates.extreme_numbers import is_computable
from airflow_provider_benchmarks.gates.result import CheckResult
from airflow_provider_benchmarks.gates.threshold import OF_MISSING_VALUES, Threshold
from airflow_provider_benchmarks.scores import JobScores

#: The percentiles that aggregate scores have; the rows of earlier jobs are not read.
PERCENTILE = re.compile("p([1-9]0|100)")
#: Fewer earlier jobs are no evidence of how much a score varies.
MIN_HISTORY = 5
#: Relative difference below which two sums of the same rows, in another order, are equal.
ROUNDING = 1e-9
#: The same for a bar that is several roundings away.
_MOST_ROUNDING = 100 * ROUNDING


class StatisticCheck(Protocol):
    """A check of one statistic of a score."""

    @property
    def metric(self) -> str: ...
    @property
    def score(self) -> str | None: ...
    @property
    def statistic(self) -> str: ...
    @property
    def max_nan_fraction(self) -> float: ...
    @property
    def severity(self) -> str: ...


def as_threshold(check: StatisticCheck, low: float | None = None, high: float | None = None) -> Threshold:
    """The same check as a threshold.

    :param low: its lower bar; where neither bar is known the threshold only names the statistic
    """
    bars: dict[str, Any] = {"at_least": low, "at_most": high} if (low, high) != (None, None) else {"at_least": 0.0}
    return Threshold(
        check.metric,
        score=check.score,
        statistic=check.statistic,
        max_nan_fraction=check.max_nan_fraction,
        severity=check.severity,
        **bars,
    )


def miss_of_candidate(check: StatisticCheck, candidate: JobScores) -> CheckResult | None:
    """The miss of a candidate that has no such statistic, or too few values: no history is needed for that."""
    largest = sys.float_info.max
    (judged,) = as_threshold(check, -largest, largest).judge_scores(candidate)
    assert isinstance(judged, CheckResult)  # a threshold's results are final
    return judged if judged.reason else None


def expected_text(middle: float, low: float | None, high: float | None, *, varies: bool) -> str:
    """The bars in words: ``≥ 0.76``; of jobs that all have the very same value without the reach of rounding.

    :param varies: False where rounding alone is between a bar and the middle
    """
    ends = [(sign, end) for sign, end in (("≥", low), ("≤", high)) if end is not None]
    if not varies:
        reach = _MOST_ROUNDING * max(abs(middle), 1.0)
        ends = [(sign, middle if abs(end - middle) <= reach else end) for sign, end in ends]
        if len(ends) > 1 and all(end == middle for _, end in ends):
            return f"unchanged ({middle:.6g})"
    return " and ".join(f"{sign} {end:.6g}" for sign, end in ends)


def one_row_change(check: StatisticCheck, candidate: JobScores) -> float:
    """The change of the mean when one row's score goes from one end of the scores to the other.

    Jobs that all have the very same mean are no evidence that no row ever changes.
    """
    try:
        score = candidate.aggregate.get(check.metric, check.score)
    except ScoreNotFound:
        return 0.0
    low, high = score.min, score.max
    if check.statistic != "mean" or not score.count or not is_computable(low) or not is_computable(high):
        return 0.0
    return (high - low) / score.count


def measures_the_same(check: StatisticCheck, candidate: JobScores, job: JobScores) -> bool:
    """False where the benchmark has changed since in what this score depends on."""
    try:
        metric = candidate.aggregate.get(check.metric, check.score).metric
    except ScoreNotFound:
        metric = check.metric
    return not differences_in_content(candidate, job, metric)


def value_of(threshold: Threshold, job: JobScores) -> float | None:
    """The statistic of a job; None where it has none.

    :param threshold: names the statistic
    """
    try:
        value = threshold.statistic_of(job.aggregate.get(threshold.metric, threshold.score))
    except ScoreNotFound:
        return None
    return value if value is not None and is_computable(value) else None


def has_values(check: StatisticCheck, job: JobScores) -> bool:
    """False where a job with the score is known to have more rows without a value than the check allows."""
    score = job.aggregate.get(check.metric, check.score)
    if check.statistic in OF_MISSING_VALUES:
        return True
    return not score.rows or not score.nan_count or score.nan_count / score.rows <= check.max_nan_fraction
