"""The outcome of one check."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_benchmarks.gates.wording import amount, apart_from, bound_text, corrected, p_text
from airflow_provider_benchmarks.scores.json_values import is_number, json_safe

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.check import Check
    from airflow_provider_benchmarks.gates.row_changes import RowChanges


class Outcome(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


#: The field of a threshold's details that has its one-sided bounds, lower and upper, which decide.
BOUNDS = "bounds"
#: The field of details that says that nothing seen could have missed.
REMARK = "cannot_miss"
#: What a pass counts as that has a reason: nothing has proved it.
UNPROVEN = "unproven"
#: What a warning counts as where nothing was judged.
NOT_JUDGED = "not_judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check, or of one group of its rows.

    :param metric: reference of the metric that was judged; as the check names it when it is not in the results
    :param outcome: pass, warn, fail or inconclusive
    :param observed: the statistic's value, or the difference candidate − baseline; None when there is none
    :param expected: the bar, in words
    :param interval: two-sided confidence interval of the observed value, where the check asks for one
    :param count: number of rows with a value, or of pairs of them
    :param nan_count: number of rows without a value
    :param reason: why the check did not pass, in one sentence; empty when it passed. A pass with a reason is unproven:
        the check is inconclusive or has no baseline, and the gate counts that as a pass
    :param judged: False where nothing was judged: the check is inconclusive, has no baseline, or has too few rows
    :param group: which rows, with ``where`` or ``by``; empty for all
    :param if_inconclusive: what an inconclusive result does where the policy does not say; None: what its check says
    :param details: further figures of a comparison: p, detectable drop, both means, counts of rows without a score, …
    :param worst: the rows that got worse most: row index, item, both scores
    :param changes: how all rows changed, where they were compared; not in its data, which goes to XCom
    """

    check: Check
    metric: str
    score: str | None
    outcome: Outcome
    observed: float | None
    expected: str
    interval: tuple[float, float] | None = None
    count: int | None
    nan_count: int | None
    reason: str
    judged: bool = True
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    worst: tuple[Mapping[str, Any], ...] = ()
    if_inconclusive: str | None = field(default=None, repr=False, compare=False)
    changes: RowChanges | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        data = {
            "check": self.check.to_dict(),
            "metric": self.metric,
            "score": self.score,
            "statistic": self.check.observed_statistic,
            "outcome": str(self.outcome),
            "observed": self.observed,
            "expected": self.expected,
            "interval": self.interval,
            "count": self.count,
            "nan_count": self.nan_count,
            "reason": self.reason,
        }
        if not self.judged:
            data["judged"] = False
        optional = {"group": self.group, "details": dict(self.details), "worst": list(self.worst)}
        safe: dict[str, Any] = json_safe({**data, **{key: value for key, value in optional.items() if value}})
        return safe

    @property
    def counts_as(self) -> str:
        """The outcome; an unproven pass, and a warning that nothing was judged, count by themselves."""
        if self.outcome is Outcome.WARN and not self.judged:
            return NOT_JUDGED
        return UNPROVEN if self.outcome is Outcome.PASS and self.reason else self.outcome

    @property
    def baseline(self) -> str:
        """The job that the check compared with, where it names a baseline of its own; its name where it found none."""
        return str(self.details.get("baseline_job") or self.check.needs().baseline or "")

    @property
    def evidence(self) -> str:
        """What the outcome rests on, in few words: paired rows, p, and the detectable drop; or the history."""
        found = self.details
        parts = []
        if self._has("rows", "pairs"):
            without = found["rows"] - found["pairs"]
            some = f", of which {without:,} {'has' if without == 1 else 'have'} no value" if without else ""
            parts.append(f"{found['rows']:,} rows paired{some}")
        elif self._has("n"):
            parts.append(f"{found['n']:,} rows, not paired")
        if self._has("baseline_runs"):
            runs, asked = found["baseline_runs"], getattr(self.check, "baseline_runs", found["baseline_runs"])
            fewer = f", {asked} asked for" if runs < asked else ""
            parts.append(f"baseline: {'mean of ' if runs > 1 else ''}{runs} run{'s' if runs > 1 else ''}{fewer}")
        if self._has("clusters"):
            parts.append(f"{found['clusters']:,} clusters")
        if self._has("p_value"):
            parts += self._proof() if found.get("mode") == "prove" else self._detection()
        if self._has("jobs", "median", "deviation"):
            jobs, middle, deviation = (found[name] for name in ("jobs", "median", "deviation"))
            parts.append(f"last {jobs} jobs: median {middle:.4g}, deviation {deviation:.2g}")
        if self._has("cusum", "limit"):
            parts.append(f"CUSUM {found['cusum']:.3g} of {found['limit']:.3g}")
        if self._has("reference_jobs", "mean", "spread"):
            jobs, mean, spread = (found[name] for name in ("reference_jobs", "mean", "spread"))
            parts.append(f"reference of {jobs} jobs: mean {mean:.4g}, spread {spread:.2g}")
        if self._bounds is not None:
            level: float = getattr(self.check, "confidence", None) or 0.0
            parts.append(f"bound at {level * 100:g} % confidence")
        but = [str(found[name]) for name in ("repeats", REMARK) if found.get(name)]
        if but:
            parts.append(f"but {' and '.join(but)}")
        return ", ".join(parts)

    def _has(self, *figures: str) -> bool:
        """True if all of them are known: JSON has no word for infinite ones, which come back as None."""
        return all(is_number(self.details.get(name)) for name in figures)

    def _detection(self) -> list[str]:
        """What a search for a drop found, and what it would have found."""
        found = self.details
        adjusted, tests = found.get("p_value_adjusted"), found.get("comparisons", 1)
        p_value: float = found["p_value"]
        p_text = corrected(p_value, adjusted if is_number(adjusted) else p_value, tests)
        parts = [f"no significant {self._worse} beyond what is allowed ({p_text})" if self.passed else p_text]
        if self._has("detectable_drop"):
            parts.append(f"a {self._worse} of {self._amount('detectable_drop')} would be seen in 80 % of runs")
        return parts

    def _proof(self) -> list[str]:
        """What is proved, and how often it would be of equal models."""
        found, parts = self.details, []
        if self._has("largest_drop_not_excluded", "confidence"):
            level = f"{found['confidence'] * 100:g} %"
            largest = self._amount("largest_drop_not_excluded")
            more = f" of more than {largest}" if found["largest_drop_not_excluded"] > 0 else " at all"
            parts.append(f"at {level} no {self._worse}{more}")
        if found.get("rare_losses_decide"):
            parts.append("with room for losses too rare to be seen")
        if self._has("margin"):
            parts.append(f"{p_text(found['p_value'])} of a {self._worse} of {self._amount('margin')} or more")
        if self._has("equal_passes"):
            parts.append(f"an equal model passes in {found['equal_passes'] * 100:.0f} % of runs")
        return parts

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    @property
    def _worse(self) -> str:
        return "drop" if getattr(self.check, "higher_is_better", True) else "rise"

    def _amount(self, name: str) -> str:
        """A figure in the unit of the bar: of a relative margin, a share of the baseline's mean."""
        mean = self.details.get("baseline_mean")
        if getattr(self.check, "relative", False) and mean and is_number(mean):
            return f"{self.details[name] / abs(mean) * 100:.3g} %"
        return amount(self.details[name], is_share=bool(self.details.get("is_share")))

    def cells(self) -> tuple[str, ...]:
        """The texts of the result's row in a table."""
        counts = ("–" if value is None else str(value) for value in (self.count, self.nan_count))
        score = self.score or "–"
        return (
            self.outcome.upper(), self.metric, f"{score} [{self.group}]" if self.group else score,
            self.check.observed_statistic, self.observed_text, self.expected, *counts, self.evidence, self.reason,
        )  # fmt: skip

    @property
    def observed_text(self) -> str:
        """The observed value, with the digits that distinguish it from the bars."""
        if self.observed is None:
            return "–"
        bars = [getattr(self.check, name, None) for name in ("at_least", "at_most")]
        bars += [self.details.get(name) for name in ("low", "high")]
        margin: float = self.details["margin"] if self._has("margin") else 0.0
        text = apart_from(self.observed, [*bars, margin, -margin], digits=6)
        if "mode" in self.details:  # of a comparison one bound decides, and it is in the evidence or the reason
            return amount(self.observed, is_share=True) if self.details.get("is_share") else text
        return text if self._bounds is None else f"{text} ({self._bounds})"

    @property
    def _bounds(self) -> str | None:
        """The bound that decides, or both where there are two bars; None where the value itself decides."""
        found = self.details.get(BOUNDS)
        if not isinstance(found, list | tuple) or len(found) != 2:
            return None
        bars = [getattr(self.check, name, None) for name in ("at_least", "at_most")]
        # JSON has no word for infinite ones.
        ends = [end if is_number(end) else math.inf for end in found]
        texts = [bound_text(end, *bars, is_upper=is_upper) for end, is_upper in zip(ends, (False, True), strict=True)]
        return ", ".join(text for text, bar in zip(texts, bars, strict=True) if bar is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTest:
    """A significance test whose outcome depends on the other tests that share its error budget.

    :param severity: of the check; tests of one severity share one budget
    :param is_group: it is of one of the groups of a check
    :param p_value: of this test alone
    :param finish: makes the result from the adjusted p-value, the share of the budget that the test has for certain,
        and the number of tests that share it
    """

    severity: str
    is_group: bool
    p_value: float
    finish: Callable[[float, float, int], CheckResult]


#: What judging returns for a check, or for each group of its rows.
Finding: TypeAlias = CheckResult | PendingTest


def changed(finding: Finding, change: Callable[[CheckResult], CheckResult]) -> Finding:
    """Change a result, or that of a test that is not finished."""
    if isinstance(finding, CheckResult):
        return change(finding)
    finish = finding.finish
    return replace(finding, finish=lambda p_value, share, tests: change(finish(p_value, share, tests)))


def with_details(finding: Finding, details: Mapping[str, Any]) -> Finding:
    """Add to the details of a result, or to those of a test that is not finished."""
    return changed(finding, lambda result: replace(result, details={**result.details, **details}))
