"""The fields of the metrics that the local service computes; those of other types may be anything."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.validation import Fields
from airflow_provider_benchmarks.testing._jobs.evaluation import OPERATIONS


def metric_fields(fields: Fields, kind: str) -> dict[str, Any] | None:
    """Read the fields of a metric; None for a type that the local service does not compute.

    :param fields: the metric's, which collect its errors
    """
    if kind == "exact-match":
        return {
            "reference": fields.text("reference", required=True),
            "candidate": fields.text("candidate", nullable=True),
        }
    templates = ("left_template", "right_template")
    if kind == "string-check":
        operation = fields.choice("operation", tuple(OPERATIONS))
        return {"operation": operation, **{name: fields.text(name, required=True) for name in templates}}
    if kind == "number-check":  # also with an operation that is unknown here, for which a test gives results
        return {name: fields.text(name, required=True) for name in ("operation", *templates)}
    return None
