"""Results of a job as files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.store.atomic import atomic_write


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


def store_rows(
    pieces: Iterable[bytes],
    destination: str,
    *,
    length: int | None = None,
    expected_rows: int | None = None,
    limit: int | None = None,
    storage_conn_id: str | None = None,
) -> StoredFile:
    """Store row scores as JSONL, byte for byte as they come, after checking that they are all there.

    :param pieces: the file, cut anywhere
    :param length: its bytes; None where the service does not say
    :param expected_rows: as many must come; None where the service does not say
    :param limit: store only so many rows; neither length nor number is checked then
    :raises IncompleteResults: a line is not a row, or bytes or rows are missing or too many; nothing is stored
    """
    if limit is not None:
        pieces, length, expected_rows = first_rows(pieces, limit), None, None
    check = RowCheck()
    with atomic_write(destination, storage_conn_id=storage_conn_id) as file:
        written = _write(pieces, file, check.feed)
        check.finish(expected_rows)
        if length is not None and written.bytes != length:
            raise IncompleteResults(f"there are {written.bytes} bytes, but the service says that it holds {length}")
    return StoredFile(path=destination, rows=check.rows, bytes=written.bytes, sha256=written.sha256, format="jsonl")


def store_bytes(
    pieces: Iterable[bytes], destination: str, *, format: str, storage_conn_id: str | None = None
) -> StoredFile:
    """Store a body as it comes."""
    with atomic_write(destination, storage_conn_id=storage_conn_id) as file:
        written = _write(pieces, file, lambda piece: None)
    return StoredFile(path=destination, rows=None, bytes=written.bytes, sha256=written.sha256, format=format)


def first_rows(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Cut a JSONL file after so many lines."""
    for piece in pieces:
        if piece.count(b"\n") >= limit:
            yield b"".join(line + b"\n" for line in piece.split(b"\n", limit)[:limit])
            return
        limit -= piece.count(b"\n")
        yield piece


@dataclass(frozen=True, slots=True)
class _Written:
    bytes: int
    sha256: str


def _write(pieces: Iterable[bytes], file: BinaryIO, check: Callable[[bytes], None]) -> _Written:
    digest = hashlib.sha256()
    size = 0
    for piece in pieces:
        file.write(piece)
        digest.update(piece)
        check(piece)
        size += len(piece)
    return _Written(size, digest.hexdigest())
