"""What the fields of checks may hold: one rule for each, as code for when a check is made, and as JSON Schema."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: The ends of a range in ``where``, and how they are told.
RANGE_ENDS = {"at_least": "≥", "at_most": "≤", "above": ">", "below": "<"}
#: Bounds of numbers, as JSON Schema names them.
_BOUNDS = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}


class Severity(StrEnum):
    FAIL = "fail"
    WARN = "warn"


class WrongField(ConfigurationError):
    """A field of a check holds what it can't.

    :param path: the field's name, and what it is inside of it; empty where no one field is wrong
    """

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field may hold.

    :param words: for messages: "must be …"
    :param schema: the rule as JSON Schema
    :param holds: the rule as code
    :param normal: makes a value that holds what JSON makes of it, so that a check equals what is read back from JSON
    :param members: the rule of each value of a mapping
    """

    words: str
    schema: Mapping[str, Any]
    holds: Callable[[Any], bool]
    normal: Callable[[Any], Any] | None = None
    members: Rule | None = None

    def read(self, value: Any, what: str, *path: str) -> Any:
        """The value as a check keeps it.

        :raises WrongField: it does not hold
        """
        if not self.holds(value):
            where = " ".join(map(shortened, path))
            raise WrongField(f"{what}: {where} {self.words}, found {brief(value)}", path)
        if self.members is not None and value is not None:
            return {name: self.members.read(member, what, *path, name) for name, member in value.items()}
        return value if self.normal is None or value is None else self.normal(value)


def optional(rule: Rule) -> Rule:
    """The same, or None."""
    schema = {"anyOf": [rule.schema, {"type": "null"}]}
    return Rule(rule.words, schema, lambda value: value is None or rule.holds(value), rule.normal, rule.members)


def number(words: str, **bounds: float) -> Rule:
    """:param bounds: as JSON Schema names them"""
    return Rule(
        words,
        {"type": "number", **bounds},
        lambda value: _is_finite(value) and all(_BOUNDS[name](value, bound) for name, bound in bounds.items()),
    )


def whole(minimum: int) -> Rule:
    """A count; JSON Schema, and so a policy, takes 10.0 for a whole number too."""
    return Rule(
        f"must be a whole number, {minimum} or more",
        {"type": "integer", "minimum": minimum},
        lambda value: _is_finite(value) and value == int(value) and value >= minimum,
        int,
    )


def choice(choices: Sequence[str]) -> Rule:
    words = " or ".join(f'"{choice}"' for choice in choices)
    return Rule(
        f"must be {words}",
        {"enum": [str(choice) for choice in choices]},
        lambda value: isinstance(value, str) and value in tuple(choices),
    )


def _is_finite(value: Any) -> bool:
    """Whether a value is a number that is not NaN and fits a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_list_of(values: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(values, list | tuple | set | frozenset) and bool(values) and all(map(holds, values))


def _is_plain(value: Any) -> bool:
    """Whether JSON holds a value as it is."""
    return value is None or isinstance(value, str | bool) or _is_finite(value)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and set(value) <= set(RANGE_ENDS)
        and all(map(_is_finite, value.values()))
    )


def _as_json(value: Any) -> Any:
    """Lists for tuples and sets, the latter in an order that does not change from run to run."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda member: (type(member).__name__, member))
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | list) else value


_TEXT_SCHEMA = {"type": "string", "minLength": 1}
_PLAIN_SCHEMA = {"type": ["string", "number", "boolean", "null"]}

METRIC = Rule("must be the name of a metric", _TEXT_SCHEMA, _is_text)
NAME = optional(Rule("must be a name", _TEXT_SCHEMA, _is_text))
FIELD = optional(Rule("must be a field", _TEXT_SCHEMA, _is_text))
FIELDS = optional(
    Rule(
        "must be a field, or a list of fields",
        {"anyOf": [_TEXT_SCHEMA, {"type": "array", "items": _TEXT_SCHEMA, "minItems": 1}]},
        lambda value: _is_text(value) or _is_list_of(value, _is_text),
        _as_json,
    )
)
FLAG = Rule("must be true or false", {"type": "boolean"}, lambda value: isinstance(value, bool))
BAR = optional(number("must be a finite number"))
SHARE = number("must be 0 to 1", minimum=0, maximum=1)
CONFIDENCE = number("must be between 0.5 and 1", exclusiveMinimum=0.5, exclusiveMaximum=1)
SEVERITY = choice(list(Severity))

_CONDITION = Rule(
    "must be a text, a finite number, true, false or null, a list of one or more of these, or a range: numbers for some"
    f" of {', '.join(RANGE_ENDS)}",
    {
        "anyOf": [
            _PLAIN_SCHEMA,
            {"type": "array", "items": _PLAIN_SCHEMA, "minItems": 1},
            {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {end: {"type": "number"} for end in RANGE_ENDS},
            },
        ]
    },
    lambda value: _is_plain(value) or _is_list_of(value, _is_plain) or _is_range(value),
    _as_json,
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


def read_fields(check: Any, what: str) -> None:
    """Hold the fields of a new check against its rules, and keep them as JSON gives them back.

    :raises WrongField: one does not hold
    """
    for name, rule in check.rules.items():
        object.__setattr__(check, name, rule.read(getattr(check, name), what, name))


def require(holds: bool, what: str, problem: str, *path: str) -> None:
    """Raise a WrongField unless something holds."""
    if not holds:
        raise WrongField(f"{what}: {problem}", path)


def require_choice(value: Any, choices: Sequence[str], name: str, what: str) -> None:
    choice(choices).read(value, what, name)


def plain(check: Any) -> dict[str, Any]:
    """A check as plain JSON, without what was left at its default."""
    given = {f.name: getattr(check, f.name) for f in fields(check)}
    changed = {f.name: given[f.name] for f in fields(check) if given[f.name] != f.default}
    return {"type": check.kind, **deepcopy(changed)}


def exactly(value: float) -> str:
    """A number as it is written: short, but never another number, as 0.69999996 is not 0.7."""
    short = f"{value:g}"
    return short if float(short) == value else str(value)


def describe_where(where: Mapping[str, Any] | None) -> str:
    """Conditions in words: ``category = math, length ≥ 10``."""
    parts = []
    for name, wanted in (where or {}).items():
        if isinstance(wanted, Mapping):
            parts += [f"{name} {RANGE_ENDS[end]} {exactly(value)}" for end, value in wanted.items()]
        elif isinstance(wanted, list):
            parts.append(f"{name} in {', '.join(map(str, wanted))}")
        else:
            parts.append(f"{name} = {wanted}")
    return ", ".join(parts)
