"""What the fields of checks may hold, checked when a check is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import Any

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.values import is_number

#: The ends of a range in ``where``.
RANGE_ENDS = ("at_least", "at_most", "above", "below")


class Severity(StrEnum):
    FAIL = "fail"
    WARN = "warn"


def require(holds: bool, what: str, problem: str) -> None:
    """Raise a ConfigurationError unless something holds."""
    if not holds:
        raise ConfigurationError(f"{what}: {problem}")


def require_metric(metric: Any, kind: str) -> None:
    require(isinstance(metric, str) and bool(metric), kind, f"needs the name of a metric, found {metric!r}")


def require_share(value: Any, name: str, what: str) -> None:
    require(is_number(value) and 0 <= value <= 1, what, f"{name} must be 0 to 1, found {value!r}")


def require_confidence(value: Any, what: str) -> None:
    require(is_number(value) and 0.5 < value < 1, what, f"confidence must be between 0.5 and 1, found {value!r}")


def require_count(value: Any, name: str, what: str) -> None:
    require(is_number(value) and value >= 1, what, f"{name} must be 1 or more, found {value!r}")


def require_choice(value: Any, choices: Sequence[str], name: str, what: str) -> None:
    words = " or ".join(f'"{choice}"' for choice in choices)
    require(value in tuple(choices), what, f"{name} must be {words}, found {value!r}")


def require_field(value: Any, name: str, what: str) -> None:
    require(value is None or (isinstance(value, str) and bool(value)), what, f"{name} must be a field, found {value!r}")


def require_where(where: Any, what: str) -> None:
    """Check conditions: ``{"field": value}``, ``{"field": [values]}`` or ``{"field": {"at_least": 1, "below": 5}}``."""
    if where is None:
        return
    require(isinstance(where, Mapping) and bool(where), what, f"where must name fields and values, found {where!r}")
    for name, wanted in where.items():
        if isinstance(wanted, Mapping):
            known = bool(wanted) and set(wanted) <= set(RANGE_ENDS) and all(map(is_number, wanted.values()))
            ends = ", ".join(RANGE_ENDS)
            require(known, what, f"where {name}: a range has numbers for some of {ends}, found {dict(wanted)!r}")
        elif isinstance(wanted, Sequence) and not isinstance(wanted, str):
            require(bool(wanted), what, f"where {name}: the list of values is empty, nothing can match")


def plain(check: Any, kind: str) -> dict[str, Any]:
    """A check as plain JSON, without what was left at its default."""
    given = {f.name: getattr(check, f.name) for f in fields(check)}
    changed = {f.name: given[f.name] for f in fields(check) if given[f.name] != f.default}
    return {"type": kind, **changed}


def describe_where(where: Mapping[str, Any] | None) -> str:
    """Conditions in words: ``category = math, length ≥ 10``."""
    signs = {"at_least": "≥", "at_most": "≤", "above": ">", "below": "<"}
    parts = []
    for name, wanted in (where or {}).items():
        if isinstance(wanted, Mapping):
            parts += [f"{name} {signs[end]} {value:g}" for end, value in wanted.items()]
        elif isinstance(wanted, list | tuple | set | frozenset):
            parts.append(f"{name} in {', '.join(map(str, wanted))}")
        else:
            parts.append(f"{name} = {wanted}")
    return ", ".join(parts)
