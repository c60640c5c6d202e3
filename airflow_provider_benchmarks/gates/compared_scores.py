"""Compare a score of a candidate with a baseline's: by pairs of rows, or by aggregate scores alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.comparison import Comparison
from airflow_provider_benchmarks.gates.extreme_numbers import not_comparable
from airflow_provider_benchmarks.gates.margins import Margin, limits_of_weighted
from airflow_provider_benchmarks.gates.missing_scores import MissingScores
from airflow_provider_benchmarks.gates.pairing import PairedRows, PairedScores, Values
from airflow_provider_benchmarks.gates.result import REMARK, CheckResult, Finding, Outcome
from airflow_provider_benchmarks.gates.row_changes import RowChanges, worst_rows
from airflow_provider_benchmarks.gates.row_values import RowCounts, are_binary, field_column, score_column
from airflow_provider_benchmarks.gates.score_summary import known_range, moments_of, outside_range
from airflow_provider_benchmarks.gates.slices import Slices
from airflow_provider_benchmarks.gates.unmissable import margin_remark, unmissable_margin
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.equality import canonical_column
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.regression import NoRegression
    from airflow_provider_benchmarks.gates.statistics import Difference, Moments


#: Rows without a score can't be filled.
_NO_WORST = 'rows have no score, and it is not known how bad one can be: missing="worst" needs score_range= there'


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
                f"{pairs.unpaired} of {pairs.rows} {pairs.unit} have no pair in the other job, "
                f"at most {check.max_unpaired:.1%} may be left: {pairs.why_unpaired}"
            )
            details = {"rows": pairs.rows, "missing": pairs.unpaired}
            return [check.result(Outcome.FAIL, score=self.score, reason=reason, details=details)]
        columns = score_column(pairs.candidate, self.score), score_column(pairs.baseline, self.base)

        def judge(name: str, group: pd.DataFrame, *, is_small: bool = False) -> Finding:
            part = None if group is pairs.candidate else group
            all_pairs, complete = pairs.scores(*columns, part)
            return self._judge_group(name, all_pairs, complete, unpaired=pairs.unpaired, is_small=is_small)

        def judge_small(name: str, group: pd.DataFrame) -> Finding:
            return judge(name, group, is_small=True)

        slices = Slices(check=check, where=check.where, by=check.by, min_count=check.min_count)
        return slices.judge(pairs.candidate, judge, score=self.score, judge_small=judge_small)

    def _judge_group(
        self, name: str, all_pairs: PairedScores, pairs: PairedScores, *, unpaired: int, is_small: bool
    ) -> Finding:
        """Compare the pairs in which both have a value; where the others must be bounded, all of them.

        :param name: of the group; empty for all rows
        :param pairs: those in which both have a value
        :param unpaired: number of rows of either job, of all groups, that are in no pair
        :param is_small: the group has too few rows to be judged, and fails only where they show a drop all the same
        """
        check, mine, theirs = self.check, all_pairs.candidate.counts, all_pairs.baseline.counts
        missing = MissingScores(check, mine, theirs)
        figures: dict[str, Any] = {
            "group": name,
            "count": pairs.count,
            "nan_count": mine.without_value + mine.call_failed,
            "details": {
                "rows": len(all_pairs.rows),
                "pairs": pairs.count,
                "missing": unpaired,
                "candidate": asdict(mine),
                "baseline": asdict(theirs),
            },
        }
        outcome, problem = Outcome.FAIL, missing.problem or outside_range(check.score_range, *all_pairs.ends)
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
        if extreme := not_comparable(self.score, self.base, all_pairs.candidate.ends, all_pairs.baseline.ends):
            return self._not_compared(*extreme, **figures)
        higher = check.higher_is_better
        figures["worst"] = worst_rows(pairs, higher_is_better=higher)
        figures["changes"] = RowChanges.of(pairs, higher_is_better=higher, of_group=check.by is not None)
        return self._compare_pairs(all_pairs, pairs, missing, figures, too_few=too_few, is_small=is_small)

    def _not_compared(self, outcome: Outcome, reason: str, **figures: Any) -> CheckResult:
        return self.check.result(outcome, score=self.score, reason=reason, if_inconclusive="fail", **figures)

    def _compare_pairs(
        self,
        all_pairs: PairedScores,
        pairs: PairedScores,
        missing: MissingScores,
        figures: dict[str, Any],
        *,
        too_few: str | None,
        is_small: bool,
    ) -> Finding:
        lost = f"in the baseline {missing.lost}" if missing.lost else None
        is_filled = self.check.fills_missing and not all_pairs.is_complete
        unknown = bool(lost or is_filled)
        is_binary = are_binary(pairs.first) and are_binary(pairs.second)
        averages = self.check.baseline_runs > 1 and are_binary(pairs.first) and _are_shares(pairs.second)
        is_share = is_binary or pairs.is_of_binary or averages
        if wrong := unmissable_margin(self.check, self.score, is_share=self._are_all_shares(is_share)):
            return self.check.result(Outcome.FAIL, score=self.score, reason=wrong, **figures)
        known = (0.0, 1.0) if is_share else known_range(self.score, self.check.score_range)
        if is_filled and known is None:
            return self.check.result(Outcome.FAIL, score=self.score, reason=_NO_WORST, **figures)
        worst, best = self._extremes(all_pairs, known) if unknown else (pairs, pairs)
        main = worst if is_filled else pairs
        first, second, _ = sides = self._by_item(main)
        unit = "row" if first.size == main.count else "item"
        options: dict[str, Any] = {"is_binary": is_binary, "known": known, "unit": unit}
        found = self._differences(*sides, **options)
        if lost and not self.check.fills_missing:
            extremes = (self._differences(*self._by_item(side), **options) for side in (worst, best))
            found = found.widened(*extremes)
        means = float(first.mean()), float(second.mean())
        details = {"candidate_mean": means[0], "baseline_mean": means[1], "items": first.size}
        details |= self._remark(all_pairs.ends, means[1], is_share=is_share)
        return Comparison(
            check=self.check,
            score=self.score,
            difference=found.plain,
            tested=found.tested,
            margin=found.margin,
            means=means,
            is_binary=is_share,
            count=main.count,
            problem=too_few or found.tested.problem,
            lost=None if self.check.fills_missing else lost,
            is_small=is_small,
            figures={**figures, "details": {**figures["details"], **details}},
        ).finding()

    def _remark(self, seen: tuple[float, ...], mean: float, *, is_share: bool) -> dict[str, Any]:
        """That no score such as those seen could have missed; nothing where one could."""
        is_share = self._are_all_shares(is_share)
        remark = margin_remark(self.check, self.score, is_share=is_share, seen=seen, mean=mean)
        return {REMARK: remark} if remark else {}

    def _are_all_shares(self, is_share: bool) -> bool:
        """True if the scores of no other group tell that these are 0 or 1 by chance."""
        ends = (end for side in (self.score, self.base) for end in (side.min, side.max) if is_number(end))
        return is_share and all(0 <= end <= 1 for end in ends)

    def _by_item(self, pairs: PairedScores) -> tuple[Values, Values, Any]:
        if self.check.cluster_by is None:
            return pairs.by_item(None)
        # Rows without the field are one cluster.
        return pairs.by_item(canonical_column(field_column(pairs.rows, self.check.cluster_by)))

    def _differences(
        self,
        first: Values,
        second: Values,
        clusters: Any,
        *,
        is_binary: bool,
        known: tuple[float, float] | None,
        unit: str,
    ) -> _Differences:
        """Compare values of the same items.

        :param known: the lowest and the highest score that there may be; None where that is not known
        :param unit: what a value is of, for messages
        """
        from airflow_provider_benchmarks.gates.statistics import paired_difference

        check = self.check
        first, second = (self._higher_is_better(side, is_binary=is_binary) for side in (first, second))
        flipped = known if known is None or check.higher_is_better or is_binary else (-known[1], -known[0])
        options: dict[str, Any] = {"confidence": check.confidence, "clusters": clusters, "unit": unit}
        options |= {"rare_losses": check.rare_losses}
        plain = paired_difference(
            first,
            second,
            margin=check.absolute_margin,
            limits=limits_of_weighted(flipped, 1.0),
            **options,
        )
        if not check.relative:
            return _Differences(plain, plain, check.absolute_margin)
        # Of 0/1 scores of which 1 is the worse, the margin is a share of the number of ones.
        mine, theirs = (first - 1, second - 1) if is_binary and not check.higher_is_better else (first, second)
        ends = (-1.0, 0.0) if is_binary and not check.higher_is_better else flipped
        error = float(theirs.std() / theirs.size**0.5)
        margin = Margin.of(check, float(theirs.mean()), error, ends or (float(theirs.min()), float(theirs.max())))
        # Few rows of 0/1 scores may be 1 at all: then neither side's spread says how many could be.
        options["rare_gains"] = known == (0.0, 1.0)
        tested = [
            paired_difference(
                mine, weight * theirs, margin=margin.tested, limits=limits_of_weighted(ends, weight), **options
            )
            for weight in margin.weights
        ]
        return _Differences(plain, _wider_of(tested), margin.tested)

    def _higher_is_better(self, values: Values, *, is_binary: bool) -> Values:
        """Scores of which higher ones are better; 0/1 scores remain 0/1."""
        if self.check.higher_is_better:
            return values
        return 1 - values if is_binary else -values

    def _extremes(self, pairs: PairedScores, known: tuple[float, float] | None) -> tuple[PairedScores, PairedScores]:
        """All pairs, with the values for missing scores that are worst for the candidate, and with the best ones."""
        low, high = known or self._ends(*pairs.ends)
        if self.check.higher_is_better:
            return pairs.filled(low, high), pairs.filled(high, low)
        return pairs.filled(high, low), pairs.filled(low, high)

    def _ends(self, *seen: float) -> tuple[float, float]:
        """The lowest and the highest value that a score may have, as far as it is known."""
        known = [end for side in (self.score, self.base) for end in (side.min, side.max) if is_number(end)]
        ends = (0.0, *known, *seen)
        # Jobs whose scores are all 0 are no evidence of the other value that such scores have.
        return (min(ends), max(ends)) if max(ends) > min(ends) else (0.0, 1.0)

    def by_aggregates(self) -> Finding:
        """Compare the aggregate scores, where a job has no rows: far less is significant than in pairs."""
        check, score, base = self.check, self.score, self.base
        mine, theirs = moments_of(score), moments_of(base)
        missing = MissingScores(check, _counts_of(score), _counts_of(base))
        if problem := self._aggregates_problem(missing):
            return check.result(Outcome.FAIL, score=score, reason=problem, count=score.count)
        if base.nan_count is None and (check.max_nan_fraction < 1 or check.fills_missing):
            reason = f"the baseline does not say how many rows have no value of {base.name}, and has no rows"
            return self._not_compared(Outcome.INCONCLUSIVE, reason, count=score.count)
        assert mine is not None  # or there would have been a problem
        assert theirs is not None
        if extreme := not_comparable(score, base, (mine.mean, mine.std_dev, *mine.ends), (theirs.mean, theirs.std_dev)):
            return self._not_compared(*extreme, count=score.count)
        is_binary = mine.is_binary and theirs.is_binary
        if wrong := unmissable_margin(check, score, is_share=self._are_all_shares(is_binary)):
            return check.result(Outcome.FAIL, score=score, reason=wrong, count=score.count)
        known = (0.0, 1.0) if is_binary else known_range(score, check.score_range)
        if check.fills_missing and known is None and (score.nan_count or base.nan_count):
            return check.result(Outcome.FAIL, score=score, reason=_NO_WORST, count=score.count)
        low, high = known or self._ends(*mine.ends, *theirs.ends)
        worst, best = (low, high) if check.higher_is_better else (high, low)
        lost = f"in the baseline {missing.lost}" if missing.lost else None
        if check.fills_missing:
            mine, filled = mine.with_more(score.nan_count or 0, worst), theirs.with_more(base.nan_count or 0, best)
            theirs, lost = filled, None
        found = self._aggregate_differences(mine, theirs, known)
        if lost:
            # The baseline's best values are the worst for the candidate.
            sides = (theirs.with_more(base.nan_count or 0, end) for end in (best, worst))
            found = found.widened(*(self._aggregate_differences(mine, side, known) for side in sides))
        means = (mine.mean, theirs.mean)
        details = {"candidate_mean": means[0], "baseline_mean": means[1], "rows": score.rows}
        details |= self._remark((*mine.ends, *theirs.ends), means[1], is_share=is_binary)
        return Comparison(
            check=check,
            score=score,
            difference=found.plain,
            tested=found.tested,
            margin=found.margin,
            means=means,
            is_binary=is_binary,
            count=score.count or 0,
            problem=found.tested.problem,
            lost=lost,
            figures={"nan_count": score.nan_count, "details": details},
        ).finding()

    def _aggregate_differences(self, mine: Moments, theirs: Moments, known: tuple[float, float] | None) -> _Differences:
        """Compare moments."""
        from airflow_provider_benchmarks.gates.statistics import unpaired_difference

        check = self.check
        options: dict[str, Any] = {"confidence": check.confidence, "rare_losses": check.rare_losses}
        # The difference of two shares stays one where lower scores are better.
        better, worse = (mine, theirs) if check.higher_is_better else (theirs, mine)
        plain = unpaired_difference(better, worse, margin=check.absolute_margin, score_range=known, **options)
        if not check.relative:
            return _Differences(plain, plain, check.absolute_margin)
        if not check.higher_is_better:
            mine, theirs = mine.mirrored(), theirs.mirrored()
            known = None if known is None else (-known[1], -known[0])
        margin = Margin.of(check, theirs.mean, theirs.std_dev / theirs.n**0.5, known or theirs.ends)
        options["rare_gains"] = plain.method.startswith("unpaired (exact")
        tested = []
        for weight in margin.weights:
            widest = None if known is None else tuple(sorted((*known, weight * known[0], weight * known[1])))
            ends = None if widest is None else (widest[0], widest[-1])
            tested.append(
                unpaired_difference(mine, theirs.scaled(weight), margin=margin.tested, score_range=ends, **options)
            )
        return _Differences(plain, _wider_of(tested), margin.tested)

    def _aggregates_problem(self, missing: MissingScores) -> str | None:
        """Why the aggregate scores can't be compared; None where they can."""
        if self.check.must_have_rows:
            return "the row scores of both jobs are needed for this check, and one has none"
        if self.score.nan_count is None and (self.check.max_nan_fraction < 1 or self.check.fills_missing):
            return f"the service does not say how many rows have no value of {self.score.name}, and there are no rows"
        problem = missing.problem
        if problem is None and (moments_of(self.score) is None or moments_of(self.base) is None):
            problem = "there are no row scores, and no mean, deviation and count of both jobs"
        ends = [end for side in (self.score, self.base) for end in (side.min, side.max) if is_number(end)]
        problem = problem or outside_range(self.check.score_range, *ends)
        fewest = min(missing.mine.scored, missing.theirs.scored)
        if problem is None and fewest < self.check.min_count:
            problem = f"{fewest} rows have a score, {self.check.min_count:g} are needed"
        return problem


@dataclass(frozen=True, slots=True)
class _Differences:
    """What a comparison has to judge.

    :param plain: the difference of the means
    :param tested: what is tested: the same, or that of weighted scores for a relative margin
    :param margin: of what is tested
    """

    plain: Difference
    tested: Difference
    margin: float

    def widened(self, worst: _Differences, best: _Differences) -> _Differences:
        """The same, for any values of missing scores between the worst and the best for the candidate."""
        return _Differences(
            self.plain.widened(worst=worst.plain, best=best.plain),
            self.tested.widened(worst=worst.tested, best=best.tested),
            self.margin,
        )


def _wider_of(differences: list[Difference]) -> Difference:
    """The difference that is certain whichever of several is the right one."""
    worst = min(differences, key=lambda found: found.lower)
    best = max(differences, key=lambda found: found.p_value)
    return differences[0] if len(differences) == 1 else differences[0].widened(worst=worst, best=best)


def _are_shares(values: Values) -> bool:
    """True for means of 0/1 scores over several runs."""
    return bool(((values >= 0) & (values <= 1)).all())


def _counts_of(score: AggregateScore) -> RowCounts:
    return RowCounts(scored=score.count or 0, without_value=score.nan_count or 0)
