"""Evaluates benchmarks with the metrics that need no model: exact-match and string-check."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.testing._jobs.aggregation import aggregate_score
from airflow_provider_benchmarks.testing._jobs.result_schemas import as_json
from airflow_provider_benchmarks.testing._state.outcome import FailedRow

Item = dict[str, Any]

#: Operations of the service's string-check, in the order in which it names them.
OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "equals": str.__eq__,
    "==": str.__eq__,
    "!=": str.__ne__,
    "<>": str.__ne__,
    "not equals": str.__ne__,
    "contains": lambda left, right: right in left,
    "not contains": lambda left, right: right not in left,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


class EvaluationError(Exception):
    """A metric failed on a row, which fails the job."""

    def __init__(self, row: FailedRow) -> None:
        super().__init__(
            f"Evaluation failed during metric scoring for metric '{row.metric}' on row {row.row_index}: {row.cause}"
        )
        self.row = row


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Aggregate scores and row scores as JSON-able data."""

    aggregate: dict[str, Any]
    rows: list[dict[str, Any]]


def evaluate(metrics: Mapping[str, Mapping[str, Any]], items: Sequence[Item]) -> Evaluation:
    """Score every item with every metric.

    :param metrics: the fields of each metric, by reference
    :raises EvaluationError: a template or a metric fails on a row
    :raises NotImplementedError: the local service can't compute one of the metrics
    """
    scorers = {reference: _scorer(fields) for reference, fields in metrics.items()}
    rows = []
    values: dict[str, list[float]] = {reference: [] for reference in metrics}
    for row_index, item in enumerate(items):
        scores = {}
        for reference, score in scorers.items():
            try:
                value = score(item)
            except (TypeError, ValueError) as error:
                raise EvaluationError(FailedRow(reference, row_index, str(error))) from error
            values[reference].append(value)
            scores[reference] = [{"name": metrics[reference]["type"], "value": value}]
        rows.append(
            {
                "row_index": row_index,
                "item": as_json(item),
                "sample": {},
                "metrics": scores,
                "requests": [],
                "metric_errors": None,
            }
        )
    results = [
        {"scores": [aggregate_score(metrics[reference]["type"], values[reference])], "metric": reference}
        for reference in metrics
    ]
    return Evaluation({"results": results}, rows)


def _scorer(metric: Mapping[str, Any]) -> Callable[[Item], float]:
    if metric["type"] == "exact-match":
        return lambda item: _exact_match(metric, item)
    if metric["type"] == "string-check":
        return lambda item: _string_check(metric, item)
    raise NotImplementedError(
        f'the local service can\'t compute metrics of type "{metric["type"]}": give the results with '
        f"EvaluationService.give_results()"
    )


def _exact_match(metric: Mapping[str, Any], item: Item) -> int:
    # Imported here: the rest of testing works without jinja2, and EvaluationService says which extra has it.
    from airflow_provider_benchmarks.testing._jobs.templates import render_field

    reference = render_field(metric, "reference", item)
    if not metric.get("candidate"):
        raise ValueError(
            "ExactMatchMetric has missing `candidate` field.\n"
            "For offline evaluation, `candidate=...` field is required when constructing ExactMatchMetric.\n"
            "For online evaluation, this usually means the evaluated model produced no output."
        )
    candidate = render_field(metric, "candidate", item)
    for name, value in (("reference", reference), ("candidate", candidate)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} must be a string.")
    return int(normalise(candidate) == normalise(reference))


def _string_check(metric: Mapping[str, Any], item: Item) -> float:
    from airflow_provider_benchmarks.testing._jobs.templates import render_field

    left, right = render_field(metric, "left_template", item), render_field(metric, "right_template", item)
    for name, value in (("left", left), ("right", right)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} value must be a string.")
    return float(OPERATIONS[metric["operation"]](left, right))


def normalise(text: str) -> str:
    """Remove what exact-match ignores: case, ASCII punctuation, English articles, white space."""
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())
