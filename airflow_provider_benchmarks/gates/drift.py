"""The check that a score has not drifted away from where it was when the baseline was pinned."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates import field_rules as f
from airflow_provider_benchmarks.gates.check import Check, Needs
from airflow_provider_benchmarks.gates.past_scores import (
    MIN_HISTORY,
    PERCENTILE,
    ROUNDING,
    as_threshold,
    expected_text,
    has_values,
    measures_the_same,
    miss_of_candidate,
    one_row_change,
    value_of,
)
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome
from airflow_provider_benchmarks.gates.threshold import statistic_rule
from airflow_provider_benchmarks.scores import JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.evidence import Evidence, JobsSincePin
    from airflow_provider_benchmarks.gates.statistics.cusum import CusumChart

#: Number of latest jobs whose sums a result has.
_SHOWN_JOBS = 60


@dataclass(frozen=True, slots=True)
class NoDrift(Check):
    """A statistic must not move away, night by night, from where it was when the baseline was pinned.

    It catches what a comparison with a single job lets through, each step being within its noise. The reference is the
    pinned job and the first ones after it that passed; without a pinned job, the first ones known. It stays, however
    far the jobs after it have moved, until another job is pinned. A CUSUM (Page 1954) adds up how far each later job
    that passed, and the candidate, are below the reference's mean, less what chance allows; it misses when the sum is
    past a limit. A job that missed a gate is not added: the sum stays as it was before, so that the nights of a model
    that has drifted miss until one is good enough.

    The limit takes into account that mean and spread are estimated from few jobs: of months of an unchanged model, 30
    nights after the reference, at most 5 % raise an alarm, and later months fewer. That is for one check: of several
    each has its own alarms. It holds where the nights' values are about normal, as means over many rows are, and
    independent of one another; of values with a long tail downward more months do.

    A spread is the standard deviation of one night. A fall of 0.1 spreads more each night is found within 30 nights in
    99 % of runs with the default reference of 10 jobs, in 97 % with 5, in all with 20; one of 0.05 in 68 %, 47 % and
    82 %; a step of one spread in 73 %, 56 % and 85 %, one of two in 99 %. With ``higher_is_better=None`` each is found
    somewhat less often: 0.1 a night in 92 % of runs with 5 jobs.

    Where more than half of the jobs have the very same value, one row whose score goes from one end of the scores to
    the other adds nothing, however long it stays so. A job without the score, with more rows without a value than
    ``max_nan_fraction``, or of another version of the benchmark is left out. With fewer jobs than ``reference`` the
    check is inconclusive. Where that blocks the gate (``if_inconclusive="fail"``), no job passes, and there never are
    more.

    :param metric: metric reference ``workspace/name``, or its name where that is unambiguous
    :param score: the score's name; may be left out when the metric gives one score
    :param statistic: as in a threshold; of percentiles those that the service gives, p10, p20 … p100
    :param reference: number of jobs from the pinned one on that mean and spread are taken from, five or more
    :param higher_is_better: only a fall counts; False: only a rise; None: both
    :param max_nan_fraction: share of rows without a value that there may be
    :param severity: ``warn`` reports a miss without failing the gate
    :raises ConfigurationError: an argument is wrong
    """

    kind: ClassVar[str] = "no_drift"
    rules: ClassVar[Mapping[str, f.Rule]] = {
        "metric": f.METRIC,
        "score": f.NAME,
        "statistic": statistic_rule(PERCENTILE, "p10, p20 … p100"),
        "reference": f.whole(MIN_HISTORY),
        "higher_is_better": f.optional(f.FLAG),
        "max_nan_fraction": f.SHARE,
        "severity": f.SEVERITY,
    }

    metric: str
    score: str | None = None
    statistic: str = "mean"
    reference: int = 10
    higher_is_better: bool | None = True
    max_nan_fraction: float = 0.0
    severity: str = f.Severity.FAIL

    def __post_init__(self) -> None:
        f.read_fields(self, f'check for drift of "{shortened(self.metric)}"')

    @property
    def expected(self) -> str:
        what = {True: "fall", False: "rise", None: "drift"}[self.higher_is_better]
        return f"no {what} since the reference of {self.reference} jobs"

    def needs(self) -> Needs:
        return Needs(since_pin=self.reference, modules=("scipy",))

    def judge(self, evidence: Evidence) -> list[Finding]:
        from airflow_provider_benchmarks.gates.statistics.cusum import CusumChart

        candidate, since = evidence.candidate, evidence.jobs_since_pin
        if (miss := miss_of_candidate(self, candidate)) is not None:
            return [replace(miss, check=self, expected=self.expected, judged=True)]
        past = _PastValues.of(self, candidate, since)
        if past.usable < self.reference:
            return [self.result(Outcome.INCONCLUSIVE, reason=past.too_few(self.reference))]
        chart = CusumChart.of(
            past.values[: self.reference],
            past.values[self.reference :],
            two_sided=self.higher_is_better is None,
            least_spread=self._least_spread(candidate, past.values),
        )
        largest = sys.float_info.max
        low = None if self.higher_is_better is False else max(chart.lowest, -largest)
        high = None if self.higher_is_better is True else min(chart.highest, largest)
        bar = as_threshold(self, low, high)
        (judged,) = bar.judge_scores(candidate)
        assert isinstance(judged, CheckResult)  # a threshold's results are final
        expected = expected_text(chart.mean, low, high, varies=chart.spread > 2 * _rounding(past.values))
        drift = _Drift.of(self, chart, past, judged.observed)
        reason = judged.reason
        if judged.observed is not None and not bar.holds(judged.observed, judged.observed):
            reason = drift.reason(judged)
        details = {**drift.details(), "low": low, "high": high, "left_out": past.left_out}
        return [replace(judged, check=self, expected=expected, reason=reason, details=details, judged=True)]

    def _least_spread(self, candidate: JobScores, values: Sequence[float]) -> float:
        """The spread below which it is not believed.

        Of jobs that mostly have the very same value, one row's change is as much as the chart allows each night.
        """
        from airflow_provider_benchmarks.gates.statistics.cusum import ALLOWANCE

        middle = statistics.median(values)
        rounding = _rounding(values)
        if sum(abs(value - middle) <= rounding for value in values) * 2 <= len(values):
            return rounding
        return max(one_row_change(self, candidate) / ALLOWANCE, rounding)


def _rounding(values: Sequence[float]) -> float:
    """The largest difference of two values that may be one."""
    return ROUNDING * max(abs(statistics.median(values)), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PastValues:
    """The statistic of the jobs since the pinned one, oldest first.

    :param names: of the jobs
    :param usable: number of the values that a reference may be taken from: no job between them was not read
    :param pin: name of the pinned job; empty where there is none
    :param left_out: number of jobs without a value, by the reason
    :param is_broken: there are later jobs, which were not read
    """

    values: Sequence[float]
    names: Sequence[str]
    usable: int
    pin: str
    left_out: Mapping[str, int]
    is_broken: bool

    @classmethod
    def of(cls, check: NoDrift, candidate: JobScores, since: JobsSincePin) -> _PastValues:
        values: list[float] = []
        names: list[str] = []
        left_out: dict[str, int] = {}
        usable, named = 0, as_threshold(check)
        for place, job in enumerate(since.jobs):
            reason, value = "", value_of(named, job)
            if not measures_the_same(check, candidate, job):
                reason = "they measured another version of the benchmark"
            elif value is None:
                reason = f"they have no {check.statistic} of this score"
            elif not has_values(check, job):
                reason = "too many of their rows have no value"
            else:
                values.append(value)
                names.append(job.job)
                usable += since.unbroken is None or place < since.unbroken
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
        is_broken = since.unbroken is not None
        return cls(values=values, names=names, usable=usable, pin=since.pin, left_out=left_out, is_broken=is_broken)

    def too_few(self, wanted: int) -> str:
        """Why there is no reference."""
        since = f' since "{shortened(self.pin)}" was pinned, itself included,' if self.pin else ""
        first = "of the first jobs" if self.is_broken else "jobs"
        reason = f"{self.usable} {first}{since} that passed have this score, {wanted} are needed for a reference"
        for why, number in self.left_out.items():
            reason += f"; left out as {why}: {number}"
        return f"{reason}; pin a newer job" if self.is_broken else reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drift:
    """How far the candidate has drifted, on the side on which it has drifted further.

    :param is_fall: below the mean, and not above it
    :param observed: the candidate's statistic; None where it has none
    """

    check: NoDrift
    chart: CusumChart
    is_fall: bool
    past: _PastValues
    observed: float | None

    @classmethod
    def of(cls, check: NoDrift, chart: CusumChart, past: _PastValues, observed: float | None) -> _Drift:
        sides = [side for side in (True, False) if check.higher_is_better in (side, None)]
        drifts = [cls(check=check, chart=chart, is_fall=side, past=past, observed=observed) for side in sides]
        return max(drifts, key=lambda drift: drift.sum)

    @property
    def sums(self) -> tuple[float, ...]:
        """After each job that follows the reference."""
        return self.chart.falls if self.is_fall else self.chart.rises

    @property
    def sum(self) -> float:
        """After the candidate."""
        from airflow_provider_benchmarks.gates.statistics.cusum import next_sum

        last = self.sums[-1] if self.sums else 0.0
        return last if self.observed is None else next_sum(last, self._below(self.observed) / self.chart.spread)

    def _below(self, value: float) -> float:
        return self.chart.mean - value if self.is_fall else value - self.chart.mean

    @property
    def _began(self) -> int:
        """Place, among all jobs, of the last one after which the sum was 0."""
        later = [place for place, each in enumerate(self.sums) if each == 0.0]
        return self.check.reference + (later[-1] if later else -1)

    def reason(self, judged: CheckResult) -> str:
        """``mean of s has fallen since "night-14": its 9 jobs are 1.8 spreads (0.018) below … on average; …``."""
        values = [*self.past.values[self._began + 1 :], *([] if self.observed is None else [self.observed])]
        distance = statistics.fmean(map(self._below, values))
        name = self.past.names[self._began]
        since = f'since "{shortened(name)}"' if name else f"in the last {len(values)} jobs"
        verb, where = ("fallen", "below") if self.is_fall else ("risen", "above")
        jobs = "the candidate is" if len(values) == 1 else f"the {len(values)} jobs after it are on average"
        pin = f' from "{shortened(self.past.pin)}" on' if self.past.pin else ""
        mean, spread, limit = self.chart.mean, self.chart.spread, self.chart.limit
        return (
            f"{self.check.statistic} of {judged.score} has {verb} {since}: {jobs} {distance / spread:.3g} spreads "
            f"({distance:.4g}) {where} the mean {mean:.4g} of the reference ({self.check.reference} jobs{pin}, spread "
            f"{spread:.2g}); CUSUM {self.sum:.3g}, limit {limit:.3g}"
        )

    def details(self) -> dict[str, Any]:
        """The figures, with the path of the sum over the latest jobs."""
        later = zip(self.past.names, self.past.values, strict=True)
        path = [
            {"job": name, "value": value, "cusum": round(each, 4)}
            for (name, value), each in zip(list(later)[self.check.reference :], self.sums, strict=True)
        ]
        return {
            "mean": self.chart.mean,
            "spread": self.chart.spread,
            "cusum": self.sum,
            "limit": self.chart.limit,
            "direction": "fall" if self.is_fall else "rise",
            "since": self.past.names[self._began],
            "pin": self.past.pin,
            "reference_jobs": self.check.reference,
            "jobs": len(self.past.values),
            "path": path[-_SHOWN_JOBS:],
        }
