"""The check that a score reaches a bar."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates import field_rules as f
from airflow_provider_benchmarks.gates import repeats
from airflow_provider_benchmarks.gates.check import Check, Needs
from airflow_provider_benchmarks.gates.observed_statistics import (
    PERCENTILE,
    SHARE,
    STATISTICS,
    observed,
    why_missing,
    with_labels_of,
)
from airflow_provider_benchmarks.gates.reported_rows import unseen_problem, with_nan_count
from airflow_provider_benchmarks.gates.result import BOUNDS, REMARK, CheckResult, Finding, Outcome
from airflow_provider_benchmarks.gates.row_values import RowCounts, RowValues, score_column
from airflow_provider_benchmarks.gates.score_summary import is_binary, summarise
from airflow_provider_benchmarks.gates.slices import Slices
from airflow_provider_benchmarks.gates.threshold_intervals import ThresholdScores
from airflow_provider_benchmarks.gates.unmissable import bar_remark, unmissable_bar
from airflow_provider_benchmarks.gates.wording import bound_text, exact_number
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.evidence import Evidence

#: The statistics that have a confidence interval, in words.
_WITH_INTERVAL = "mean, a percentile or a share"
#: Statistics that count the rows without a value, and so accept any number of them.
OF_MISSING_VALUES = ("nan_count", "nan_fraction")


def _patterns(percentiles: re.Pattern[str]) -> list[dict[str, Any]]:
    return [{"pattern": f"^{percentiles.pattern}{f.END}"}, {"pattern": rf"^{SHARE}[\s\S]"}]


def _has_bar(bar: str) -> dict[str, Any]:
    return {"required": [bar], "properties": {bar: {"not": {"type": "null"}}}}


def statistic_rule(percentiles: re.Pattern[str], words: str) -> f.Rule:
    """The rule for the name of a statistic.

    :param words: the percentiles in words
    """
    return f.Rule(
        f"must be one of {', '.join(STATISTICS)}, {words}, share:<label>",
        {"type": "string", "anyOf": [{"enum": list(STATISTICS)}, *_patterns(percentiles)]},
        lambda value: (
            isinstance(value, str)
            and (
                value in STATISTICS
                or percentiles.fullmatch(value) is not None
                or (value.startswith(SHARE) and value != SHARE)
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class Threshold(Check):
    """A score must reach a bar, or stay under one, or both.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param statistic: mean, std_dev, variance, min, max, sum, count, nan_count, nan_fraction, p1 … p100, or for rubrics
        ``share:<label>``, the share of rows in a category; for repeats of 0/1 scores ``pass@<k>``, the mean chance that
        at least one of k repeats is 1 (Chen et al. 2021), or ``majority``, the share of items of which more than half
        are, where a tie counts a half
    :param at_least: the statistic must be this or more
    :param at_most: the statistic must be this or less
    :param confidence: demand that the statistic's one-sided confidence bound clears the bar, rather than the value
        itself: the exact one for the mean of 0/1 scores and for shares; Student's t for other means, corrected for
        skewness and widened for values too rare to be in the sample; order statistics for percentiles (extra ``stats``)
    :param where: judge only some rows, by fields of their items: ``{"category": "math"}``, ``{"level": [1, 2]}``,
        ``{"length": {"at_least": 10, "below": 100}}``
    :param by: judge the rows of each value of this field by themselves
    :param cluster_by: field whose equal values mark rows that depend on one another, such as the questions on one text
    :param score_range: the lowest and the highest score that there may be; a bound of a mean then allows for no others.
        Known by itself for 0/1 scores and rubrics; for others it is assumed to be wider than what is seen
    :param repeat_by: field that numbers the repeats of an item, such as ``seed`` or ``epoch``. Rows whose items are
        equal but for it are one item, which counts once, with the mean of its repeats; statistics are those of items
    :param min_count: rows with a value, or with ``repeat_by`` items, that there must be; with fewer the check misses.
        With ``by``, groups of fewer rows are reported and not judged
    :param max_nan_fraction: share of rows without a value (0 to 1) that there may be; with more the check misses
    :param max_error_rate: share of rows that there may be without a score because the call of the model failed; they
        are left out, and do not count as rows without a value
    :param severity: ``warn`` reports a miss without failing the gate
    :raises ConfigurationError: an argument is wrong, or there is no bar
    """

    kind: ClassVar[str] = "threshold"
    rules: ClassVar[Mapping[str, f.Rule]] = {
        "metric": f.METRIC,
        "score": f.NAME,
        "statistic": repeats.with_repeats(statistic_rule(PERCENTILE, "p1 … p100")),
        "at_least": f.BAR,
        "at_most": f.BAR,
        "confidence": f.optional(f.CONFIDENCE),
        "where": f.WHERE,
        "by": f.FIELD,
        "cluster_by": f.FIELD,
        "score_range": f.RANGE,
        "repeat_by": f.FIELD,
        "min_count": f.whole(1),
        "max_nan_fraction": f.SHARE,
        "max_error_rate": f.SHARE,
        "severity": f.SEVERITY,
    }
    #: There is a bar, confidence goes with some statistics only, and cluster_by with confidence.
    schema_of_combinations: ClassVar[Mapping[str, Any]] = {
        "if": {"required": ["confidence"], "properties": {"confidence": {"type": "number"}}},
        "then": {
            "properties": {
                "statistic": {"anyOf": [{"const": "mean"}, *_patterns(PERCENTILE), repeats.OVER_REPEATS_SCHEMA]}
            }
        },
        "allOf": [
            {"if": _has_bar("at_most"), "else": _has_bar("at_least")},
            repeats.TAKES_REPEAT_BY,
            repeats.SHARES_ARE_OF_ROWS,
            {
                "if": {"required": ["cluster_by"], "properties": {"cluster_by": {"type": "string"}}},
                "then": {"required": ["confidence"], "properties": {"confidence": {"type": "number"}}},
            },
        ],
    }

    metric: str
    score: str | None = None
    statistic: str = "mean"
    at_least: float | None = None
    at_most: float | None = None
    confidence: float | None = None
    where: Mapping[str, Any] | None = field(default=None, hash=False)
    by: str | None = None
    cluster_by: str | None = None
    score_range: Sequence[float] | None = field(default=None, hash=False)
    repeat_by: str | None = None
    min_count: int = 1
    max_nan_fraction: float = 0.0
    max_error_rate: float = 0.0
    severity: str = f.Severity.FAIL

    def __post_init__(self) -> None:
        f.read_fields(self, f'threshold on "{shortened(self.metric)}"', self._combinations())

    def _combinations(self) -> Iterator[f.Combination]:
        yield f.Combination(
            ("at_least", "at_most"),
            lambda: self.at_least is not None or self.at_most is not None,
            lambda: "give at_least, at_most, or both",
        )
        yield f.Combination(
            ("at_least", "at_most"),
            lambda: self.at_least is None or self.at_most is None or self.at_least <= self.at_most,
            lambda: f"at_least {brief(self.at_least)} is above at_most {brief(self.at_most)}, nothing can pass",
            ("at_least",),
        )
        yield from repeats.repeat_combinations(self)
        yield f.Combination(
            ("confidence", "statistic"),
            lambda: (
                self.confidence is None
                or self.statistic == "mean"
                or self.percent is not None
                or self.category is not None
                or repeats.is_over_repeats(self.statistic)
            ),
            lambda: f"confidence goes with {_WITH_INTERVAL}, found {shortened(self.statistic)}",
            ("confidence",),
        )
        yield f.Combination(
            ("confidence", "cluster_by"),
            lambda: self.cluster_by is None or self.confidence is not None,
            lambda: "cluster_by goes with confidence: without it no bound is computed",
            ("cluster_by",),
        )

    @property
    def percent(self) -> int | None:
        """The percent of a percentile."""
        match = PERCENTILE.fullmatch(self.statistic)
        return int(match[1]) if match else None

    @property
    def category(self) -> str | None:
        """The label of a rubric's category."""
        return self.statistic.removeprefix(SHARE) if self.statistic.startswith(SHARE) else None

    @property
    def expected(self) -> str:
        """The bar in words: ``≥ 0.7``, ``≤ 3``, ``0.2 to 0.4``."""
        bars = [exact_number(bar) for bar in (self.at_least, self.at_most) if bar is not None]
        sign = "≥" if self.at_least is not None else "≤"
        return " to ".join(bars) if len(bars) > 1 else f"{sign} {bars[0]}"

    @property
    def _must_have_rows(self) -> bool:
        """True if the aggregate scores are not enough to judge."""
        beyond_service = self.percent is not None and (self.percent % 10 != 0 or self.confidence is not None)
        options = (self.where, self.by, self.cluster_by, self.repeat_by)
        return any(option is not None for option in options) or beyond_service

    @property
    def takes_rows_as_independent(self) -> bool:
        return self.confidence is not None and self.repeat_by is None and self.cluster_by is None

    def needs(self) -> Needs:
        one = [name for name in (self.by, self.cluster_by, self.repeat_by) if name]
        return Needs(
            rows=self._must_have_rows,
            fields=tuple(dict.fromkeys([*(self.where or ()), *one])),
            pairing=self.repeat_by is not None,
            repeat_by=self.repeat_by,
            modules=() if self.confidence is None else ("scipy",),
        )

    def holds(self, low: float, high: float) -> bool:
        """True if everything from low to high is within the bars."""
        return (self.at_least is None or low >= self.at_least) and (self.at_most is None or high <= self.at_most)

    def judge(self, evidence: Evidence) -> list[Finding]:
        return self.judge_scores(evidence.candidate)

    def judge_scores(self, candidate: JobScores) -> list[Finding]:
        """Judge the score, or each group of its rows."""
        try:
            score = candidate.aggregate.get(self.metric, self.score)
            if not self._must_have_rows:
                return [_judge_aggregate(self, score, candidate)]
            rows = candidate.rows
            if rows is None:
                reason = "the row scores are needed for this check, and the job has none"
                return [self.result(Outcome.FAIL, score=score, reason=reason)]
            column = score_column(rows, score)
            score = with_labels_of(score, rows)
            slices = Slices(check=self, where=self.where, by=self.by, min_count=self.min_count)
            unseen = unseen_problem(candidate, score, max_error_rate=self.max_error_rate)
            judge = lambda name, group: _judge_rows(self, score, column, name, group, unseen)
            return slices.judge(rows, judge, score=score)
        except ScoreNotFound as error:
            return [self.result(Outcome.FAIL, reason=str(error))]

    def statistic_of(self, score: AggregateScore) -> float | None:
        """The statistic's value; None where the score has none."""
        return observed(self.statistic, score)


