"""Policy files: the checks of a gate as YAML or JSON, to be reviewed like code.

::

    if_inconclusive: fail          # or warn, pass; left out: fail for prove and lost evidence, else warn
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

from airflow_provider_benchmarks.brief import brief, did_you_mean, shortened
from airflow_provider_benchmarks.gates.check import DEFAULT_KIND, KINDS, Check, check_from_dict
from airflow_provider_benchmarks.gates.evaluate import POLICIES
from airflow_provider_benchmarks.gates.field_rules import WrongField
from airflow_provider_benchmarks.reviewed_text import Kind, ReviewedText

__all__ = ["Policy", "policy_schema", "read_policy"]

_KIND = Kind(
    noun="a policy",
    shape="A policy is a list of checks, each a mapping of its fields",
    part="check",
    smaller="Give its checks to several gates.",
)
_CHOICES = ("if_inconclusive", "if_no_baseline")
_KEYS = ("checks", *_CHOICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The checks of a gate, and what happens when they can't decide.

    :param if_inconclusive: as for :func:`~airflow_provider_benchmarks.gates.evaluate`
    :param if_no_baseline: as for :func:`~airflow_provider_benchmarks.gates.evaluate`
    :param foresees_no_baseline: the file itself sets ``if_no_baseline``
    """

    checks: tuple[Check, ...]
    if_inconclusive: str | None = None
    if_no_baseline: str = "warn"
    foresees_no_baseline: bool = False


def read_policy(text: str | bytes, *, name: str = "policy") -> Policy:
    """Read a policy file, YAML (its words and numbers those of YAML 1.2) or JSON.

    :param name: of the file, for messages; one in ``.json`` must be JSON
    :raises ConfigurationError: it is not a policy; says where, and what is allowed there
    """
    found = ReviewedText.read(text, name, _KIND)
    data = found.data
    if not isinstance(data, Mapping):
        raise found.error((), f"expected a mapping with the keys {', '.join(_KEYS)}")
    if unknown := [key for key in data if key not in _KEYS]:
        meant = did_you_mean(unknown[0], _KEYS)
        raise found.error((unknown[0],), f'unknown key "{shortened(unknown[0])}"; known: {", ".join(_KEYS)}{meant}')
    if not isinstance(data.get("checks"), list) or not data["checks"]:
        raise found.error(
            ("checks",), "expected a list of one or more checks: a gate without any lets everything through"
        )
    for key in _CHOICES:
        if key in data and data[key] not in POLICIES:
            raise found.error((key,), f"{key} must be {', '.join(POLICIES)}, found {brief(data[key])}")
    chosen = {key: data[key] for key in _CHOICES if key in data}
    checks = tuple(_check(each, place, found) for place, each in enumerate(data["checks"]))
    return Policy(checks=checks, foresees_no_baseline="if_no_baseline" in chosen, **chosen)


def _check(data: Any, place: int, found: ReviewedText) -> Check:
    try:
        return check_from_dict(data)
    except WrongField as error:
        raise found.error(("checks", place, *error.path), str(error)) from error


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, generated from the rules of the kinds of checks.

    It has all rules but two that JSON Schema has no keywords for: a key comes once, and ``at_least`` is not above
    ``at_most``.
    """
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
                "items": {"anyOf": [_schema_of(kind, check) for kind, check in KINDS.items()]},
            },
        },
    }


def _schema_of(kind: str, check: type[Check]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["metric"] if kind == DEFAULT_KIND else ["type", "metric"],
        "properties": {"type": {"const": kind}, **{name: rule.schema for name, rule in check.rules.items()}},
        **check.schema_of_combinations,
    }
