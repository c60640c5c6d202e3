"""Make sure that row scores are all there: every line a row, every row index once, as many as the aggregates count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.rows import RowScore


class _Row(msgspec.Struct):
    """What is looked at of each row; the decoder checks the rest to be JSON, and skips it at gigabytes a second."""

    metrics: msgspec.Raw
    row_index: int | None = None


#: Above this an index is damage, and no reason to reserve memory.
_MOST_ROWS = 1_000_000_000
#: Lines are looked at in blocks of this size.
_BLOCK_BYTES = 1024 * 1024
_DECODER = msgspec.json.Decoder(_Row)


class RowCheck:
    """Check JSONL row scores while they pass by, piece by piece."""

    def __init__(self) -> None:
        self.rows = 0
        self._pieces: list[bytes] = []
        self._size = 0
        # One byte a row, so that millions of rows stay small; filled in order as long as the rows are in order.
        self._seen = bytearray()
        self._without_index = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the file, cut anywhere.

        :raises IncompleteResults: a line is not a row, or a row index comes twice
        """
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _BLOCK_BYTES:
            self._check_whole_lines()

    def finish(self, expected_rows: int | None) -> None:
        """Take the end of the file.

        :param expected_rows: as the aggregate scores count; None where the service does not say
        :raises IncompleteResults: rows are missing or too many; names both numbers
        """
        rest = b"".join(self._pieces)
        if rest:
            self._check(rest)
        if expected_rows is not None and self.rows != expected_rows:
            raise IncompleteResults(f"there are {self.rows} rows, but the aggregate scores count {expected_rows}")
        missing = len(self._seen) - sum(self._seen)
        if missing:
            raise IncompleteResults(
                f"{missing} row indices are missing, the first is {self._seen.index(0)}, the last there is is "
                f"{len(self._seen) - 1}"
            )
        if self._without_index and self._seen:
            raise IncompleteResults(f"{self._without_index} of {self.rows} rows have no row index")

    def _check_whole_lines(self) -> None:
        block = b"".join(self._pieces)
        end = block.rfind(b"\n") + 1
        if end:
            self._check(block[:end])
        self._pieces = [block[end:]]
        # A line longer than a block is looked for again only when as much has come once more.
        self._size = len(self._pieces[0]) if end else 0

    def _check(self, lines: bytes) -> None:
        try:
            rows: Sequence[_Row | RowScore] = _DECODER.decode_lines(lines)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # One line at a time finds the one that is wrong, and takes the bare words NaN and Infinity.
            rows = [
                self._read(line, number)
                for number, line in enumerate(lines.split(b"\n"), self.rows + 1)
                if line.strip()
            ]
        first = len(self._seen)
        self.rows += len(rows)
        indices = [row.row_index for row in rows]
        if indices == list(range(first, first + len(rows))):  # in order, as the service writes them: millions a second
            self._seen.extend(b"\1" * len(rows))
            return
        for index in indices:
            self._mark(index)

    def _read(self, line: bytes, number: int) -> RowScore:
        try:
            return RowScore.from_json(line)
        except IncompleteResults as error:
            raise IncompleteResults(f"row {number}: {error}") from error

    def _mark(self, index: Any) -> None:
        if index is None:
            self._without_index += 1
        elif index == len(self._seen):
            self._seen.append(1)
        elif not isinstance(index, int) or not 0 <= index < _MOST_ROWS:
            raise IncompleteResults(f"{index!r} is not a row index")
        else:
            if index > len(self._seen):
                self._seen.extend(bytes(index - len(self._seen) + 1))
            if self._seen[index]:
                raise IncompleteResults(f"row index {index} comes twice")
            self._seen[index] = 1
