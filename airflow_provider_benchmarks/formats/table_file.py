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

from airflow_provider_benchmarks.background import BackgroundCalls
from airflow_provider_benchmarks.extras import PARQUET, require
from airflow_provider_benchmarks.formats.item_digest import ItemDigest, ValueDigest
from airflow_provider_benchmarks.scores.column_names import column_names
from airflow_provider_benchmarks.scores.columns import (
    FIXED,
    INFERENCE_ERROR,
    METRIC_ERRORS,
    ROW_INDEX,
    SAMPLE,
    Columns,
    Kind,
    as_json,
    field_named,
    kind_of,
    wider,
)
from airflow_provider_benchmarks.scores.own_fields import OTHERS, Field

if TYPE_CHECKING:
    import pyarrow as pa

#: Key of the file's metadata that lists the score columns, and of a column's that says that it holds JSON text.
SCORE_COLUMNS_KEY = b"benchmarks.score_columns"
JSON_KEY = b"benchmarks.json"
#: Key of a score column's metadata: metric reference and name of the score, which its name does not always tell.
SCORE_KEY = b"benchmarks.score"
#: Key of an item column's metadata: the field's own name, as JSON.
FIELD_KEY = b"benchmarks.field"
#: Key of the metadata of the column with all fields that have none of their own.
OTHERS_KEY = b"benchmarks.other_fields"
#: Key of the metadata of a partitioned folder's file: the fields in the folders' names whose names do not say so.
FOLDER_FIELDS_KEY = b"benchmarks.folder_fields"
#: The name that earlier files have in place of that of all other fields.
_EARLIER_OTHERS = "\0other_fields"
#: Key of the file's metadata with the digest of its items, as of ItemDigest.
ITEMS_KEY = b"benchmarks.items"
#: Key of the file's metadata with the digest of its other columns: scores, errors and outputs.
VALUES_KEY = b"benchmarks.values"

TABLES_NEED = "Parquet and CSV files of row scores need"
DEFAULT_COMPRESSION = "zstd"
#: Uncompressed, in memory. Readers like larger row groups, memory smaller ones.
_ROW_GROUP_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Plan:
    """Columns and their types, in the order of the file."""

    items: dict[Field, Kind] = field(default_factory=dict)
    scores: dict[tuple[str, str], Kind] = field(default_factory=dict)
    #: Why calls of the model failed; nothing unless one did.
    errors: Kind = Kind.NULL
    #: The model's outputs; nothing until a row has one, where only then there is to be a column.
    sample: Kind = Kind.NULL
    sample_if_any: bool = False

    def widened_by(self, columns: Columns) -> _Plan:
        items, scores = dict(self.items), dict(self.scores)
        for name, values in columns.items.items():
            items[name] = wider(items.get(name, Kind.NULL), kind_of(values))
        for key, values in columns.scores.items():
            kind = kind_of(values, numbers_are_floats=True)
            scores[key] = wider(scores.get(key, Kind.NULL), kind)
        errors = wider(self.errors, kind_of(columns.inference_error))
        has_sample = self.sample_if_any and any(columns.sample)
        sample = Kind.JSON if has_sample else self.sample
        return replace(self, items=items, scores=scores, errors=errors, sample=sample)

    def fields(self) -> list[tuple[Any, str, Kind]]:
        """Key, name and type of each column."""
        items, scores = column_names(self.items, list(self.scores), fixed=FIXED)
        errors = [] if self.errors == Kind.NULL else [(INFERENCE_ERROR, INFERENCE_ERROR, self.errors)]
        sample = [] if self.sample == Kind.NULL else [(SAMPLE, SAMPLE, self.sample)]
        return [
            (ROW_INDEX, ROW_INDEX, Kind.INT),
            *((("item", key), items[key], kind) for key, kind in self.items.items()),
            *((("score", key), scores[key], kind) for key, kind in self.scores.items()),
            (METRIC_ERRORS, METRIC_ERRORS, Kind.JSON),
            *errors,
            *sample,
        ]

    def schema(self) -> pa.Schema:
        import pyarrow as pa

        fields = [pa.field(name, _type(kind), metadata=_metadata(key, kind)) for key, name, kind in self.fields()]
        scores = [name for key, name, _ in self.fields() if key[0] == "score"]
        return pa.schema(fields, metadata={SCORE_COLUMNS_KEY: json.dumps(scores).encode()})

    def item_columns(self) -> dict[str, tuple[Field, Kind]]:
        """Field and type of each column of the items, by its name."""
        return {name: (key[1], kind) for key, name, kind in self.fields() if key[0] == "item"}


