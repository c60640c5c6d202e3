"""Row scores as JSONL: byte for byte the file that the service holds, but for bare CRs between rows."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.formats.format import Format, RowFile, WriteOptions
from airflow_provider_benchmarks.scores.column_names import column_names
from airflow_provider_benchmarks.scores.columns import (
    FIXED,
    INFERENCE_ERROR,
    METRIC_ERRORS,
    ROW_INDEX,
    SAMPLE,
    Columns,
)
from airflow_provider_benchmarks.scores.completeness import RowCheck, line_blocks, skim
from airflow_provider_benchmarks.scores.frames import (
    CALL_ERRORS,
    SCORE_COLUMNS,
    choose_columns,
    item_column,
    json_column,
    says_fields,
    score_column,
)
from airflow_provider_benchmarks.scores.own_fields import Field
from airflow_provider_benchmarks.scores.row_decoder import RowDecoder
from airflow_provider_benchmarks.scores.rows import require_indices
from airflow_provider_benchmarks.scores.stored_files import is_damage

if TYPE_CHECKING:
    import pandas as pd

GZIP = b"\x1f\x8b"
#: Some tools begin a text with it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK_BYTES = 1024 * 1024
#: Where rows are only compared, and no columns are made of them.
_LARGE_BLOCK_BYTES = 4 * 1024 * 1024


class Jsonl(Format):
    """A row a line, as the service has it, with the model's outputs."""

    name = "jsonl"
    title = "JSONL"
    beginnings: ClassVar = {GZIP: "gzip", ZSTD: "zstd", b"{": "jsonl"}
    is_text = True
    compressions = ("gzip", "zstd")

    def sniff(self, start: bytes) -> str:
        text = start.removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
        # Nothing but blank lines so far.
        return super().sniff(text) if text else self.name if start else ""

    def kind(self, compression: str | None) -> str:
        return compression or self.name

    def require(self, compression: str | None) -> None:
        if compression == "zstd":
            require('row scores as JSONL with compression="zstd" need', "pyarrow")

    @contextmanager
    def writing(self, target: BinaryIO, check: RowCheck, options: WriteOptions) -> Iterator[Callable[[bytes], None]]:
        with self._compressed(target, options.compression) as file:

            def write(block: bytes) -> None:
                skim(block, check)
                file.write(block)

            yield write

    @contextmanager
    def _compressed(self, target: BinaryIO, compression: str | None) -> Iterator[BinaryIO]:
        if compression is None:
            yield target
        elif compression == "gzip":
            # No time and no name in it: the same rows give the same file.
            with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as file:
                yield cast("BinaryIO", file)
        else:
            self.require(compression)
            import pyarrow as pa

            with pa.CompressedOutputStream(target, compression) as file:
                yield cast("BinaryIO", file)

    def read(self, files: Iterable[RowFile], columns: Sequence[str] | None, path: str) -> pd.DataFrame:
        """Load the file.

        Only the columns that are asked for are kept in memory; ``sample`` is read where ``columns`` names it.
        """
        decoder = RowDecoder(with_sample=columns is not None and SAMPLE in columns)
        check, found = _RowsOfAnyKind(), Columns()
        try:
            for each in files:
                for block in line_blocks(_decompressed(each.file, each.kind), _BLOCK_BYTES):
                    for batch in decoder.batches(block, check):
                        found.append(batch, keep=lambda name: _may_be_asked_for(name, columns))
        except IncompleteResults as error:
            raise IncompleteResults(f"{path}: {error}") from error
        return _frame(found, columns, path)

    def count_rows(self, file: BinaryIO, compression: str | None) -> int:
        check = RowCheck()
        for block in line_blocks(_pieces(_stream(file, compression), _BLOCK_BYTES), _BLOCK_BYTES):
            skim(block, check)
        return check.rows

    def lines(self, file: BinaryIO, compression: str | None) -> Iterator[bytes]:
        return line_blocks(_pieces(_stream(file, compression)), _LARGE_BLOCK_BYTES)


class _RowsOfAnyKind(RowCheck):
    """Only counts: which rows a file has was checked when it was stored, unless someone put it together."""

    def add(self, indices: Sequence[Any]) -> None:
        require_indices(indices)
        self.rows += len(indices)


def _may_be_asked_for(name: Field, columns: Sequence[str] | None) -> bool:
    """False only for a field or score of no use. Its column's name is known in the end, but has its own name in it."""
    readable = str(name).encode(errors="backslashreplace").decode()
    return columns is None or any(readable in column for column in columns)


def _frame(found: Columns, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    import pandas as pd

    items, scores = column_names(found.items, list(found.scores), fixed=FIXED)
    failed = [number for number, error in zip(found.row_index, found.inference_error, strict=True) if error is not None]
    known = [*items.values(), *scores.values(), METRIC_ERRORS, *([INFERENCE_ERROR] if failed else [])]
    chosen = choose_columns(known if columns is None else columns, [ROW_INDEX, *known, SAMPLE], path)
    index = pd.Index(found.row_index, name=ROW_INDEX, dtype="int64")
    data: dict[str, pd.Series[Any]] = {}
    # Each list goes when it has become a column: of very many columns, all of both take too much memory.
    for field, name in items.items():
        if name in chosen:
            data[name] = item_column(found.items.pop(field), index)
    for key, name in scores.items():
        if name in chosen:
            data[name] = score_column(found.scores.pop(key), index)
    data[METRIC_ERRORS] = json_column(found.metric_errors, index)
    data[INFERENCE_ERROR] = item_column(found.inference_error, index)
    if SAMPLE in chosen:
        data[SAMPLE] = json_column(found.sample, index)
    frame = pd.DataFrame({name: data[name] for name in chosen}, index=index, copy=False)
    frame.attrs |= {SCORE_COLUMNS: [name for name in scores.values() if name in chosen], CALL_ERRORS: failed}
    frame.attrs |= says_fields({name: field for field, name in items.items() if name in chosen})
    return frame


def _decompressed(file: BinaryIO, kind: str) -> Iterator[bytes]:
    """The pieces of a file, whatever it is compressed with.

    :raises IncompleteResults: it is damaged
    """
    if kind == "zstd":
        require("row scores that are packed with zstd need", "pyarrow")
    try:
        yield from _pieces(_stream(file, kind), _BLOCK_BYTES)
    except (EOFError, zlib.error, OSError) as error:
        if not is_damage(error):
            raise
        raise IncompleteResults(
            f"can't be read to its end ({error}). If the file is damaged, download the row scores again."
        ) from error


def _stream(file: BinaryIO, kind: str | None) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)
    if kind == "zstd":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), kind)
    return file


def _pieces(file: Any, size: int = _LARGE_BLOCK_BYTES) -> Iterator[bytes]:
    return iter(lambda: file.read(size), b"")