def _judge_aggregate(check: Threshold, score: AggregateScore, candidate: JobScores) -> CheckResult:
    scored = score.count
    if scored is None:
        return check.result(Outcome.FAIL, score=score, reason="the service does not say how many rows were scored")
    found = _row_values(candidate.rows, score)
    score = with_nan_count(score, found, candidate)
    nan_count = score.nan_count or 0
    failed = found.counts.call_failed if found is not None else 0
    counts = RowCounts(scored=scored, without_value=max(nan_count - failed, 0), call_failed=failed)
    problem = _evidence_problem(check, counts)
    if problem is None and score.nan_count is None and check.max_nan_fraction < 1:
        problem = f"the service does not say how many rows have no value of {score.name}, and there are no rows to ask"
    if problem is None and candidate.rows_unread:
        problem = _unknown_calls(check, scored, nan_count)
    problem = problem or unseen_problem(candidate, score, max_error_rate=check.max_error_rate)
    problem = problem or unmissable_bar(check, score)
    details = {name: count for name, count in asdict(counts).items() if name != "not_numbers"}
    return _judge_summary(check, score, found, problem, details)


def _row_values(rows: pd.DataFrame | None, score: AggregateScore) -> RowValues | None:
    """The row values where there are rows and they have the score: a corpus-level score has none."""
    if rows is None:
        return None
    try:
        return RowValues.of(rows, score_column(rows, score))
    except ScoreNotFound:
        return None


