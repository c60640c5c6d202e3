"""Turn a Parquet file of row scores back into rows as the service writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.formats.parquet import named_if_damaged, open_parquet
from airflow_provider_benchmarks.formats.table_file import JSON_KEY, SCORE_COLUMNS_KEY, SCORE_KEY, own_field
from airflow_provider_benchmarks.scores.columns import FIXED, INFERENCE_ERROR, METRIC_ERRORS, ROW_INDEX, SAMPLE
from airflow_provider_benchmarks.scores.json_values import json_text, parse_json
from airflow_provider_benchmarks.scores.own_fields import Field, item_of

#: A batch takes as much memory as its rows, so it has few.
_BATCH_ROWS = 1024


def service_lines(file: BinaryIO, path: str) -> Iterator[bytes]:
    """Give whole JSONL lines, from which the same columns are read as from the Parquet file.

    What the file does not have is not in them: ``requests``, and the model's outputs unless they were stored too.

    :param path: for messages
    :raises IncompleteResults: the file is damaged
    """
    with named_if_damaged(path):
        parquet = open_parquet(file)
        shape = _Shape.of(parquet.schema_arrow, path)
    batches = parquet.iter_batches(batch_size=_BATCH_ROWS, use_threads=False)
    while True:
        with named_if_damaged(path):
            batch = next(batches, None)
            lines = b"" if batch is None else b"".join(map(shape.line, batch.to_pylist()))
        if batch is None:
            return
        yield lines


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the columns of a file are.

    :param items: field of the item, by column
    :param scores: metric reference and name of the score, by column
    :param as_json: columns of JSON text
    """

    items: dict[str, Field]
    scores: dict[str, tuple[str, str]]
    as_json: frozenset[str]

    @classmethod
    def of(cls, schema: Any, path: str) -> _Shape:
        columns = json.loads((schema.metadata or {}).get(SCORE_COLUMNS_KEY, b"[]"))
        return cls(
            items={field.name: own_field(field) for field in schema if field.name not in (*FIXED, *columns)},
            scores={name: _score(schema.field(name), path) for name in columns},
            as_json=frozenset(field.name for field in schema if JSON_KEY in (field.metadata or {})),
        )

    def line(self, row: dict[str, Any]) -> bytes:
        for name in self.as_json:
            row[name] = None if row[name] is None else parse_json(row[name])
        metrics: dict[str, list[dict[str, Any]]] = {}
        for column, (metric, name) in self.scores.items():
            metrics.setdefault(metric, []).append({"name": name, "value": _word(row[column])})
        error = row.get(INFERENCE_ERROR)
        data = {
            "row_index": row[ROW_INDEX],
            "item": item_of({field: row[column] for column, field in self.items.items()}),
            "sample": {**(row.get(SAMPLE) or {}), **({} if error is None else {INFERENCE_ERROR: error})},
            "metrics": metrics,
            "metric_errors": row.get(METRIC_ERRORS),
        }
        return f"{json_text(data)}\n".encode()


def _score(field: Any, path: str) -> tuple[str, str]:
    """Metric reference and name of the score in a column.

    :raises IncompleteResults: the file does not say
    """
    try:
        metric, name = json.loads((field.metadata or {})[SCORE_KEY])
    except (KeyError, ValueError, TypeError) as error:
        raise IncompleteResults(
            f"{path} does not say of which metric the score in its column {field.name} is: something else than this "
            f"package has written it, or changed it. Restore the file from a backup, or run the benchmark again."
        ) from error
    return metric, name


def _word(value: Any) -> Any:
    """A score's value; NaN and infinities as the service writes them."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
