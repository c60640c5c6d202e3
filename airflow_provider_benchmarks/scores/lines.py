"""Load JSONL files of row scores, of which no more columns are kept than are asked for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.completeness import RowCheck, line_blocks
from airflow_provider_benchmarks.scores.frames import (
    CALL_ERRORS,
    SCORE_COLUMNS,
    choose_columns,
    item_column,
    json_column,
    score_column,
)
from airflow_provider_benchmarks.scores.names import column_names
from airflow_provider_benchmarks.scores.stored_files import is_damage
from airflow_provider_benchmarks.scores.table import FIXED, INFERENCE_ERROR, METRIC_ERRORS, ROW_INDEX, SAMPLE, Columns
from airflow_provider_benchmarks.scores.uniform_rows import ColumnReader

if TYPE_CHECKING:
    import pandas as pd

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK = 1024 * 1024


def read_lines(file: BinaryIO, start: bytes, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    """Load a JSONL file, which may be packed.

    :param start: its first bytes
    :param columns: only these; ``sample`` has to be among them to be read
    :raises IncompleteResults: a line is not a row, or a packed file is damaged
    """
    reader = ColumnReader(with_sample=columns is not None and SAMPLE in columns)
    check, found = _RowsOfAnyKind(), Columns()
    try:
        for block in line_blocks(_unpacked(file, start), _BLOCK):
            found.append(reader.read(block, check), keep=lambda name: _may_be_asked_for(name, columns))
    except IncompleteResults as error:
        raise IncompleteResults(f"{path}: {error}") from error
    return _frame(found, columns, path)


class _RowsOfAnyKind(RowCheck):
    """Only counts: which rows a file has was checked when it was stored, unless someone put it together."""

    def add(self, indices: Sequence[Any]) -> None:
        self.rows += len(indices)


def _may_be_asked_for(name: str, columns: Sequence[str] | None) -> bool:
    """What a column is called is known in the end, but it has the name of its field or score in it."""
    readable = name.encode(errors="backslashreplace").decode()
    return columns is None or any(readable in column for column in columns)


def _frame(found: Columns, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    import pandas as pd

    items, scores = column_names(found.items, list(found.scores), fixed=FIXED)
    failed = [number for number, error in zip(found.row_index, found.inference_error, strict=True) if error is not None]
    known = [*items.values(), *scores.values(), METRIC_ERRORS, *([INFERENCE_ERROR] if failed else [])]
    chosen = choose_columns(known if columns is None else columns, [ROW_INDEX, *known, SAMPLE], path)
    index = pd.Index(found.row_index, name=ROW_INDEX, dtype="int64")
    data: dict[str, pd.Series[Any]] = {}
    for field, name in items.items():
        if name in chosen:
            data[name] = item_column(found.items[field], index)
    for key, name in scores.items():
        if name in chosen:
            data[name] = score_column(found.scores[key], index)
    data[METRIC_ERRORS] = json_column(found.metric_errors, index)
    data[INFERENCE_ERROR] = item_column(found.inference_error, index)
    if SAMPLE in chosen:
        data[SAMPLE] = json_column(found.sample, index)
    frame = pd.DataFrame({name: data[name] for name in chosen}, index=index)
    frame.attrs |= {SCORE_COLUMNS: [name for name in scores.values() if name in chosen], CALL_ERRORS: failed}
    return frame


def _unpacked(file: Any, start: bytes) -> Iterator[bytes]:
    if start.startswith(GZIP):
        file = gzip.GzipFile(fileobj=file)
    elif start.startswith(ZSTD):
        require("row scores that are packed with zstd need", "pyarrow")
        import pyarrow as pa

        file = pa.input_stream(pa.PythonFile(file, mode="r"), compression="zstd")
    try:
        while piece := file.read(_BLOCK):
            yield piece
    except (EOFError, zlib.error, OSError) as error:
        if not is_damage(error):
            raise
        raise IncompleteResults(
            f"can't be read to its end ({error}). If the file is damaged, download the row scores again."
        ) from error
