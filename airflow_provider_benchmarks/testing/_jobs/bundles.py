"""Metric bundles: metrics as jobs bring them along since 0.2, with the outputs that the service computes.

The table is written apart from the one that makes job specs, so that a fault of either shows in tests of both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

_NUMBER = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
_LABEL = {"description": "String label metric value.", "title": "Label", "type": "string"}
#: Names of the outputs by the type of a metric. Those of a judge depend on its scores.
_OUTPUT_NAMES = {
    "exact-match": ("exact-match",),
    "string-check": ("string-check",),
    "number-check": ("number-check",),
    "f1": ("f1",),
    "bleu": ("sentence",),
    "rouge": ("rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score"),
    "tool-calling": ("function_name_accuracy", "function_name_and_args_accuracy"),
}


def computed_outputs(metric: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the outputs that the service computes for a metric; None for a type that the local service doesn't know.

    :param metric: the metric itself, as 0.1 stores it
    """
    if metric.get("type") == "llm-judge":
        return [output for score in metric.get("scores", ()) for output in _judged_outputs(score)]
    names = _OUTPUT_NAMES.get(str(metric.get("type")))
    return None if names is None else [_output(name) for name in names]


def _judged_outputs(score: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = str(score["name"])
    outputs = [_output(name, description=score.get("description"))]
    if score.get("rubric"):
        outputs.append(_output(f"{name}.label", description=f"Selected rubric label for {name}", schema=_LABEL))
    return outputs


def _output(name: str, *, description: str | None = None, schema: Mapping[str, str] = _NUMBER) -> dict[str, Any]:
    return {"name": name, "description": description, "value_json_schema": dict(schema)}


def metric_bundle(metric: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bundle with which a metric is sent.

    :raises ValueError: the local service doesn't know the outputs of its type
    """
    outputs = computed_outputs(metric)
    if outputs is None:
        raise ValueError(f'the outputs of metrics of type "{metric.get("type")}" are not known here')
    return {
        "bundle_kind": "metric-bundle",
        "bundle_format_version": "v1",
        "metric_type": metric["type"],
        "outputs": outputs,
        "payload": {"kind": "inline", "metric": dict(metric)},
    }


def complete_bundle(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle as the service stores it: with every default, and a digest of the metric."""
    metadata, payload = bundle.get("metadata") or {}, bundle["payload"]
    return {
        "bundle_kind": bundle.get("bundle_kind", "metric-bundle"),
        "bundle_format_version": bundle.get("bundle_format_version", "v1"),
        "metric_type": bundle["metric_type"],
        "metadata": {"description": metadata.get("description"), "labels": metadata.get("labels", {})},
        "outputs": [{"name": output["name"], "description": None, **output} for output in bundle["outputs"]],
        "secrets": bundle.get("secrets") or {},
        "payload": {"kind": "inline", "metric": payload["metric"], "digest": digest(payload["metric"])},
    }


def digest(metric: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(metric, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def has_wrong_outputs(bundle: Mapping[str, Any]) -> bool:
    """Whether a completed bundle's outputs differ from those that the service computes, descriptions included."""
    computed = computed_outputs(bundle["payload"]["metric"])
    return computed is not None and bundle["outputs"] != computed


def metric_keys(types: Sequence[str]) -> list[str]:
    """Return the names of metrics in results: their types, the second of a type with ``_2``."""
    return [
        kind if kind not in types[:place] else f"{kind}_{types[: place + 1].count(kind)}"
        for place, kind in enumerate(types)
    ]
