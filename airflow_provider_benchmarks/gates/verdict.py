"""What a gate found: an outcome for every check and one for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.values import json_safe

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.checks import Check


class Outcome(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


_COLOURS = {Outcome.PASS: "#1b7f3b", Outcome.WARN: "#9a6700", Outcome.FAIL: "#b3261e", Outcome.INCONCLUSIVE: "#9a6700"}
_STYLE = (
    "body { font-family: sans-serif } table { border-collapse: collapse } "
    "th, td { text-align: left; vertical-align: top; padding: 0.3em 0.8em; border-bottom: 1px solid #ddd } "
    "td:first-child { font-weight: bold }"
)
_COLUMNS = ("outcome", "metric", "score", "statistic", "observed", "expected", "count", "NaNs", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check, or of one group of it.

    :param metric: reference of the metric that was judged; as the check names it when it is not in the results
    :param outcome: pass, warn, fail or inconclusive
    :param observed: the statistic's value, or the difference candidate − baseline; None when there is none
    :param expected: the bar, in words
    :param interval: two-sided confidence interval of the observed value, where the check asks for one
    :param count: rows with a value, or pairs of them
    :param nan_count: rows without
    :param reason: why the check did not pass, in one sentence; empty when it passed
    :param group: which rows, with ``where`` or ``by``; empty for all
    :param details: further figures of a comparison: p, detectable drop, both means, counts of rows without a score, …
    :param worst: the rows that got worse most: row index, item, both scores
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
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    worst: tuple[Mapping[str, Any], ...] = ()

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
        optional = {"group": self.group, "details": dict(self.details), "worst": list(self.worst)}
        safe: dict[str, Any] = json_safe({**data, **{key: value for key, value in optional.items() if value}})
        return safe

    def _cells(self) -> tuple[str, ...]:
        shown = ("–" if value is None else str(value) for value in (self.count, self.nan_count))
        observed = "–" if self.observed is None else f"{self.observed:.6g}"
        if self.interval is not None:
            observed += f" ({self.interval[0]:.4g} to {self.interval[1]:.4g})"
        score = self.score or "–"
        return (
            self.outcome.upper(), self.metric, f"{score} [{self.group}]" if self.group else score,
            self.check.statistic, observed, self.expected, *shown, self.reason,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a gate.

    :param results: for each check one, or one for each group of its rows, in the order of the checks
    :param job: name of the job that was judged
    :param baseline: name of the job that it was compared with; empty for none
    """

    results: tuple[CheckResult, ...]
    job: str = ""
    baseline: str = ""

    @property
    def outcome(self) -> Outcome:
        """``fail`` if any check failed, else ``inconclusive`` if any is, else ``pass``; warnings pass."""
        outcomes = {result.outcome for result in self.results}
        return next((o for o in (Outcome.FAIL, Outcome.INCONCLUSIVE) if o in outcomes), Outcome.PASS)

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    @property
    def summary(self) -> str:
        """One line: the outcome and how many checks held."""
        held = sum(result.outcome is Outcome.PASS for result in self.results)
        against = f" (baseline: {self.baseline})" if self.baseline else ""
        return f"{self.outcome.upper()}: {held} of {len(self.results)} checks hold{against}"

    @property
    def worst(self) -> list[Mapping[str, Any]]:
        """The rows that got worse most, of all checks that did not pass."""
        rows = {
            (result.metric, result.score, row["row_index"]): {"metric": result.metric, "score": result.score, **row}
            for result in self.results
            if result.outcome is not Outcome.PASS
            for row in result.worst
        }
        return list(rows.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; what goes to XCom and the score store."""
        data = {
            "outcome": str(self.outcome),
            "job": self.job,
            "summary": self.summary,
            "results": [result.to_dict() for result in self.results],
        }
        return {**data, "baseline": self.baseline} if self.baseline else data

    def to_table(self) -> str:
        """A plain text table, for logs, with the rows that got worse most."""
        return self._table("simple") + self._worst("simple", "\n\nRows that got worse most:\n")

    def to_markdown(self) -> str:
        return f"**{self.summary}**\n\n{self._table('github')}" + self._worst(
            "github", "\n\n**Rows that got worse most**\n\n"
        )

    def to_html(self) -> str:
        """A page of its own, which shows in a notebook as well."""
        from html import escape

        title = escape(self.summary)
        table = self._table("html")
        for outcome, colour in _COLOURS.items():
            table = table.replace(f"<td>{outcome.upper()}", f'<td style="color: {colour}">{outcome.upper()}')
        worst = self._worst("html", "\n<p><strong>Rows that got worse most</strong></p>\n")
        return (
            f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n<style>{_STYLE}</style>\n'
            f"<p><strong>{title}</strong></p>\n{table}{worst}"
        )

    def _table(self, style: str) -> str:
        return _tabulated([result._cells() for result in self.results], _COLUMNS, style)

    def _worst(self, style: str, heading: str) -> str:
        rows = [
            (str(w["score"]), str(w["row_index"]), f"{w['candidate']:.4g}", f"{w['baseline']:.4g}", _short(w["item"]))
            for w in self.worst
        ]
        columns = ("score", "row index", "candidate", "baseline", "item")
        return heading + _tabulated(rows, columns, style) if rows else ""


def _tabulated(rows: Sequence[tuple[str, ...]], columns: tuple[str, ...], style: str) -> str:
    from tabulate import tabulate

    if style == "github":  # a bar would end the cell
        rows = [tuple(cell.replace("|", r"\|").replace("\n", " ") for cell in row) for row in rows]
    return str(tabulate(rows, headers=columns, tablefmt=style, disable_numparse=True))


def _short(item: Mapping[str, Any], limit: int = 160) -> str:
    text = ", ".join(f"{name}: {value}" for name, value in item.items()).replace("\n", " ")
    return text if len(text) <= limit else f"{text[:limit]}…"
