"""Results of a job as files."""

from __future__ import annotations

import gc
import gzip
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.completeness import FirstRows, RowCheck, line_blocks, skim
from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.hashed import HashedFile
from airflow_provider_benchmarks.store.place import Place

#: Formats of row scores, and what each can be compressed with. Parquet always is: with the first unless told otherwise.
COMPRESSIONS: dict[str, tuple[str, ...]] = {"jsonl": ("gzip", "zstd"), "parquet": ("zstd", "snappy"), "csv": ()}
ROW_FORMATS = tuple(COMPRESSIONS)
ZSTD_NEEDS = 'row scores as JSONL with compression="zstd" need'
#: Rows are checked in blocks of this many bytes, small enough for a processor's cache: 8 MiB take twice the time.
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that was stored whole.

    :param path: where it is, as it was asked for
    :param rows: dataset rows in it; None for a file that does not hold rows
    :param bytes: its size
    :param sha256: of its content, in hex
    """

    path: str
    rows: int | None
    bytes: int
    sha256: str
    format: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFormat:
    """How row scores are written.

    :param name: ``jsonl`` (byte for byte what the service holds), ``parquet`` or ``csv`` (both need the extra
        ``parquet``)
    :param compression: ``gzip`` or ``zstd`` (extra ``parquet``) for JSONL; for Parquet ``zstd``, which it is when None, or ``snappy``: a
        sixth less processor time, in files half again as large
    :param with_sample: keep the model's outputs in Parquet and CSV, as JSON text; JSONL always has them
    :param neutralise_formulas: in CSV, put an apostrophe before texts that a spreadsheet would run as a formula
    :raises ConfigurationError: there is no such format
    """

    name: str = "jsonl"
    compression: str | None = None
    with_sample: bool = False
    neutralise_formulas: bool = True

    def __post_init__(self) -> None:
        if self.name not in ROW_FORMATS:
            raise ConfigurationError(
                f'unknown format of row scores "{shortened(self.name)}"; known: {", ".join(ROW_FORMATS)}'
            )
        if self.compression is not None and self.compression not in COMPRESSIONS[self.name]:
            known = "; ".join(f"{name} with {' or '.join(kinds)}" for name, kinds in COMPRESSIONS.items() if kinds)
            raise ConfigurationError(
                f'row scores as {self.name} can\'t be compressed with "{shortened(self.compression)}". '
                f"What can be: {known}"
            )

    @property
    def parquet_compression(self) -> str:
        """What Parquet's column chunks are compressed with."""
        return self.compression or COMPRESSIONS["parquet"][0]


def store_rows(
    pieces: Iterable[bytes],
    place: Place | None,
    *,
    row_format: RowFormat | None = None,
    length: int | None = None,
    expected_rows: int | Callable[[RowCheck], int | None] | None = None,
    limit: int | None = None,
) -> StoredFile:
    """Store row scores after checking that they are all there.

    :param pieces: the service's JSONL file, cut anywhere
    :param place: where to; None only tells what the file would be
    :param row_format: JSONL as it comes when None
    :param length: bytes of the service's file; None where the service does not say
    :param expected_rows: as many must come; None where the service does not say; a function is asked in the end, with
        what has been found in the rows
    :param limit: store only so many rows; where that leaves some out, the length is not checked, and indices may have
        gaps
    :raises IncompleteResults: a line is not a row, or bytes or rows are missing or too many; nothing is stored
    """
    row_format = row_format or RowFormat()
    counted, check = _Counted(pieces), RowCheck()
    blocks = FirstRows(line_blocks(counted, _BLOCK), limit)
    with _opened(place) as file, HashedFile(file) as target:
        if row_format.name == "jsonl":
            _write_lines(blocks, target, check, row_format.compression)
        else:
            _write_table(blocks, target, check, row_format)
        expected = expected_rows(check) if callable(expected_rows) else expected_rows
        check.finish(expected, limit=limit, is_cut=blocks.is_cut)
        if length is not None and not blocks.is_cut and counted.bytes != length:
            raise IncompleteResults(f"there are {counted.bytes} bytes, but the service says that it holds {length}")
    return _stored("" if place is None else place.url, target, rows=check.rows, format=row_format.name)


def store_bytes(pieces: Iterable[bytes], place: Place, *, format: str) -> StoredFile:
    """Store a body as it comes."""
    with atomic_write(place) as file, HashedFile(file) as target:
        for piece in pieces:
            target.write(piece)
    return _stored(place.url, target, rows=None, format=format)


def _stored(path: str, written: HashedFile, *, rows: int | None, format: str) -> StoredFile:
    return StoredFile(path=path, rows=rows, bytes=written.bytes, sha256=written.sha256, format=format)


@contextmanager
def _opened(place: Place | None) -> Iterator[BinaryIO]:
    if place is None:
        with open(os.devnull, "wb") as nowhere:
            yield nowhere
    else:
        with atomic_write(place) as file:
            yield file


def _write_lines(blocks: Iterable[bytes], target: BinaryIO, check: RowCheck, compression: str | None) -> None:
    with _compressed(target, compression) as file:
        for block in blocks:
            skim(block, check)
            file.write(block)


def _write_table(blocks: Iterable[bytes], target: BinaryIO, check: RowCheck, row_format: RowFormat) -> None:
    from airflow_provider_benchmarks.scores.csv_file import write_csv
    from airflow_provider_benchmarks.scores.parquet import ParquetRows
    from airflow_provider_benchmarks.scores.uniform_rows import ColumnReader

    reader = ColumnReader(with_sample=row_format.with_sample)
    with (
        tempfile.TemporaryDirectory(prefix="row-scores-") as folder,
        ParquetRows(
            Path(folder), with_sample=row_format.with_sample, compression=row_format.parquet_compression
        ) as rows,
    ):
        with _no_cycle_search():
            for block in blocks:
                columns = reader.read(block, check)
                check.note_scores((*key, _any_value(values)) for key, values in columns.scores.items())
                rows.write(columns)
        if row_format.name == "parquet":
            rows.finish(target)
            return
        parquet = Path(folder) / "rows.parquet"
        with parquet.open("wb") as file:
            rows.finish(file)
        write_csv(parquet, target, neutralise_formulas=row_format.neutralise_formulas)


def _any_value(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Keep Python from looking for cycles among millions of parsed values that have none.

    They are freed as soon as their block is written; looking for cycles takes most of the time otherwise, the more so
    the more the process has loaded.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _compressed(target: BinaryIO, compression: str | None) -> Iterator[BinaryIO]:
    if compression is None:
        yield target
    elif compression == "gzip":
        # No time and no name in it: the same rows give the same file.
        with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as file:
            yield cast("BinaryIO", file)
    else:
        require(ZSTD_NEEDS, "pyarrow")
        import pyarrow as pa

        with pa.CompressedOutputStream(target, compression) as file:
            yield cast("BinaryIO", file)


class _Counted:
    """Pieces whose bytes are counted as they pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.bytes += len(piece)
            yield piece
