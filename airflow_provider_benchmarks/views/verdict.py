"""What there is to be read of a verdict: the checks, failures first, and the rows that got worse most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.storable import storable_text
from airflow_provider_benchmarks.views.distinctions import distinctions

#: Characters of each text of a check: a reason of several sentences is whole, a name that is a book is not.
MOST_CHARACTERS = 2000
#: In which order a reader wants the checks.
ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.PASS)
#: Of checks that keep a gate from passing.
UNMET = (Outcome.FAIL, Outcome.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One check, in words.

    :param outcome: of the check
    :param what: the score and its statistic, ``exact-match mean [category = math]``; the metric is named without the
        verdict's own workspace. Behind it, what tells the check from others of the same name and bar
    :param observed: the value; "–" where there is none
    :param required: the bar
    :param why: what the outcome rests on
    :param sentence: which check, and why it did not pass
    """

    outcome: Outcome
    what: str
    observed: str
    required: str
    why: str
    sentence: str

    @classmethod
    def of(cls, result: CheckResult, *, workspace: str, apart: str = "") -> Self:
        """Word a result.

        :param apart: what tells it from others, see :func:`apart_in`
        """
        # It only says which value missed which bar.
        restates = result.reason.endswith(f", expected {result.expected}")
        what = _what(result, workspace) + (f" ({apart})" if apart else "")
        # Any other reason has the evidence in it, where there is any.
        evidence = ", ".join(filter(None, [_counted(result), result.evidence]))
        texts = {
            "what": what,
            "observed": result.observed_text,
            "required": result.expected,
            "why": evidence if restates else result.reason or evidence,
            "sentence": _restated(result, workspace, apart) if restates else f"{what}: {result.reason}",
        }
        return cls(outcome=result.outcome, **{name: _shown(text) for name, text in texts.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """A row that got worse: which, of what, both scores, and the dataset's item."""

    row_index: int
    score: str
    group: str
    baseline: float
    candidate: float
    item: Mapping[str, Any]
    against: str = ""

    @property
    def what(self) -> str:
        """The score, with the group where there is one, and the baseline where there are several."""
        group = f" [{self.group}]" if self.group else ""
        return f"{self.score}{group}{f' against {self.against}' if self.against else ''}"

    @property
    def item_text(self) -> str:
        """The item in a line: its fields and their values."""
        return ", ".join(f"{name}: {value}" for name, value in self.item.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """A verdict, in words.

    :param headline: outcome and counts
    :param subject: the job and its baselines
    :param checks: failures first
    :param worst: the rows that got worse most, of checks that did not pass
    :param left_out: number of checks by outcome that a verdict of an XCom has no room for
    """

    outcome: Outcome
    headline: str
    subject: str
    checks: tuple[CheckView, ...]
    worst: tuple[RowView, ...]
    left_out: Mapping[Outcome, int] = field(default_factory=dict)

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        apart = apart_in(verdict)
        found = sorted(zip(verdict.results, apart, strict=True), key=lambda each: ORDER.index(each[0].outcome))
        has_several = len(verdict.baselines) > 1
        return cls(
            outcome=verdict.outcome,
            headline=verdict.summary,
            subject=verdict.subject,
            checks=tuple(CheckView.of(result, workspace=verdict.workspace, apart=text) for result, text in found),
            worst=tuple(_row(row, verdict.workspace, names_baseline=has_several) for row in verdict.worst),
            left_out=verdict.left_out_by_outcome,
        )

    @property
    def unmet(self) -> tuple[CheckView, ...]:
        """The checks that keep the gate from passing; where none does, none."""
        return tuple(check for check in self.checks if check.outcome in UNMET)


def apart_in(verdict: Verdict) -> list[str]:
    """For each result what tells it from others that a reader would take for the same; mostly nothing."""
    names = [(_what(result, verdict.workspace), result.expected) for result in verdict.results]
    return distinctions(names, [result.check for result in verdict.results])


def _restated(result: CheckResult, workspace: str, apart: str) -> str:
    """The reason, with the metric's name where its score has another."""
    statistic, name = result.check.observed_statistic, _score_name(result.metric, result.score, workspace)
    own = f"{statistic} of {result.score}"
    reason = (
        f"{statistic} of {name}{result.reason.removeprefix(own)}" if result.reason.startswith(own) else result.reason
    )
    return f"{reason} ({apart})" if apart else reason


def _shown(text: str) -> str:
    return shortened(one_line(storable_text(text)), MOST_CHARACTERS)


def _what(result: CheckResult, workspace: str) -> str:
    name = _score_name(result.metric, result.score, workspace)
    group = f" [{result.group}]" if result.group else ""
    return f"{name} {result.check.observed_statistic}{group}"


def _score_name(metric: str, score: str | None, workspace: str) -> str:
    """``exact-match``; ``judge/helpfulness`` where the score is called otherwise than its metric."""
    own = metric.removeprefix(f"{workspace}/") if workspace else metric
    return own if score in (None, own, metric.rpartition("/")[2]) else f"{own}/{score}"


def _counted(result: CheckResult) -> str:
    if result.count is None:
        return ""
    without = f", {result.nan_count:,} without a value" if result.nan_count else ""
    return f"{result.count:,} row{'' if result.count == 1 else 's'}{without}"


def _row(found: Mapping[str, Any], workspace: str, *, names_baseline: bool) -> RowView:
    return RowView(
        row_index=found["row_index"],
        score=_score_name(found["metric"], found["score"], workspace),
        group=found["group"],
        baseline=found["baseline"],
        candidate=found["candidate"],
        item=found["item"],
        against=found["against"] if names_baseline else "",
    )
