"""What a stored verdict has to hold: a report may be damaged, or be made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.gates.check import DEFAULT_KIND, KINDS, check_from_dict
from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.scores.json_values import is_number


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return value is None or is_number(value)


def _is_interval(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)))


def _are_rows(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(row, Mapping) and row.keys() >= _OF_ROWS for row in value)


#: The fields of a row that got worse.
_OF_ROWS = {"row_index", "candidate", "baseline", "item"}
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
    "details": _MAPPING,
    "worst": (f"a list of rows, each a mapping with {', '.join(sorted(_OF_ROWS))}", _are_rows),
}


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
    _require(data, counts, ("a mapping of whole numbers", _are_counts), counts)
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


def _are_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(type(count) is int for count in value.values())


def _require(data: Mapping[str, Any], name: str, rule: tuple[str, Callable[[Any], bool]], where: str) -> None:
    words, is_valid = rule
    if name in data and not is_valid(data[name]):
        raise IncompleteResults(f"{where} must be {words}, found {brief(data[name])}")
