"""What a stored verdict has to hold: a report may be damaged, or be made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.gates.check import DEFAULT_KIND, KINDS, check_from_dict
from airflow_provider_benchmarks.gates.result import NOT_JUDGED, UNPROVEN, Outcome
from airflow_provider_benchmarks.scores.json_values import is_number


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return value is None or is_number(value)


def _is_interval(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)))


def _is_index(value: Any) -> bool:
    """A frame that somebody made may have an index of texts, or of several columns."""
    if isinstance(value, list | tuple):
        return all(_is_index(each) and not isinstance(each, list | tuple) for each in value)
    return value is None or isinstance(value, str | int | float)


def _are_details(value: Any) -> bool:
    return isinstance(value, Mapping) and type(value.get("comparisons", 1)) is int


_TEXT, _NUMBER = ("a text", _is_text), ("a number, or null", _is_number)
_MAPPING = ("a mapping", lambda value: isinstance(value, Mapping))
#: The fields of a result, and what each may be.
_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "check": _MAPPING,
    "outcome": (f"one of {', '.join(Outcome)}", lambda value: isinstance(value, str) and value in list(Outcome)),
    "metric": _TEXT,
    "score": ("a text, or null", lambda value: value is None or _is_text(value)),
    "observed": _NUMBER,
    "expected": _TEXT,
    "interval": ("two numbers, each of which may be null, or null", _is_interval),
    "count": _NUMBER,
    "nan_count": _NUMBER,
    "reason": _TEXT,
}
#: Those that a result need not have.
_OPTIONAL: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "judged": ("true or false", lambda value: isinstance(value, bool)),
    "group": _TEXT,
    "details": ("a mapping, with a whole number of comparisons, where it has one", _are_details),
    "worst": ("a list of rows", lambda value: isinstance(value, list | tuple)),
}
#: The fields of a row that got worse.
_OF_ROWS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "row_index": ("a number, a text, null, or a list of these", _is_index),
    "candidate": ("a number", is_number),
    "baseline": ("a number", is_number),
    "item": _MAPPING,
}
#: What results that were left out are counted by.
_LEFT_OUT = (*Outcome, UNPROVEN, NOT_JUDGED)


def require_verdict(data: Any, texts: tuple[str, ...], counts: str) -> None:
    """Refuse what is no verdict.

    :param texts: fields of it that are texts, where there are any
    :param counts: the field that has numbers of results by outcome, where there is one
    :raises IncompleteResults: says which part is not what it has to be
    :raises ConfigurationError: a check is of an unknown kind
    """
    results = data.get("results") if isinstance(data, Mapping) else None
    if not isinstance(results, list | tuple):
        raise IncompleteResults(f"expected a mapping with a list of results, found {brief(data)}")
    for name in texts:
        _require(data, name, _TEXT, name)
    _require(data, counts, (f"a mapping of counts by {', '.join(_LEFT_OUT)}", _are_counts), counts)
    for place, result in enumerate(results):
        where = f"results[{place}]"
        if not isinstance(result, Mapping):
            raise IncompleteResults(f"{where} must be a mapping, found {brief(result)}")
        if isinstance(check := result.get("check"), Mapping) and check.get("type", DEFAULT_KIND) not in list(KINDS):
            check_from_dict(check)  # of another release, whose results may have other fields, too
        if missing := [name for name in _FIELDS if name not in result]:
            raise IncompleteResults(f"{where} has no {missing[0]}")
        for name, rule in (_FIELDS | _OPTIONAL).items():
            _require(result, name, rule, f"{where}.{name}")
        for number, row in enumerate(result.get("worst", ())):
            _require_row(row, f"{where}.worst[{number}]")


def _require_row(row: Any, where: str) -> None:
    if not isinstance(row, Mapping):
        raise IncompleteResults(f"{where} must be a mapping, found {brief(row)}")
    for name, rule in _OF_ROWS.items():
        if name not in row:
            raise IncompleteResults(f"{where} has no {name}")
        _require(row, name, rule, f"{where}.{name}")


def _are_counts(value: Any) -> bool:
    if not isinstance(value, Mapping) or not value.keys() <= set(_LEFT_OUT):
        return False
    return all(type(count) is int and count >= 0 for count in value.values())


def _require(data: Mapping[str, Any], name: str, rule: tuple[str, Callable[[Any], bool]], where: str) -> None:
    words, is_valid = rule
    if name in data and not is_valid(data[name]):
        raise IncompleteResults(f"{where} must be {words}, found {brief(data[name])}")
