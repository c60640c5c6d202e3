"""Policy files: the checks of a gate as YAML or JSON, to be reviewed like code.

::

    if_inconclusive: fail          # or warn, pass; left out: fail for prove, warn for detect
    if_no_baseline: warn           # or fail, pass
    checks:
      - type: threshold
        metric: exact-match
        at_least: 0.7
      - type: no_regression
        metric: exact-match
        margin: 0.01
        mode: prove

``policy.schema.json`` beside this module is the JSON Schema of such a file, for editors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates.checks import Check, check_from_dict
from airflow_provider_benchmarks.gates.evaluate import POLICIES

_CHOICES = ("if_inconclusive", "if_no_baseline")
_KEYS = ("checks", *_CHOICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The checks of a gate, and what happens when they can't tell.

    :param if_inconclusive: as for :func:`~airflow_provider_benchmarks.gates.evaluate`
    :param if_no_baseline: as for :func:`~airflow_provider_benchmarks.gates.evaluate`
    """

    checks: tuple[Check, ...]
    if_inconclusive: str | None = None
    if_no_baseline: str = "warn"


def read_policy(text: str | bytes, *, name: str = "policy") -> Policy:
    """Read a policy file, YAML or JSON.

    :param name: of the file, for messages
    :raises ConfigurationError: it is not a policy; says where, and what is allowed there
    """
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML: {error}") from error
    lines = _Lines(node, name)
    if not isinstance(data, Mapping):
        raise lines.error((), f"expected a mapping with the keys {', '.join(_KEYS)}")
    if unknown := [key for key in data if key not in _KEYS]:
        raise lines.error((unknown[0],), f'unknown key "{unknown[0]}"; known: {", ".join(_KEYS)}')
    if not isinstance(data.get("checks"), list) or not data["checks"]:
        raise lines.error(
            ("checks",), "expected a list of one or more checks: a gate without any lets everything through"
        )
    for key in _CHOICES:
        if key in data and data[key] not in POLICIES:
            raise lines.error((key,), f"{key} must be {', '.join(POLICIES)}, found {data[key]!r}")
    chosen = {key: data[key] for key in _CHOICES if key in data}
    return Policy(checks=tuple(_check(each, place, lines) for place, each in enumerate(data["checks"])), **chosen)


def _check(data: Any, place: int, lines: _Lines) -> Check:
    if not isinstance(data, Mapping):
        raise lines.error(("checks", place), f"expected a check with its fields, found {data!r}")
    try:
        return check_from_dict(data)
    except ConfigurationError as error:
        # The message names the field, whose own line says most.
        field = next((key for key in data if f"'{key}'" in str(error).partition(";")[0].partition("has ")[2]), None)
        field = field or next((key for key in data if f": {key} must" in str(error)), None)
        raise lines.error(("checks", place) if field is None else ("checks", place, field), str(error)) from error


class _Lines:
    """Where in a file something stands."""

    def __init__(self, node: Any, name: str) -> None:
        self._node = node
        self._name = name

    def error(self, path: tuple[str | int, ...], problem: str) -> ConfigurationError:
        line = self._line(path)
        return ConfigurationError(f"{self._name}{f', line {line}' if line else ''}: {problem}")

    def _line(self, path: tuple[str | int, ...]) -> int | None:
        node = self._node
        if node is None:  # an empty file
            return None
        for step in path:
            if isinstance(step, int):
                node = node.value[step]
            else:
                node = next((value for key, value in node.value if key.value == step), node)
        line: int = node.start_mark.line + 1
        return line


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, made from the checks themselves."""
    from airflow_provider_benchmarks.gates.checks import CHECKS

    choice = {"enum": list(POLICIES)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy of a benchmark gate",
        "type": "object",
        "additionalProperties": False,
        "required": ["checks"],
        "properties": {
            **dict.fromkeys(_CHOICES, choice),
            "checks": {
                "type": "array",
                "minItems": 1,
                "items": {"anyOf": [_schema_of(kind, check) for kind, check in CHECKS.items()]},
            },
        },
    }


_TYPES: dict[str, Any] = {
    "str": {"type": "string", "minLength": 1},
    "float": {"type": "number"},
    "int": {"type": "integer", "minimum": 1},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "Mapping[str, Any]": {"type": "object", "minProperties": 1},
    "Sequence[str]": {"type": "array", "items": {"type": "string"}, "minItems": 1},
}
_ENUMS = {"severity": ["fail", "warn"], "mode": ["detect", "prove"]}


def _schema_of(kind: str, check: type[Any]) -> dict[str, Any]:
    from dataclasses import fields

    properties: dict[str, Any] = {"type": {"const": kind}}
    for field in fields(check):
        kinds = [_TYPES[part.strip()] for part in str(field.type).split("|")]
        properties[field.name] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        if field.name in _ENUMS:
            properties[field.name] = {"enum": _ENUMS[field.name]}
    required = ["metric"] if kind == "threshold" else ["type", "metric"]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}
