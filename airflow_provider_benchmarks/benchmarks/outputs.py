"""The outputs of metrics: what the service from release 0.2 on demands beside each metric, and compares with its own.

Measured on releases 0.2.0, 0.3.0, 0.6.0, 0.7.3 and 0.8.1, which demand the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import OUTPUTS
from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError

_SCORE = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
_LABEL = {"description": "String label metric value.", "title": "Label", "type": "string"}
#: Names of the scores of each type of metric whose scores are always the same. Further ones that a type has for the
#: whole dataset only, such as bleu's ``corpus``, are not among them.
_SCORES: dict[str, tuple[str, ...]] = {
    "exact-match": ("exact-match",),
    "string-check": ("string-check",),
    "number-check": ("number-check",),
    "f1": ("f1",),
    "bleu": ("sentence",),
    "rouge": ("rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score"),
    "tool-calling": ("function_name_accuracy", "function_name_and_args_accuracy"),
}
#: A judge's scores are what its ``scores`` name.
_JUDGE = "llm-judge"
KNOWN_TYPES = (*_SCORES, _JUDGE)


def outputs_of(reference: str, metric: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The outputs that a metric has to be sent with.

    :param reference: of the metric, for messages
    :param metric: its body, with ``outputs`` or of a known type
    :raises ConfigurationError: its type is not known, and it has no ``outputs``
    """
    if OUTPUTS in metric:
        return [_given(output) for output in metric[OUTPUTS]]
    kind = metric["type"]
    if kind == _JUDGE:
        return _outputs_of_judge(reference, metric.get("scores"))
    if kind not in _SCORES:
        raise ConfigurationError(
            f'metric {shortened(reference)} has the type "{shortened(kind)}", whose scores this package does not know '
            f"(known: {brief_names(KNOWN_TYPES)}), and the service asks for them with each job. Add outputs to "
            f"the metric: the names of its scores, such as outputs: [my-score]"
        )
    return [_output(name) for name in _SCORES[kind]]


def _outputs_of_judge(reference: str, scores: Any) -> list[dict[str, Any]]:
    """Those of a judge: each score, and after one with a rubric the label that the judge has chosen."""
    if not isinstance(scores, list) or not scores or not all(isinstance(s, dict) and s.get("name") for s in scores):
        raise ConfigurationError(
            f'metric {shortened(reference)}: a judge needs scores, a list of mappings with a "name" and a rubric or a '
            f"range, or else outputs with their names"
        )
    outputs = []
    for score in scores:
        outputs.append(_output(score["name"], score.get("description")))
        if "rubric" in score:
            label = f"Selected rubric label for {score['name']}"
            outputs.append(_output(f"{score['name']}.label", label, _LABEL))
    return outputs


def _given(output: Any) -> dict[str, Any]:
    if isinstance(output, str):
        return _output(output)
    return {"description": None, "value_json_schema": dict(_SCORE), **output}


def _output(name: str, description: str | None = None, schema: Mapping[str, Any] = _SCORE) -> dict[str, Any]:
    return {"name": name, "description": description, "value_json_schema": dict(schema)}