def _judge_rows(
    check: Threshold, score: AggregateScore, column: str, group: str, rows: pd.DataFrame, unseen: str | None
) -> CheckResult:
    """Judge some rows.

    :param unseen: why the rows that the score does not show, which may be of any group, are too many
    """
    found = repeats.values_for(check, rows, column)
    # The rows of a rubric's category have labels, which are no numbers.
    counts = found.counts if check.category is None else replace(found.counts, not_numbers=0)
    problem = _evidence_problem(check, counts, units=found.count) or unseen or unmissable_bar(check, score)
    summary = summarise(score, found, rows)
    judged = repeats.rows_of(found, rows)
    return _judge_summary(check, summary, found, problem, asdict(found.counts), rows=judged, group=group)


def _judge_summary(
    check: Threshold,
    score: AggregateScore,
    found: RowValues | None,
    problem: str | None,
    counts: Mapping[str, int],
    *,
    rows: pd.DataFrame | None = None,
    group: str = "",
) -> CheckResult:
    """Judge a score by its statistics.

    :param rows: those of its values
    :param problem: why it is no evidence; None where it is
    :param counts: numbers of rows with a value, and without
    """
    details: dict[str, Any] = dict(counts)
    observed = check.statistic_of(score)
    interval = bounds = None
    scores = ThresholdScores(check=check, score=score, found=found, rows=rows)
    of_group = f" where {group}" if group else ""
    if problem is None and (observed is None or not is_number(observed)):
        problem = why_missing(check.statistic, score) + (f" (rows{of_group})" if group else "")
    if problem is None:
        problem = scores.problem
    if problem is None and observed is not None:
        if check.confidence is not None:
            interval, bounds = (scores.interval(observed, one_sided=side) for side in (False, True))
            details[BOUNDS] = list(bounds)
        if remark := bar_remark(check, score, is_binary=is_binary(score, found)):
            details[REMARK] = remark
        problem = _miss(scores, f"{check.statistic} of {score.name}{of_group}", observed, bounds)
    return check.result(
        Outcome.FAIL if problem else Outcome.PASS,
        score=score,
        reason=problem or "",
        observed=observed,
        interval=interval,
        count=score.count,
        nan_count=score.nan_count,
        group=group,
        details=details,
    )


