"""Judge a score by its threshold."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates._results import judge_groups, lost_evidence, result_of
from airflow_provider_benchmarks.gates.row_values import RowValues, score_column
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.statistics import Moments

#: Statistics that count rows without a value, rather than rest on those that have one.
_OF_ABSENCE = ("nan_count", "nan_fraction")


def judge_threshold(check: Threshold, candidate: JobScores) -> list[CheckResult]:
    """Judge a score, or each group of its rows."""
    try:
        score = candidate.aggregate.get(check.metric, check.score)
        if not check.needs_rows:
            return [_judge_aggregate(check, score, candidate)]
        if candidate.rows is None:
            reason = "the row scores are needed for this check, and the job has none"
            return [result_of(check, Outcome.FAIL, score=score, reason=reason)]
        rows = candidate.rows
        column = score_column(rows, score)

        def judge(place: str, group: pd.DataFrame) -> CheckResult:
            return _judge_rows(check, score, column, place, group)

        return judge_groups(check, rows, judge, lambda result: result, score=score)
    except ScoreNotFound as error:
        return [result_of(check, Outcome.FAIL, reason=str(error))]


def _judge_aggregate(check: Threshold, score: AggregateScore, candidate: JobScores) -> CheckResult:
    if score.count is None:
        return result_of(check, Outcome.FAIL, score=score, reason="the service does not say how many rows were scored")
    nan_count = score.nan_count or 0
    found = _of_rows(candidate.rows, score)
    failed = found.call_failed if found is not None else 0
    lost = max(nan_count - failed, 0)
    problem = _evidence_problem(check, count=score.count, without_value=lost, call_failed=failed)
    if problem is None and candidate.rows_unread:
        problem = _unknown_calls(check, score.count, nan_count)
    counts = {"scored": score.count, "without_value": lost, "call_failed": failed}
    return _judge_summary(check, score, found, problem, counts)


def _of_rows(rows: pd.DataFrame | None, score: AggregateScore) -> RowValues | None:
    """The row values where there are rows and they have the score: a corpus-level score has none."""
    if rows is None:
        return None
    try:
        return RowValues.of(rows, score_column(rows, score))
    except ScoreNotFound:
        return None


def _judge_rows(check: Threshold, score: AggregateScore, column: str, place: str, rows: pd.DataFrame) -> CheckResult:
    found = RowValues.of(rows, column)
    problem = _evidence_problem(
        check,
        count=found.count,
        without_value=found.without_value,
        call_failed=found.call_failed,
        not_numbers=found.not_numbers if check.category is None else 0,
    )
    return _judge_summary(check, summarise(score, found, rows), found, problem, found.counts(), group=place)


def _judge_summary(
    check: Threshold,
    score: AggregateScore,
    found: RowValues | None,
    problem: str | None,
    counts: dict[str, int],
    *,
    group: str = "",
) -> CheckResult:
    """Judge a score by its statistics.

    :param problem: why it is no evidence, if it is none
    """
    observed = statistic_of(check, score)
    interval = bounds = None
    of_group = f" where {group}" if group else ""
    if problem is None and (observed is None or not is_number(observed)):
        problem = f"the {check.statistic} of {score.name}{of_group} is not a number ({observed})"
    if problem is None and check.confidence is not None:
        problem = _no_interval(check, score, found)
    if problem is None and observed is not None:
        if check.confidence is not None:
            interval, bounds = (_interval(check, score, found, observed, one_sided=side) for side in (False, True))
        problem = _miss(check, f"{check.statistic} of {score.name}{of_group}", observed, bounds)
    return result_of(
        check,
        Outcome.FAIL if problem else Outcome.PASS,
        score=score,
        reason=problem or "",
        observed=observed,
        interval=interval,
        count=score.count,
        nan_count=score.nan_count or 0,
        group=group,
        details=counts,
    )


def _miss(check: Threshold, what: str, observed: float, bounds: tuple[float, float] | None) -> str | None:
    """Why the bar is missed; None where it is reached."""
    low, high = bounds or (observed, observed)
    if check.holds(low, high):
        return None
    miss = f"{what} is {_told(observed, check)}, expected {check.expected}"
    if not check.holds(observed, observed):
        return miss
    sure = f": with {(check.confidence or 0) * 100:g} % confidence it is only known to be"
    if check.at_least is not None and low < check.at_least:
        return f"{miss}{sure} {low:.4g} or more"
    return f"{miss}{sure} {high:.4g} or less"


def _told(value: float, check: Threshold) -> str:
    """A number in few digits, unless these would be on the other side of the bar."""
    short = f"{value:g}"
    return short if check.holds(float(short), float(short)) == check.holds(value, value) else repr(value)


def _evidence_problem(
    check: Threshold, *, count: int, without_value: int, call_failed: int, not_numbers: int = 0
) -> str | None:
    """Why the score is no evidence: too few rows, or too many of them without a value."""
    if count < check.min_count:
        return f"only {count} rows have a value, at least {check.min_count:g} are needed"
    if check.statistic in _OF_ABSENCE:
        return None
    return lost_evidence(
        check, count=count, without_value=without_value, not_numbers=not_numbers, call_failed=call_failed
    )


def _unknown_calls(check: Threshold, count: int, nan_count: int) -> str | None:
    """Why rows without a value are too many if the call of the model failed for all of them, which is not known."""
    if check.statistic in _OF_ABSENCE:
        return None
    failed = lost_evidence(check, count=count, without_value=0, not_numbers=0, call_failed=nan_count)
    if failed is None:
        return None
    return f"it is not known, without airflow-provider-benchmarks[parquet], whether {failed}"


def statistic_of(check: Threshold, score: AggregateScore) -> float | None:
    """The statistic that a threshold asks for; None where the score has none."""
    nan_count = score.nan_count or 0
    if check.statistic == "nan_fraction":
        return nan_count / score.rows if score.rows else 0.0
    if check.statistic in ("count", "nan_count"):
        count = score.count if check.statistic == "count" else nan_count
        return None if count is None else float(count)
    if check.percent is not None:
        return score.percentiles.get(check.statistic)
    if check.category is not None:
        return _share(score, check.category)
    value: float | None = getattr(score, check.statistic)
    return value


def _no_interval(check: Threshold, score: AggregateScore, found: RowValues | None) -> str | None:
    if check.statistic != "mean" or is_binary(score, found) or moments_of(score) is not None:
        return None
    return f"the service gives no std_dev of {score.name}, without which its mean has no confidence bound"


def _share(score: AggregateScore, label: str) -> float | None:
    counts = {str(category.get("label")): category.get("count") or 0 for category in score.rubric_distribution}
    total = sum(counts.values())
    return counts[label] / total if label in counts and total else None


def summarise(score: AggregateScore, found: RowValues, rows: pd.DataFrame) -> AggregateScore:
    """The statistics of some rows, computed as the service does those of all.

    The standard deviation is the population's; percentiles are Weibull's, between the smallest and the largest value.
    """
    import numpy as np

    values, shares = found.values, _categories(score, rows)
    nan_count = found.without_value + found.call_failed
    if not values.size:
        return AggregateScore(
            metric=score.metric, name=score.name, count=0, nan_count=nan_count, rubric_distribution=shares
        )
    percents = np.arange(1, 101)
    points = np.percentile(values, percents, method="weibull")
    return AggregateScore(
        metric=score.metric,
        name=score.name,
        count=found.count,
        nan_count=nan_count,
        mean=float(values.mean()),
        std_dev=float(values.std()),
        variance=float(values.var()),
        min=float(values.min()),
        max=float(values.max()),
        sum=float(values.sum()),
        percentiles={f"p{percent}": float(point) for percent, point in zip(percents, points, strict=True)},
        rubric_distribution=shares,
    )


def _categories(score: AggregateScore, rows: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """How many of some rows are in each of a rubric's categories; 0 in those that only other rows are in."""
    try:
        labels = rows[score_column(rows, replace(score, name=f"{score.name}.label"))]
    except ScoreNotFound:
        return ()
    counts = dict.fromkeys([str(category.get("label")) for category in score.rubric_distribution], 0)
    counts |= {str(label): int(count) for label, count in labels.value_counts().items() if label}
    return tuple({"label": label, "count": count} for label, count in counts.items())


