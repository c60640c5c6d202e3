"""Load stored row scores into a frame."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.csv_file import BEGINNINGS, read_csv, read_texts
from airflow_provider_benchmarks.scores.frames import (
    CALL_ERRORS,
    SCORE_COLUMNS,
    choose_columns,
    json_column,
    row_scores_frame,
    score_column,
)
from airflow_provider_benchmarks.scores.lines import GZIP, ZSTD, read_lines
from airflow_provider_benchmarks.scores.parquet import JSON_KEY, SCORE_COLUMNS_KEY
from airflow_provider_benchmarks.scores.partitioned import MANIFEST, Partitions, read_partitions
from airflow_provider_benchmarks.scores.stored_files import (
    Openable,
    is_folder,
    named_if_damaged,
    open_stored,
    stored_path,
)
from airflow_provider_benchmarks.scores.table import EXACT_IN_FLOAT, INFERENCE_ERROR, ROW_INDEX

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PARQUET = b"PAR1"
_START_BYTES = 16


def read_row_scores(path: str | PathLike[str] | Openable, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Load stored row scores: a file, Parquet, JSONL (also gzip or zstd) or CSV, or a folder with a file for each value
    of a field. The index is ``row_index``.

    The columns are those of :func:`~airflow_provider_benchmarks.scores.row_scores_frame`, and ``metric_errors``;
    ``inference_error`` where the call of the model failed for a row; and ``sample``, which Parquet and CSV have where it
    was asked for, and JSONL where ``columns`` names it. An item field with the name of one of these is ``item.<field>``.
    JSON text comes back as the values that it stands for.

    CSV is for spreadsheets: a column of it is of numbers or booleans where all its cells look so, else of texts, JSON
    among them; empty cells are missing values; an apostrophe before a formula is taken away; which columns are scores
    it does not say. The rows of a folder come by ``row_index``, and the fields that group them first.

    :param path: a local path, a URL that fsspec opens, one that names an Airflow connection
        (``s3://connection@bucket/key``, where Airflow is installed), or an Airflow ObjectStoragePath
    :param columns: only these; a Parquet file is read no further than they need, and no others of JSONL are kept
    :raises ConfigurationError: there is no such column, what is there is something else than row scores, or nothing
        that reads it is installed (extra ``parquet``, for Parquet and zstd)
    :raises IncompleteResults: a line is not a row, a file is damaged, or a folder has no manifest
    """
    path = stored_path(path)
    missing: OSError | None = None
    try:
        with open_stored(path) as file:
            start = file.read(_START_BYTES)
            file.seek(0)
            if start:
                return _read_file(file, start, columns, str(path))
    except (FileNotFoundError, IsADirectoryError) as error:
        missing = error
    # Some storages open a folder as an empty file.
    if (folder := read_partitions(path)) is not None:
        return _read_folder(folder, columns, str(path))
    if is_folder(path):
        raise IncompleteResults(
            f"{path} is a folder without a {MANIFEST}, which is written last: it holds no row scores, or the download was "
            f"interrupted. Download them again."
        )
    if missing is not None:
        raise missing
    return read_lines(io.BytesIO(), b"", columns, str(path))


def _read_file(file: BinaryIO, start: bytes, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    if start.startswith(_PARQUET):
        return _frame(_read_parquet(file, columns, path), columns)
    if start.startswith(BEGINNINGS):
        return read_csv(read_texts(file, columns, path), columns, path)
    if not start.startswith((b"{", GZIP, ZSTD)):
        raise ConfigurationError(f"{path} is neither Parquet nor JSONL nor CSV of row scores: it begins with {start!r}")
    return read_lines(file, start, columns, path)


def _read_folder(folder: Partitions, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    if not folder.files:
        return row_scores_frame([])
    if folder.format == "parquet":
        import pyarrow as pa

        tables = []
        for place, values in folder.files:
            with open_stored(place) as file:
                tables.append(_read_parquet(file, columns, str(place), more=values))
        return _frame(pa.concat_tables(tables, promote_options="default").sort_by(ROW_INDEX), columns)
    texts: dict[str, list[str]] = {}
    for place, values in folder.files:
        with open_stored(place) as file:
            for name, column in read_texts(file, columns, str(place), more=values).items():
                texts.setdefault(name, []).extend(column)
    return read_csv(texts, columns, path).sort_index(kind="stable")


def _read_parquet(
    file: BinaryIO, columns: Sequence[str] | None, path: str, *, more: Mapping[str, Any] | None = None
) -> pa.Table:
    """Read what a frame needs.

    :param more: columns that the file does not have, with the value that they have in all rows
    """
    require(f"{path} is Parquet, and to read it you need", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    more = more or {}
    with named_if_damaged(path):
        parquet = pq.ParquetFile(file)
        names = parquet.schema_arrow.names
        chosen = choose_columns(columns, list(dict.fromkeys([*more, *names])), path)
        errors = [INFERENCE_ERROR] if INFERENCE_ERROR in names else []
        wanted = list(dict.fromkeys([ROW_INDEX, *chosen, *errors]))
        table = parquet.read(columns=[name for name in wanted if name in names])
    for name, value in more.items():
        table = table.append_column(name, pa.array([value] * len(table)))
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
    frame = frame[[name for name in frame.columns if columns is None or name in columns]]
    frame.attrs[CALL_ERRORS] = failed
    if SCORE_COLUMNS_KEY in metadata:
        frame.attrs[SCORE_COLUMNS] = [name for name in scores if name in frame]
    return frame


def _exact_values(column: Any, index: pd.Index[Any], *, is_json: bool, is_score: bool) -> pd.Series[Any] | None:
    """The values of a column that pandas would not take over as a frame of rows has them; None where it does."""
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
