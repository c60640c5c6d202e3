"""What an HTML report shows of a verdict, and how much of it: all words, numbers and places are decided here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Self

from airflow_provider_benchmarks import __version__
from airflow_provider_benchmarks.address_templates import is_address
from airflow_provider_benchmarks.gates.report_context import ReportContext
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.views.bounded import cost, line
from airflow_provider_benchmarks.views.changed_rows import RowPairView, changed_rows
from airflow_provider_benchmarks.views.gauge import Gauge
from airflow_provider_benchmarks.views.row_differences import DifferencesView, HistoryView, differences, histories
from airflow_provider_benchmarks.views.verdict import ORDER, CheckView, apart_in

#: Bytes on the page for all checks. With what rows, charts and the page itself may take, it stays below 500 kB.
_ROOM_OF_CHECKS = 170_000
#: Bytes of the page around a check's texts, and the most that each of them takes.
_AROUND_CHECK = 1_100
_MOST_OF_WHAT, _MOST_OF_VALUE, _MOST_OF_WHY, _MOST_OF_FACT = 400, 200, 1_200, 400
#: Characters of each text that are looked at.
_MOST_READ = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """A check, or a group of its rows.

    :param what: the score and its statistic; in a block of groups only the group
    :param gauge: None where there is nothing to draw
    """

    outcome: Outcome
    what: str
    observed: str
    required: str
    why: str
    gauge: Gauge | None

    @classmethod
    def of(cls, result: CheckResult, *, workspace: str, apart: str, in_block: bool) -> Self:
        found = CheckView.of(result, workspace=workspace, apart=apart)
        return cls(
            outcome=result.outcome,
            what=line(result.group if in_block and result.group else found.what, _MOST_OF_WHAT),
            observed=line(found.observed, _MOST_OF_VALUE),
            required=line(found.required, _MOST_OF_VALUE),
            why=line(found.why, _MOST_OF_WHY),
            gauge=Gauge.of(result),
        )

    @property
    def cost(self) -> int:
        return _AROUND_CHECK + sum(map(cost, (self.what, self.observed, self.required, self.why)))


@dataclass(slots=True, kw_only=True)
class Block:
    """A check, or all groups of one.

    :param title: of the groups, with their number by outcome; empty for a single check
    :param rows: those that did not pass; of a check of which all passed, these
    :param folded: those that passed, beside others
    :param left: the rest, counted in words
    """

    title: str = ""
    counts: str = ""
    rows: list[CheckRow] = field(default_factory=list)
    folded: list[CheckRow] = field(default_factory=list)
    left: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A report.

    :param facts: what was judged, by what and on what, each with its name
    :param links: texts and addresses
    :param missed: checks that did not pass, failures first
    :param held: those that passed
    :param left_missed: those for which there is no room, in words
    :param worse: the rows that got worse most
    """

    outcome: str
    headline: str
    counts: str
    facts: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    missed: tuple[Block, ...]
    held: tuple[Block, ...]
    left_missed: str
    left_held: str
    histories: tuple[HistoryView, ...]
    differences: tuple[DifferencesView, ...]
    worse: tuple[RowPairView, ...]
    better: tuple[RowPairView, ...]
    written_by: str = f"airflow-provider-benchmarks {__version__}"

    @classmethod
    def of(cls, verdict: Verdict, context: ReportContext) -> Self:
        verdict = _with_short_texts(verdict)
        headline, _, counts = line(verdict.summary, 2 * _MOST_OF_FACT).partition(": ")
        blocks = _Blocks(verdict)
        worse, better = changed_rows(verdict)
        return cls(
            outcome=str(verdict.outcome) if verdict.judged or not verdict.passed else "warn",
            headline=headline,
            counts=counts.split(" (baseline: ")[0],
            facts=tuple(_facts(verdict, context)),
            links=tuple(_links(context)),
            missed=tuple(blocks.missed),
            held=tuple(blocks.held),
            left_missed=blocks.left(missed=True),
            left_held=blocks.left(missed=False),
            histories=histories(verdict, context.history),
            differences=differences(verdict),
            worse=worse,
            better=better,
        )


def _with_short_texts(verdict: Verdict) -> Verdict:
    """The verdict without what no page has room for: what becomes of each text takes time for all of it."""
    of_results, of_jobs = (
        ("metric", "score", "expected", "reason", "group"),
        ("job", "benchmark", "workspace", "baseline"),
    )
    results = tuple(replace(result, **_cut(result, of_results)) for result in verdict.results)
    return replace(verdict, results=results, **_cut(verdict, of_jobs))


