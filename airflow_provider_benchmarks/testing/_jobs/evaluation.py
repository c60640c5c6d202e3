"""Evaluates benchmarks with the metrics that need no model: exact-match, string-check and number-check."""

from __future__ import annotations

import math
import operator
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.testing._jobs.aggregation import aggregate_score
from airflow_provider_benchmarks.testing._jobs.result_schemas import as_json
from airflow_provider_benchmarks.testing._state.outcome import FailedRow

if TYPE_CHECKING:
    from airflow_provider_benchmarks.testing._jobs.templates import MetricRow

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
NUMBER_OPERATIONS: dict[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "not equals": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


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


@dataclass(frozen=True, slots=True)
class Rendering:
    """What differs between releases when the templates of metrics are rendered.

    :param sample_of: returns what templates see as ``sample``, for an item
    :param advice: end of the error for a field that an item lacks
    """

    sample_of: Callable[[Item], Item] = lambda item: {}
    advice: str = "Ensure that the dataset provides the fields referenced by the templates."


def evaluate(metrics: Mapping[str, Mapping[str, Any]], items: Sequence[Item]) -> Evaluation:
    """Score every item with every metric of a stored benchmark.

    :param metrics: the fields of each metric, by reference
    :raises EvaluationError: a template or a metric fails on a row
    :raises NotImplementedError: the local service can't compute one of the metrics
    """
    values = score_items(metrics, items)
    rows = [
        {
            "row_index": row_index,
            "item": as_json(item),
            "sample": {},
            "metrics": {
                reference: [{"name": fields["type"], "value": values[reference][row_index]}]
                for reference, fields in metrics.items()
            },
            "requests": [],
            "metric_errors": None,
        }
        for row_index, item in enumerate(items)
    ]
    results = [
        {"scores": [aggregate_score(fields["type"], values[reference])], "metric": reference}
        for reference, fields in metrics.items()
    ]
    return Evaluation({"results": results}, rows)


def score_items(
    metrics: Mapping[str, Mapping[str, Any]], items: Sequence[Item], rendering: Rendering | None = None
) -> dict[str, list[float]]:
    """Return the value of every metric for every item; NaN where there is none.

    :param metrics: the fields of each metric, by its name in the results
    :raises EvaluationError: a template or a metric fails on a row
    :raises NotImplementedError: the local service can't compute one of the metrics
    """
    # Imported here: the rest of testing works without jinja2, and EvaluationService says which extra has it.
    from airflow_provider_benchmarks.testing._jobs.templates import MetricRow

    rendering = rendering or Rendering()
    scorers = {name: _scorer(fields) for name, fields in metrics.items()}
    values: dict[str, list[float]] = {name: [] for name in metrics}
    for row_index, item in enumerate(items):
        sample = rendering.sample_of(item)
        for name, score in scorers.items():
            try:
                values[name].append(score(MetricRow(metrics[name], item, sample, rendering.advice)))
            except (TypeError, ValueError) as error:
                raise EvaluationError(FailedRow(name, row_index, str(error))) from error
    return values


def _scorer(metric: Mapping[str, Any]) -> Callable[[MetricRow], float]:
    scorer = _SCORERS.get(metric["type"])
    if scorer is None:
        raise NotImplementedError(
            f'the local service can\'t compute metrics of type "{metric["type"]}": give the results with '
            f"EvaluationService.give_results()"
        )
    return scorer


def _exact_match(row: MetricRow) -> int:
    reference = row.render("reference")
    if not row.metric.get("candidate"):
        raise ValueError(
            "ExactMatchMetric has missing `candidate` field.\n"
            "For offline evaluation, `candidate=...` field is required when constructing ExactMatchMetric.\n"
            "For online evaluation, this usually means the evaluated model produced no output."
        )
    candidate = row.render("candidate")
    for name, value in (("reference", reference), ("candidate", candidate)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} must be a string.")
    return int(normalise(candidate) == normalise(reference))


def _string_check(row: MetricRow) -> float:
    left, right = row.render("left_template"), row.render("right_template")
    for name, value in (("left", left), ("right", right)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} value must be a string.")
    return float(OPERATIONS[row.metric["operation"]](left, right))


def _number_check(row: MetricRow) -> float:
    left, right = _number_in(row.render("left_template")), _number_in(row.render("right_template"))
    compare = NUMBER_OPERATIONS.get(row.metric["operation"])
    if compare is None:
        raise NotImplementedError(
            f'the local service can\'t compute number-check with the operation "{row.metric["operation"]}": give the '
            f"results with EvaluationService.give_results()"
        )
    return math.nan if math.isnan(left) or math.isnan(right) else float(compare(left, right))


def _number_in(value: Any) -> float:
    """Return the first number in a text; NaN if it has none."""
    found = _NUMBER.search(str(value))
    return float(found[0]) if found else math.nan


_SCORERS: dict[str, Callable[[MetricRow], float]] = {
    "exact-match": _exact_match,
    "string-check": _string_check,
    "number-check": _number_check,
}


def normalise(text: str) -> str:
    """Remove what exact-match ignores: case, ASCII punctuation, English articles, white space."""
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())
