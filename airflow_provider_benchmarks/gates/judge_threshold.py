"""Judge a score by its threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates._results import judge_groups, lost_evidence, result_of
from airflow_provider_benchmarks.gates.row_values import RowValues, score_column
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.values import is_number

if TYPE_CHECKING:
    import pandas as pd

#: Statistics that count rows without a value, rather than rest on those that have one.
_OF_ABSENCE = ("nan_count", "nan_fraction")


def judge_threshold(check: Threshold, candidate: JobScores) -> list[CheckResult]:
    """Judge a score, or each group of its rows."""
    try:
        score = candidate.aggregate.get(check.metric, check.score)
        if not check.needs_rows:
            return [_judge_aggregate(check, score, candidate.rows)]
        if candidate.rows is None:
            reason = "the row scores are needed for this check, and the job has none"
            return [result_of(check, Outcome.FAIL, score=score, reason=reason)]
        rows = candidate.rows
        column = score_column(rows, score)
        return judge_groups(
            check, rows, lambda place, group: _judge_rows(check, score, column, place, group), score=score
        )
    except ScoreNotFound as error:
        return [result_of(check, Outcome.FAIL, reason=str(error))]


def _judge_aggregate(check: Threshold, score: AggregateScore, rows: pd.DataFrame | None) -> CheckResult:
    if score.count is None:
        return result_of(check, Outcome.FAIL, score=score, reason="the service does not say how many rows were scored")
    nan_count = score.nan_count or 0
    found = _of_rows(rows, score)
    failed = found.call_failed if found is not None else 0
    problem = _evidence_problem(check, count=score.count, without_value=max(nan_count - failed, 0), call_failed=failed)
    observed = statistic_of(check, score)
    interval = bounds = None
    if problem is None and check.confidence is not None and is_number(observed):
        interval, bounds = (_interval(check, score, found, observed, one_sided=side) for side in (False, True))
    return _compare(check, score, observed, interval, bounds, problem, count=score.count, nan_count=nan_count)


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
    lost = found.without_value
    problem = _evidence_problem(
        check,
        count=found.count,
        without_value=lost,
        call_failed=found.call_failed,
        not_numbers=found.not_numbers if check.category is None else 0,
    )
    part = summarise(score, found, rows)
    observed = statistic_of(check, part)
    interval = bounds = None
    if problem is None and check.confidence is not None and is_number(observed):
        interval, bounds = (_interval(check, part, found, observed, one_sided=side) for side in (False, True))
    return _compare(check, score, observed, interval, bounds, problem, count=found.count, nan_count=lost, group=place)


def _compare(
    check: Threshold,
    score: AggregateScore,
    observed: float | None,
    interval: tuple[float, float] | None,
    bounds: tuple[float, float] | None,
    problem: str | None,
    *,
    count: int,
    nan_count: int,
    group: str = "",
) -> CheckResult:
    of_group = f" where {group}" if group else ""
    if problem is None and not is_number(observed):
        problem = f"the {check.statistic} of {score.name}{of_group} is not a number ({observed})"
    if problem is None and observed is not None:
        low, high = bounds or (observed, observed)
        if not check.holds(low, high):
            problem = f"{check.statistic} of {score.name}{of_group} is {observed:g}, expected {check.expected}"
            if check.holds(observed, observed):
                bound = low if check.at_least is not None and low < check.at_least else high
                problem += f": with {check.confidence or 0:.0%} confidence it is only known to reach {bound:.4g}"
    return result_of(
        check,
        Outcome.FAIL if problem else Outcome.PASS,
        score=score,
        reason=problem or "",
        observed=observed,
        interval=interval,
        count=count,
        nan_count=nan_count,
        group=group,
    )


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


def _share(score: AggregateScore, label: str) -> float | None:
    counts = {str(category.get("label")): category.get("count") or 0 for category in score.rubric_distribution}
    total = sum(counts.values())
    return counts[label] / total if label in counts and total else None


def summarise(score: AggregateScore, found: RowValues, rows: pd.DataFrame) -> AggregateScore:
    """The statistics of some rows, computed as the service does those of all.

    The standard deviation is the population's; percentiles are Weibull's, between the smallest and the largest value.
    """
    import numpy as np

    values = found.values
    labels = rows[f"{score.name}.label"].dropna() if f"{score.name}.label" in rows.columns else None
    shares = (
        () if labels is None else tuple({"label": k, "count": int(v)} for k, v in labels.value_counts().items() if k)
    )
    if not values.size:
        return AggregateScore(
            metric=score.metric, name=score.name, count=0, nan_count=found.without_value, rubric_distribution=shares
        )
    percents = np.arange(1, 101)
    points = np.percentile(values, percents, method="weibull")
    return AggregateScore(
        metric=score.metric,
        name=score.name,
        count=found.count,
        nan_count=found.without_value,
        mean=float(values.mean()),
        std_dev=float(values.std()),
        variance=float(values.var()),
        min=float(values.min()),
        max=float(values.max()),
        sum=float(values.sum()),
        percentiles={f"p{percent}": float(point) for percent, point in zip(percents, points, strict=True)},
        rubric_distribution=shares,
    )


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
    return statistics.mean_interval_of_moments(observed, score.std_dev or 0.0, count, **level)


def is_binary(score: AggregateScore, found: RowValues | None = None) -> bool:
    """Whether all values are 0 or 1: from the rows, else since only then the variance is the mean times its rest."""
    if found is not None:
        return found.is_binary
    if score.mean is None or score.variance is None or not {score.min, score.max} <= {0.0, 1.0}:
        return False
    return math.isclose(score.variance, score.mean * (1 - score.mean), rel_tol=1e-6, abs_tol=1e-9)
