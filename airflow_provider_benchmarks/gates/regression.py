"""The check that a score has not got worse than a baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_benchmarks.benchmarks import is_derived
from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates import field_rules as f
from airflow_provider_benchmarks.gates.benchmark_versions import differences_in_content
from airflow_provider_benchmarks.gates.check import Check, Needs
from airflow_provider_benchmarks.gates.compared_scores import ComparedScores
from airflow_provider_benchmarks.gates.evidence import NoBaseline
from airflow_provider_benchmarks.gates.extreme_numbers import LARGEST_DIFFERENCE
from airflow_provider_benchmarks.gates.pairing import NotPairable
from airflow_provider_benchmarks.gates.repeats import MEAN, STATISTIC, TAKES_REPEAT_BY, Repeats, repeat_combinations
from airflow_provider_benchmarks.gates.reported_rows import unseen_problem, with_nan_count
from airflow_provider_benchmarks.gates.result import Finding, Outcome, with_details
from airflow_provider_benchmarks.gates.unmissable import meant_share
from airflow_provider_benchmarks.gates.wording import exact_number, per_cent
from airflow_provider_benchmarks.scores import AggregateScore, JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.evidence import Evidence


class Missing(StrEnum):
    """What rows without a score count as: ``limit`` as none, up to a limit; ``worst`` as the worst score."""

    LIMIT = "limit"
    WORST = "worst"


class Mode(StrEnum):
    """What passes: ``detect`` all but a significant drop, ``prove`` only what is shown to be no drop."""

    DETECT = "detect"
    PROVE = "prove"


@dataclass(frozen=True, slots=True)
class NoRegression(Check):
    """A score must not be worse than the baseline's by more than a margin.

    Rows of both jobs are compared in pairs. They pair by row index, and count as pairs only where their items are
    equal; with ``key`` they pair by these fields of the items. ``detect`` misses when the drop beyond the margin is
    significant, and is no evidence of equality. ``prove`` passes when the confidence bound shows that the drop is
    within the margin, misses when it is shown to be beyond it, and is inconclusive otherwise.

    Where the baseline has more rows without a score than the limits allow, the comparison holds for the worst and the
    best scores that these may have had, and is inconclusive where the answer hangs on them. With too few rows or
    clusters only a collapse is shown.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param baseline: what to compare with, where it is not the gate's baseline
    :param margin: drop of the mean that is accepted, in the unit of the score
    :param relative: the margin is a share of the baseline's mean, below 1 where higher scores are better. It is
        tested as the mean of candidate − (1 − margin) · baseline: the baseline's noise counts, and a mean near 0 allows
        hardly any drop
    :param mode: ``detect`` (nightly runs) or ``prove`` (releases)
    :param confidence: of each one-sided bound; 1 − confidence is the chance of a wrong verdict
    :param where: compare only some rows, by fields of their items
    :param by: compare the rows of each value of this field by themselves
    :param key: fields that identify a row, when row indices or other fields of the items differ
    :param cluster_by: field whose equal values mark rows that depend on one another, such as the questions on one text
    :param score_range: the lowest and the highest score that there may be, ``(0, 1)``; what a row can lose that is too
        rare to be in the sample. Known by itself for 0/1 scores and rubrics; for others it is assumed to be wider than
        what is seen
    :param rare_losses: False: there are no losses too rare to be in the sample, and ``prove`` makes no room for any
    :param baseline_runs: with more than 1, the baseline's score of an item is the mean over up to that many runs of the
        same model, so that no one lucky or unlucky run is the bar: the baseline's own, and the first ones after it that
        passed, from the score store; of ``last_passed`` and ``previous`` those before it. Where there are fewer, over
        these. It needs rows; items are those of the baseline's own run
    :param missing: ``limit``: rows without a score are left out, up to ``max_nan_fraction`` and ``max_error_rate``.
        ``worst``: those of the candidate count as the worst score there may be, those of the baseline as the best one
    :param repeat_by: field that numbers the repeats of an item, such as ``seed`` or ``epoch``. Rows whose items are
        equal but for it, or with ``key`` the other fields of that, are one item, which counts once. Items are paired;
        the jobs may have different numbers of repeats
    :param statistic: what counts of the repeats of an item: ``mean``; for 0/1 scores also ``pass@<k>``, the chance that
        at least one of k repeats is 1 (Chen et al. 2021), or ``majority``, 1 where more than half of them are, and 0.5
        for a tie
    :param min_count: pairs that there must be; with fewer the check misses. With ``by``, smaller groups are judged
        together, and miss where they show a drop all the same
    :param max_nan_fraction: share of the candidate's rows without a value that there may be; with more, or with
        significantly more than the baseline has, the check misses
    :param max_error_rate: share of rows that there may be without a score because the call of the model failed; they
        are left out on both sides. With significantly more than the baseline has, the check misses
    :param max_unpaired: share of all rows, or with ``repeat_by`` of all items, that may be left without a pair
    :param higher_is_better: False for scores such as a latency or an error rate
    :param severity: ``warn`` reports a miss without failing the gate
    :raises ConfigurationError: an argument is wrong
    """

    kind: ClassVar[str] = "no_regression"
    rules: ClassVar[Mapping[str, f.Rule]] = {
        "metric": f.METRIC,
        "score": f.NAME,
        "baseline": f.NAME,
        "margin": f.number("must be 0 or more", minimum=0),
        "relative": f.FLAG,
        "mode": f.choice(list(Mode)),
        "confidence": f.CONFIDENCE,
        "where": f.WHERE,
        "by": f.FIELD,
        "key": f.FIELDS,
        "cluster_by": f.FIELD,
        "score_range": f.RANGE,
        "rare_losses": f.FLAG,
        "baseline_runs": f.whole(1),
        "missing": f.choice(list(Missing)),
        "repeat_by": f.FIELD,
        "statistic": STATISTIC,
        "min_count": f.whole(1),
        "max_nan_fraction": f.SHARE,
        "max_error_rate": f.SHARE,
        "max_unpaired": f.SHARE,
        "higher_is_better": f.FLAG,
        "severity": f.SEVERITY,
    }
    schema_of_combinations: ClassVar[Mapping[str, Any]] = {
        "allOf": [
            TAKES_REPEAT_BY,
            {"if": TAKES_REPEAT_BY["if"], "then": {"properties": {"baseline_runs": {"const": 1}}}},
            {
                "if": {
                    "required": ["relative"],
                    "properties": {
                        "relative": {"const": True},
                        "higher_is_better": {"const": True},
                        "score_range": {"not": {"type": "array", "prefixItems": [{"exclusiveMaximum": 0}]}},
                    },
                },
                "then": {"properties": {"margin": {"exclusiveMaximum": 1}}},
            },
        ]
    }

    metric: str
    score: str | None = None
    baseline: str | None = None
    margin: float = 0.0
    relative: bool = False
    mode: str = Mode.DETECT
    confidence: float = 0.95
    where: Mapping[str, Any] | None = field(default=None, hash=False)
    by: str | None = None
    key: str | Sequence[str] | None = field(default=None, hash=False)
    cluster_by: str | None = None
    score_range: Sequence[float] | None = field(default=None, hash=False)
    rare_losses: bool = True
    baseline_runs: int = 1
    missing: str = Missing.LIMIT
    repeat_by: str | None = None
    statistic: str = MEAN
    min_count: int = 10
    max_nan_fraction: float = 0.0
    max_error_rate: float = 0.0
    max_unpaired: float = 0.0
    higher_is_better: bool = True
    severity: str = f.Severity.FAIL

    def __post_init__(self) -> None:
        f.read_fields(self, f'check for regressions of "{shortened(self.metric)}"', self._combinations())

    def _combinations(self) -> Iterator[f.Combination]:
        yield from repeat_combinations(self)
        yield f.Combination(
            ("baseline_runs", "statistic"),
            lambda: self.baseline_runs == 1 or self.statistic == MEAN,
            lambda: (
                f"{self.statistic} is of 0/1 scores, which means over several runs are not: it does not go with "
                f"baseline_runs {self.baseline_runs}"
            ),
            ("baseline_runs",),
        )
        yield f.Combination(
            ("margin", "relative", "higher_is_better", "score_range"),
            lambda: (
                not (self.relative and self.higher_is_better and self.margin >= 1)
                or (self.score_range is not None and self.score_range[0] < 0)
            ),
            lambda: (
                f"a relative margin of {exact_number(self.margin)} is {exact_number(per_cent(self.margin))} % of the "
                "baseline's mean, and no score of 0 or more falls further (of scores that may be below 0, give "
                f"score_range=){meant_share('margin', self.margin)}"
            ),
            ("margin",),
        )

    @property
    def keys(self) -> tuple[str, ...]:
        if self.key is None:
            return ()
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)

    @property
    def observed_statistic(self) -> str:
        return "difference" if self.statistic == MEAN else f"difference of {self.statistic}"

    @property
    def expected(self) -> str:
        """The bar in words: ``drop ≤ 0.01``, ``rise ≤ 5 %``."""
        bar = f"{exact_number(per_cent(self.margin))} %" if self.relative else exact_number(self.margin)
        return f"{'drop' if self.higher_is_better else 'rise'} ≤ {bar} ({self.mode})"

    @property
    def must_prove(self) -> bool:
        return self.mode == Mode.PROVE

    @property
    def absolute_margin(self) -> float:
        """The margin in the unit of the score; 0 where it is relative."""
        return 0.0 if self.relative else min(self.margin, LARGEST_DIFFERENCE)

    @property
    def fills_missing(self) -> bool:
        """True if rows without a score count as what is worst for the candidate."""
        return self.missing == Missing.WORST

    @property
    def must_have_rows(self) -> bool:
        """True if aggregate scores can't be compared at all."""
        return bool(self.where or self.by or self.key or self.cluster_by or self.repeat_by)

    @property
    def takes_rows_as_independent(self) -> bool:
        return self.repeat_by is None and self.cluster_by is None

    @property
    def joins_equal_items(self) -> bool:
        return True

    @property
    def if_inconclusive(self) -> str:
        return "fail" if self.must_prove else "warn"

    def needs(self) -> Needs:
        one = [name for name in (self.by, self.cluster_by, self.repeat_by) if name]
        return Needs(
            rows=True,
            fields=tuple(dict.fromkeys([*(self.where or ()), *one, *self.keys])),
            baseline=self.baseline or "",
            baseline_runs=self.baseline_runs,
            pairing=not self.keys,
            repeat_by=self.repeat_by,
            modules=("scipy",),
        )

    def judge(self, evidence: Evidence) -> list[Finding]:
        """Compare the score with the baseline's, or each group of its rows.

        What should be there and is not fails: rows of the candidate, a pair for them, or a field that the check names.
        Inconclusive is what the statistics can't decide, or what the baseline lacks.
        """
        name = self.baseline or ""
        candidate, baseline = evidence.candidate, evidence.baseline(name)
        if isinstance(baseline, NoBaseline):
            outcome = Outcome.WARN if baseline.is_candidate else Outcome(evidence.if_no_baseline)
            return [self.result(outcome, reason=baseline.reason)]
        try:
            score = candidate.aggregate.get(self.metric, self.score)
        except ScoreNotFound as error:
            return [self.result(Outcome.FAIL, reason=str(error))]
        if problem := _other_work(candidate, baseline, score.metric):
            return [self.result(Outcome.FAIL, score=score, reason=problem)]
        details: dict[str, Any] = {"baseline_job": baseline.job} if name else {}
        if self.baseline_runs > 1:
            details["baseline_runs"] = 1
            if candidate.rows is not None:
                averaged = evidence.averaged(name, self.keys, self.baseline_runs, repeats=Repeats.of(self))
                baseline = averaged.scores
                details["baseline_runs"] = averaged.runs.get((score.metric, score.name), 1)
        return [with_details(found, details) for found in self._compare(evidence, score, baseline)]

    def _compare(self, evidence: Evidence, score: AggregateScore, baseline: JobScores) -> list[Finding]:
        """Compare the candidate's score with a baseline of the same work.

        :param baseline: its scores may be means over several runs
        """
        candidate, name = evidence.candidate, self.baseline or ""
        reason = f"{_not_compared(baseline)}: "
        try:
            base = baseline.aggregate.get(score.metric, score.name)
        except ScoreNotFound as error:
            return [self.result(Outcome.INCONCLUSIVE, score=score, reason=f"{reason}{error}", if_inconclusive="fail")]
        score, base = with_nan_count(score, None, candidate), with_nan_count(base, None, baseline)
        if problem := unseen_problem(candidate, score, max_error_rate=self.max_error_rate):
            return [self.result(Outcome.FAIL, score=score, reason=problem)]
        if problem := unseen_problem(baseline, base, max_error_rate=self.max_error_rate):
            return [
                self.result(
                    Outcome.INCONCLUSIVE, score=score, reason=f"{reason}there {problem}", if_inconclusive="fail"
                )
            ]
        compared = ComparedScores(self, score, base)
        try:
            if candidate.rows is None or baseline.rows is None:
                return [compared.by_aggregates()]
            pairs = evidence.pairs(name, self.keys, runs=self.baseline_runs, repeats=Repeats.of(self))
            return compared.by_rows(pairs)
        except (ScoreNotFound, NotPairable) as error:
            return [self.result(Outcome.FAIL, score=score, reason=f"{reason}{error}")]


def _other_work(candidate: JobScores, baseline: JobScores, metric: str) -> str | None:
    """What the two jobs did differently, so that their scores mean different things; None for the same work.

    :param metric: reference of the metric that is compared; how others are defined does not matter to it
    """
    for what in ("benchmark", "dataset"):
        mine, theirs = getattr(candidate, what), getattr(baseline, what)
        if what == "benchmark" and is_derived(mine) != is_derived(theirs):
            continue  # one has no name of its own: it may be the same benchmark
        if mine and theirs and mine != theirs:
            works = f"that is of {what} {theirs}, the candidate of {mine}"
            return f"{_not_compared(baseline)}: {works}"
    if differing := differences_in_content(candidate, baseline, metric):
        version = f"another version of the benchmark was measured: {differing}"
        return f"{_not_compared(baseline)}: {version}"
    return None


def _not_compared(baseline: JobScores) -> str:
    named = f' "{shortened(baseline.job)}"' if baseline.job else ""
    return f"can't be compared with the baseline{named}"