def _miss(scores: ThresholdScores, what: str, observed: float, bounds: tuple[float, float] | None) -> str | None:
    """Why the bar is missed; None where it is reached."""
    check, (low, high) = scores.check, bounds or (observed, observed)
    if check.holds(low, high):
        return None
    miss = f"{what} is {_number_text(observed, check)}, expected {check.expected}"
    if not check.holds(observed, observed):
        return miss
    is_upper = check.at_least is None or low >= check.at_least
    bound = high if is_upper else low
    if math.isinf(bound):
        return f"{miss}: {scores.no_bound(is_upper=is_upper)}"
    sure = f"with {(check.confidence or 0) * 100:g} % confidence it is only known to be"
    return f"{miss}: {sure} {bound_text(bound, check.at_least, check.at_most, is_upper=is_upper)}"


def _number_text(value: float, check: Threshold) -> str:
    """A number in few digits, unless these are on the other side of the bar."""
    short = f"{value:g}"
    return short if check.holds(float(short), float(short)) == check.holds(value, value) else repr(value)


def _evidence_problem(check: Threshold, counts: RowCounts, *, units: int | None = None) -> str | None:
    """Why the score is no evidence: too few rows with a value, or too many without.

    :param units: number of rows, or of items, with a value; None: of rows, as counted
    """
    if (units := counts.scored if units is None else units) < check.min_count:
        what = "rows" if check.repeat_by is None else "items"
        return f"only {units} {what} have a value, at least {check.min_count:g} are needed"
    if check.statistic in OF_MISSING_VALUES:
        return None
    return counts.problem(max_nan_fraction=check.max_nan_fraction, max_error_rate=check.max_error_rate)


def _unknown_calls(check: Threshold, count: int, nan_count: int) -> str | None:
    """Why rows without a value would be too many if the call of the model failed for all of them.

    Whether it did is not known where the rows can't be read.
    """
    if check.statistic in OF_MISSING_VALUES:
        return None
    worst = RowCounts(scored=count, call_failed=nan_count)
    problem = worst.problem(max_nan_fraction=check.max_nan_fraction, max_error_rate=check.max_error_rate)
    if problem is None:
        return None
    return f"it is not known, without airflow-provider-benchmarks[parquet], whether {problem}"
