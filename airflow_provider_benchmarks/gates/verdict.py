"""The verdict of a gate: the outcome of every check and one for all, as data, tables and pages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_benchmarks.gates.check import check_from_dict
from airflow_provider_benchmarks.gates.result import NOT_JUDGED, UNPROVEN, CheckResult, Outcome
from airflow_provider_benchmarks.gates.row_changes import row_identity
from airflow_provider_benchmarks.gates.verdict_fields import require_verdict
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.scores.shown import line
from airflow_provider_benchmarks.storable import storable_text

_COLUMNS = ("outcome", "metric", "score", "statistic", "observed", "expected", "count", "NaNs", "evidence", "reason")
#: The headline of a pass where no check could be judged.
_NOTHING_JUDGED = "NOTHING JUDGED"
#: The field of a verdict that has the number of results that are not in it.
LEFT_OUT = "left_out"
#: The fields of a verdict that name the jobs, where they are known.
_OF_JOBS = ("job", "benchmark", "workspace", "baseline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a gate.

    :param results: for each check one, or one for each group of its rows, in the order of the checks
    :param job: name of the job that was judged
    :param benchmark: what it ran, ``workspace/name``; empty when not known
    :param workspace: its own; empty when not known
    :param baseline: name of the job that it was compared with; empty for none
    :param left_out: number of results by outcome that are not in a verdict that was cut for an XCom; passes that are
        unproven, and warnings of checks that were not judged, count apart. Outcome and summary are of all results
    """

    results: tuple[CheckResult, ...]
    job: str = ""
    benchmark: str = ""
    workspace: str = ""
    baseline: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return line("Verdict", f'{self.summary}, job "{self.job}"' if self.job else self.summary)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the result of :meth:`to_dict`: a verdict in XCom, in a score store, or in a JSON report.

        :raises IncompleteResults: a part is not what it has to be; says which
        :raises ConfigurationError: a check is of a kind, or has fields, that this release does not know
        """
        require_verdict(data, _OF_JOBS, LEFT_OUT)
        known = {name: data[name] for name in (*_OF_JOBS, LEFT_OUT) if name in data}
        return cls(results=tuple(map(_read_result, data["results"])), **known)

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
        """One line: the outcome, and the number of checks that hold, that pass without proof, and that warn.

        A gate that passes without having judged anything does not say PASS.
        """
        found = self._counts
        unproven, warned = found[UNPROVEN], found[Outcome.WARN] + found[NOT_JUDGED]
        counts = f"{found[Outcome.PASS]} of {found.total()} checks hold"
        counts += f", {unproven} {'passes' if unproven == 1 else 'pass'} unproven" if unproven else ""
        counts += f", {warned} {'warns' if warned == 1 else 'warn'}" if warned else ""
        against = f" (baseline: {self.baseline})" if self.baseline else ""
        headline = self.outcome.upper() if self.judged or not self.passed else _NOTHING_JUDGED
        return one_line(storable_text(f"{headline}: {counts}{against}"))

    @property
    def judged(self) -> bool:
        """True if any check could be judged."""
        return any(self._counts[outcome] for outcome in (Outcome.PASS, Outcome.WARN, Outcome.FAIL))

    @property
    def _counts(self) -> Counter[str]:
        return Counter(result.counts_as for result in self.results) + Counter(self.left_out)

    @property
    def left_out_by_outcome(self) -> dict[Outcome, int]:
        """Number of results that a verdict for an XCom has no room for, by their outcome."""
        outcomes = {UNPROVEN: Outcome.PASS, NOT_JUDGED: Outcome.WARN}
        found: Counter[Outcome] = Counter()
        for name, number in self.left_out.items():
            found[outcomes.get(name) or Outcome(name)] += number
        return dict(found)

    @property
    def baselines(self) -> list[str]:
        """Names of the jobs that were compared with: the gate's baseline, and those of single checks."""
        compared = (result.baseline for result in self.results if result.observed is not None)
        return list(dict.fromkeys(name for name in (self.baseline, *compared) if name))

    @property
    def worst(self) -> list[Mapping[str, Any]]:
        """The rows that got worse most, of all checks that did not pass.

        A row that is in several groups is listed once, under the first of them that is not all rows. Rows that share a
        row index, as those that are paired by a key may, are listed each.
        """
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for result in self.results:
            for row in result.worst if result.outcome is not Outcome.PASS else ():
                place = (result.metric, result.score, result.baseline, *row_identity(row))
                if place not in rows or not rows[place]["group"]:
                    of = {"metric": result.metric, "score": result.score, "group": result.group}
                    rows[place] = {**of, "against": result.baseline, **row}
        return list(rows.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe: the form for the score store and, made storable, for XCom."""
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
        cells = [result.cells() for result in self.results]
        return _tabulated(cells, _COLUMNS, optional="evidence") + self._worst("\n\nRows that got worse most:\n")

    def to_markdown(self) -> str:
        """A page of at most 60,000 characters, which fits a comment on a pull request."""
        from airflow_provider_benchmarks.views import VerdictView, markdown_page

        return markdown_page(VerdictView.of(self))

    def to_html(self) -> str:
        """A whole HTML page of less than 500 kB, which needs nothing else; a notebook shows it too.

        :raises ConfigurationError: the packages that it needs are not installed (extra ``report``)
        """
        from airflow_provider_benchmarks.views import html_page

        return html_page(self)

    @property
    def subject(self) -> str:
        """The job and its baselines, for a reader who has only the report."""
        of = f" of benchmark {self.benchmark}" if self.benchmark else ""
        place = f' in workspace "{self.workspace}"' if self.workspace else ""
        names = " and ".join(f'"{name}"' for name in self.baselines)
        subject = f'Benchmark job "{self.job}"{of}{place}{f", compared with {names}" if names else ""}.'
        return one_line(storable_text(subject))

    def _worst(self, heading: str) -> str:
        rows = [
            (
                w["metric"], str(w["score"]), w["group"], str(w["row_index"]),
                f"{w['candidate']:.4g}", f"{w['baseline']:.4g}", _short(w["item"]),
            )
            for w in self.worst
        ]  # fmt: skip
        columns = ("metric", "score", "rows", "row index", "candidate", "baseline", "item")
        return heading + _tabulated(rows, columns, optional="rows") if rows else ""


def _read_result(data: Mapping[str, Any]) -> CheckResult:
    """Read the result of :meth:`CheckResult.to_dict`; a NaN has become None there."""
    low, high = data["interval"] or (None, None)
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    return CheckResult(
        check=check_from_dict(data["check"]),
        outcome=Outcome(data["outcome"]),
        interval=None if data["interval"] is None else ends,
        worst=tuple({**row, "row_index": _hashable(row["row_index"])} for row in data.get("worst", ())),
        **{name: data[name] for name in ("metric", "score", "observed", "expected", "count", "nan_count", "reason")},
        **{name: data[name] for name in ("judged", "group", "details") if name in data},
    )


def _hashable(row_index: Any) -> Any:
    """A row index of several columns as it was before it was JSON."""
    return tuple(row_index) if isinstance(row_index, list) else row_index


def _tabulated(rows: Sequence[tuple[str, ...]], columns: tuple[str, ...], *, optional: str) -> str:
    """A table.

    :param optional: column that is left out where it is empty in all rows
    """
    from tabulate import tabulate

    place = columns.index(optional)
    if not any(row[place] for row in rows):
        columns, *rows = ((*row[:place], *row[place + 1 :]) for row in (columns, *rows))
    rows = [tuple(one_line(storable_text(cell)) for cell in row) for row in rows]
    return str(tabulate(rows, headers=columns, tablefmt="simple", disable_numparse=True))


def _short(item: Mapping[str, Any], limit: int = 160) -> str:
    text = ", ".join(f"{name}: {value}" for name, value in item.items())
    return text if len(text) <= limit else f"{text[:limit]}…"
