"""Judge scores by checks. A check passes only on evidence: what is missing or can't be judged misses."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_benchmarks.exceptions import ConfigurationError, ScoreNotFound
from airflow_provider_benchmarks.gates.checks import Severity, Threshold
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome, Verdict
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.values import is_number


def evaluate(checks: Sequence[Threshold], candidate: JobScores) -> Verdict:
    """Judge a job's scores.

    :param checks: at least one; their order is kept in the verdict
    :param candidate: the scores
    :raises ConfigurationError: there is no check: a gate that asks nothing must not let anything through
    """
    if not checks:
        raise ConfigurationError("a gate needs at least one check")
    return Verdict(results=tuple(_judge(check, candidate) for check in checks), job=candidate.job)


def _judge(check: Threshold, candidate: JobScores) -> CheckResult:
    try:
        score = candidate.aggregate.get(check.metric, check.score)
    except ScoreNotFound as error:
        return _result(check, None, None, str(error))
    observed = _statistic(check.statistic, score)
    problem = _evidence_problem(check, score)
    if problem is None and not is_number(observed):
        problem = f"the {check.statistic} of {score.name} is not a number ({observed})"
    if problem is None and observed is not None and not check.holds(observed):
        problem = f"{check.statistic} of {score.name} is {observed:g}, expected {check.expected}"
    return _result(check, score, observed, problem)


def _evidence_problem(check: Threshold, score: AggregateScore) -> str | None:
    """Why the score is no evidence: too few rows, too many of them without a value, or unknown numbers of either."""
    if score.count is None:
        return "the service does not say how many rows were scored"
    if score.count < check.min_count:
        return f"only {score.count} rows have a value, at least {check.min_count} are needed"
    fraction = _nan_fraction(score)
    if fraction > check.max_nan_fraction and check.statistic not in ("nan_count", "nan_fraction"):
        return (
            f"{score.nan_count} of {score.rows} rows have no value ({fraction:.1%}), at most "
            f"{check.max_nan_fraction:.1%} may be missing"
        )
    return None


def _statistic(statistic: str, score: AggregateScore) -> float | None:
    if statistic == "nan_fraction":
        return _nan_fraction(score)
    if statistic == "nan_count":
        return float(score.nan_count or 0)
    if statistic == "count":
        return None if score.count is None else float(score.count)
    if statistic.startswith("p"):
        return score.percentiles.get(statistic)
    value: float | None = getattr(score, statistic)
    return value


def _nan_fraction(score: AggregateScore) -> float:
    return (score.nan_count or 0) / score.rows if score.rows else 0.0


def _result(check: Threshold, score: AggregateScore | None, observed: float | None, problem: str | None) -> CheckResult:
    missed = Outcome.WARN if check.severity == Severity.WARN else Outcome.FAIL
    return CheckResult(
        check=check,
        metric=score.metric if score else check.metric,
        score=score.name if score else check.score,
        outcome=missed if problem else Outcome.PASS,
        observed=observed,
        expected=check.expected,
        count=score.count if score else None,
        nan_count=score.nan_count if score else None,
        reason=problem or "",
    )
