"""The rules for the fields of checks: each as code, for when a check is made, and as JSON Schema, for editors."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from airflow_provider_benchmarks.brief import brief, did_you_mean, followed, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: The ends of a range in ``where``, and their signs in messages.
RANGE_ENDS = {"at_least": "≥", "at_most": "≤", "above": ">", "below": "<"}
#: Number of characters of a name in a message, so that what was meant is told before a long message is cut.
MOST_OF_A_NAME = 60
#: Number of further mistakes in one check that one message names.
_MOST_OTHERS = 2
#: The end of a text in patterns. In Python's own, ``$`` is before a newline at the end, too.
END = r"$(?!\n)"
#: Bounds of numbers, by their names in JSON Schema.
_BOUNDS = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}


class Severity(StrEnum):
    """What a missed check does to the gate."""

    FAIL = "fail"
    WARN = "warn"


class WrongField(ConfigurationError):
    """A field of a check has a value that its rule does not allow.

    :param words: what is wrong with it; its message has what is wrong with the others, too
    :param path: the field's name, then the keys inside of it; empty where no single field is wrong
    :param others: what else is wrong with the same check
    :param known: a sentence with what there is instead
    """

    words: str

    def __init__(
        self, words: str, path: tuple[str, ...] = (), others: Sequence[WrongField] = (), *, known: str = ""
    ) -> None:
        told = [words, *(each.words for each in others[:_MOST_OTHERS])]
        more = [f"and {len(others) - _MOST_OTHERS:,} more mistakes"] if len(others) > _MOST_OTHERS else []
        super().__init__(followed("; ".join(told + more), known))
        self.words = words
        self.path = path
        self.others = tuple(others)
        self.known = known


@dataclass(frozen=True, slots=True)
class Rule:
    """The values that a field may have.

    :param words: the rule for messages: "must be …"
    :param schema: the rule as JSON Schema
    :param is_valid: the rule as code
    :param normalise: turns a valid value into the one that JSON gives back: a check equals itself after JSON
    :param members: the rule for each value of a mapping
    :param keys: the keys that a range may have; empty where the value is none
    """

    words: str
    schema: Mapping[str, Any]
    is_valid: Callable[[Any], bool]
    normalise: Callable[[Any], Any] | None = None
    members: Rule | None = None
    keys: Sequence[str] = ()

    def read(self, value: Any, what: str, *path: str) -> Any:
        """Validate and normalise a value.

        :param what: the check, for messages
        :param path: the field's name, then the keys inside of it
        :raises WrongField: the value is not valid
        """
        where = " ".join(shortened(step, MOST_OF_A_NAME) for step in path)
        if self.keys and isinstance(value, Mapping) and (unknown := [key for key in value if key not in self.keys]):
            known = f"Known keys of a range: {', '.join(self.keys)}"
            _raise_all([unknown_name(f"{what}: {where}", "key", key, self.keys, known, path) for key in unknown])
        if not self.is_valid(value):
            raise WrongField(f"{what}: {where} {self.words}, found {brief(value)}{_no_template(value)}", path)
        if self.members is not None and value is not None:
            _raise_all(wrong_values(value, dict.fromkeys(value, self.members), what, *path))
            return {name: self.members.read(member, what, *path, name) for name, member in value.items()}
        return value if self.normalise is None or value is None else self.normalise(value)


def _no_template(value: Any) -> str:
    """What to do where a template was given for what is no text that is rendered."""
    if not isinstance(value, str) or not any(sign in value for sign in ("{{", "{%")):
        return ""
    return (
        ": it is read before templates are rendered. Give the value itself, or choose one of several policy files: the "
        "path in policy= may be a template"
    )


def optional(rule: Rule) -> Rule:
    """The same rule, which allows None too."""
    return replace(
        rule,
        schema={**rule.schema, "type": [*_types(rule.schema), "null"]},
        is_valid=lambda value: value is None or rule.is_valid(value),
    )


def _types(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema names. One of several, with the keywords of each, tells more of a mistake than anyOf."""
    return [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])


def number(words: str, **bounds: float) -> Rule:
    """A finite number.

    :param bounds: limits, by their names in JSON Schema
    """
    return Rule(
        words,
        {"type": "number", **bounds},
        lambda value: _is_finite(value) and all(_BOUNDS[name](value, bound) for name, bound in bounds.items()),
    )


def whole(minimum: int) -> Rule:
    """A whole number. JSON Schema, and so a policy, takes 10.0 for a whole number too."""
    return Rule(
        f"must be a whole number, {minimum} or more",
        {"type": "integer", "minimum": minimum},
        lambda value: _is_finite(value) and value == int(value) and value >= minimum,
        int,
    )


def choice(choices: Sequence[str]) -> Rule:
    """One of some texts."""
    words = " or ".join(f'"{choice}"' for choice in choices)
    return Rule(
        f"must be {words}",
        {"enum": [str(choice) for choice in choices]},
        lambda value: isinstance(value, str) and value in tuple(choices),
    )


def _is_finite(value: Any) -> bool:
    """True for a number that is not NaN and fits a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_list_of(values: Any, is_valid: Callable[[Any], bool]) -> bool:
    return isinstance(values, list | tuple | set | frozenset) and bool(values) and all(map(is_valid, values))


def _is_plain(value: Any) -> bool:
    """True for a value that JSON keeps as it is."""
    return value is None or isinstance(value, str | bool) or _is_finite(value)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and set(value) <= set(RANGE_ENDS)
        and all(map(_is_finite, value.values()))
    )


def _as_json(value: Any) -> Any:
    """Turn tuples and sets into lists; sets in an order that does not change from run to run."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda member: (type(member).__name__, member))
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | list) else value


