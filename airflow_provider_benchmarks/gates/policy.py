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

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from airflow_provider_benchmarks.brief import brief, did_you_mean, shortened
from airflow_provider_benchmarks.described import parameters_of, summary_of
from airflow_provider_benchmarks.gates.check import DEFAULT_KIND, KINDS, OF_GATES, Check, check_from_dict
from airflow_provider_benchmarks.gates.evaluate import POLICIES
from airflow_provider_benchmarks.gates.field_rules import WrongField
from airflow_provider_benchmarks.reviewed_text import Kind, Mistake, ReviewedText

__all__ = ["Policy", "policy_schema", "read_policy"]

_KIND = Kind(
    noun="a policy",
    shape="A policy is a list of checks, each a mapping of its fields",
    part="check",
    smaller="Give its checks to several gates.",
)
_CHOICES = {
    "if_inconclusive": "What a check does that the data can't decide. Left out: fail for mode prove and for lost "
    "evidence, else warn.",
    "if_no_baseline": "What a comparison does that has nothing to compare with. Left out: warn.",
}
_KEYS = OF_GATES


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
    checks: list[Check] = []
    problems = [*_wrong_keys(data), *_read_checks(data.get("checks"), checks)]
    if problems:
        raise found.errors(problems)
    chosen = {key: data[key] for key in _CHOICES if key in data}
    return Policy(checks=tuple(checks), foresees_no_baseline="if_no_baseline" in chosen, **chosen)


def _wrong_keys(data: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in data:
        if key not in _KEYS:
            is_field = key == "type" or any(key in check.rules for check in KINDS.values())
            is_of_check = ": it is a field of a check, in the list under checks"
            words = f'unknown key "{shortened(key)}"{is_of_check if is_field else did_you_mean(key, _KEYS)}'
            yield Mistake((key,), words, f"Known keys of a policy: {', '.join(_KEYS)}")
    for key in _CHOICES:
        if key in data and data[key] not in POLICIES:
            yield Mistake((key,), f"{key} must be {', '.join(POLICIES)}, found {brief(data[key])}")


def _read_checks(listed: Any, checks: list[Check]) -> Iterator[Mistake]:
    """Read the checks, and say what is wrong with them.

    :param checks: where they are added
    """
    if not isinstance(listed, list) or not listed:
        words = "expected a list of one or more checks: a gate without any lets everything through"
        yield Mistake(("checks",), words)
        return
    for place, data in enumerate(listed):
        try:
            checks.append(check_from_dict(data))
        except WrongField as error:
            for each in (error, *error.others):
                yield Mistake(("checks", place, *each.path), each.words, each.known)


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, generated from the rules of the kinds of checks.

    What a check may have follows from its type, so that a mistake is explained by that type alone. It has all rules but
    those that JSON Schema has no keywords for:

    - a key comes once; the file is in UTF-8, and neither too large nor nested too deeply;
    - a number fits a float;
    - values that are compared with one another: ``at_least`` is not above ``at_most``, the first number of
      ``score_range`` is below the second, and the field of ``repeat_by`` is not that of ``by``, ``cluster_by`` or
      ``where``, nor the only one of ``key``.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy of a benchmark gate",
        "description": "The checks of a gate, and what happens when they can't decide.",
        "type": "object",
        "additionalProperties": False,
        "required": ["checks"],
        "properties": {
            **{name: {"description": words, "enum": list(POLICIES)} for name, words in _CHOICES.items()},
            "checks": {
                "description": "The gate passes when all of them hold.",
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/check"},
            },
        },
        "$defs": {"check": _schema_of_any_check(), **{kind: _schema_of(check) for kind, check in KINDS.items()}},
    }


def _schema_of_any_check() -> dict[str, Any]:
    kind = {"description": "What is checked.", "enum": list(KINDS), "default": DEFAULT_KIND}
    return {
        "type": "object",
        "required": ["metric"],
        "properties": {"type": kind},
        "allOf": [
            {
                "if": {
                    "type": "object",
                    **({} if kind == DEFAULT_KIND else {"required": ["type"]}),
                    "properties": {"type": {"const": kind}},
                },
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in KINDS
        ],
    }


def _schema_of(check: type[Check]) -> dict[str, Any]:
    words = parameters_of(check)
    defaults = {field.name: field.default for field in fields(check) if field.default is not MISSING}  # type: ignore[arg-type]
    return {
        "title": check.kind,
        "description": summary_of(check),
        "additionalProperties": False,
        "properties": {
            "type": True,
            **{
                name: {
                    **({"description": words[name]} if name in words else {}),
                    **({"default": defaults[name]} if name in defaults else {}),
                    **rule.schema,
                }
                for name, rule in check.rules.items()
            },
        },
        **check.schema_of_combinations,
    }
