"""What is known to be wrong with a metric before a service says so: a misspelt type, or a field that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import OUTPUTS
from airflow_provider_benchmarks.benchmarks.outputs import KNOWN_TYPES
from airflow_provider_benchmarks.brief import brief_names, did_you_mean, shortened

_CHECK = ("operation", "left_template", "right_template")
#: Fields that every release of the service refuses to do without. Those of other types are the service's to know.
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "exact-match": ("reference",),
    "string-check": _CHECK,
    "number-check": _CHECK,
}


def metric_problem(metric: Mapping[str, Any]) -> str | None:
    """What is wrong with a metric, and what to write; None where nothing is known against it.

    A type that is not known here may be a new one of the service. One that is nearly called as a known one needs its
    ``outputs`` to be told from a misspelt one.
    """
    kind = metric["type"]
    if kind not in KNOWN_TYPES and OUTPUTS not in metric and (meant := did_you_mean(kind, KNOWN_TYPES)):
        return (
            f'unknown type "{shortened(kind)}"{meant} Where the service has one that is called so, add outputs: the '
            f"names of its scores"
        )
    missing = [name for name in _REQUIRED.get(kind, ()) if metric.get(name) is None]
    if not missing:
        return None
    told = ((name, did_you_mean(name, missing)) for name in metric if name not in _REQUIRED[kind])
    meant = next((f', and has "{shortened(name)}"{advice}' for name, advice in told if advice), "")
    return f"the type {kind} needs {brief_names(missing)}{meant}"


def required_fields_schema() -> list[dict[str, Any]]:
    """The same of the fields, as JSON Schema has it."""
    return [
        {
            "if": {"required": ["type"], "properties": {"type": {"const": kind}}},
            "then": {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}},
        }
        for kind, names in _REQUIRED.items()
    ]
