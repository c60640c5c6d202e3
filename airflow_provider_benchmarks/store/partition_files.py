"""Cut a Parquet file of row scores into a file for each value of some fields, in bounded memory.

Rows are sorted by their folders some megabytes at a time, into one spill file. Then the rows of each folder are
read from it, one folder after another. So neither memory nor open files grow with the number of folders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_benchmarks.brief import brief, brief_names, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.formats import TABLE_FORMATS, RowFormat
from airflow_provider_benchmarks.formats.item_digest import ValueDigest
from airflow_provider_benchmarks.formats.table_file import (
    DEFAULT_COMPRESSION,
    FOLDER_FIELDS_KEY,
    ITEMS_KEY,
    JSON_KEY,
    VALUES_KEY,
    own_field,
)
from airflow_provider_benchmarks.scores.columns import field_named

if TYPE_CHECKING:
    import pyarrow as pa

#: A field with more values than this identifies rows rather than groups them.
MAX_PARTITIONS = 1000
#: Size of the rows in memory, uncompressed; twice as much while they are sorted.
_SORTED_BYTES = 16 * 1024 * 1024
_ROW_GROUP_BYTES = 8 * 1024 * 1024
#: Name of the folder of rows without a value, as Hive has it.
_MISSING_VALUE = "__HIVE_DEFAULT_PARTITION__"
#: Maximum size of a name of a file or folder, on nearly every file system.
_MAX_NAME_BYTES = 255


@dataclass(frozen=True, slots=True)
class Part:
    """The rows with one value of each field.

    :param place: name of their final folder
    :param values: of the fields, by name
    :param file: overwritten when the next part is asked for
    """

    place: str
    values: dict[str, Any]
    file: Path
    rows: int


def cut(parquet: Path, folder: Path, *, fields: Sequence[str], row_format: RowFormat) -> Iterator[Part]:
    """Yield the parts one after the other; the same rows make the same files.

    :param parquet: all rows
    :param folder: for the files; the caller's to delete
    :raises ConfigurationError: there is no such column, or its values can't name folders; before the first file
    """
    import pyarrow as pa

    spilled, target = folder / "sorted.arrow", folder / "rows.parquet"
    batches = _spill(parquet, spilled, fields)
    with pa.OSFile(str(spilled)) as source, pa.ipc.open_file(source) as reader:
        for place, (values, numbers) in sorted(batches.items()):
            rows = _write(_row_groups(reader, numbers), target, row_format.compression or DEFAULT_COMPRESSION)
            final = TABLE_FORMATS[row_format.name].converted(target, row_format)
            yield Part(place, dict(zip(fields, values, strict=True)), final, rows)


def _spill(parquet: Path, spilled: Path, fields: Sequence[str]) -> dict[str, tuple[tuple[Any, ...], list[int]]]:
    """Write an Arrow file with batches of rows of one folder each.

    :return: the fields' values and the numbers of the batches, by folder
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches: dict[str, tuple[tuple[Any, ...], list[int]]] = {}
    with ExitStack() as stack:
        file = stack.enter_context(pq.ParquetFile(parquet))
        for name in fields:
            _check_field(file.schema_arrow, name)
        schema = _schema_of_parts(file.schema_arrow, fields)
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        writer = stack.enter_context(pa.ipc.new_file(str(spilled), schema, options=options))
        numbers = count()
        for table in _portions(file):
            for place, values, rows in _by_folder(table, fields):
                for batch in rows.to_batches():
                    writer.write_batch(batch)
                    batches.setdefault(place, (values, []))[1].append(next(numbers))
            if len(batches) > MAX_PARTITIONS:
                raise ConfigurationError(
                    f"partition_by {brief_names(fields)}: there are more than {MAX_PARTITIONS} different values. "
                    f"Choose a field that groups rows."
                )
    return batches


