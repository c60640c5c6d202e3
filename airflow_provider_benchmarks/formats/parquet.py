"""Row scores as Parquet: a column a field and a score, with their types."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from airflow_provider_benchmarks.exceptions import BenchmarkError, IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.formats.format import RowFile, WriteOptions
from airflow_provider_benchmarks.formats.table_file import (
    FIELD_KEY,
    FOLDER_FIELDS_KEY,
    JSON_KEY,
    SCORE_COLUMNS_KEY,
    TableFile,
    own_field,
)
from airflow_provider_benchmarks.formats.table_format import TableFormat
from airflow_provider_benchmarks.scores.columns import EXACT_IN_FLOAT, FIXED, INFERENCE_ERROR, ROW_INDEX
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.scores.frames import (
    CALL_ERRORS,
    SCORE_COLUMNS,
    choose_columns,
    json_column,
    says_fields,
    score_column,
)
from airflow_provider_benchmarks.scores.stored_files import is_damage

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq


class Parquet(TableFormat):
    """The format that readers of few columns, such as gates, like best; it is always compressed."""

    name = "parquet"
    title = "Parquet"
    beginnings: ClassVar = {b"PAR1": "parquet"}
    compressions = ("zstd", "snappy")

    def finish(self, rows: TableFile, folder: Path, target: BinaryIO, options: WriteOptions) -> None:
        rows.finish(target)

    def convert(self, parquet: Path, target: BinaryIO, options: WriteOptions) -> None:
        with parquet.open("rb") as file:
            shutil.copyfileobj(file, target)

    def converted(self, parquet: Path, options: WriteOptions) -> Path:
        return parquet

    def read(self, files: Iterable[RowFile], columns: Sequence[str] | None, path: str) -> pd.DataFrame:
        """Load files, no further than ``columns`` need."""
        require(f"{path} is Parquet, and to read it you need", "pyarrow")
        import pyarrow as pa

        tables = [_read_table(file, columns) for file in files]
        with named_if_damaged(path):
            return _frame(pa.concat_tables(tables, promote_options="default"), columns)

    def count_rows(self, file: BinaryIO, compression: str | None) -> int:
        check = RowCheck()
        with named_if_damaged("the file"):
            parquet = open_parquet(file)
            for group in range(parquet.num_row_groups):
                indices = parquet.read_row_group(group, columns=[ROW_INDEX], use_threads=False)
                check.add(indices.column(ROW_INDEX).to_pylist())
            parquet.schema_arrow.field(ROW_INDEX)
        return check.rows

    def lines(self, file: BinaryIO, compression: str | None) -> Iterator[bytes]:
        from airflow_provider_benchmarks.formats.service_rows import service_lines

        return service_lines(file, "the file")


def open_parquet(file: BinaryIO) -> pq.ParquetFile:
    """Open a Parquet file to be read by the calling thread alone: ``use_threads=False`` in each read, too.

    A thread of Arrow's that still holds the file, which is Python's, when the process ends makes it end with SIGABRT,
    whatever its exit code was to be.
    """
    import pyarrow.parquet as pq

    return pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)


@contextmanager
def named_if_damaged(path: Any) -> Iterator[None]:
    """Read a Parquet file in the block; the error of a storage that fails stays what it is.

    :raises IncompleteResults: the file can't be read, or is none of row scores; names it
    """
    import pyarrow as pa

    try:
        yield
    except BenchmarkError:
        raise
    # Of what it reads, Arrow raises errors of its own and of Python. The latter are those of JSON in metadata, too.
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        if not is_damage(error):
            raise
        raise IncompleteResults(
            f"{path} can't be read as Parquet ({error}). If the file is damaged, download the row scores again."
        ) from error


def _read_table(file: RowFile, columns: Sequence[str] | None) -> pa.Table:
    """Read what a frame needs."""
    import pyarrow as pa

    with named_if_damaged(file.path):
        parquet = open_parquet(file.file)
        names = parquet.schema_arrow.names
        chosen = choose_columns(columns, list(dict.fromkeys([*file.values, *names])), file.path)
        errors = [INFERENCE_ERROR] if INFERENCE_ERROR in names else []
        wanted = list(dict.fromkeys([ROW_INDEX, *chosen, *errors]))
        table = parquet.read(columns=[name for name in wanted if name in names], use_threads=False)
        odd = json.loads((table.schema.metadata or {}).get(FOLDER_FIELDS_KEY, b"{}"))
        for name, value in file.values.items():
            values = pa.array([value] * len(table))
            metadata = {FIELD_KEY: json.dumps(odd[name])} if name in odd else None
            table = table.append_column(pa.field(name, values.type, metadata=metadata), values)
        return table.select(wanted)


def _frame(table: pa.Table, columns: Sequence[str] | None) -> pd.DataFrame:
    schema = table.schema
    metadata = schema.metadata or {}
    scores = json.loads(metadata.get(SCORE_COLUMNS_KEY, b"[]"))
    frame: pd.DataFrame = table.to_pandas()
    for name in table.column_names:
        is_json = JSON_KEY in (schema.field(name).metadata or {})
        values = _exact_values(table.column(name), frame.index, is_json=is_json, is_score=name in scores)
        if values is not None:
            frame[name] = values
    frame = frame.set_index(ROW_INDEX)
    failed = list(frame.index[frame[INFERENCE_ERROR].notna()]) if INFERENCE_ERROR in frame else []
    wanted = [name for name in frame.columns if columns is None or name in columns]
    frame = frame if len(wanted) == len(frame.columns) else frame[wanted]
    frame.attrs[CALL_ERRORS] = failed
    items = [name for name in frame.columns if name not in (*FIXED, *scores)]
    frame.attrs |= says_fields({name: own_field(schema.field(name)) for name in items})
    if SCORE_COLUMNS_KEY in metadata:
        frame.attrs[SCORE_COLUMNS] = [name for name in scores if name in frame]
    return frame


def _exact_values(column: Any, index: pd.Index[Any], *, is_json: bool, is_score: bool) -> pd.Series[Any] | None:
    """The values of a column that pandas would change, as a frame of rows has them; None where it would not."""
    import pandas as pd
    import pyarrow as pa

    if is_json:
        return json_column(column.to_pylist(), index)
    if is_score and not pa.types.is_floating(column.type):
        return score_column(column.to_pylist(), index)
    if pa.types.is_int64(column.type) and column.null_count:  # pandas makes floats of integers with gaps
        values = column.to_pylist()
        if any(value is not None and abs(value) > EXACT_IN_FLOAT for value in values):
            return pd.Series(values, dtype="object")
    return None
