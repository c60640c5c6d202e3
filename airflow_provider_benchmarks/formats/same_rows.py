"""Whether two files hold the same rows, whatever their bytes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import zip_longest
from typing import Any

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.rows import RowScore, read_rows


def same_rows(one: Iterable[bytes], other: Iterable[bytes], *, but_outputs: bool = False) -> bool:
    """Compare rows, in constant memory.

    :param one: whole JSONL lines
    :param other: whole JSONL lines
    :param but_outputs: compare only what the score store keeps, which is all but the model's outputs
    """
    content = _without_outputs if but_outputs else _content
    pairs = zip_longest(map(content, _rows(one)), map(content, _rows(other)))
    try:
        return all(row == same for row, same in pairs)
    except IncompleteResults:
        return False


def _rows(blocks: Iterable[bytes]) -> Iterator[RowScore]:
    return read_rows(line for block in blocks for line in BytesIO(block))


def _content(row: RowScore) -> dict[str, Any]:
    """What a row says. Fields that are empty, as a route of the service may write or leave out, do not count."""
    return {name: value for name, value in row.to_dict().items() if value not in (None, [], {})}


def _without_outputs(row: RowScore) -> dict[str, Any]:
    """What a column can keep of a row, which is the same for a missing value and for null."""
    said = row.to_dict()
    scores = ((metric, score["name"], score["value"]) for metric, found in said["metrics"].items() for score in found)
    return {
        "row_index": said["row_index"],
        "item": {name: value for name, value in said["item"].items() if value is not None},
        "scores": {(metric, name): value for metric, name, value in scores if value is not None},
        "metric_errors": said["metric_errors"],
        "inference_error": row.inference_error,
    }
