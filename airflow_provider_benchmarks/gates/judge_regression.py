"""Judge a score by that of a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates._results import judge_groups, lost_evidence, result_of
from airflow_provider_benchmarks.gates.no_regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.paired_scores import PairedScores, Values
from airflow_provider_benchmarks.gates.pairing import NotPairable, PairedRows
from airflow_provider_benchmarks.gates.row_values import RowValues, are_binary, field_column, score_column
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.scores import AggregateScore, JobScores

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.checks import Check
    from airflow_provider_benchmarks.gates.statistics import Difference, Moments

#: A baseline's mean within this many standard errors of 0 is no base for a relative margin.
_FROM_ZERO = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A comparison that is made but not judged: whether a drop is significant depends on the other comparisons.

    :param p_value: of the drop beyond the margin; None where the outcome is settled
    :param judge: gives the result, from the p-value that is left after all comparisons share one error budget
    """

    check: Check
    p_value: float | None
    judge: Callable[[float | None], CheckResult]


def settled(result: CheckResult, check: Check) -> Comparison:
    return Comparison(check=check, p_value=None, judge=lambda _: result)


def compare(
    check: NoRegression, candidate: JobScores, baseline: JobScores, paired: Callable[[tuple[str, ...]], PairedRows]
) -> list[Comparison]:
    """Compare a score with the baseline's, or each group of its rows.

    :param paired: pairs the rows of both jobs by some fields
    """
    try:
        score = candidate.aggregate.get(check.metric, check.score)
    except ScoreNotFound as error:
        return [settled(result_of(check, Outcome.FAIL, reason=str(error)), check)]
    if problem := _other_work(candidate, baseline):
        return [settled(result_of(check, Outcome.FAIL, score=score, reason=problem), check)]
    try:
        base = baseline.aggregate.get(check.metric, check.score)
        if candidate.rows is None or baseline.rows is None:
            return [_compare_aggregates(check, score, base)]
        return _compare_rows(check, score, base, paired(check.keys))
    except (ScoreNotFound, NotPairable) as error:
        reason = f"can't be compared with the baseline {baseline.job}: {error}"
        return [settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=reason), check)]


def _other_work(candidate: JobScores, baseline: JobScores) -> str | None:
    """What the two jobs did differently, so that their scores mean different things."""
    for what in ("benchmark", "dataset"):
        mine, theirs = getattr(candidate, what), getattr(baseline, what)
        if mine and theirs and mine != theirs:
            return f"can't be compared with the baseline {baseline.job}: that is of {what} {theirs}, the candidate of {mine}"
    return None


