"""What to do when the destination is there already."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, IncompleteResults
from airflow_provider_benchmarks.scores.completeness import line_blocks
from airflow_provider_benchmarks.scores.rows import RowScore, read_rows
from airflow_provider_benchmarks.scores.stored_files import is_damage
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.results import RowFormat, StoredFile, store_bytes

_CHUNK = 4 * 1024 * 1024
#: How files begin, by what they are; other texts may be anything.
_BEGINNINGS = {
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"{": "jsonl",
    b"row_index": "csv",
}
_NEXT = 'Choose another destination, or if_exists="replace".'


class IfExists(StrEnum):
    """What a download does with a destination that is there already.

    ``replace`` puts the new file in its place once it is complete; ``skip`` keeps the old one and downloads nothing;
    ``fail`` is an error, unless the old file is the very same, so that a retry of a task whose file was complete passes.
    """

    REPLACE = "replace"
    SKIP = "skip"
    FAIL = "fail"

    @classmethod
    def _missing_(cls, value: object) -> IfExists:
        raise ConfigurationError(f'if_exists must be one of {", ".join(cls)}, found "{shortened(value)}"')


def stored_before(place: Place, row_format: RowFormat) -> StoredFile | None:
    """Describe the file of row scores at a place; None where there is none.

    :raises DestinationExists: what is there is not a file of this format
    """
    refuse_other_kind(place, is_folder=False)
    if not place.is_file():
        return None
    digest, size = hashlib.sha256(), 0
    with place.open() as file:
        _check_beginning(place, file.read(16), row_format)
        file.seek(0)
        for chunk in _chunks(file):
            digest.update(chunk)
            size += len(chunk)
    try:
        with place.open() as file:
            rows = _rows(file, row_format)
    except (ValueError, EOFError, zlib.error, OSError) as error:  # Arrow's are ValueErrors, or OSErrors
        if not is_damage(error):
            raise
        raise DestinationExists(f"{place} can't be read as {row_format.name} ({error}). {_NEXT}") from error
    return StoredFile(path=place.url, rows=rows, bytes=size, sha256=digest.hexdigest(), format=row_format.name)


def refuse_other_kind(place: Place, *, is_folder: bool) -> None:
    """Refuse a folder of the local disk where a file is to be, and a file where a folder is to be.

    :raises DestinationExists: names it
    """
    if not place.is_local:
        return
    path = Path(place.path)
    if path.exists() and path.is_dir() != is_folder:
        found, wanted = ("a file", "a folder (partition_by)") if is_folder else ("a folder", "a file")
        raise DestinationExists(f"{place} is {found}, and {wanted} is to be there. Choose another destination.")


def holds_same_rows(place: Place, blocks: Iterable[bytes], row_format: RowFormat) -> bool:
    """Whether a JSONL file holds the same rows, in whatever bytes: the service's routes write them differently.

    :param blocks: whole lines
    """
    with place.open() as file:
        old = line_blocks(_chunks(_unpacked(file, row_format.compression)), _CHUNK)
        pairs = zip_longest(_contents(old), _contents(blocks))
        try:
            return all(one == other for one, other in pairs)
        except IncompleteResults:
            return False


def store_content(
    content: bytes, place: Place, *, what: str, format: str, if_exists: IfExists = IfExists.REPLACE
) -> StoredFile:
    """Store a small file, unless what is there already is to be kept.

    :param what: it is, for the error
    :raises DestinationExists: ``if_exists`` is ``fail`` and there is something else
    """
    refuse_other_kind(place, is_folder=False)
    if if_exists == IfExists.REPLACE or not place.is_file():
        return store_bytes([content], place, format=format)
    old = place.read_bytes()
    if if_exists == IfExists.FAIL and old != content:
        raise DestinationExists(f"{place} holds something else than {what}. {_NEXT}")
    return StoredFile(path=place.url, rows=None, bytes=len(old), sha256=hashlib.sha256(old).hexdigest(), format=format)


def _check_beginning(place: Place, start: bytes, row_format: RowFormat) -> None:
    expected = (row_format.compression or "jsonl") if row_format.name == "jsonl" else row_format.name
    found = next((kind for magic, kind in _BEGINNINGS.items() if start.startswith(magic)), "")
    if found != expected and (found or expected not in ("jsonl", "csv")):
        raise DestinationExists(
            f"{place} is not {expected}: it is {found or 'another kind of file'}, and begins with {start!r}. {_NEXT}"
        )


def _rows(file: Any, row_format: RowFormat) -> int:
    if row_format.name == "parquet":
        import pyarrow.parquet as pq

        found: int = pq.ParquetFile(file).metadata.num_rows
        return found
    if row_format.name == "csv":
        return max(_csv_records(_chunks(file)) - 1, 0)
    blocks = line_blocks(_chunks(_unpacked(file, row_format.compression)), _CHUNK)
    return sum(not line.isspace() for block in blocks for line in BytesIO(block))


def _csv_records(chunks: Iterable[bytes]) -> int:
    """Count the line ends that do not stand in quotes; Python's reader refuses cells of more than 128 KiB."""
    records, in_quotes, last = 0, False, b"\n"
    for chunk in chunks:
        for place, part in enumerate(chunk.split(b'"')):
            in_quotes ^= place > 0
            if not in_quotes:
                records += part.count(b"\n")
        last = chunk[-1:]
    return records + (last != b"\n")


def _contents(blocks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """What rows say; fields that are empty, as a route may write or leave out, do not count."""
    for row in read_rows(line for block in blocks for line in BytesIO(block)):
        yield _content(row)


def _content(row: RowScore) -> dict[str, Any]:
    return {name: value for name, value in row.to_dict().items() if value not in (None, [], {})}


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_CHUNK), b"")


def _unpacked(file: BinaryIO, compression: str | None) -> Any:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)
    if compression == "zstd":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), compression)
    return file
