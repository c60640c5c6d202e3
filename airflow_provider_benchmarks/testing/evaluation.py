"""Evaluates benchmarks with the metrics that need no model: exact-match and string-check.

Templates see ``item`` (the dataset row), ``sample`` (empty: jobs are offline) and the row's fields themselves.
"""

from __future__ import annotations

import contextlib
import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_benchmarks.testing.aggregation import aggregate_score
from airflow_provider_benchmarks.testing.shapes import as_json
from airflow_provider_benchmarks.testing.state import Fileset
from airflow_provider_benchmarks.testing.tables import as_table

Item = dict[str, Any]

_ENVIRONMENT = SandboxedEnvironment(undefined=jinja2.StrictUndefined)

#: What the service's string-check can do, in the order in which it names them.
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


class DatasetError(Exception):
    """The dataset holds no rows that can be read.

    :param pattern: what of the fileset was to be read
    """

    def __init__(self, pattern: str | None) -> None:
        super().__init__(pattern)
        self.pattern = pattern


class EvaluationError(Exception):
    """A metric failed on a row, and the whole job with it.

    :param metric: reference of the metric
    :param row_index: position in the dataset
    :param cause: what went wrong on that row
    """

    def __init__(self, metric: str, row_index: int, cause: str) -> None:
        super().__init__(f"Evaluation failed during metric scoring for metric '{metric}' on row {row_index}: {cause}")
        self.metric = metric
        self.row_index = row_index
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of an evaluation: the two result files as JSON-able data."""

    aggregate: dict[str, Any]
    rows: list[dict[str, Any]]


def evaluate(metrics: Mapping[str, Mapping[str, Any]], items: Sequence[Item]) -> Evaluation:
    """Score every item with every metric.

    :param metrics: the fields of each metric, by reference
    :raises EvaluationError: a template or a metric can't deal with a row
    """
    scorers = {reference: _scorer(fields) for reference, fields in metrics.items()}
    rows = []
    values: dict[str, list[float]] = {reference: [] for reference in metrics}
    for row_index, item in enumerate(items):
        scores = {}
        for reference, score in scorers.items():
            try:
                value = score(item)
            except (TypeError, ValueError, jinja2.TemplateError) as error:
                raise EvaluationError(reference, row_index, str(error)) from error
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
    reference = _render(metric, "reference", item)
    if not metric.get("candidate"):
        raise ValueError(
            "ExactMatchMetric has missing `candidate` field.\nFor offline evaluation, `candidate=...` field is required "
            "when constructing ExactMatchMetric.\nFor online evaluation, this usually means the evaluated model "
            "produced no output."
        )
    candidate = _render(metric, "candidate", item)
    for name, value in (("reference", reference), ("candidate", candidate)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} must be a string.")
    return int(normalise(candidate) == normalise(reference))


def _string_check(metric: Mapping[str, Any], item: Item) -> float:
    left, right = _render(metric, "left_template", item), _render(metric, "right_template", item)
    for name, value in (("left", left), ("right", right)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} value must be a string.")
    return float(OPERATIONS[metric["operation"]](left, right))


def normalise(text: str) -> str:
    """Fold what exact-match does not look at: case, ASCII punctuation, English articles, white space."""
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def render(template: str, item: Item) -> Any:
    """Render a template; one that is a single ``{{ expression }}`` gives the value itself, not its text.

    :raises jinja2.UndefinedError: it names a field that the item lacks
    """
    context = {**item, "item": item, "sample": {}}
    value: Any = _compile(template)(context)
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises: the environment's undefined is the strict one
    return json.loads(value) if "tojson" in template and isinstance(value, str) else value


@lru_cache(maxsize=256)
def _compile(template: str) -> Callable[[Item], Any]:
    text = template.strip()
    single = text.startswith("{{") and text.endswith("}}") and text.count("{{") == text.count("}}") == 1
    if single and "{%" not in text:
        expression = _ENVIRONMENT.compile_expression(text[2:-2].strip(), undefined_to_none=False)
        return lambda context: expression(**{name: value for name, value in context.items() if name.isidentifier()})
    return _ENVIRONMENT.from_string(template).render


def _render(metric: Mapping[str, Any], field: str, item: Item) -> Any:
    template = str(metric[field])
    try:
        return render(template, item)
    except jinja2.UndefinedError as error:
        message = error.message or str(error)
        missing = re.fullmatch(r"'dict object' has no attribute '([^']+)'|'([^']+)' is undefined", message)
        detail = f"jinja_error={message!r}."
        if missing:
            key = missing[1] or missing[2]
            detail = f"Dataset item has missing_key='{key}' but the '{field}' template references it."
        raise ValueError(
            f"{_describe(metric)} could not render its '{field}' template for this row.\n"
            f"Available item keys={sorted(item)}. \nAvailable sample keys=[].\n{detail}\n"
            f"Ensure that the dataset provides the fields referenced by the templates."
        ) from error


def _describe(metric: Mapping[str, Any]) -> str:
    if metric["type"] == "exact-match":
        return f"ExactMatchMetric(reference={metric['reference']!r}, candidate={metric.get('candidate')!r})"
    shown = ", ".join(f"{name}={metric[name]!r}" for name in ("operation", "left_template", "right_template"))
    return f"StringCheckMetric({shown})"


def load_dataset(fileset: Fileset | None, reference: str) -> list[Item]:
    """Read the rows of ``workspace/fileset`` or ``workspace/fileset#pattern``: JSON Lines, or JSON arrays.

    Several files come in the order of their names; on the service the order is anyone's guess.

    :raises DatasetError: nothing could be read
    """
    pattern = reference.partition("#")[2]
    items: list[Item] = []
    for path, stored in sorted(fileset.files.items()) if fileset else ():
        if (not pattern or fnmatchcase(path, pattern)) and path.lower().endswith((".json", ".jsonl")):
            with contextlib.suppress(ValueError):  # the service passes over files that it can't read
                items += _read_rows(stored.read())
    if not items:
        raise DatasetError(pattern or None)
    return items


def _read_rows(content: bytes) -> list[Item]:
    text = content.decode("utf-8").strip()
    if text.startswith("["):
        found = json.loads(text)
    else:
        found = [json.loads(line) for line in text.split("\n") if line.strip()]
    return as_table([row for row in found if isinstance(row, dict)])