@dataclass(slots=True)
class _Segment:
    """Rows that were written with the same columns and types.

    :param integers: which values of a column of floats came as integers, a byte a row up to the last, by item field: if
        the column becomes JSON text, they are integers again, however the rows were cut into batches
    """

    path: Path
    plan: _Plan
    rows: int = 0
    integers: dict[Field, bytearray] = field(default_factory=dict)
    #: Of the plan, which makes them anew each time.
    fields: list[tuple[Any, str, Kind]] = field(init=False)

    def __post_init__(self) -> None:
        self.fields = self.plan.fields()

    def note(self, columns: Columns) -> None:
        """Take the next rows."""
        for name, values in columns.items.items():
            if self.plan.items[name] == Kind.FLOAT and int in set(map(type, values)):
                found = self.integers.setdefault(name, bytearray())
                found.extend(bytes(self.rows - len(found)))
                found.extend(type(value) is int for value in values)
        self.rows += columns.rows


class TableFile:
    """Write rows batch by batch, each while the next is being read; a context manager.

    :param folder: for the segments; the caller's to delete
    :param with_sample: keep the model's outputs, as JSON text; None for a column only where a row has one
    :param compression: of the columns, as pyarrow names it; zstd when None
    :raises ConfigurationError: pyarrow or xxhash is not installed
    """

    def __init__(self, folder: Path, *, with_sample: bool | None = False, compression: str | None = None) -> None:
        require(TABLES_NEED, *PARQUET)
        self._folder = folder
        self._compression = compression or DEFAULT_COMPRESSION
        self._plan = _Plan(sample=Kind.JSON if with_sample else Kind.NULL, sample_if_any=with_sample is None)
        self._segments: list[_Segment] = []
        self._writer: _Writer | None = None
        self._group: list[pa.Table] = []
        self._group_bytes = 0
        # Encoding and compressing a batch takes as long as decoding one, and releases Python's lock meanwhile.
        self._background = BackgroundCalls()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._background.close()
        if self._writer is not None:
            self._writer.close()

    def write(self, columns: Columns) -> None:
        import pyarrow as pa

        plan = self._plan.widened_by(columns)
        if self._writer is None or plan != self._plan:
            self._writer = self._begin_segment(plan)
        segment = self._segments[-1]
        segment.note(columns)
        by_key: dict[Any, list[Any]] = {
            ROW_INDEX: columns.row_index,
            METRIC_ERRORS: columns.metric_errors,
            INFERENCE_ERROR: columns.inference_error,
            SAMPLE: columns.sample,
            **{("item", key): values for key, values in columns.items.items()},
            **{("score", key): values for key, values in columns.scores.items()},
        }
        fixed = {METRIC_ERRORS, SAMPLE}  # JSON text already
        arrays = [_array(by_key.get(key), kind, columns.rows, is_text=key in fixed) for key, _, kind in segment.fields]
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
            with self._segments[0].path.open("rb") as file:
                shutil.copyfileobj(file, target, 1024 * 1024)
            return
        writer = _Writer(target, self._plan, self._folder, self._compression)
        for segment in self._segments:
            for batch in _converted(segment, self._plan):
                writer.write(batch)
        writer.finish()

    def _begin_segment(self, plan: _Plan) -> _Writer:
        self._end_segment()
        path = self._folder / f"segment-{len(self._segments)}.parquet"
        self._plan = plan
        self._segments.append(_Segment(path, plan))
        return _Writer(path, plan, self._folder, self._compression)

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._group and self._writer is not None:
            self._background.run(self._writer.write, pa.concat_tables(self._group))
        self._group, self._group_bytes = [], 0

    def _end_segment(self) -> None:
        self._write_group()
        self._background.wait()
        if self._writer is not None:
            self._writer.finish()