def _cut(of: CheckResult | Verdict, names: Sequence[str]) -> dict[str, Any]:
    texts = {name: getattr(of, name) for name in names}
    return {name: text[:_MOST_READ] for name, text in texts.items() if text is not None and len(text) > _MOST_READ}


def _facts(verdict: Verdict, context: ReportContext) -> Iterable[tuple[str, str]]:
    known = {
        "Job": verdict.job,
        "Baseline": ", ".join(verdict.baselines),
        "Benchmark": verdict.benchmark,
        "Model": context.model,
        "Workspace": verdict.workspace,
        "DAG": context.dag,
        "Task": context.task,
        "Run": context.run,
        "Submitted": context.submitted,
        "Policy": context.policy,
        "Versions": ", ".join(context.versions),
    }
    return ((name, line(value, _MOST_OF_FACT)) for name, value in known.items() if value)


def _links(context: ReportContext) -> Iterable[tuple[str, str]]:
    """Addresses of the web alone: a page must not run what a text calls a link."""
    for name, address in context.links.items():
        if is_address(address) and cost(address) < 2 * _MOST_OF_WHY:
            yield line(name, _MOST_OF_VALUE), address


class _Blocks:
    """The checks in blocks, as many as there is room for: those that did not pass first."""

    def __init__(self, verdict: Verdict) -> None:
        # All groups of one check stand together.
        of_checks = [list(results) for _, results in groupby(verdict.results, key=lambda result: result.check)]
        of_checks = [part for results in of_checks for part in ([results] if _is_sliced(results) else _singly(results))]
        of_checks.sort(key=lambda results: min(ORDER.index(result.outcome) for result in results))
        places = [(place, each) for place, results in enumerate(of_checks) for each in results]
        places.sort(key=lambda each: ORDER.index(each[1].outcome))
        blocks = [self._begun(results, verdict.workspace) for results in of_checks]
        apart = dict(zip(map(id, verdict.results), apart_in(verdict), strict=True))
        self._left: dict[int, Counter[str]] = {}
        self._left_out = verdict.left_out_by_outcome
        room = _ROOM_OF_CHECKS
        for place, result in places:
            row = None
            if room > 0:
                in_block = bool(blocks[place].title)
                row = CheckRow.of(result, workspace=verdict.workspace, apart=apart[id(result)], in_block=in_block)
                room -= row.cost
            if row is None:
                self._left.setdefault(place, Counter())[str(result.outcome)] += 1
            elif result.passed and not all(other.passed for other in of_checks[place]):
                blocks[place].folded.append(row)
            else:
                blocks[place].rows.append(row)
        passed = [all(result.passed for result in results) for results in of_checks]
        self._passed = passed
        for place, block in enumerate(blocks):
            if block.title and (block.rows or block.folded):
                block.left = _more(self._left.pop(place, Counter()))
        self.missed = [
            block for place, block in enumerate(blocks) if not passed[place] and (block.rows or block.folded)
        ]
        self.held = [block for place, block in enumerate(blocks) if passed[place] and block.rows]

    def left(self, *, missed: bool) -> str:
        counts = (left for place, left in self._left.items() if self._passed[place] != missed)
        gone = {str(each): n for each, n in self._left_out.items() if (each is not Outcome.PASS) == missed}
        return _more(sum(counts, Counter(gone)))

    @staticmethod
    def _begun(results: Sequence[CheckResult], workspace: str) -> Block:
        if not _is_sliced(results):
            return Block()
        whole = CheckView.of(replace(results[0], group=""), workspace=workspace)
        by = getattr(results[0].check, "by", "")
        counts = Counter(str(result.outcome) for result in results)
        return Block(title=line(f"{whole.what}, by {by}", _MOST_OF_WHAT), counts=_counted(counts))


def _singly(results: Sequence[CheckResult]) -> list[list[CheckResult]]:
    return [[result] for result in results]


def _is_sliced(results: Sequence[CheckResult]) -> bool:
    return len(results) > 1 and bool(getattr(results[0].check, "by", None))


def _more(counts: Counter[str]) -> str:
    return f"and {counts.total():,} more ({_counted(counts)}), which the verdict as JSON has" if counts else ""


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in map(str, ORDER) if counts[outcome])
