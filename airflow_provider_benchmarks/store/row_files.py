"""Store row scores as files: one download may fill several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.formats import RowFormat
from airflow_provider_benchmarks.scores.completeness import FirstRows, RowCheck, line_blocks
from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.hashed_file import HashedFile
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.stored_file import StoredFile

#: Rows are checked in blocks of this size, small enough for a processor's cache: 8 MiB take twice the time.
BLOCK_BYTES = 1024 * 1024

#: Number of rows that there must be, None where the service does not say; or what finds it in the end, with what has
#: been seen in the rows.
ExpectedRows = int | Callable[[RowCheck], int | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTarget:
    """A file that rows are stored in.

    :param place: where; None only describes what the file would be
    :param limit: number of rows to store; None for all. Where it leaves some out, indices may have gaps
    """

    place: Place | None
    row_format: RowFormat
    limit: int | None = None


def store_rows(
    pieces: Iterable[bytes],
    place: Place | None,
    *,
    row_format: RowFormat | None = None,
    length: int | None = None,
    expected_rows: ExpectedRows = None,
    limit: int | None = None,
) -> StoredFile:
    """Store row scores in one file, as :func:`store_row_files` does.

    :param row_format: JSONL as it comes when None
    """
    target = RowTarget(place=place, row_format=row_format or RowFormat(), limit=limit)
    return store_row_files(pieces, [target], length=length, expected_rows=expected_rows)[0]


def store_row_files(
    pieces: Iterable[bytes],
    targets: Sequence[RowTarget],
    *,
    length: int | None = None,
    expected_rows: ExpectedRows = None,
) -> list[StoredFile]:
    """Store row scores after checking that they are all there; reads them once, and no further than a target needs.

    :param pieces: the service's JSONL file, cut anywhere
    :param length: bytes of the service's file; None where the service does not say. It is not checked where a limit
        leaves rows out of all targets
    :return: a file for each target
    :raises IncompleteResults: a line is not a row, or bytes or rows are missing or too many; nothing is stored
    """
    counted = _Counted(pieces)
    with ExitStack() as stack:
        files = [stack.enter_context(_open(target)) for target in targets]
        with ExitStack() as writing:
            for file in files:
                writing.enter_context(file.writing())
            for block in line_blocks(counted, BLOCK_BYTES):
                for file in files:
                    file.write(block)
                if all(file.is_cut for file in files):
                    break
        for file in files:
            file.check(expected_rows)
        is_cut = all(file.is_cut for file in files)
        if length is not None and not is_cut and counted.bytes != length:
            raise IncompleteResults(f"there are {counted.bytes} bytes, but the service says that it holds {length}")
    return [file.stored() for file in files]


class _OpenFile:
    """A target while it is written."""

    def __init__(self, target: RowTarget, file: HashedFile) -> None:
        self._target = target
        self._file = file
        self._rows = RowCheck()
        self._first = FirstRows(target.limit)
        self._write: Callable[[bytes], None]

    @property
    def is_cut(self) -> bool:
        return self._first.is_cut

    @contextmanager
    def writing(self) -> Iterator[None]:
        row_format = self._target.row_format
        with row_format.format.writing(self._file, self._rows, row_format) as self._write:
            yield

    def write(self, block: bytes) -> None:
        if not self.is_cut and (first := self._first.take(block)):
            self._write(first)

    def check(self, expected_rows: ExpectedRows) -> None:
        expected = expected_rows(self._rows) if callable(expected_rows) else expected_rows
        self._rows.finish(expected, limit=self._target.limit, is_cut=self.is_cut)

    def stored(self) -> StoredFile:
        return StoredFile(
            path="" if self._target.place is None else self._target.place.url,
            rows=self._rows.rows,
            bytes=self._file.bytes,
            sha256=self._file.sha256,
            format=self._target.row_format.name,
        )


@contextmanager
def _open(target: RowTarget) -> Iterator[_OpenFile]:
    with _opened(target.place) as file, HashedFile(file) as hashed:
        yield _OpenFile(target, hashed)


@contextmanager
def _opened(place: Place | None) -> Iterator[BinaryIO]:
    if place is None:
        with open(os.devnull, "wb") as nowhere:
            yield nowhere
    else:
        with atomic_write(place) as file:
            yield file


class _Counted:
    """Pieces whose bytes are counted as they pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.bytes += len(piece)
            yield piece