def _interval(
    check: Threshold, score: AggregateScore, found: RowValues | None, observed: float | None, *, one_sided: bool
) -> tuple[float, float]:
    """The interval of the statistic; with ``one_sided`` each end is a bound at the check's confidence by itself."""
    from airflow_provider_benchmarks.gates import statistics

    assert check.confidence is not None
    assert observed is not None
    level: Any = {"confidence": check.confidence, "one_sided": one_sided}
    if check.percent is not None and found is not None:
        if check.percent == 100:
            return -math.inf, math.inf
        return statistics.percentile_interval(found.values, check.percent, **level)
    if check.category is not None:
        total = sum(category.get("count") or 0 for category in score.rubric_distribution)
        return statistics.wilson_interval(round(observed * total), total, **level)
    count = score.count or 0
    if is_binary(score, found):
        return statistics.wilson_interval(round(observed * count), count, **level)
    if found is not None and found.count:
        return statistics.mean_interval(statistics.Moments.of(found.values), **level)
    moments = moments_of(score)
    assert moments is not None  # or there would have been a problem
    return statistics.mean_interval(moments, **level)


def moments_of(score: AggregateScore) -> Moments | None:
    """What aggregate scores tell of the mean's uncertainty; None where that is too little."""
    from airflow_provider_benchmarks.gates.statistics import Moments

    if not score.count or not is_number(score.mean) or not is_number(score.std_dev) or score.std_dev < 0:
        return None
    low, high = (end if is_number(end) else None for end in (score.min, score.max))
    return Moments(
        mean=score.mean, std_dev=score.std_dev, n=score.count, is_binary=is_binary(score), low=low, high=high
    )


def is_binary(score: AggregateScore, found: RowValues | None = None) -> bool:
    """Whether all values are 0 or 1: from the rows, else since only then the variance is the mean times its rest."""
    if found is not None:
        return found.is_binary
    if score.mean is None or score.variance is None or not {score.min, score.max} <= {0.0, 1.0}:
        return False
    return math.isclose(score.variance, score.mean * (1 - score.mean), rel_tol=1e-6, abs_tol=1e-9)
