"""Load stored row scores into a frame."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, EXACT_IN_FLOAT, SCORE_COLUMNS, row_scores_frame
from airflow_provider_benchmarks.scores.parquet import JSON_KEY, SCORE_COLUMNS_KEY
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.table import INFERENCE_ERROR, ROW_INDEX

if TYPE_CHECKING:
    import pandas as pd

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"


def read_row_scores(path: str | PathLike[str], *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Load a stored file of row scores, Parquet or JSONL (also gzip or zstd); the index is ``row_index``.

    The columns are those of :func:`~airflow_provider_benchmarks.scores.row_scores_frame`; a Parquet file has
    ``metric_errors`` too, and ``sample`` where it was asked for. JSON text comes back as the values that it stands for.

    :param path: a local path, a URL that fsspec opens, or an Airflow ObjectStoragePath
    :param columns: only these; a Parquet file is read no further than they need
    :raises ConfigurationError: the file has no such column, or is of another format
    :raises IncompleteResults: a line is not a row
    """
    with open_stored(path) as file:
        start = file.read(4)
        file.seek(0)
        if start == _PARQUET:
            return _read_parquet(file, columns, str(path))
        if start and not start.startswith((b"{", _GZIP, _ZSTD)):
            raise ConfigurationError(f"{path} is neither Parquet nor JSONL: it begins with {start!r}")
        frame = row_scores_frame(read_rows(_unpacked(file, start)))
    return frame if columns is None else _only(frame, columns, str(path))


def open_stored(path: Any) -> Any:
    """Open a local path, a URL that fsspec opens, or an Airflow ObjectStoragePath, for reading."""
    if hasattr(path, "open"):
        return path.open("rb")
    import fsspec

    return fsspec.open(str(path), "rb")


def _unpacked(file: BinaryIO, start: bytes) -> Any:
    if start.startswith(_GZIP):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(_ZSTD):
        import pyarrow as pa

        return pa.input_stream(pa.PythonFile(file), compression="zstd").read().split(b"\n")
    return file


def _read_parquet(file: BinaryIO, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file)
    schema = parquet.schema_arrow
    wanted = list(schema.names if columns is None else columns)
    if columns is not None:
        _check(columns, schema.names, path)
        errors = [INFERENCE_ERROR] if INFERENCE_ERROR in schema.names else []
        columns = list(dict.fromkeys([ROW_INDEX, *columns, *errors]))
    table = parquet.read(columns=columns)
    frame: pd.DataFrame = table.to_pandas()
    for name in table.column_names:
        values = _exact_values(table.column(name), is_json=JSON_KEY in (schema.field(name).metadata or {}))
        if values is not None:
            frame[name] = values
    frame = frame.set_index(ROW_INDEX)
    scores = json.loads((schema.metadata or {}).get(SCORE_COLUMNS_KEY, b"[]"))
    failed = list(frame.index[frame[INFERENCE_ERROR].notna()]) if INFERENCE_ERROR in frame else []
    frame = frame[[name for name in frame.columns if name in wanted]]
    frame.attrs |= {SCORE_COLUMNS: [name for name in scores if name in frame], CALL_ERRORS: failed}
    return frame


def _exact_values(column: Any, *, is_json: bool) -> pd.Series | None:
    """The values of a column that pandas would not take over as they are; None where it does."""
    import pandas as pd
    import pyarrow as pa

    if is_json:
        return pd.Series([None if v is None else json.loads(v) for v in column.to_pylist()], dtype="object")
    if pa.types.is_int64(column.type) and column.null_count:  # pandas makes floats of integers with gaps
        values = column.to_pylist()
        if any(value is not None and abs(value) > EXACT_IN_FLOAT for value in values):
            return pd.Series(values, dtype="object")
    return None


def _only(frame: pd.DataFrame, columns: Sequence[str], path: str) -> pd.DataFrame:
    _check(columns, [ROW_INDEX, *frame.columns], path)
    chosen = frame[[name for name in columns if name != ROW_INDEX]]
    chosen.attrs |= frame.attrs
    chosen.attrs[SCORE_COLUMNS] = [name for name in frame.attrs[SCORE_COLUMNS] if name in chosen]
    return chosen


def _check(columns: Sequence[str], known: Sequence[str], path: str) -> None:
    if missing := [name for name in columns if name not in known]:
        raise ConfigurationError(f"{path} has no columns {missing}; it has: {', '.join(known)}")
