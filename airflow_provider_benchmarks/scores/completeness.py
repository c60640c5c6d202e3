"""Make sure that row scores are all there: every line a row, every row index once, as many as the aggregates count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.rows import RowScore

#: Above this an index is damage, and no reason to reserve memory.
_MOST_ROWS = 1_000_000_000


def line_blocks(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Put the pieces of a JSONL file, cut anywhere, together to blocks of whole lines.

    :param size: bytes that a block has at least, except for the last
    """
    waiting: list[bytes] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held < size:
            continue
        joined = b"".join(waiting)
        end = joined.rfind(b"\n") + 1
        if end:
            yield joined[:end]
        # A line longer than a block is looked through again only when as much has come once more.
        waiting, held = [joined[end:]], len(joined) - end if end else 0
    if rest := b"".join(waiting):
        yield rest


class RowCheck:
    """Count rows and look for gaps and repeats in their indices."""

    def __init__(self) -> None:
        self.rows = 0
        # One byte a row, so that millions of rows stay small.
        self._seen = bytearray()
        self._without_index = 0

    def add(self, indices: Sequence[Any]) -> None:
        """Take the row indices of the next rows; None for a row without one.

        :raises IncompleteResults: an index comes twice, or is none
        """
        first = len(self._seen)
        self.rows += len(indices)
        if indices == list(range(first, first + len(indices))):  # in order, as they mostly are: millions a second
            self._seen.extend(b"\1" * len(indices))
            return
        for index in indices:
            self._mark(index)

    def finish(self, expected_rows: int | None) -> None:
        """Take the end of the file.

        :param expected_rows: as the aggregate scores count; None where the service does not say
        :raises IncompleteResults: rows are missing or too many; names both numbers
        """
        if expected_rows is not None and self.rows != expected_rows:
            raise IncompleteResults(f"there are {self.rows} rows, but the aggregate scores count {expected_rows}")
        if missing := len(self._seen) - sum(self._seen):
            raise IncompleteResults(
                f"{missing} row indices are missing, the first is {self._seen.index(0)}, the last there is is "
                f"{len(self._seen) - 1}"
            )
        if self._without_index and self._seen:
            raise IncompleteResults(f"{self._without_index} of {self.rows} rows have no row index")

    def _mark(self, index: Any) -> None:
        if index is None:
            self._without_index += 1
        elif not isinstance(index, int) or not 0 <= index < _MOST_ROWS:
            raise IncompleteResults(f"{index!r} is not a row index")
        else:
            if index >= len(self._seen):
                self._seen.extend(bytes(index - len(self._seen) + 1))
            if self._seen[index]:
                raise IncompleteResults(f"row index {index} comes twice")
            self._seen[index] = 1


class _Skimmed(msgspec.Struct):
    """What is looked at of each row; the decoder checks the rest to be JSON, and skips it at gigabytes a second."""

    metrics: msgspec.Raw
    row_index: int | None = None


_SKIM = msgspec.json.Decoder(_Skimmed)


def skim(block: bytes, check: RowCheck) -> None:
    """Check whole lines to be rows, without reading their scores.

    :raises IncompleteResults: a line is not a row; says which
    """
    try:
        rows: Sequence[_Skimmed | RowScore] = _SKIM.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError):
        rows = read_one_by_one(block, check.rows)
    check.add([row.row_index for row in rows])


def read_one_by_one(block: bytes, rows_before: int) -> list[RowScore]:
    """Read lines that the strict decoder has refused: finds the wrong one, and takes the bare words NaN and Infinity.

    :param rows_before: rows of the file before this block, for the number in the error
    :raises IncompleteResults: a line is not a row
    """
    rows = []
    for line in block.split(b"\n"):
        if line.strip():
            try:
                rows.append(RowScore.from_json(line))
            except IncompleteResults as error:
                raise IncompleteResults(f"row {rows_before + len(rows) + 1}: {error}") from error
    return rows
