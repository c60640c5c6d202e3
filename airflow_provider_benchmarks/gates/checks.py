"""What a gate can ask of the scores. Checks are plain data: they compare, serialise and read as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.gates._fields import WrongField
from airflow_provider_benchmarks.gates.no_regression import NoRegression
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.within_history import WithinHistory

Check: TypeAlias = Threshold | NoRegression | WithinHistory

CHECKS: dict[str, type[Threshold | NoRegression | WithinHistory]] = {
    check.kind: check for check in (Threshold, NoRegression, WithinHistory)
}


def check_from_dict(data: Mapping[str, Any]) -> Check:
    """Build a check from plain data; ``type`` may be left out for a threshold.

    :raises ConfigurationError: it has unknown or wrong fields; names the known ones
    """
    if not isinstance(data, Mapping):
        raise WrongField(f"expected a check with its fields, found {brief(data)}")
    arguments = dict(data)
    kind = arguments.pop("type", Threshold.kind)
    if not isinstance(kind, str) or kind not in CHECKS:
        raise WrongField(f'unknown type of check "{shortened(kind)}"; known: {", ".join(CHECKS)}', ("type",))
    known = [field.name for field in fields(CHECKS[kind])]
    unknown = [name for name in arguments if name not in known]
    if unknown or "metric" not in arguments:
        what = f"unknown fields {brief(unknown)}" if unknown else "no metric"
        raise WrongField(f"{kind} {brief(arguments)} has {what}; known: {', '.join(known)}", tuple(unknown[:1]))
    return CHECKS[kind](**arguments)
