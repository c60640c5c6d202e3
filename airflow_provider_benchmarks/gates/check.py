"""What every kind of check has: plain data, what it needs, how it judges; and the registry of kinds.

A new kind is a module with a subclass of :class:`Check` and its name in the call of :func:`register` in this package's
``__init__``. ``python -m airflow_provider_benchmarks.gates.schema`` then writes it into ``policy.schema.json``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow_provider_benchmarks.brief import brief, did_you_mean, shortened
from airflow_provider_benchmarks.gates.field_rules import (
    MOST_OF_A_NAME,
    Rule,
    Severity,
    WrongField,
    unknown_name,
    wrong_values,
)
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome
from airflow_provider_benchmarks.scores import AggregateScore

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.evidence import Evidence

#: The kind of a check whose plain data does not say which.
DEFAULT_KIND = "threshold"
#: What a gate says for all of its checks, besides these.
OF_GATES = ("checks", "if_inconclusive", "if_no_baseline")
#: Fields as other tools call them.
_OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("min", "minimum", "min_value", "lower", "floor", "above", "ge", "gte"), ("at_least",)),
    **dict.fromkeys(("max", "maximum", "max_value", "upper", "ceiling", "below", "le", "lte"), ("at_most",)),
    **dict.fromkeys(("threshold", "bar", "limit", "value", "target"), ("at_least", "at_most", "margin")),
    **dict.fromkeys(("tolerance", "max_drop", "drop", "max_regression", "max_decrease"), ("margin",)),
}
#: The kinds of checks, by their names in policies.
KINDS: dict[str, type[Check]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a check must be given before it can judge.

    :param rows: row scores, where the job has them
    :param fields: names of the fields of the items that it reads
    :param baseline: name of the baseline that it compares with, "" for the gate's own; None: it compares with none
    :param baseline_runs: number of runs of the baseline's model that its scores are means over
    :param pairing: whether the items of two rows are equal
    :param repeat_by: name of the field that numbers the repeats of an item: whether items are equal but for that
    :param history: number of earlier jobs that passed
    :param since_pin: number of the first jobs since the pinned one that passed, with the later ones; 0 for none
    :param modules: Python modules that judging imports, besides those that read row scores
    """

    rows: bool = False
    fields: tuple[str, ...] = ()
    baseline: str | None = None
    baseline_runs: int = 1
    pairing: bool = False
    repeat_by: str | None = None
    history: int = 0
    since_pin: int = 0
    modules: tuple[str, ...] = ()


class Check(ABC):
    """A check on a score, as plain data: it compares, serialises and reads as it is written.

    A subclass is a frozen dataclass with the fields ``metric``, ``score``, ``statistic``, ``severity`` and its own.
    """

    __slots__ = ()

    #: Its name in policies.
    kind: ClassVar[str]
    #: The rule of each field.
    rules: ClassVar[Mapping[str, Rule]]
    #: JSON Schema keywords for conditions that concern several fields.
    schema_of_combinations: ClassVar[Mapping[str, Any]] = {}

    metric: str
    score: str | None
    statistic: str
    severity: str

    @property
    def observed_statistic(self) -> str:
        """Name of what is observed."""
        return self.statistic

    @property
    @abstractmethod
    def expected(self) -> str:
        """The bar in words."""

    @property
    def if_inconclusive(self) -> str:
        """``fail`` or ``warn``: what an inconclusive result does where the policy does not say."""
        return "warn"

    @property
    def takes_rows_as_independent(self) -> bool:
        """True if it infers something from the number of rows, each of which counts as evidence of its own."""
        return False

    @property
    def joins_equal_items(self) -> bool:
        """True if rows whose items are equal in all fields count as one by themselves."""
        return False

    @abstractmethod
    def needs(self) -> Needs:
        """What it must be given before it can judge."""

    @abstractmethod
    def judge(self, evidence: Evidence) -> Sequence[Finding]:
        """Judge the candidate's score, or each group of its rows."""

    def result(
        self, outcome: Outcome, *, score: AggregateScore | None = None, reason: str = "", **figures: Any
    ) -> CheckResult:
        """Make a result of this check; a failure is a warning where the severity says so.

        :param score: the one that was judged; None where it was not found
        :param figures: further fields of the result
        """
        known: dict[str, Any] = {
            "observed": None,
            "expected": self.expected,
            "count": None,
            "nan_count": None,
            **figures,
        }
        # Without an observed value nothing was compared with the bar.
        known.setdefault("judged", known["observed"] is not None)
        return CheckResult(
            check=self,
            metric=score.metric if score else self.metric,
            score=score.name if score else self.score,
            outcome=Outcome.WARN if outcome is Outcome.FAIL and self.severity == Severity.WARN else outcome,
            reason=reason,
            **known,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without the fields that are at their default."""
        this: Any = self
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(this)}
        changed = {name: value for name, (value, default) in values.items() if value != default}
        return {"type": self.kind, **deepcopy(changed)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a check of this kind from its fields.

        :raises WrongField: there are unknown or wrong fields; names the known ones
        """
        has_metric = "metric" in data
        metric = f'on "{shortened(data["metric"], MOST_OF_A_NAME)}"' if has_metric else brief(dict(data))
        what, known = f"{cls.kind} {metric}", f"Known fields of {cls.kind}: {', '.join(cls.rules)}"
        wrong = [
            unknown_name(what, "field", name, cls.rules, known, hint=_hint(name, cls.rules))
            for name in data
            if name not in cls.rules
        ]
        if not has_metric:
            wrong.insert(0, WrongField(f"{what} has no metric", known=known))
        if wrong:
            # What does not go together is left for when each field is known.
            others = [*wrong[1:], *wrong_values(data, cls.rules, what)]
            raise WrongField(wrong[0].words, wrong[0].path, others, known=known)
        return cls(**data)


def _hint(name: object, rules: Mapping[str, Rule]) -> str | None:
    """What was meant by the name of no field; None where only its spelling tells."""
    if name in OF_GATES:
        return ": it is of the whole gate, beside checks in a policy, or an argument of the gate's task"
    word = name.lower().replace("-", "_") if isinstance(name, str) else ""
    meant = [each for each in _OTHER_WORDS.get(word, ()) if each in rules]
    quoted = " or ".join(f'"{each}"' for each in meant)
    return f". Did you mean {quoted}?" if meant else None


def register(*kinds: type[Check]) -> None:
    """Add kinds of checks, for policies, plain data and stored verdicts to name.

    :raises ValueError: another class has the name of a kind
    """
    for check in kinds:
        if KINDS.setdefault(check.kind, check) is not check:
            raise ValueError(f'two kinds of checks are called "{check.kind}": {KINDS[check.kind]} and {check}')


def check_from_dict(data: Mapping[str, Any]) -> Check:
    """Build a check from plain data; ``type`` may be left out for a threshold.

    :raises ConfigurationError: the type is unknown, or there are unknown or wrong fields; names the known ones
    """
    if not isinstance(data, Mapping):
        raise WrongField(f"expected a check with its fields, found {brief(data)}")
    arguments = dict(data)
    kind = arguments.pop("type", DEFAULT_KIND)
    if not isinstance(kind, str) or kind not in KINDS:
        known = f"Known types of checks: {', '.join(KINDS)}"
        words = f'unknown type of check "{shortened(kind)}"{did_you_mean(kind, KINDS)}'
        raise WrongField(words, ("type",), known=known)
    return KINDS[kind].from_dict(arguments)