def _schema_of_parts(schema: pa.Schema, fields: Sequence[str]) -> pa.Schema:
    """The schema without the fields in folders' names, and without the digests: no part has all rows."""
    import pyarrow as pa

    metadata = {key: value for key, value in (schema.metadata or {}).items() if key not in (ITEMS_KEY, VALUES_KEY)}
    own = {name: own_field(schema.field(name)) for name in fields}
    if odd := {name: field for name, field in own.items() if field != field_named(name)}:
        metadata[FOLDER_FIELDS_KEY] = json.dumps(odd).encode()
    return pa.schema([field for field in schema if field.name not in fields], metadata=metadata)


def _portions(file: Any) -> Iterator[pa.Table]:
    """Row groups, several at a time where they are small."""
    import pyarrow as pa

    groups: list[pa.Table] = []
    for number in range(file.num_row_groups):
        groups.append(file.read_row_group(number, use_threads=False))
        if sum(group.nbytes for group in groups) >= _SORTED_BYTES or number == file.num_row_groups - 1:
            portion, groups = pa.concat_tables(groups).combine_chunks(), []
            yield portion


def _by_folder(table: pa.Table, fields: Sequence[str]) -> Iterator[tuple[str, tuple[Any, ...], pa.Table]]:
    """The rows of each folder, in their order, without the fields in its name."""
    import numpy as np

    numbers: dict[tuple[Any, ...], int] = {}
    values = zip(*(table.column(name).to_pylist() for name in fields), strict=True)
    codes = np.fromiter((numbers.setdefault(each, len(numbers)) for each in values), np.int64, count=table.num_rows)
    rows = table.drop_columns(list(fields)).replace_schema_metadata().take(np.argsort(codes, kind="stable"))
    counts = np.bincount(codes, minlength=len(numbers))
    ends = np.cumsum(counts)
    for each, number in numbers.items():
        place = "/".join(map(_folder_name, fields, each))
        yield place, each, rows.slice(int(ends[number] - counts[number]), int(counts[number]))


def _check_field(schema: pa.Schema, name: str) -> None:
    import pyarrow as pa

    if name not in schema.names:
        raise ConfigurationError(
            f'partition_by: the row scores have no column "{shortened(name)}"; they have {brief_names(schema.names)}'
            f"{did_you_mean(name, schema.names)}"
        )
    field = schema.field(name)
    is_json = JSON_KEY in (field.metadata or {})
    types = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    if is_json or not any(is_type(field.type) for is_type in types):
        found = "values of several kinds, lists or objects" if is_json else f"values of type {field.type}"
        raise ConfigurationError(
            f'partition_by: column "{name}" has {found}; texts, whole numbers and booleans can name folders'
        )


def _folder_name(field: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    name = "".join(f"%{ord(letter):02X}" if letter in "%/=" else letter for letter in field)
    name += f"={_MISSING_VALUE if value is None else quote(text, safe='')}"
    why = ""
    if text == _MISSING_VALUE:
        why = "which is the name for a missing value"
    elif "\0" in text:
        why = "which readers take to end at its zero byte"
    elif (size := len(name.encode())) > _MAX_NAME_BYTES:
        why = f"whose folder's name would have {size} bytes, more than the {_MAX_NAME_BYTES} that a file system takes"
    if why:
        raise ConfigurationError(f'partition_by: column "{field}" has the value {brief(text)}, {why}')
    return name


def _write(groups: Iterable[pa.Table], target: Path, compression: str) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, writer = 0, None
    with ExitStack() as stack:
        for group in groups:
            if writer is None:
                measured = [field.name for field in group.schema if not pa.types.is_string(field.type)]
                options = {"compression": compression, "write_statistics": measured, "write_page_checksum": True}
                writer = stack.enter_context(pq.ParquetWriter(target, group.schema, **options))
                values = ValueDigest(group.schema.names)
            writer.write_table(group)
            values.add(group)
            rows += group.num_rows
        if writer is not None:
            writer.add_key_value_metadata({VALUES_KEY: values.finish()})
    return rows


def _row_groups(reader: Any, numbers: Sequence[int]) -> Iterator[pa.Table]:
    import pyarrow as pa

    group, size = [], 0
    for number in numbers:
        group.append(reader.get_batch(number))
        size += group[-1].nbytes
        if size >= _ROW_GROUP_BYTES or number == numbers[-1]:
            yield pa.Table.from_batches(group)
            group, size = [], 0
