"""What a gate found: an outcome for every check and one for all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.values import json_safe

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.checks import Threshold


class Outcome(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


_COLUMNS = ("outcome", "metric", "score", "statistic", "observed", "expected", "count", "NaNs", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check.

    :param metric: reference of the metric that was judged; as the check names it when it is not in the results
    :param outcome: pass, warn, fail or inconclusive
    :param observed: the statistic's value; None when there is none
    :param expected: the bar, in words
    :param interval: confidence interval of the observed value, where the check asks for one
    :param count: rows with a value
    :param nan_count: rows without
    :param reason: why the check did not pass, in one sentence; empty when it passed
    """

    check: Threshold
    metric: str
    score: str | None
    outcome: Outcome
    observed: float | None
    expected: str
    interval: tuple[float, float] | None = None
    count: int | None
    nan_count: int | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        data = {
            "check": self.check.to_dict(),
            "metric": self.metric,
            "score": self.score,
            "statistic": self.check.statistic,
            "outcome": str(self.outcome),
            "observed": self.observed,
            "expected": self.expected,
            "interval": self.interval,
            "count": self.count,
            "nan_count": self.nan_count,
            "reason": self.reason,
        }
        safe: dict[str, Any] = json_safe(data)
        return safe

    def _cells(self) -> tuple[str, ...]:
        shown = ("–" if value is None else str(value) for value in (self.count, self.nan_count))
        observed = "–" if self.observed is None else f"{self.observed:.6g}"
        return (
            self.outcome.upper(), self.metric, self.score or "–", self.check.statistic, observed, self.expected, *shown,
            self.reason,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a gate.

    :param results: one for each check, in their order
    :param job: name of the job that was judged
    """

    results: tuple[CheckResult, ...]
    job: str = ""

    @property
    def outcome(self) -> Outcome:
        """``fail`` if any check failed, else ``inconclusive`` if any is, else ``pass``; warnings pass."""
        outcomes = {result.outcome for result in self.results}
        return next((o for o in (Outcome.FAIL, Outcome.INCONCLUSIVE) if o in outcomes), Outcome.PASS)

    @property
    def summary(self) -> str:
        """One line: the outcome and how many checks held."""
        held = sum(result.outcome is Outcome.PASS for result in self.results)
        return f"{self.outcome.upper()}: {held} of {len(self.results)} checks hold"

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; what goes to XCom."""
        return {
            "outcome": str(self.outcome),
            "job": self.job,
            "summary": self.summary,
            "results": [result.to_dict() for result in self.results],
        }

    def to_table(self) -> str:
        """A plain text table, for logs."""
        return self._table("simple")

    def to_markdown(self) -> str:
        return f"**{self.summary}**\n\n{self._table('github')}"

    def to_html(self) -> str:
        return f"<p><strong>{self.summary}</strong></p>\n{self._table('html')}"

    def _table(self, style: str) -> str:
        from tabulate import tabulate

        rows = [result._cells() for result in self.results]
        if style == "github":  # a bar would end the cell
            rows = [tuple(cell.replace("|", r"\|") for cell in row) for row in rows]
        return str(tabulate(rows, headers=_COLUMNS, tablefmt=style, disable_numparse=True))
