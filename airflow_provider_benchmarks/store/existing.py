"""What to do when the destination is there already."""

from __future__ import annotations

import gzip
import hashlib
from enum import StrEnum
from typing import Any, BinaryIO

from airflow_provider_benchmarks.store.results import RowFormat, StoredFile

_CHUNK = 4 * 1024 * 1024


class IfExists(StrEnum):
    """What a download does with a destination that is there already.

    ``replace`` puts the new file in its place once it is complete; ``skip`` keeps the old one and downloads nothing;
    ``fail`` is an error, unless the old file is the very same, so that a retry of a task whose file was complete passes.
    """

    REPLACE = "replace"
    SKIP = "skip"
    FAIL = "fail"


def stored_before(destination: str, row_format: RowFormat, *, storage_conn_id: str | None = None) -> StoredFile | None:
    """Describe the file of row scores at a destination; None where there is none."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    path: Any = ObjectStoragePath(destination, conn_id=storage_conn_id)
    if not path.exists():
        return None
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    with path.open("rb") as file:
        rows = _rows(file, row_format)
    return StoredFile(path=destination, rows=rows, bytes=size, sha256=digest.hexdigest(), format=row_format.name)


def _rows(file: Any, row_format: RowFormat) -> int:
    if row_format.name == "parquet":
        import pyarrow.parquet as pq

        found: int = pq.ParquetFile(file).metadata.num_rows
        return found
    if row_format.name == "csv":
        import csv
        import io

        return sum(1 for _ in csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))) - 1
    return sum(chunk.count(b"\n") for chunk in _chunks(_unpacked(file, row_format.compression)))


def _chunks(file: BinaryIO) -> Any:
    return iter(lambda: file.read(_CHUNK), b"")


def _unpacked(file: BinaryIO, compression: str | None) -> Any:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)
    if compression == "zstd":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), compression)
    return file
