"""Compare a score of a candidate with a baseline's: by pairs of rows, or by aggregate scores alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates import wording
from airflow_provider_benchmarks.gates.extreme_numbers import LARGEST_DIFFERENCE, too_large, too_small
from airflow_provider_benchmarks.gates.pairing import PairedRows, PairedScores, Values
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome, PendingTest
from airflow_provider_benchmarks.gates.row_values import RowCounts, are_binary, field_column, score_column
from airflow_provider_benchmarks.gates.score_summary import moments_of
from airflow_provider_benchmarks.gates.slices import Slices
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.equality import canonical_column
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.regression import NoRegression
    from airflow_provider_benchmarks.gates.statistics import Difference, Moments

#: A baseline's mean within this many standard errors of 0 is no base for a relative margin.
_STANDARD_ERRORS_FROM_ZERO = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A difference, and what the check allows.

    :param margin: in the unit of the score
    :param is_binary: all scores are 0 or 1, so that the mean is a share
    :param count: number of pairs; of the candidate's rows where rows are not paired
    :param problem: why only a collapse can be shown; None where the data can decide
    :param is_small: of a group with too few rows: what it can't decide is a warning, whatever the gate does with
        inconclusive results
    :param figures: further fields of the result
    """

    check: NoRegression
    score: AggregateScore
    difference: Difference
    margin: float
    is_binary: bool
    count: int
    problem: str | None
    is_small: bool = False
    figures: Mapping[str, Any]

    @property
    def observed(self) -> float:
        """Candidate − baseline."""
        return self.difference.estimate if self.check.higher_is_better else -self.difference.estimate

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided, of candidate − baseline."""
        low, high = self.difference.interval
        return (low, high) if self.check.higher_is_better else (-high, -low)

    @property
    def rows_to_decide(self) -> int | None:
        from airflow_provider_benchmarks.gates.statistics import rows_to_decide

        return rows_to_decide(self.difference, margin=self.margin, confidence=self.check.confidence)

    def finding(self) -> Finding:
        """The result; in mode ``detect`` a test, as the p-value depends on the other tests of the gate."""
        if self.check.must_prove:
            return self._result(None, 1)
        return PendingTest(severity=self.check.severity, p_value=self.difference.p_value, finish=self._result)

    def _result(self, adjusted_p_value: float | None, tests: int) -> CheckResult:
        """Make the result.

        :param adjusted_p_value: for ``detect``: the p-value that compares with the check's own level
        :param tests: number of tests that share one error budget; this one has that part of it for certain
        """
        outcome, reason = self._outcome(adjusted_p_value)
        judged = outcome is not Outcome.INCONCLUSIVE
        details = {**self.figures["details"], **self._statistics(outcome, adjusted_p_value, tests)}
        if self.is_small and not judged:
            outcome, reason = Outcome.WARN, f"{reason}: not judged"
        found = {"observed": self.observed, "interval": self.interval, "count": self.count, "judged": judged}
        return self.check.result(
            outcome, score=self.score, reason=reason, **{**self.figures, **found, "details": details}
        )

    def _outcome(self, adjusted_p_value: float | None) -> tuple[Outcome, str]:
        """Outcome and reason."""
        found, level = self.difference, 1 - self.check.confidence
        if self.problem is not None:
            if (found.p_value if adjusted_p_value is None else adjusted_p_value) <= level:
                return Outcome.FAIL, f"{wording.miss(self)}. It is significant although {self.problem}"
            return Outcome.INCONCLUSIVE, self.problem
        if adjusted_p_value is not None:
            return (Outcome.FAIL, wording.miss(self)) if adjusted_p_value <= level else (Outcome.PASS, "")
        if found.lower >= -self.margin:
            return Outcome.PASS, ""
        if found.upper < -self.margin:
            return Outcome.FAIL, wording.miss(self)
        return Outcome.INCONCLUSIVE, wording.undecided(self)

    def _statistics(self, outcome: Outcome, adjusted_p_value: float | None, tests: int) -> dict[str, Any]:
        """The figures of the difference."""
        found = self.difference
        figures: dict[str, Any] = {
            "mode": str(self.check.mode),
            "margin": self.margin,
            "confidence": self.check.confidence,
            "method": found.method,
            "standard_error": found.standard_error,
            "n": found.n,
            "clusters": found.clusters,
            "p_value": found.p_value,
            "mcnemar_p": found.mcnemar_p,
            "largest_drop_not_excluded": -found.lower,
            "detectable_drop": found.detectable((1 - self.check.confidence) / tests),
        }
        if adjusted_p_value is not None:
            figures |= {"p_value_adjusted": adjusted_p_value, "comparisons": tests}
        if outcome is Outcome.INCONCLUSIVE:
            figures["rows_to_decide"] = self.rows_to_decide
        return figures


@dataclass(frozen=True, slots=True)
class ComparedScores:
    """The two aggregate scores that a check compares.

    :param score: the candidate's
    :param base: the baseline's
    """

    check: NoRegression
    score: AggregateScore
    base: AggregateScore

    def by_rows(self, pairs: PairedRows) -> list[Finding]:
        """Compare the pairs of rows, or each group of them.

        :raises ScoreNotFound: the rows have no such score, or the items no field that the check names
        """
        check = self.check
        if pairs.rows and pairs.unpaired / pairs.rows > check.max_unpaired:
            reason = (
                f"{pairs.unpaired} of {pairs.rows} rows have no pair in the other job, "
                f"at most {check.max_unpaired:.1%} may be left"
            )
            reason += f": {pairs.hint}" if pairs.hint else ""
            details = {"rows": pairs.rows, "missing": pairs.unpaired}
            return [check.result(Outcome.FAIL, score=self.score, reason=reason, details=details)]
        columns = score_column(pairs.candidate, self.score), score_column(pairs.baseline, self.base)

        def judge(name: str, group: pd.DataFrame, *, is_small: bool = False) -> Finding:
            index = None if group is pairs.candidate else group.index
            all_pairs, complete = pairs.scores(*columns, index)
            return self._judge_group(name, all_pairs, complete, unpaired=pairs.unpaired, is_small=is_small)

        def judge_small(name: str, group: pd.DataFrame) -> Finding:
            return judge(name, group, is_small=True)

        slices = Slices(check=check, where=check.where, by=check.by, min_count=check.min_count)
        return slices.judge(pairs.candidate, judge, score=self.score, judge_small=judge_small)

    def _judge_group(
        self, name: str, all_pairs: PairedScores, pairs: PairedScores, *, unpaired: int, is_small: bool
    ) -> Finding:
        """Compare the pairs in which both have a value; where too many of the baseline's have none, all of them.

        :param name: of the group; empty for all rows
        :param pairs: those in which both have a value
        :param unpaired: number of rows of either job, of all groups, that are in no pair
        :param is_small: the group has too few rows to be judged, and fails only where they show a drop all the same
        """
        check, mine, theirs = self.check, all_pairs.candidate.counts, all_pairs.baseline.counts
        figures: dict[str, Any] = {
            "group": name,
            "count": pairs.count,
            "nan_count": mine.without_value + mine.call_failed,
            "details": {
                "rows": all_pairs.candidate.rows,
                "pairs": pairs.count,
                "missing": unpaired,
                "candidate": asdict(mine),
                "baseline": asdict(theirs),
            },
        }
        outcome, problem = Outcome.FAIL, self._missing_scores(mine) or self._more_missing(mine, theirs)
        too_few = None
        if problem is None and pairs.count < check.min_count:
            what = "rows" if is_small else "pairs of rows with a score"
            too_few = f"{pairs.count} {what}, {check.min_count:g} are needed"
            if is_small and not pairs.count:
                outcome, problem = Outcome.WARN, f"{too_few}: not judged"
            elif not is_small:
                problem = too_few
        if problem is not None:
            return check.result(outcome, score=self.score, reason=problem, **figures)
        if extreme := self._extreme_numbers(all_pairs.candidate.ends, all_pairs.baseline.ends):
            return check.result(extreme[0], score=self.score, reason=extreme[1], **figures)
        figures["worst"] = pairs.worst(higher_is_better=check.higher_is_better)
        return self._compare_pairs(all_pairs, pairs, figures, too_few=too_few, is_small=is_small)

    def _extreme_numbers(
        self, mine: tuple[float | None, ...], theirs: tuple[float | None, ...]
    ) -> tuple[Outcome, str] | None:
        """The outcome where a job's numbers are too large or too small to compare, and why; None where they are not.

        :param mine: the ends of the candidate's values, and other numbers of theirs
        :param theirs: the same of the baseline's
        """
        mine, theirs = (*mine, self.score.min, self.score.max), (*theirs, self.base.min, self.base.max)
        if problem := too_large(self.score.name, *mine):
            return Outcome.FAIL, problem
        if problem := too_large(self.base.name, *theirs):
            return Outcome.INCONCLUSIVE, f"in the baseline {problem}"
        problem = too_small(self.score.name, *mine, *theirs)
        return (Outcome.INCONCLUSIVE, problem) if problem else None

    def _compare_pairs(
        self,
        all_pairs: PairedScores,
        pairs: PairedScores,
        figures: dict[str, Any],
        *,
        too_few: str | None,
        is_small: bool,
    ) -> Finding:
        missing = self._missing_scores(all_pairs.baseline.counts)
        sides = [self._by_item(side) for side in (pairs, *(self._extremes(all_pairs) if missing else ()))]
        first, second, _ = sides[0]
        margin, no_margin = self._margin(*((_mean(base), _mean_error(base)) for _, base, _ in sides))
        difference, *extremes = (self._difference(*side, margin=margin) for side in sides)
        if extremes:
            worst, best = extremes
            difference = difference.widened(worst=worst, best=best)
        means = {"candidate_mean": _mean(first), "baseline_mean": _mean(second), "items": first.size}
        return Comparison(
            check=self.check,
            score=self.score,
            difference=difference,
            margin=margin,
            is_binary=are_binary(first) and are_binary(second),
            count=pairs.count,
            problem=too_few or (f"in the baseline {missing}" if missing else None) or no_margin or difference.problem,
            is_small=is_small,
            figures={**figures, "details": {**figures["details"], **means}},
        ).finding()

    def _by_item(self, pairs: PairedScores) -> tuple[Values, Values, Any]:
        if self.check.cluster_by is None:
            return pairs.by_item(None)
        # Rows without the field are one cluster.
        return pairs.by_item(canonical_column(field_column(pairs.rows, self.check.cluster_by)))

    def _difference(self, first: Values, second: Values, clusters: Any, *, margin: float) -> Difference:
        from airflow_provider_benchmarks.gates.statistics import paired_difference

        is_binary = are_binary(first) and are_binary(second)
        sides = (self._higher_is_better(side, is_binary=is_binary) for side in (first, second))
        return paired_difference(*sides, margin=margin, confidence=self.check.confidence, clusters=clusters)

    def _higher_is_better(self, values: Values, *, is_binary: bool) -> Values:
        """Scores of which higher ones are better; 0/1 scores remain 0/1."""
        if self.check.higher_is_better:
            return values
        return 1 - values if is_binary else -values

    def _extremes(self, pairs: PairedScores) -> tuple[PairedScores, PairedScores]:
        """All pairs, with the values for missing scores that are worst for the candidate, and with the best ones."""
        low, high = self._ends(*pairs.candidate.ends, *pairs.baseline.ends)
        if self.check.higher_is_better:
            return pairs.filled(low, high), pairs.filled(high, low)
        return pairs.filled(high, low), pairs.filled(low, high)

    def _ends(self, *seen: float) -> tuple[float, float]:
        """The lowest and the highest value that a score may have, as far as it is known."""
        known = [end for side in (self.score, self.base) for end in (side.min, side.max) if is_number(end)]
        ends = (0.0, *known, *seen)
        # Jobs whose scores are all 0 are no evidence of the other value that such scores have.
        return (min(ends), max(ends)) if max(ends) > min(ends) else (0.0, 1.0)

    def _missing_scores(self, counts: RowCounts) -> str | None:
        limits = {name: getattr(self.check, name) for name in ("max_nan_fraction", "max_error_rate")}
        return counts.problem(**limits)

    def _more_missing(self, mine: RowCounts, theirs: RowCounts) -> str | None:
        """Why the candidate has significantly more rows without a value than the baseline; None if it has not."""
        if mine.without_value <= theirs.without_value:
            return None
        from scipy.stats import fisher_exact  # only here, since it takes a second to load

        table: Any = [(side.without_value, side.scored) for side in (mine, theirs)]
        if fisher_exact(table, alternative="greater")[1] >= 1 - self.check.confidence:
            return None
        return f"{mine.without_value} rows have no value, {theirs.without_value} in the baseline"

    def _margin(self, *baselines: tuple[float, float]) -> tuple[float, str | None]:
        """The margin in the unit of the score, and why it is not known: then it is the largest that it may be.

        :param baselines: mean of the baseline, and its standard error; then those with other values for missing scores
        """
        if not self.check.relative:
            return min(self.check.margin, LARGEST_DIFFERENCE), None
        (mean, error), *others = baselines
        is_near_zero = abs(mean) <= _STANDARD_ERRORS_FROM_ZERO * error
        largest = abs(mean) + (_STANDARD_ERRORS_FROM_ZERO * error if is_near_zero else 0.0)
        margin = self.check.margin * max(largest, *(abs(other) for other, _ in others), 0)
        margin = min(margin, LARGEST_DIFFERENCE)
        return (
            margin,
            f"the baseline's mean {mean:.4g} is too near to 0 for a relative margin" if is_near_zero else None,
        )

    def by_aggregates(self) -> Finding:
        """Compare the aggregate scores, where a job has no rows: far less is significant than in pairs."""
        from airflow_provider_benchmarks.gates.statistics import unpaired_difference

        check, score, base = self.check, self.score, self.base
        mine, theirs = moments_of(score), moments_of(base)
        if problem := self._aggregates_problem():
            return check.result(Outcome.FAIL, score=score, reason=problem, count=score.count)
        if base.nan_count is None and check.max_nan_fraction < 1:
            reason = f"the baseline does not say how many rows have no value of {base.name}, and has no rows"
            return check.result(Outcome.INCONCLUSIVE, score=score, reason=reason, count=score.count)
        assert mine is not None  # or there would have been a problem
        assert theirs is not None
        if extreme := self._extreme_numbers((mine.mean, mine.std_dev, *mine.ends), (theirs.mean, theirs.std_dev)):
            return check.result(extreme[0], score=score, reason=extreme[1], count=score.count)
        missing = self._missing_scores(_counts_of(base))
        ends = self._ends(*mine.ends, *theirs.ends)
        sides = [theirs, *(theirs.with_more(base.nan_count or 0, end) for end in ends)] if missing else [theirs]
        margin, no_margin = self._margin(*((side.mean, side.std_dev / side.n**0.5) for side in sides))

        def difference(baseline: Moments) -> Difference:
            better, worse = (mine, baseline) if check.higher_is_better else (baseline, mine)
            return unpaired_difference(better, worse, margin=margin, confidence=check.confidence)

        found, *extremes = map(difference, sides)
        if missing:
            best, worst = extremes if check.higher_is_better else reversed(extremes)
            found = found.widened(worst=worst, best=best)
        return Comparison(
            check=check,
            score=score,
            difference=found,
            margin=margin,
            is_binary=mine.is_binary and theirs.is_binary,
            count=score.count or 0,
            problem=(f"in the baseline {missing}" if missing else None) or no_margin or found.problem,
            figures={
                "nan_count": score.nan_count,
                "details": {"candidate_mean": mine.mean, "baseline_mean": theirs.mean, "rows": score.rows},
            },
        ).finding()

    def _aggregates_problem(self) -> str | None:
        """Why the aggregate scores can't be compared; None where they can."""
        if self.check.must_have_rows:
            return "the row scores of both jobs are needed for this check, and one has none"
        if self.score.nan_count is None and self.check.max_nan_fraction < 1:
            return f"the service does not say how many rows have no value of {self.score.name}, and there are no rows"
        mine, theirs = _counts_of(self.score), _counts_of(self.base)
        problem = self._missing_scores(mine) or self._more_missing(mine, theirs)
        if problem is None and (moments_of(self.score) is None or moments_of(self.base) is None):
            problem = "there are no row scores, and no mean, deviation and count of both jobs"
        fewest = min(mine.scored, theirs.scored)
        if problem is None and fewest < self.check.min_count:
            problem = f"{fewest} rows have a score, {self.check.min_count:g} are needed"
        return problem


def _counts_of(score: AggregateScore) -> RowCounts:
    return RowCounts(scored=score.count or 0, without_value=score.nan_count or 0)


def _mean(values: Values) -> float:
    return float(values.mean())


def _mean_error(values: Values) -> float:
    return float(values.std() / values.size**0.5)