def _compare_rows(
    check: NoRegression, score: AggregateScore, base: AggregateScore, pairs: PairedRows
) -> list[Comparison]:
    if pairs.rows and pairs.unpaired / pairs.rows > check.max_unpaired:
        reason = (
            f"{pairs.unpaired} of {pairs.rows} rows have no pair in the other job, at most {check.max_unpaired:.1%} "
            f"may be left"
        )
        reason += f": {pairs.hint}" if pairs.hint else ""
        return [settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=reason), check)]
    column, base_column = score_column(pairs.candidate, score), score_column(pairs.baseline, base)
    comparisons: list[Comparison] = []

    def judge(place: str, group: pd.DataFrame) -> CheckResult:
        scores = pairs.scores(column, base_column, None if group is pairs.candidate else group.index)
        comparison = _Group(check=check, score=score, place=place).compare(scores)
        comparisons.append(comparison)
        return comparison.judge(comparison.p_value)

    results = judge_groups(check, pairs.candidate, judge, score=score)
    # Groups that are too small, or an empty slice, come after those that were compared.
    return comparisons + [settled(result, check) for result in results[len(comparisons) :]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What a check finds in one group of rows, or in all."""

    check: NoRegression
    score: AggregateScore
    place: str

    def compare(self, pairs: PairedScores) -> Comparison:
        check, mine = self.check, pairs.candidate
        counts = {
            "rows": mine.rows,
            "pairs": pairs.count,
            "candidate": mine.counts(),
            "baseline": pairs.baseline.counts(),
        }
        figures = {"group": self.place, "count": pairs.count, "nan_count": mine.without_value}
        if problem := self._lost(mine, pairs.baseline):
            return self._settled(Outcome.FAIL, problem, counts, figures)
        if pairs.count < check.min_count:
            reason = f"{pairs.count} pairs of rows with a score, {check.min_count:g} are needed"
            return self._settled(Outcome.INCONCLUSIVE, reason, counts, figures)
        figures["worst"] = pairs.worst(higher_is_better=check.higher_is_better)
        clusters = None if check.cluster_by is None else field_column(pairs.rows, check.cluster_by)
        labels = None if clusters is None else clusters.astype(str).to_numpy()
        return self._compared(*pairs.by_item(labels), counts, figures)

    def _settled(self, outcome: Outcome, reason: str, counts: dict[str, Any], figures: dict[str, Any]) -> Comparison:
        result = result_of(self.check, outcome, score=self.score, reason=reason, details=counts, **figures)
        return settled(result, self.check)

    def _compared(
        self, first: Values, second: Values, clusters: Any, counts: dict[str, Any], figures: dict[str, Any]
    ) -> Comparison:
        from airflow_provider_benchmarks.gates.statistics import paired_difference

        check, is_binary = self.check, are_binary(first) and are_binary(second)
        mean, error = float(second.mean()), float(second.std()) / second.size**0.5
        margin, problem = _margin(check, mean, error)
        difference = paired_difference(
            _turned(first, check, is_binary),
            _turned(second, check, is_binary),
            margin=margin,
            confidence=check.confidence,
            clusters=clusters,
        )
        means = {"candidate_mean": float(first.mean()), "baseline_mean": mean, "items": first.size}
        return _comparison(check, self.score, difference, margin, problem, is_binary, {**counts, **means}, figures)

    def _lost(self, mine: RowValues, theirs: RowValues) -> str | None:
        problem = lost_evidence(
            self.check,
            count=mine.count,
            without_value=mine.without_value,
            not_numbers=mine.not_numbers,
            call_failed=mine.call_failed,
        )
        if problem is None and mine.without_value > theirs.without_value:
            from scipy.stats import fisher_exact

            table: Any = [[mine.without_value, mine.count], [theirs.without_value, theirs.count]]
            if fisher_exact(table, alternative="greater")[1] < 1 - self.check.confidence:
                problem = f"{mine.without_value} rows have no value, {theirs.without_value} in the baseline"
        return problem


def _turned(values: Any, check: NoRegression, is_binary: bool) -> Any:
    """Scores so that higher is better; 0/1 scores stay 0/1."""
    if check.higher_is_better:
        return values
    return 1 - values if is_binary else -values


def _margin(check: NoRegression, mean: float, error: float) -> tuple[float, str | None]:
    """The margin in the unit of the score, and why there is none.

    :param mean: of the baseline
    :param error: its standard error
    """
    if not check.relative:
        return check.margin, None
    near = abs(mean) <= _FROM_ZERO * error
    problem = f"the baseline's mean {mean:.4g} is too near to 0 for a relative margin" if near else None
    return check.margin * abs(mean), problem


def _compare_aggregates(check: NoRegression, score: AggregateScore, base: AggregateScore) -> Comparison:
    from airflow_provider_benchmarks.gates.statistics import unpaired_difference

    def inconclusive(reason: str) -> Comparison:
        return settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=reason, count=score.count), check)

    if check.needs_rows:
        return inconclusive("the row scores of both jobs are needed for this check, and one has none")
    problem = lost_evidence(
        check, count=score.count or 0, without_value=score.nan_count or 0, not_numbers=0, call_failed=0
    )
    if problem:
        return settled(result_of(check, Outcome.FAIL, score=score, reason=problem, count=score.count), check)
    mine, theirs = _moments(score), _moments(base)
    if mine is None or theirs is None:
        return inconclusive("there are no row scores, and no mean, deviation and count of both jobs")
    if min(mine.n, theirs.n) < check.min_count:
        return inconclusive(f"{min(mine.n, theirs.n)} rows have a score, {check.min_count:g} are needed")
    margin, no_margin = _margin(check, theirs.mean, theirs.std_dev / theirs.n**0.5)
    better, worse = (mine, theirs) if check.higher_is_better else (theirs, mine)
    difference = unpaired_difference(better, worse, margin=margin, confidence=check.confidence)
    details = {"candidate_mean": mine.mean, "baseline_mean": theirs.mean, "rows": score.rows}
    figures = {"count": score.count, "nan_count": score.nan_count}
    is_binary = mine.is_binary and theirs.is_binary
    return _comparison(check, score, difference, margin, no_margin, is_binary, details, figures)


def _moments(score: AggregateScore) -> Moments | None:
    from airflow_provider_benchmarks.gates.judge_threshold import is_binary
    from airflow_provider_benchmarks.gates.statistics import Moments

    if not score.count or score.mean is None or score.std_dev is None:
        return None
    return Moments(mean=score.mean, std_dev=score.std_dev, n=score.count, is_binary=is_binary(score))


def _comparison(
    check: NoRegression,
    score: AggregateScore,
    difference: Difference,
    margin: float,
    problem: str | None,
    is_binary: bool,
    details: dict[str, Any],
    figures: dict[str, Any],
) -> Comparison:
    from airflow_provider_benchmarks.gates.describe_difference import Description

    described = Description(check=check, score=score, difference=difference, margin=margin, is_binary=is_binary)
    figures = {
        **figures,
        "observed": described.observed,
        "interval": described.interval,
        "details": {**details, **described.details},
    }
    problem = problem or difference.problem
    if problem is not None:
        return settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=problem, **figures), check)

    def judge(p_value: float | None) -> CheckResult:
        outcome, reason = described.outcome(p_value)
        if p_value is not None:
            figures["details"]["p_value_adjusted"] = p_value
        return result_of(check, outcome, score=score, reason=reason, **figures)

    return Comparison(check=check, p_value=difference.p_value if check.mode == Mode.DETECT else None, judge=judge)
