"""Judge a score by that of a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates._results import json_item, judge_groups, lost_evidence, result_of
from airflow_provider_benchmarks.gates.no_regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.pairing import NotPairable, Pairing, item_fields
from airflow_provider_benchmarks.gates.row_values import RowValues, field_column, score_column
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.checks import Check
    from airflow_provider_benchmarks.gates.statistics import Difference, Moments

#: Rows that a result shows of those that got worse.
WORST_ROWS = 10
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
    check: NoRegression, candidate: JobScores, baseline: JobScores, paired: Callable[[tuple[str, ...]], Pairing]
) -> list[Comparison]:
    """Compare a score with the baseline's, or each group of its rows.

    :param paired: pairs the rows of both jobs by some fields
    """
    try:
        score = candidate.aggregate.get(check.metric, check.score)
    except ScoreNotFound as error:
        return [settled(result_of(check, Outcome.FAIL, reason=str(error)), check)]
    try:
        base = baseline.aggregate.get(check.metric, check.score)
        if candidate.rows is None or baseline.rows is None:
            return [_compare_aggregates(check, score, base)]
        return _compare_rows(check, score, base, candidate.rows, baseline.rows, paired(check.keys))
    except (ScoreNotFound, NotPairable) as error:
        reason = f"can't be compared with the baseline {baseline.job}: {error}"
        return [settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=reason), check)]


def _compare_rows(
    check: NoRegression,
    score: AggregateScore,
    base: AggregateScore,
    candidate: pd.DataFrame,
    baseline: pd.DataFrame,
    pairing: Pairing,
) -> list[Comparison]:
    if pairing.rows and pairing.unpaired / pairing.rows > check.max_unpaired:
        reason = (
            f"{pairing.unpaired} of {pairing.rows} rows have no pair in the other job, at most "
            f"{check.max_unpaired:.1%} may be left"
        )
        reason += f": {pairing.hint}" if pairing.hint else ""
        return [settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=reason), check)]
    paired = candidate.iloc[pairing.candidate]
    paired.attrs = candidate.attrs
    partner = baseline.iloc[pairing.baseline].set_axis(paired.index)
    failed = baseline.index[pairing.baseline].isin(baseline.attrs.get(CALL_ERRORS, ()))
    partner.attrs = {**baseline.attrs, CALL_ERRORS: list(paired.index[failed])}
    items = None if pairing.items is None else _series(pairing.items, paired)
    comparisons: list[Comparison] = []

    def judge(place: str, group: pd.DataFrame) -> CheckResult:
        sides = _Sides(check=check, score=score, place=place, group=group, partner=partner.loc[group.index])
        sides.partner.attrs = partner.attrs
        comparison = sides.compare(score_column(candidate, score), score_column(baseline, base), items)
        comparisons.append(comparison)
        return comparison.judge(comparison.p_value)

    results = judge_groups(check, paired, judge, score=score)
    # Groups that are too small, or an empty slice, come after those that were compared.
    return comparisons + [settled(result, check) for result in results[len(comparisons) :]]


def _series(values: Any, rows: pd.DataFrame) -> Any:
    import pandas as pd

    return pd.Series(values, index=rows.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """The pairs of one group of rows, with the same row index on both sides."""

    check: NoRegression
    score: AggregateScore
    place: str
    group: pd.DataFrame
    partner: pd.DataFrame

    def compare(self, column: str, base_column: str, items: Any) -> Comparison:
        from airflow_provider_benchmarks.gates.statistics import paired_difference

        check = self.check
        mine, theirs = RowValues.of(self.group, column), RowValues.of(self.partner, base_column)
        both = mine.values.index.intersection(theirs.values.index)
        first, second = mine.values.loc[both], theirs.values.loc[both]
        counts = {"rows": len(self.group), "pairs": len(both), "candidate": _counts(mine), "baseline": _counts(theirs)}
        figures = {"group": self.place, "count": len(both), "nan_count": mine.without_value}
        if problem := self._lost(mine, theirs):
            return settled(
                result_of(check, Outcome.FAIL, score=self.score, reason=problem, details=counts, **figures), check
            )
        if len(both) < check.min_count:
            reason = f"{len(both)} pairs of rows with a score, {check.min_count:g} are needed"
            return settled(
                result_of(check, Outcome.INCONCLUSIVE, score=self.score, reason=reason, details=counts, **figures),
                check,
            )
        worst = self._worst(first, second)
        is_binary = bool(first.isin((0.0, 1.0)).all() and second.isin((0.0, 1.0)).all())
        clusters = None if check.cluster_by is None else field_column(self.group, check.cluster_by).loc[both]
        if items is not None:
            first, second, clusters = _average_repeats(items.loc[both], first, second, clusters)
        error = float(second.std(ddof=0)) / len(second) ** 0.5
        margin, problem = _margin(check, float(second.mean()), error)
        difference = paired_difference(
            _turned(first.to_numpy(), check, is_binary),
            _turned(second.to_numpy(), check, is_binary),
            margin=margin,
            confidence=check.confidence,
            clusters=None if clusters is None else clusters.astype(str).to_numpy(),
        )
        means = {"candidate_mean": float(first.mean()), "baseline_mean": float(second.mean()), "items": len(first)}
        return _comparison(
            check, self.score, difference, margin, problem, is_binary, {**counts, **means}, {**figures, "worst": worst}
        )

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

    def _worst(self, first: pd.Series[float], second: pd.Series[float]) -> tuple[dict[str, Any], ...]:
        change = (first - second) * (1 if self.check.higher_is_better else -1)
        lost = change[change < 0].nsmallest(WORST_ROWS)
        fields = item_fields(self.group)
        return tuple(
            {
                "row_index": int(index),
                "candidate": float(first.loc[index]),
                "baseline": float(second.loc[index]),
                "item": json_item(self.group.loc[index].to_dict(), fields),
            }
            for index in lost.index
        )


def _turned(values: Any, check: NoRegression, is_binary: bool) -> Any:
    """Scores so that higher is better; 0/1 scores stay 0/1."""
    if check.higher_is_better:
        return values
    return 1 - values if is_binary else -values


def _counts(values: RowValues) -> dict[str, int]:
    return {
        "scored": values.count,
        "without_value": values.without_value,
        "not_numbers": values.not_numbers,
        "call_failed": values.call_failed,
    }


def _average_repeats(items: Any, first: Any, second: Any, clusters: Any) -> tuple[Any, Any, Any]:
    """One value for each item: repeats of an item are not independent of one another."""
    grouped = (None if side is None else side.groupby(items) for side in (first, second, clusters))
    one, other, labels = grouped
    assert one is not None
    assert other is not None
    return one.mean(), other.mean(), None if labels is None else labels.first()


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
