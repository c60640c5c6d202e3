"""What a gate found: an outcome for every check and one for all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from airflow_provider_benchmarks.gates.checks import Check, check_from_dict
from airflow_provider_benchmarks.scores.json_values import is_number, json_safe


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
_COLUMNS = ("outcome", "metric", "score", "statistic", "observed", "expected", "count", "NaNs", "evidence", "reason")
#: How a pass counts that was not shown.
UNPROVEN = "unproven"
#: How a warning counts where nothing was judged.
NOT_JUDGED = "not_judged"
#: Stands in a headline for a pass where no check could be judged.
_NOTHING_JUDGED = "NOTHING JUDGED"
#: Of a verdict as a dict, how many results are not in it.
LEFT_OUT = "left_out"
#: What a verdict says of the jobs, where it is known.
_OF_JOBS = ("job", "benchmark", "workspace", "baseline")


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
    :param reason: why the check did not pass, in one sentence; empty when it passed. One that passes with a reason is
        unproven: it is inconclusive or has no baseline, and the gate takes that for a pass
    :param judged: False where nothing was judged: it is inconclusive, there is no baseline, or too few rows
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
    judged: bool = True
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
        if not self.judged:
            data["judged"] = False
        optional = {"group": self.group, "details": dict(self.details), "worst": list(self.worst)}
        safe: dict[str, Any] = json_safe({**data, **{key: value for key, value in optional.items() if value}})
        return safe

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave; a NaN has become None there."""
        low, high = data["interval"] or (None, None)
        ends = (-math.inf if low is None else low, math.inf if high is None else high)
        return cls(
            check=check_from_dict(data["check"]),
            outcome=Outcome(data["outcome"]),
            interval=None if data["interval"] is None else ends,
            worst=tuple(data.get("worst", ())),
            **{
                name: data[name] for name in ("metric", "score", "observed", "expected", "count", "nan_count", "reason")
            },
            **{name: data[name] for name in ("judged", "group", "details") if name in data},
        )

    @property
    def counts_as(self) -> str:
        """The outcome, but for a pass that is unproven, and a warning that nothing was judged."""
        if self.outcome is Outcome.WARN and not self.judged:
            return NOT_JUDGED
        return UNPROVEN if self.outcome is Outcome.PASS and self.reason else self.outcome

    @property
    def baseline(self) -> str:
        """The job that the check compared with; empty where that is not known."""
        found = self.details.get("baseline")
        return found if isinstance(found, str) else getattr(self.check, "baseline", None) or ""

    @property
    def evidence(self) -> str:
        """What the outcome rests on, in few words: paired rows, p, and what could have been seen; or the history."""
        found = self.details
        parts = []
        if "pairs" in found:
            parts.append(f"{found['pairs']:,} of {found['rows']:,} rows paired")
        elif "n" in found:
            parts.append(f"{found['n']:,} rows, not paired")
        if found.get("clusters"):
            parts.append(f"{found['clusters']:,} clusters")
        if is_number(found.get("p_value")):
            parts.append(f"p {found['p_value']:.2g}" if found["p_value"] >= 0.0001 else "p < 0.0001")
        if is_number(found.get("p_value_adjusted")) and found["p_value_adjusted"] != found.get("p_value"):
            parts.append(f"{found['p_value_adjusted']:.2g} of several")
        if is_number(found.get("detectable_drop")):
            worse = "drop" if getattr(self.check, "higher_is_better", True) else "rise"
            parts.append(f"a {worse} of {found['detectable_drop']:.3g} would be seen in 80 % of runs")
        if "deviation" in found:
            jobs, middle, deviation = (found[name] for name in ("jobs", "median", "deviation"))
            parts.append(f"last {jobs} jobs: median {middle:.4g}, deviation {deviation:.2g}")
        return ", ".join(parts)

    def _cells(self) -> tuple[str, ...]:
        shown = ("–" if value is None else str(value) for value in (self.count, self.nan_count))
        score = self.score or "–"
        return (
            self.outcome.upper(), self.metric, f"{score} [{self.group}]" if self.group else score,
            self.check.statistic, self._observed(), self.expected, *shown, self.evidence, self.reason,
        )  # fmt: skip

    def _observed(self) -> str:
        """The observed value, with as many digits as tell it from the bars."""
        if self.observed is None:
            return "–"
        bars = [getattr(self.check, name, None) for name in ("at_least", "at_most")]
        bars += [self.details.get(name) for name in ("low", "high")]
        margin: float = self.details.get("margin") or 0.0
        bars += [margin, -margin]
        others = {f"{bar:.6g}" for bar in bars if bar not in (None, self.observed)}
        texts = [f"{self.observed:.{digits}g}" for digits in (6, 9, 12, 17)]
        text = next((text for text in texts if text not in others), texts[-1])
        return text if self.interval is None else f"{text} ({self.interval[0]:.4g} to {self.interval[1]:.4g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a gate.

    :param results: for each check one, or one for each group of its rows, in the order of the checks
    :param job: name of the job that was judged
    :param benchmark: what it ran, ``workspace/name``; empty when not known
    :param workspace: its own; empty when not known
    :param baseline: name of the job that it was compared with; empty for none
    :param left_out: how many more results there were, where it was cut for an XCom, by outcome; passes that are
        unproven, and warnings of checks that were not judged, are told apart. Outcome and summary are of them all
    """

    results: tuple[CheckResult, ...]
    job: str = ""
    benchmark: str = ""
    workspace: str = ""
    baseline: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave: a verdict in XCom, in a score store, or in a JSON report."""
        known = {name: data[name] for name in (*_OF_JOBS, LEFT_OUT) if name in data}
        return cls(results=tuple(CheckResult.from_dict(result) for result in data["results"]), **known)

    @property
    def outcome(self) -> Outcome:
        """``fail`` if any check failed, else ``inconclusive`` if any is, else ``pass``; warnings pass."""
        counts = self._counts
        return next((o for o in (Outcome.FAIL, Outcome.INCONCLUSIVE) if counts[o]), Outcome.PASS)

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS

    @property
    def summary(self) -> str:
        """One line: the outcome, how many checks hold, how many pass without having shown it, and how many warn.

        A gate that passes without having judged anything does not say PASS.
        """
        found = self._counts
        unproven, warned = found[UNPROVEN], found[Outcome.WARN] + found[NOT_JUDGED]
        counts = f"{found[Outcome.PASS]} of {found.total()} checks hold"
        counts += f", {unproven} {'passes' if unproven == 1 else 'pass'} unproven" if unproven else ""
        counts += f", {warned} {'warns' if warned == 1 else 'warn'}" if warned else ""
        against = f" (baseline: {self.baseline})" if self.baseline else ""
        return f"{self.outcome.upper() if self.judged or not self.passed else _NOTHING_JUDGED}: {counts}{against}"

    @property
    def judged(self) -> bool:
        """Whether any check could be judged."""
        return any(self._counts[outcome] for outcome in (Outcome.PASS, Outcome.WARN, Outcome.FAIL))

    @property
    def _counts(self) -> Counter[str]:
        return Counter(result.counts_as for result in self.results) + Counter(self.left_out)

    @property
    def baselines(self) -> list[str]:
        """The jobs that were compared with: the gate's baseline, and those of single checks."""
        compared = (result.baseline for result in self.results if result.observed is not None)
        return list(dict.fromkeys(name for name in (self.baseline, *compared) if name))

    @property
    def worst(self) -> list[Mapping[str, Any]]:
        """The rows that got worse most, of all checks that did not pass.

        A row that is in several groups comes once, under the first of them that is not all rows.
        """
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for result in self.results:
            for row in result.worst if result.outcome is not Outcome.PASS else ():
                place = (result.metric, result.score, result.baseline, row["row_index"])
                if place not in rows or not rows[place]["group"]:
                    rows[place] = {"metric": result.metric, "score": result.score, "group": result.group, **row}
        return list(rows.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; what goes to XCom and the score store."""
        jobs = {name: getattr(self, name) for name in _OF_JOBS}
        return {
            "outcome": str(self.outcome),
            "job": self.job,
            "summary": self.summary,
            **{name: value for name, value in jobs.items() if value},
            **({LEFT_OUT: dict(self.left_out)} if self.left_out else {}),
            "results": [result.to_dict() for result in self.results],
        }

    def to_table(self) -> str:
        """A plain text table, for logs, with the rows that got worse most."""
        return self._table("simple") + self._worst("simple", "\n\nRows that got worse most:\n")

    def to_markdown(self) -> str:
        worst = self._worst("github", "\n\n**Rows that got worse most**\n\n")
        return f"**{self.summary}**\n\n{self._subject()}\n\n{self._table('github')}{worst}"

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
            f"<p><strong>{title}</strong></p>\n<p>{escape(self._subject())}</p>\n{table}{worst}"
        )

    def _subject(self) -> str:
        """What was judged, and by what, for a reader who has only the report."""
        of = f" of benchmark {self.benchmark}" if self.benchmark else ""
        place = f' in workspace "{self.workspace}"' if self.workspace else ""
        names = " and ".join(f'"{name}"' for name in self.baselines)
        return f'Benchmark job "{self.job}"{of}{place}{f", compared with {names}" if names else ""}.'

    def _table(self, style: str) -> str:
        return _tabulated([result._cells() for result in self.results], _COLUMNS, style, optional="evidence")

    def _worst(self, style: str, heading: str) -> str:
        rows = [
            (
                w["metric"], str(w["score"]), w["group"], str(w["row_index"]),
                f"{w['candidate']:.4g}", f"{w['baseline']:.4g}", _short(w["item"]),
            )
            for w in self.worst
        ]  # fmt: skip
        columns = ("metric", "score", "rows", "row index", "candidate", "baseline", "item")
        return heading + _tabulated(rows, columns, style, optional="rows") if rows else ""


def _tabulated(rows: Sequence[tuple[str, ...]], columns: tuple[str, ...], style: str, *, optional: str) -> str:
    """A table.

    :param optional: column that is left out where no row has anything in it
    """
    from tabulate import tabulate

    place = columns.index(optional)
    if not any(row[place] for row in rows):
        columns, *rows = ((*row[:place], *row[place + 1 :]) for row in (columns, *rows))
    if style == "github":  # a bar would end the cell
        rows = [tuple(cell.replace("|", r"\|").replace("\n", " ") for cell in row) for row in rows]
    return str(tabulate(rows, headers=columns, tablefmt=style, disable_numparse=True))


def _short(item: Mapping[str, Any], limit: int = 160) -> str:
    text = ", ".join(f"{name}: {value}" for name, value in item.items()).replace("\n", " ")
    return text if len(text) <= limit else f"{text[:limit]}…"