class _Writer:
    """Write tables of one schema, and digests of what they hold."""

    def __init__(self, target: Path | BinaryIO, plan: _Plan, folder: Path, compression: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.schema = plan.schema()
        # The smallest and largest text of each group are of no use, and make the footer five times as large.
        measured = [field.name for field in self.schema if not pa.types.is_string(field.type)]
        self._file = pq.ParquetWriter(
            target, self.schema, compression=compression, write_statistics=measured, write_page_checksum=True
        )
        items = plan.item_columns()
        self._items = ItemDigest(items, folder)
        self._values = ValueDigest(name for name in self.schema.names if name not in items)
        # In many short steps, each of which waits until the thread that decodes releases Python's lock. The waiting
        # takes longer than the work.
        self._background = BackgroundCalls()

    def write(self, batch: pa.Table) -> None:
        self._background.run(self._digest, batch)
        self._file.write_table(batch)
        self._background.wait()

    def finish(self) -> None:
        self._file.add_key_value_metadata({ITEMS_KEY: self._items.finish(), VALUES_KEY: self._values.finish()})
        self.close()

    def _digest(self, batch: pa.Table) -> None:
        self._items.add(batch)
        self._values.add(batch)

    def close(self) -> None:
        self._background.close()
        self._file.close()


def _converted(segment: _Segment, final: _Plan) -> Iterator[pa.Table]:
    """The row groups of a segment with the columns and types of the whole file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    places = {key: (place, kind) for place, (key, _, kind) in enumerate(segment.fields)}
    integers = {("item", name): found for name, found in segment.integers.items()}
    first = 0
    with pq.ParquetFile(segment.path) as file:
        for group in range(file.num_row_groups):
            found = file.read_row_group(group)
            arrays = []
            for key, _, kind in final.fields():
                if key in places:
                    place, had = places[key]
                    here = integers.get(key, b"")[first : first + found.num_rows]
                    arrays.append(_cast(found.column(place), had, kind, integers=here))
                else:
                    arrays.append(pa.nulls(found.num_rows, _type(kind)))
            first += found.num_rows
            yield pa.Table.from_arrays(arrays, schema=final.schema())


def _cast(column: Any, had: Kind, kind: Kind, *, integers: bytes | bytearray) -> Any:
    import pyarrow as pa

    if kind != Kind.JSON or had in (Kind.JSON, Kind.NULL):
        return column.cast(_type(kind))
    values = column.to_pylist()
    for place in (place for place, was_integer in enumerate(integers) if was_integer):
        values[place] = int(values[place])
    return pa.array([as_json(value) for value in values], _type(kind))


def _array(values: list[Any] | None, kind: Kind, rows: int, *, is_text: bool) -> pa.Array:
    import pyarrow as pa

    if values is None:
        return pa.nulls(rows, _type(kind))
    if kind == Kind.JSON and not is_text:
        values = [as_json(value) for value in values]
    # from_pandas=False: a NaN stays a NaN, and only None is null.
    return pa.array(values, _type(kind), from_pandas=False, memory_pool=pa.system_memory_pool())


def _metadata(key: Any, kind: Kind) -> dict[bytes, bytes]:
    """What a column's metadata says of it.

    :param key: as of :meth:`_Plan.fields`
    """
    metadata = {JSON_KEY: b"1"} if kind == Kind.JSON else {}
    if key == ("item", OTHERS):
        return metadata | {OTHERS_KEY: b"1"}
    own = {"item": FIELD_KEY, "score": SCORE_KEY}.get(key[0])
    return metadata if own is None else metadata | {own: json.dumps(key[1]).encode()}


def own_field(column: pa.Field) -> Field:
    """The item's field in a column. Older files do not say: theirs follows from the column's name."""
    metadata = column.metadata or {}
    if OTHERS_KEY in metadata:
        return OTHERS
    if FIELD_KEY not in metadata:
        return field_named(column.name)
    own = str(json.loads(metadata[FIELD_KEY]))
    return OTHERS if own == _EARLIER_OTHERS != column.name else own


def _type(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    types = {Kind.NULL: pa.null, Kind.BOOL: pa.bool_, Kind.INT: pa.int64, Kind.LONG: pa.int64, Kind.FLOAT: pa.float64}
    return types.get(kind, pa.string)()
