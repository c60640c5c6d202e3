"""Store row scores as files: one download may fill several."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.formats import RowFormat
from airflow_provider_benchmarks.scores.completeness import FirstRows, RowCheck, line_blocks
from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.hashed_file import HashedFile
from airflow_provider_benchmarks.store.if_exists import RowsToCompare
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
    :param compared: a file that the rows are compared with as they come
    """

    place: Place | None
    row_format: RowFormat
    limit: int | None = None
    compared: RowsToCompare | None = None


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
    return require_stored(*store_row_files(pieces, [target], length=length, expected_rows=expected_rows))


def require_stored(result: StoredFile | Exception) -> StoredFile:
    """The file that a target became; raises what kept it from being written."""
    if isinstance(result, Exception):
        raise result
    return result


def store_row_files(
    pieces: Iterable[bytes],
    targets: Sequence[RowTarget],
    *,
    length: int | None = None,
    expected_rows: ExpectedRows = None,
) -> list[StoredFile | Exception]:
    """Store row scores after checking that they are all there; reads them once, and no further than a target needs.

    :param pieces: the service's JSONL file, cut anywhere
    :param length: bytes of the service's file; None where the service does not say. It is not checked where a limit
        leaves rows out of all targets
    :return: for each target its file, or why that target alone could not be written: the others are
    :raises IncompleteResults: a line is not a row, or bytes or rows are missing or too many; nothing is stored
    """
    counted = _Counted(pieces)
    with ExitStack() as unfinished:
        files = [_OpenFile(target) for target in targets]
        for file in files:
            unfinished.callback(file.discard)
        is_read_to_its_end = _write(line_blocks(counted, BLOCK_BYTES), files)
        for file in files:
            file.end_rows()
        for file in files:
            file.check(expected_rows)
        if length is not None and is_read_to_its_end and counted.bytes != length:
            raise IncompleteResults(f"there are {counted.bytes} bytes, but the service says that it holds {length}")
        for file in files:
            file.commit()
    return [file.result for file in files]


def _write(blocks: Iterator[bytes], files: Sequence[_OpenFile]) -> bool:
    """Write what the files take. Returns whether all blocks were read: the rest of them is for no file."""
    while any(file.takes_rows for file in files):
        if (block := next(blocks, None)) is None:
            return True
        for file in files:
            file.write(block)
    return False


class _OpenFile:
    """A target while it is written.

    What goes wrong when it is opened, written or committed ends it alone. Rows that are wrong are an error for all.
    """

    def __init__(self, target: RowTarget) -> None:
        self._target = target
        self._rows = RowCheck()
        self._first = FirstRows(target.limit)
        self._result: StoredFile | Exception | None = None
        self._steps = self._written()
        self._step(None)

    @property
    def takes_rows(self) -> bool:
        return self._result is None and not self._first.is_cut

    @property
    def result(self) -> StoredFile | Exception:
        assert self._result is not None, "the file was not committed"
        return self._result

    def write(self, block: bytes) -> None:
        if self.takes_rows and (first := self._first.take(block)):
            self._step(first)

    def end_rows(self) -> None:
        """Write what a format writes at its end."""
        self._step(None)

    def check(self, expected_rows: ExpectedRows) -> None:
        if self._result is None:
            expected = expected_rows(self._rows) if callable(expected_rows) else expected_rows
            self._rows.finish(expected, limit=self._target.limit, is_cut=self._first.is_cut)

    def commit(self) -> None:
        self._step(None)

    def discard(self) -> None:
        """Remove what was written, unless it was committed."""
        self._steps.close()

    def _step(self, block: bytes | None) -> None:
        if self._result is not None:
            return
        try:
            self._steps.send(block)
        except StopIteration as end:
            self._result = end.value
        except IncompleteResults:
            raise
        except Exception as error:  # noqa: BLE001  of any storage; the caller has it as the target's result
            self._result = error

    def _written(self) -> Generator[None, bytes | None, StoredFile]:
        """Take blocks and a None at their end, then wait for the check of all targets before the file is committed."""
        target = self._target
        with _opened(target.place) as file, HashedFile(file) as hashed:
            with (
                target.row_format.format.writing(hashed, self._rows, target.row_format) as write,
                nullcontext(_ignore) if target.compared is None else target.compared.comparing() as compare,
            ):
                while block := (yield):
                    write(block)
                    compare(block)
            yield
        return StoredFile(
            path="" if target.place is None else target.place.url,
            rows=self._rows.rows,
            bytes=hashed.bytes,
            sha256=hashed.sha256,
            format=target.row_format.name,
            end_sha256=hashed.end_sha256,
        )


def _ignore(block: bytes) -> None:
    pass


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