_TEXT_SCHEMA = {"type": "string", "minLength": 1}
_PLAIN_TYPES = ["string", "number", "boolean", "null"]

METRIC = Rule("must be the name of a metric", _TEXT_SCHEMA, _is_text)
NAME = optional(Rule("must be a name", _TEXT_SCHEMA, _is_text))
FIELD = optional(Rule("must be a field", _TEXT_SCHEMA, _is_text))
FIELDS = optional(
    Rule(
        "must be a field, or a list of fields",
        {**_TEXT_SCHEMA, "type": ["string", "array"], "items": _TEXT_SCHEMA, "minItems": 1},
        lambda value: _is_text(value) or _is_list_of(value, _is_text),
        _as_json,
    )
)
FLAG = Rule("must be true or false", {"type": "boolean"}, lambda value: isinstance(value, bool))
BAR = optional(number("must be a finite number"))
SHARE = number("must be 0 to 1", minimum=0, maximum=1)
CONFIDENCE = number("must be between 0.5 and 1", exclusiveMinimum=0.5, exclusiveMaximum=1)
#: The lowest and the highest score that there may be.
RANGE = optional(
    Rule(
        "must be the lowest and the highest score that there may be: two finite numbers, the first one smaller",
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2, "uniqueItems": True},
        lambda value: (
            _is_list_of(value, _is_finite)
            and len(value) == 2
            and not isinstance(value, set | frozenset)
            and value[0] < value[1]
        ),
        _as_json,
    )
)
SEVERITY = choice(list(Severity))

_CONDITION = Rule(
    "must be a text, a finite number, true, false or null, a list of one or more of these, or a range: numbers for some"
    f" of {', '.join(RANGE_ENDS)}",
    {
        "type": [*_PLAIN_TYPES, "array", "object"],
        "items": {"type": _PLAIN_TYPES},
        "minItems": 1,
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {end: {"type": "number"} for end in RANGE_ENDS},
    },
    lambda value: _is_plain(value) or _is_list_of(value, _is_plain) or _is_range(value),
    _as_json,
    keys=tuple(RANGE_ENDS),
)
#: Conditions: ``{"field": value}``, ``{"field": [values]}`` or ``{"field": {"at_least": 1, "below": 5}}``.
WHERE = optional(
    Rule(
        "must name one or more fields and their values",
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"minLength": 1},
            "additionalProperties": _CONDITION.schema,
        },
        lambda value: isinstance(value, Mapping) and bool(value) and all(map(_is_text, value)),
        members=_CONDITION,
    )
)


@dataclass(frozen=True, slots=True)
class Combination:
    """A condition that concerns several fields.

    :param names: of the fields; the condition is asked only where each has a valid value
    :param is_met: the condition
    :param problem: what is wrong where it is not met
    :param path: of the field that is wrong; empty where no single one is
    """

    names: tuple[str, ...]
    is_met: Callable[[], bool]
    problem: Callable[[], str]
    path: tuple[str, ...] = ()


def read_fields(check: Any, what: str, combinations: Iterable[Combination] = ()) -> None:
    """Validate the fields of a new check, and keep them as JSON gives them back.

    :param what: the check, for messages
    :param combinations: conditions of several fields
    :raises WrongField: a field is not valid; what else is wrong is its ``others``
    """
    values = {name: getattr(check, name) for name in check.rules}
    wrong = wrong_values(values, check.rules, what)
    bad = {error.path[0] for error in wrong}
    for name in check.rules.keys() - bad:
        object.__setattr__(check, name, check.rules[name].read(values[name], what, name))
    for each in combinations:
        if bad.isdisjoint(each.names) and not each.is_met():
            wrong.append(WrongField(f"{what}: {each.problem()}", each.path))
    _raise_all(wrong)


def wrong_values(values: Mapping[str, Any], rules: Mapping[str, Rule], what: str, *path: str) -> list[WrongField]:
    """What is wrong with the values of single fields.

    :param what: the check, for messages
    :param path: of the mapping that has the values, in the check
    """
    wrong: list[WrongField] = []
    for name, rule in rules.items():
        if name in values:
            try:
                rule.read(values[name], what, *path, name)
            except WrongField as error:
                wrong += [error, *error.others]
    return wrong


def unknown_name(
    what: str,
    noun: str,
    name: object,
    names: Iterable[str],
    known: str,
    path: tuple[Any, ...] = (),
    *,
    hint: str | None = None,
) -> WrongField:
    """What is wrong with a name that is none of some, and which of them was meant.

    :param what: where it is, for the message
    :param noun: what it is the name of
    :param known: a sentence with those that there are
    :param path: of the mapping that has it, in the check
    :param hint: what was meant, where that is another word; None: the name that is most like it
    """
    meant = did_you_mean(name, names) if hint is None else hint
    words = f'{what}: unknown {noun} "{shortened(name, MOST_OF_A_NAME)}"{meant}'
    return WrongField(words, (*path, name), known=known)  # type: ignore[arg-type]


def _raise_all(wrong: Sequence[WrongField]) -> None:
    """Raise the first of some mistakes, with the others."""
    if wrong:
        first, *others = wrong
        raise WrongField(first.words, first.path, others, known=first.known)


def require_choice(value: Any, choices: Sequence[str], name: str, what: str) -> None:
    """Raise a WrongField unless an argument is one of some texts."""
    choice(choices).read(value, what, name)
