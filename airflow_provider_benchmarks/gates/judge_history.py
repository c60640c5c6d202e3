"""Judge a score by its own recent history."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates._results import result_of
from airflow_provider_benchmarks.gates.judge_threshold import judge_threshold, statistic_of
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.gates.within_history import MIN_HISTORY, WithinHistory
from airflow_provider_benchmarks.scores import JobScores
from airflow_provider_benchmarks.scores.json_values import is_number

#: Makes the median absolute deviation of a normal distribution its standard deviation.
#: Source: Rousseeuw and Croux 1993, "Alternatives to the Median Absolute Deviation".
_TO_STD_DEV = 1.4826
#: Sums of the same rows in another order differ by less.
_ROUNDING = 1e-9


def judge_history(check: WithinHistory, candidate: JobScores, history: Sequence[JobScores]) -> CheckResult:
    """Judge a score.

    :param history: earlier jobs that passed, newest first
    """
    usual = _values(check, history)
    if len(usual) < MIN_HISTORY:
        reason = f"{len(usual)} earlier jobs have this score, {MIN_HISTORY} are needed"
        return result_of(check, Outcome.INCONCLUSIVE, reason=reason)
    middle = statistics.median(usual)
    deviation = _TO_STD_DEV * statistics.median(abs(value - middle) for value in usual)
    reach = max(check.spread * deviation, _least_change(check, candidate)) + _ROUNDING * max(abs(middle), 1.0)
    low = None if check.higher_is_better is False else middle - reach
    high = None if check.higher_is_better is True else middle + reach
    bar = check.as_threshold(low, high)
    (judged,) = judge_threshold(bar, candidate)
    details = {"median": middle, "deviation": deviation, "low": low, "high": high, "jobs": len(usual)}
    expected = " and ".join(f"{sign} {end:.6g}" for sign, end in (("≥", low), ("≤", high)) if end is not None)
    reason = judged.reason
    if judged.observed is not None and not bar.holds(judged.observed, judged.observed):
        reason = (
            f"{check.statistic} of {judged.score} is {judged.observed:.6g}, expected {expected} from the last "
            f"{len(usual)} jobs (median {middle:.4g}, deviation {deviation:.2g})"
        )
    return CheckResult(
        check=check,
        metric=judged.metric,
        score=judged.score,
        outcome=judged.outcome,
        observed=judged.observed,
        expected=expected,
        count=judged.count,
        nan_count=judged.nan_count,
        reason=reason,
        details=details,
    )


def _least_change(check: WithinHistory, candidate: JobScores) -> float:
    """By how much a mean changes when one row's score does, from one end of the scores to the other.

    Jobs that all gave the very same mean do not show that no row ever changes.
    """
    try:
        score = candidate.aggregate.get(check.metric, check.score)
    except ScoreNotFound:
        return 0.0
    if check.statistic != "mean" or not score.count or score.min is None or score.max is None:
        return 0.0
    return (score.max - score.min) / score.count


def _values(check: WithinHistory, history: Sequence[JobScores]) -> list[float]:
    asked = check.as_threshold()
    values = []
    for job in history[: check.window]:
        try:
            value = statistic_of(asked, job.aggregate.get(check.metric, check.score))
        except ScoreNotFound:
            continue
        if value is not None and is_number(value):
            values.append(value)
    return values
