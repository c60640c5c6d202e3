"""The samples of a log of inspect_ai."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.json_values import json_text
from airflow_provider_benchmarks.scores.results_files.files import object_at, whole_number_at
from airflow_provider_benchmarks.scores.results_files.run import ResultRow, score_number

#: What the tool's own reducers and metrics make of a grade: correct, partially correct, incorrect, no answer.
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def in_order(samples: list[Any], ids: Any) -> list[dict[str, Any]]:
    """The samples in the order of the dataset, the epochs of each together. A log has them as they ended.

    :param ids: of the samples of the dataset, where the log lists them
    :raises IncompleteResults: one is not of the dataset, or is there twice
    """
    places = {json_text(sample_id): place for place, sample_id in enumerate(ids)} if isinstance(ids, list) else {}
    for sample in samples:
        if places and json_text(sample_id := object_at(sample).get("id")) not in places:
            raise IncompleteResults(
                f"sample {brief(sample_id)} is not of the dataset that the log lists, {brief(ids)}: the log is damaged"
            )

    def place(sample: dict[str, Any]) -> tuple[int, str, int]:
        name = json_text(sample.get("id"))
        return places.get(name, len(places)), name, whole_number_at(sample, "epoch")

    found = sorted(map(object_at, samples), key=place)
    for one, other in pairwise(found):
        if place(one) == place(other):
            raise IncompleteResults(f"sample {brief(one.get('id'))} is there twice in epoch {one['epoch']}")
    return found


def row_of(sample: dict[str, Any]) -> ResultRow:
    scores: dict[str, dict[str, Any]] = {}
    for scorer, score in object_at({"scores": {}, **_without_nulls(sample)}, "scores").items():
        value = object_at(score).get("value")
        if isinstance(value, dict):
            scores[scorer] = {name: _number(each) for name, each in value.items()}
        elif isinstance(value, list):
            scores[scorer] = {f"{scorer}[{place}]": _number(each) for place, each in enumerate(value)}
        else:
            scores[scorer] = {scorer: _number(value)}
    error = sample.get("error")
    if isinstance(error, dict):
        error = error.get("message") or "error"
    return ResultRow(item=_item(sample), scores=scores, error=None if error is None else shortened(error, 2000))


def _item(sample: dict[str, Any]) -> dict[str, Any]:
    """What identifies a sample; the epoch is not in it, as the epochs of a sample are repeats of one item."""
    metadata = sample.get("metadata")
    item = dict(metadata) if isinstance(metadata, dict) else {}
    return item | {"id": sample.get("id"), "input": _input(sample.get("input")), "target": sample.get("target")}


def _input(value: Any) -> Any:
    """The input, of a chat its messages without their ids, which are random and others in each run."""
    if not isinstance(value, list):
        return value
    return [{k: v for k, v in each.items() if k != "id"} if isinstance(each, dict) else each for each in value]


def _number(value: Any) -> Any:
    """A value as the tool's own metrics take it; a text that they know no number for stays as it is, and is none."""
    if not isinstance(value, str):
        return score_number(value) if value is None or isinstance(value, bool | int | float) else json_text(value)
    if value in _GRADES:
        return _GRADES[value]
    lower = value.lower()
    if lower in ("yes", "true"):
        return 1.0
    if lower in ("no", "false"):
        return 0.0
    try:
        return float(value)
    except ValueError:
        return value


def _without_nulls(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sample.items() if value is not None}
