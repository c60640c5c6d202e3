"""Schemas that the evaluation service validates stored results against before it returns them."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from airflow_provider_benchmarks.testing._http.bodies import error_line
from airflow_provider_benchmarks.testing._http.validation import REFERENCE_PATTERN
from airflow_provider_benchmarks.testing._state.fileset import StoredFile


class _Score(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    count: int
    nan_count: int
    sum: float | None = None
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    std_dev: float | None = None
    variance: float | None = None


class _Percentiles(msgspec.Struct, forbid_unknown_fields=True):
    p10: float
    p20: float
    p30: float
    p40: float
    p50: float
    p60: float
    p70: float
    p80: float
    p90: float
    p100: float


class _Bin(msgspec.Struct, forbid_unknown_fields=True):
    lower_bound: float
    upper_bound: float
    count: int


class _Histogram(msgspec.Struct, forbid_unknown_fields=True):
    bins: list[_Bin]


class _RangeScore(_Score, kw_only=True):
    score_type: Literal["range"] = "range"
    percentiles: _Percentiles | None = None
    histogram: _Histogram | None = None


class _RubricStat(msgspec.Struct, kw_only=True):
    label: str
    description: str | None = None
    value: float | int
    count: int = 0


class _RubricScore(_Score, kw_only=True):
    rubric_distribution: list[_RubricStat]
    score_type: Literal["rubric"] = "rubric"
    mode_category: str | None = None


#: The order in which the service writes a rubric score's own fields; it is not the order above.
_RUBRIC_ORDER = ("score_type", "rubric_distribution", "mode_category")


def validate_aggregate(content: bytes) -> list[dict[str, Any]] | None:
    """Parse stored aggregate scores and add the fields that they omit; None if they don't match the schema.

    :raises ValueError: not JSON
    """
    payload = json.loads(content)
    try:
        entries = payload["results"]
        return [_validate_entry(entry) for entry in entries]
    except (KeyError, TypeError, msgspec.ValidationError):
        return None


def _validate_entry(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or not set(entry) <= {"scores", "metric"} or not isinstance(entry["scores"], list):
        raise TypeError("not an entry of aggregate scores")
    metric = entry.get("metric")
    if metric is not None and not re.match(REFERENCE_PATTERN, metric):
        raise TypeError("not a metric reference")
    return {"scores": [_validate_score(score) for score in entry["scores"]], "metric": metric}


def _validate_score(score: Any) -> dict[str, Any]:
    if not isinstance(score, dict):
        raise TypeError("not a score")
    if "rubric_distribution" not in score:
        return _as_dict(msgspec.convert(score, _RangeScore, strict=False))
    fields = _as_dict(msgspec.convert(score, _RubricScore, strict=False))
    return {name: fields[name] for name in (*_Score.__struct_fields__, *_RUBRIC_ORDER)}


def _as_dict(score: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(score)
    return fields


def serialize_aggregate(content: bytes) -> Any:
    """Return stored aggregate scores as the download route does.

    Scores that match the schema are completed, others are unchanged.

    :raises ValueError: not JSON, or they don't match and have a NaN
    """
    valid = validate_aggregate(content)
    if valid is not None:
        return {"results": valid}
    payload = json.loads(content)
    json.dumps(payload, allow_nan=False)
    return payload


def serialize_rows(stored: StoredFile) -> Iterator[bytes]:
    """Yield stored row scores as the download route does.

    Each line is parsed, validated and serialized again: spaces after ``:`` and ``,``, non-ASCII escaped. The first
    invalid line ends the stream with an error line. Bytes that are not UTF-8 end it without one, and without the lines
    before them that are in the same read buffer: on the service that loses rows silently.
    """
    with stored.open() as file:
        numbered = enumerate(io.TextIOWrapper(file, encoding="utf-8"), start=1)
        while True:
            try:
                number, line = next(numbered, (0, ""))
            except UnicodeDecodeError:
                return
            if not number:
                return
            if not line.strip():
                continue
            try:
                row = _validate_row(json.loads(line))
            except ValueError as error:
                kind = "JSONDecodeError" if isinstance(error, json.JSONDecodeError) else "ValidationError"
                yield error_line(kind, number, str(error))
                return
            yield json.dumps(row).encode() + b"\n"


_ROW_FIELDS = ("row_index", "item", "sample", "metrics", "requests", "metric_errors")


def _validate_row(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ValueError(
            "1 validation error for RowScore\n  Input should be a valid dictionary or instance of RowScore"
        )
    errors = [
        f"{name}\n  Field required [type=missing, input_value={str(row)[:60]}, input_type=dict]"
        for name in ("item", "sample", "metrics", "requests")
        if name not in row
    ]
    for name, kind in (("item", dict), ("sample", dict), ("metrics", dict), ("requests", list)):
        if name in row and not isinstance(row[name], kind):
            errors.append(f"{name}\n  Input should be a valid {'list' if kind is list else 'dictionary'}")
    if errors:
        plural = "s" if len(errors) > 1 else ""
        raise ValueError("\n".join([f"{len(errors)} validation error{plural} for RowScore", *errors]))
    fields = {name: row.get(name) for name in _ROW_FIELDS}
    fields["metrics"] = {reference: _validate_outputs(reference, out) for reference, out in row["metrics"].items()}
    extra = {name: value for name, value in row.items() if name not in _ROW_FIELDS}
    complete: dict[str, Any] = as_json({**fields, **extra})
    return complete


def _validate_outputs(reference: str, outputs: Any) -> list[dict[str, Any]]:
    if not isinstance(outputs, list) or not all(
        isinstance(output, dict) and set(output) == {"name", "value"} for output in outputs
    ):
        raise ValueError(
            f"1 validation error for RowScore\nmetrics.{reference}\n  Input should be a valid list of outputs"
        )
    return [{"name": output["name"], "value": _nan_as_text(output["value"])} for output in outputs]


def _nan_as_text(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def as_json(value: Any) -> Any:
    """Convert a value to what JSON can hold, at any depth: NaN and infinities to null, times to text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value
