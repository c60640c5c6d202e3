"""Judge a score by that of a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates._results import judge_groups, lost_evidence, result_of
from airflow_provider_benchmarks.gates.judge_threshold import moments_of
from airflow_provider_benchmarks.gates.no_regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.paired_scores import PairedScores, Values
from airflow_provider_benchmarks.gates.pairing import NotPairable, PairedRows
from airflow_provider_benchmarks.gates.row_values import RowValues, are_binary, field_column, score_column
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.equality import canonical_column
from airflow_provider_benchmarks.scores.json_values import is_number

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
    :param judge: gives the result, from the p-value that is left after all comparisons share one error budget, and the
        number of those that share it
    """

    check: Check
    p_value: float | None
    judge: Callable[[float | None, int], CheckResult]


def settled(result: CheckResult, check: Check) -> Comparison:
    return Comparison(check=check, p_value=None, judge=lambda *_: result)


def compare(
    check: NoRegression, candidate: JobScores, baseline: JobScores, paired: Callable[[tuple[str, ...]], PairedRows]
) -> list[Comparison]:
    """Compare a score with the baseline's, or each group of its rows.

    What should be there and is not, such as rows of the candidate, a pair for them, or a field that the check names,
    misses. Inconclusive is what statistics can't tell, or what the baseline lacks.

    :param paired: pairs the rows of both jobs by some fields
    """
    try:
        score = candidate.aggregate.get(check.metric, check.score)
    except ScoreNotFound as error:
        return [settled(result_of(check, Outcome.FAIL, reason=str(error)), check)]
    if problem := _other_work(candidate, baseline):
        return [settled(result_of(check, Outcome.FAIL, score=score, reason=problem), check)]
    reason = f"can't be compared with the baseline {baseline.job}: "
    try:
        base = baseline.aggregate.get(score.metric, score.name)
    except ScoreNotFound as error:
        return [settled(result_of(check, Outcome.INCONCLUSIVE, score=score, reason=f"{reason}{error}"), check)]
    try:
        if candidate.rows is None or baseline.rows is None:
            return [_compare_aggregates(check, score, base)]
        return _compare_rows(check, score, base, paired(check.keys))
    except (ScoreNotFound, NotPairable) as error:
        return [settled(result_of(check, Outcome.FAIL, score=score, reason=f"{reason}{error}"), check)]


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
        details = {"rows": pairs.rows, "missing": pairs.unpaired}
        return [settled(result_of(check, Outcome.FAIL, score=score, reason=reason, details=details), check)]
    column, base_column = score_column(pairs.candidate, score), score_column(pairs.baseline, base)

    def judge(place: str, group: pd.DataFrame, *, few: bool = False) -> Comparison:
        scores = pairs.scores(column, base_column, None if group is pairs.candidate else group.index)
        found = _Group(check=check, score=score, base=base, place=place, missing=pairs.unpaired, few=few)
        return found.compare(*scores)

    def judge_few(place: str, group: pd.DataFrame) -> Comparison:
        return judge(place, group, few=True)

    return judge_groups(
        check, pairs.candidate, judge, lambda result: settled(result, check), score=score, together=judge_few
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What a check finds in one group of rows, or in all.

    :param score: the candidate's
    :param base: the baseline's
    :param place: the group in words; empty for all
    :param missing: rows of either job, of all groups, that have no pair in the other
    :param few: the group has too few rows to be judged, and misses only where they show a drop all the same
    """

    check: NoRegression
    score: AggregateScore
    base: AggregateScore
    place: str
    missing: int
    few: bool

    def compare(self, all_pairs: PairedScores, pairs: PairedScores) -> Comparison:
        """Compare the pairs in which both have a value; where too many of the baseline's have none, all of them."""
        check, mine, theirs = self.check, all_pairs.candidate, all_pairs.baseline
        counts = {
            "rows": mine.rows,
            "pairs": pairs.count,
            "missing": self.missing,
            "candidate": mine.counts(),
            "baseline": theirs.counts(),
        }
        figures = {"group": self.place, "count": pairs.count, "nan_count": mine.without_value + mine.call_failed}
        if problem := self._lost(mine, theirs):
            return self._settled(Outcome.FAIL, problem, counts, figures)
        few = None
        if pairs.count < check.min_count:
            what = "rows" if self.few else "pairs of rows with a score"
            few = f"{pairs.count} {what}, {check.min_count:g} are needed"
            if not self.few or not pairs.count:
                outcome, few = (Outcome.WARN, f"{few}: not judged") if self.few else (Outcome.FAIL, few)
                return self._settled(outcome, few, counts, figures)
        figures["worst"] = pairs.worst(higher_is_better=check.higher_is_better)
        return self._compared(pairs, all_pairs, few, counts, figures)

    def _settled(self, outcome: Outcome, reason: str, counts: dict[str, Any], figures: dict[str, Any]) -> Comparison:
        result = result_of(self.check, outcome, score=self.score, reason=reason, details=counts, **figures)
        return settled(result, self.check)

    def _compared(
        self,
        pairs: PairedScores,
        all_pairs: PairedScores,
        few: str | None,
        counts: dict[str, Any],
        figures: dict[str, Any],
    ) -> Comparison:
        lost = _lost_evidence(self.check, all_pairs.baseline)
        sides = [self._by_item(side) for side in (pairs, *(self._extremes(all_pairs) if lost else ()))]
        first, second, _ = sides[0]
        margin, no_margin = _margin(self.check, [(_mean(base), _mean_error(base)) for _, base, _ in sides])
        found, *extremes = (self._difference(*side, margin=margin) for side in sides)
        if extremes:
            worst, best = extremes
            found = found.widened(worst=worst, best=best)
        comparing = _Comparing(
            check=self.check,
            score=self.score,
            difference=found,
            margin=margin,
            problem=few or (f"in the baseline {lost}" if lost else None) or no_margin,
            is_binary=are_binary(first) and are_binary(second),
            few=self.few,
        )
        means = {"candidate_mean": _mean(first), "baseline_mean": _mean(second), "items": first.size}
        return comparing.comparison({**counts, **means}, figures)

    def _by_item(self, pairs: PairedScores) -> tuple[Values, Values, Any]:
        if self.check.cluster_by is None:
            return pairs.by_item(None)
        # Rows without the field are one cluster.
        return pairs.by_item(canonical_column(field_column(pairs.rows, self.check.cluster_by)))

    def _difference(self, first: Values, second: Values, clusters: Any, *, margin: float) -> Difference:
        from airflow_provider_benchmarks.gates.statistics import paired_difference

        is_binary = are_binary(first) and are_binary(second)
        sides = (_turned(side, self.check, is_binary) for side in (first, second))
        return paired_difference(*sides, margin=margin, confidence=self.check.confidence, clusters=clusters)

    def _extremes(self, pairs: PairedScores) -> tuple[PairedScores, PairedScores]:
        """The pairs with the values for lost scores that are worst for the candidate, and with those that are best."""
        low, high = _ends(self.score, self.base, (*pairs.candidate.ends, *pairs.baseline.ends))
        if self.check.higher_is_better:
            return pairs.filled(low, high), pairs.filled(high, low)
        return pairs.filled(high, low), pairs.filled(low, high)

    def _lost(self, mine: RowValues, theirs: RowValues) -> str | None:
        problem = _lost_evidence(self.check, mine)
        return problem or _more_lost(self.check, (mine.without_value, mine.count), (theirs.without_value, theirs.count))


def _ends(score: AggregateScore, base: AggregateScore, seen: tuple[float, ...]) -> tuple[float, float]:
    """The lowest and the highest value that a score may have, as far as it is known."""
    known = [end for side in (score, base) for end in (side.min, side.max) if is_number(end)]
    ends = (0.0, *known, *seen)
    # The scores of two jobs that are all 0 say nothing of the other value that such scores have.
    return (min(ends), max(ends)) if max(ends) > min(ends) else (0.0, 1.0)


def _mean(values: Values) -> float:
    return float(values.mean())


def _mean_error(values: Values) -> float:
    return float(values.std() / values.size**0.5)


def _lost_evidence(check: NoRegression, values: RowValues) -> str | None:
    return lost_evidence(
        check,
        count=values.count,
        without_value=values.without_value,
        not_numbers=values.not_numbers,
        call_failed=values.call_failed,
    )


def _more_lost(check: NoRegression, mine: tuple[int, int], theirs: tuple[int, int]) -> str | None:
    """Why the candidate has significantly more rows without a value than the baseline, if it has.

    :param mine: the candidate's rows without a value, and with one
    :param theirs: the baseline's
    """
    if mine[0] <= theirs[0]:
        return None
    from scipy.stats import fisher_exact  # only here, since it takes a second to load

    table: Any = [mine, theirs]
    if fisher_exact(table, alternative="greater")[1] >= 1 - check.confidence:
        return None
    return f"{mine[0]} rows have no value, {theirs[0]} in the baseline"


def _turned(values: Any, check: NoRegression, is_binary: bool) -> Any:
    """Scores so that higher is better; 0/1 scores stay 0/1."""
    if check.higher_is_better:
        return values
    return 1 - values if is_binary else -values


def _margin(check: NoRegression, baselines: Sequence[tuple[float, float]]) -> tuple[float, str | None]:
    """The margin in the unit of the score, and why it is not known: then it is the largest that it may be.

    :param baselines: mean of the baseline, and its standard error; more of them where its lost rows had other values
    """
    if not check.relative:
        return check.margin, None
    (mean, error), *others = baselines
    near = abs(mean) <= _FROM_ZERO * error
    margin = check.margin * max(
        abs(mean) + (_FROM_ZERO * error if near else 0.0), *(abs(other) for other, _ in others), 0
    )
    return margin, f"the baseline's mean {mean:.4g} is too near to 0 for a relative margin" if near else None


def _compare_aggregates(check: NoRegression, score: AggregateScore, base: AggregateScore) -> Comparison:
    from airflow_provider_benchmarks.gates.statistics import unpaired_difference

    mine, theirs = moments_of(score), moments_of(base)
    if problem := _no_aggregates_to_compare(check, score, base):
        return settled(result_of(check, Outcome.FAIL, score=score, reason=problem, count=score.count), check)
    assert mine is not None  # or there would have been a problem
    assert theirs is not None
    lost = base.nan_count or 0
    problem = lost_evidence(check, count=base.count or 0, without_value=lost, not_numbers=0, call_failed=0)
    ends = _ends(score, base, (*mine.ends, *theirs.ends))
    sides = [theirs, *(theirs.with_more(lost, end) for end in ends)] if problem else [theirs]
    margin, no_margin = _margin(check, [(side.mean, side.std_dev / side.n**0.5) for side in sides])

    def difference(baseline: Moments) -> Difference:
        better, worse = (mine, baseline) if check.higher_is_better else (baseline, mine)
        return unpaired_difference(better, worse, margin=margin, confidence=check.confidence)

    found, *extremes = map(difference, sides)
    if problem:
        best, worst = extremes if check.higher_is_better else reversed(extremes)
        found, problem = found.widened(worst=worst, best=best), f"in the baseline {problem}"
    comparing = _Comparing(
        check=check,
        score=score,
        difference=found,
        margin=margin,
        problem=problem or no_margin,
        is_binary=mine.is_binary and theirs.is_binary,
    )
    details = {"candidate_mean": mine.mean, "baseline_mean": theirs.mean, "rows": score.rows}
    return comparing.comparison(details, {"count": score.count, "nan_count": score.nan_count})


def _no_aggregates_to_compare(check: NoRegression, score: AggregateScore, base: AggregateScore) -> str | None:
    if check.needs_rows:
        return "the row scores of both jobs are needed for this check, and one has none"
    mine, theirs = ((side.nan_count or 0, side.count or 0) for side in (score, base))
    problem = lost_evidence(check, count=mine[1], without_value=mine[0], not_numbers=0, call_failed=0)
    problem = problem or _more_lost(check, mine, theirs)
    if problem is None and (moments_of(score) is None or moments_of(base) is None):
        problem = "there are no row scores, and no mean, deviation and count of both jobs"
    if problem is None and min(mine[1], theirs[1]) < check.min_count:
        problem = f"{min(mine[1], theirs[1])} rows have a score, {check.min_count:g} are needed"
    return problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparing:
    """A difference beside what the check allows.

    :param margin: in the unit of the score
    :param problem: why nothing but a collapse can be told, besides what the difference itself says
    :param is_binary: the score is 0 or 1
    :param few: a problem only warns, whatever the gate does with what is inconclusive
    """

    check: NoRegression
    score: AggregateScore
    difference: Difference
    margin: float
    problem: str | None
    is_binary: bool
    few: bool = False

    def comparison(self, details: dict[str, Any], figures: dict[str, Any]) -> Comparison:
        from airflow_provider_benchmarks.gates.describe_difference import Description

        described = Description(
            check=self.check,
            score=self.score,
            difference=self.difference,
            margin=self.margin,
            is_binary=self.is_binary,
            pairs=figures["count"],
            problem=self.problem or self.difference.problem,
        )
        figures = {**figures, "observed": described.observed, "interval": described.interval}

        def judge(p_value: float | None, sharing: int) -> CheckResult:
            outcome, reason = described.outcome(p_value)
            all_details = {**details, **described.details(outcome, p_value, sharing)}
            judged = outcome is not Outcome.INCONCLUSIVE
            if self.few and not judged:
                outcome, reason = Outcome.WARN, f"{reason}: not judged"
            return result_of(
                self.check, outcome, score=self.score, reason=reason, details=all_details, judged=judged, **figures
            )

        p_value = self.difference.p_value if self.check.mode == Mode.DETECT else None
        return Comparison(check=self.check, p_value=p_value, judge=judge)
