"""Row scores as a Parquet file, written in bounded memory.

The columns and types of a file are known only when its last row has been read: a field may be an integer for a million
rows and a text after them. So rows are written with the types seen so far, into a segment; a batch that needs other
columns or wider types begins a new segment; and the end puts the segments together with the types that fit all. Mostly
there is one segment, and it is the file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores import table
from airflow_provider_benchmarks.scores.item_digest import ItemDigest
from airflow_provider_benchmarks.scores.second_thread import SecondThread
from airflow_provider_benchmarks.scores.table import Columns, Kind

if TYPE_CHECKING:
    import pyarrow as pa

#: Key of the file's metadata that lists the score columns, and of a column's that says that it holds JSON text.
SCORE_COLUMNS_KEY = b"benchmarks.score_columns"
JSON_KEY = b"benchmarks.json"
#: Key of the file's metadata that tells what items it holds, as ItemDigest says it.
ITEMS_KEY = b"benchmarks.items"

#: Uncompressed, in memory. Readers like larger row groups, memory smaller ones.
_ROW_GROUP_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Plan:
    """Columns and their types, in the order of the file."""

    items: dict[str, Kind] = field(default_factory=dict)
    scores: dict[tuple[str, str], Kind] = field(default_factory=dict)
    with_errors: bool = False
    with_sample: bool = False

    def widened_by(self, columns: Columns) -> _Plan:
        items, scores = dict(self.items), dict(self.scores)
        for name, values in columns.items.items():
            items[name] = table.wider(items.get(name, Kind.NULL), table.kind_of(values))
        for key, values in columns.scores.items():
            kind = table.kind_of(values, numbers_are_floats=True)
            scores[key] = table.wider(scores.get(key, Kind.NULL), kind)
        with_errors = self.with_errors or any(columns.inference_error)
        return replace(self, items=items, scores=scores, with_errors=with_errors)

    def fields(self) -> list[tuple[Any, str, Kind]]:
        """Key, name and type of each column."""
        items = table.names_of_items(self.items)
        scores = table.names_of_scores(items.values(), self.scores)
        errors = [(table.INFERENCE_ERROR, table.INFERENCE_ERROR, Kind.TEXT)] if self.with_errors else []
        sample = [(table.SAMPLE, table.SAMPLE, Kind.JSON)] if self.with_sample else []
        return [
            (table.ROW_INDEX, table.ROW_INDEX, Kind.INT),
            *((("item", key), items[key], kind) for key, kind in self.items.items()),
            *((("score", key), scores[key], kind) for key, kind in self.scores.items()),
            (table.METRIC_ERRORS, table.METRIC_ERRORS, Kind.JSON),
            *errors,
            *sample,
        ]

    def schema(self) -> pa.Schema:
        import pyarrow as pa

        fields = [
            pa.field(name, _type(kind), metadata={JSON_KEY: b"1"} if kind == Kind.JSON else None)
            for _, name, kind in self.fields()
        ]
        scores = [name for key, name, _ in self.fields() if key[0] == "score"]
        return pa.schema(fields, metadata={SCORE_COLUMNS_KEY: json.dumps(scores).encode()})

    def item_columns(self) -> dict[str, Kind]:
        return {name: kind for key, name, kind in self.fields() if key[0] == "item"}


class ParquetRows:
    """Write rows batch by batch, each while the next is being read; a context manager.

    :param folder: for the segments; the caller's to delete
    :param with_sample: keep the model's outputs, as JSON text
    :raises ConfigurationError: pyarrow is not installed
    """

    def __init__(self, folder: Path, *, with_sample: bool = False) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
            import xxhash  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(
                "Parquet and CSV files of row scores need pyarrow and xxhash: install airflow-provider-benchmarks[parquet]"
            ) from error
        self._folder = folder
        self._plan = _Plan(with_sample=with_sample)
        self._segments: list[tuple[Path, _Plan]] = []
        self._writer: _Writer | None = None
        self._group: list[pa.Table] = []
        self._group_bytes = 0
        # Encoding and compressing a batch takes as long as reading one, and leaves Python free meanwhile.
        self._beside = SecondThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beside.close()
        if self._writer is not None:
            self._writer.close()

    def write(self, columns: Columns) -> None:
        import pyarrow as pa

        plan = self._plan.widened_by(columns)
        if self._writer is None or plan != self._plan:
            self._writer = self._begin_segment(plan)
        by_key: dict[Any, list[Any]] = {
            table.ROW_INDEX: columns.row_index,
            table.METRIC_ERRORS: columns.metric_errors,
            table.INFERENCE_ERROR: columns.inference_error,
            table.SAMPLE: columns.sample,
            **{("item", key): values for key, values in columns.items.items()},
            **{("score", key): values for key, values in columns.scores.items()},
        }
        fixed = {table.METRIC_ERRORS, table.SAMPLE}  # JSON text already
        arrays = [_array(by_key.get(key), kind, columns.rows, is_text=key in fixed) for key, _, kind in plan.fields()]
        batch = pa.Table.from_arrays(arrays, schema=self._writer.schema)
        self._group.append(batch)
        self._group_bytes += batch.nbytes
        if self._group_bytes >= _ROW_GROUP_BYTES:
            self._write_group()

    def finish(self, target: BinaryIO) -> None:
        """Put the file together, into ``target``."""
        if self._writer is None:
            self._writer = self._begin_segment(self._plan)
        self._end_segment()
        if len(self._segments) == 1:
            with self._segments[0][0].open("rb") as segment:
                shutil.copyfileobj(segment, target, 1024 * 1024)
            return
        writer = _Writer(target, self._plan, self._folder)
        for path, plan in self._segments:
            for batch in _converted(path, plan, self._plan):
                writer.write(batch)
        writer.finish()

    def _begin_segment(self, plan: _Plan) -> _Writer:
        self._end_segment()
        path = self._folder / f"segment-{len(self._segments)}.parquet"
        self._plan = plan
        self._segments.append((path, plan))
        return _Writer(path, plan, self._folder)

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._group and self._writer is not None:
            self._beside.run(self._writer.write, pa.concat_tables(self._group))
        self._group, self._group_bytes = [], 0

    def _end_segment(self) -> None:
        self._write_group()
        self._beside.wait()
        if self._writer is not None:
            self._writer.finish()


class _Writer:
    """Write tables of one schema, and what items they hold."""

    def __init__(self, target: Path | BinaryIO, plan: _Plan, folder: Path) -> None:
        import pyarrow.parquet as pq

        self.schema = plan.schema()
        self._file = pq.ParquetWriter(target, self.schema, compression="zstd")
        self._items = ItemDigest(plan.item_columns(), folder)

    def write(self, batch: pa.Table) -> None:
        self._items.add(batch)
        self._file.write_table(batch)

    def finish(self) -> None:
        self._file.add_key_value_metadata({ITEMS_KEY: self._items.finish()})
        self.close()

    def close(self) -> None:
        self._file.close()


def _converted(path: Path, plan: _Plan, final: _Plan) -> Iterator[pa.Table]:
    """The row groups of a segment with the columns and types of the whole file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    places = {key: (place, kind) for place, (key, _, kind) in enumerate(plan.fields())}
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            found = file.read_row_group(group)
            arrays = []
            for key, _, kind in final.fields():
                place, had = places.get(key, (None, Kind.NULL))
                arrays.append(
                    pa.nulls(found.num_rows, _type(kind)) if place is None else _cast(found.column(place), had, kind)
                )
            yield pa.Table.from_arrays(arrays, schema=final.schema())


def _cast(values: Any, had: Kind, kind: Kind) -> Any:
    import pyarrow as pa

    if kind == Kind.JSON and had not in (Kind.JSON, Kind.NULL):
        return pa.array([table.as_json(value) for value in values.to_pylist()], _type(kind))
    return values.cast(_type(kind))


def _array(values: list[Any] | None, kind: Kind, rows: int, *, is_text: bool) -> pa.Array:
    import pyarrow as pa

    if values is None:
        return pa.nulls(rows, _type(kind))
    if kind == Kind.JSON and not is_text:
        values = [table.as_json(value) for value in values]
    # from_pandas=False: a NaN stays a NaN, and only None is null.
    return pa.array(values, _type(kind), from_pandas=False, memory_pool=pa.system_memory_pool())


def _type(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    types = {Kind.NULL: pa.null, Kind.BOOL: pa.bool_, Kind.INT: pa.int64, Kind.LONG: pa.int64, Kind.FLOAT: pa.float64}
    return types.get(kind, pa.string)()
