"""Check that row scores are complete: every line a row, every row index once, as many as the aggregate scores count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import count
from typing import Any

import msgspec

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.json_values import DECODE_ERRORS
from airflow_provider_benchmarks.scores.line_ends import with_line_feeds
from airflow_provider_benchmarks.scores.rows import RowScore

#: A larger index is damage.
_MAX_ROWS = 1_000_000_000
#: Number of indices whose bits are held together, so that a single one far from all others takes 4 KiB.
_PAGE_BITS = 32 * 1024
#: Of one line, which is held in memory.
MAX_LINE_BYTES = 32 * 1024 * 1024
#: Number of rows at the beginning of a file that are decoded completely.
_FULLY_READ_ROWS = 100


def line_blocks(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Join the pieces of a JSONL file, cut anywhere, into blocks of whole lines, whatever ends these.

    Where a block ends hangs on the file alone, and not on the pieces: the same file makes the same blocks, and tables
    that are written block by block are the same, too.

    :param size: minimum size of a block in bytes, except for the last: a block ends with the line that reaches it
    :raises IncompleteResults: a line is longer than ``MAX_LINE_BYTES``
    """
    pending: list[bytes] = []
    missing = size  # bytes, until the next line end ends the block
    for piece in with_line_feeds(pieces):
        start = 0
        while (end := piece.find(b"\n", start + max(missing - 1, 0)) + 1) > 0:
            if end - start - missing > MAX_LINE_BYTES:
                raise line_too_long()
            yield b"".join((*pending, piece[start:end]))
            pending, missing, start = [], size, end
        pending.append(piece[start:])
        missing -= len(piece) - start
        if -missing > MAX_LINE_BYTES:
            raise line_too_long()
    if rest := b"".join(pending):
        yield rest


def line_too_long() -> IncompleteResults:
    """Make the error for a line that is longer than what is read into memory."""
    return IncompleteResults(
        f"a line is longer than {MAX_LINE_BYTES // 1024**2} MiB, the most that is read of one row. What is there is no "
        f"row scores, or the job's rows hold far too much"
    )


class FirstRows:
    """The first rows of a file that comes in blocks of whole lines.

    :param limit: number of rows; None for all
    """

    def __init__(self, limit: int | None) -> None:
        #: True once a row was left out.
        self.is_cut = False
        self._limit = limit
        self._rows = 0

    def take(self, block: bytes) -> bytes:
        """Return what of the next block is within the limit; blank lines are no rows."""
        if self._limit is None:
            return block
        first = []
        for line in BytesIO(block):
            if not line.isspace():
                if self._rows == self._limit:
                    self.is_cut = True
                    break
                self._rows += 1
            first.append(line)
        return b"".join(first)

    def of(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Cut blocks, and read no further than that takes."""
        for block in blocks:
            if first := self.take(block):
                yield first
            if self.is_cut:
                return


class RowCheck:
    """Count rows, and find gaps and repeats in their indices."""

    def __init__(self) -> None:
        self.rows = 0
        #: Who has counted the rows that there must be, for the error.
        self.counted_by = "the aggregate scores count"
        #: Metric reference and name of scores that rows have a value of.
        self.scores: set[tuple[str, str]] = set()
        self._without_index = 0
        #: All indices below have come. Rows mostly come in order, so that nothing else need be held of them.
        self._next = 0
        #: Those that came ahead of it, a bit each: 128 MB at most, whatever a damaged file says.
        self._ahead: dict[int, bytearray] = {}
        self._largest = -1

    def add(self, indices: Sequence[Any]) -> None:
        """Take the row indices of the next rows; None for a row without one.

        :raises IncompleteResults: an index comes twice, or is none
        """
        self.rows += len(indices)
        end = self._next + len(indices)
        if not self._ahead and indices == list(range(self._next, end)):  # millions a second
            self._next = end
            return
        for index in indices:
            self._mark(index)

    def note_scores(self, scores: Iterable[tuple[str, str, Any]]) -> None:
        """Take scores of rows: metric reference, name and value."""
        self.scores.update((metric, name) for metric, name, value in scores if value is not None)

    def expected_rows(self, aggregate: AggregateScores, *, reported: int | None = None) -> int | None:
        """Number of rows that there must be; None where the aggregate scores do not say.

        Scores over the whole corpus count 1 each, whatever the number of rows, which have no values of them.

        :param reported: number of rows that the service reports besides, which counts first; None where it does not
        """
        if reported is not None:
            self.counted_by = "the job's status details count"
            return reported
        expected = aggregate.expected_rows
        if expected is None and self.rows < aggregate.least_rows:
            expected = aggregate.least_rows
        if expected == 1 and self.rows and not any((s.metric, s.name) in self.scores for s in aggregate.scores):
            return None
        return expected

    def finish(self, expected_rows: int | None, *, limit: int | None = None, is_cut: bool = False) -> None:
        """Take the end of the file.

        :param expected_rows: number of rows by the aggregate scores; None where the service does not say
        :param limit: number of rows that were asked for; None for all
        :param is_cut: True if the limit left rows out; then indices may have gaps
        :raises IncompleteResults: rows are missing or too many; names both numbers
        """
        if expected_rows is not None and self.rows != min(expected_rows, limit or expected_rows):
            asked = "" if limit is None or limit >= expected_rows else f", of which {limit} were asked for"
            raise IncompleteResults(f"there are {self.rows} rows, but {self.counted_by} {expected_rows}{asked}")
        last = max(self._next - 1, self._largest)
        missing = last + 1 - (self.rows - self._without_index)
        if missing and not is_cut:
            raise IncompleteResults(
                f"{missing} row indices are missing, the first is {self._first_missing()}, the last there is is {last}"
            )
        if self._without_index and last >= 0:
            raise IncompleteResults(f"{self._without_index} of {self.rows} rows have no row index")

    def _mark(self, index: Any) -> None:
        if index is None:
            self._without_index += 1
        elif not isinstance(index, int) or not 0 <= index < _MAX_ROWS:
            raise IncompleteResults(f"{brief(index)} is not a row index")
        elif self._has(index):
            raise IncompleteResults(f"row index {index} comes twice")
        elif index == self._next and not self._ahead:
            self._next += 1
        else:
            page = self._ahead.setdefault(index // _PAGE_BITS, bytearray(_PAGE_BITS // 8))
            page[index % _PAGE_BITS // 8] |= 1 << index % 8
            self._largest = max(self._largest, index)

    def _has(self, index: int) -> bool:
        if index < self._next:
            return True
        page = self._ahead.get(index // _PAGE_BITS)
        return page is not None and bool(page[index % _PAGE_BITS // 8] & 1 << index % 8)

    def _first_missing(self) -> int:
        return next(index for index in count(self._next) if not self._has(index))


class _Anything(msgspec.Struct, gc=False):
    """An object whose content is ignored."""


class _Skimmed(msgspec.Struct, gc=False):
    """What is decoded of each row. The decoder checks the rest to be JSON, and skips it at gigabytes a second."""

    metrics: _Anything
    item: _Anything | None = None
    row_index: int | None = None


_SKIM = msgspec.json.Decoder(_Skimmed)


def skim(block: bytes, check: RowCheck) -> None:
    """Check whole lines to be rows.

    The first rows are decoded completely. In the others, scores of another shape are not noticed: decoding each row
    takes as long as all else that is done with a file.

    :raises IncompleteResults: a line is not a row; says which
    """
    if not check.rows:
        for row in read_one_by_one(b"\n".join(block.split(b"\n", _FULLY_READ_ROWS)[:_FULLY_READ_ROWS]), 0):
            check.note_scores((metric, *score) for metric, scores in row.metrics.items() for score in scores.items())
    rows: Sequence[_Skimmed | RowScore]
    try:
        rows = _skimmed(block)
    except (*DECODE_ERRORS, ValueError):
        rows = read_one_by_one(block, check.rows)
    check.add([row.row_index for row in rows])


def _skimmed(block: bytes) -> list[_Skimmed]:
    """Read lines that are rows without doubt.

    :raises ValueError: a line may be none
    """
    rows = _SKIM.decode_lines(block)
    require_row_a_line(rows, block)
    if not block.isascii():
        block.decode()  # nor does it check the bytes that it skips
    return rows


def require_row_a_line(rows: Sequence[Any], block: bytes) -> None:
    """Refuse blank lines, and two rows on one line, which the strict decoder accepts.

    :raises ValueError: there are some
    """
    if sum(1 for _ in BytesIO(block)) != len(rows):  # several times faster than counting line ends
        raise ValueError("blank lines, or two rows on one line")


def read_one_by_one(block: bytes, rows_before: int) -> list[RowScore]:
    """Decode lines that the strict decoder has refused: find the wrong one, and accept the bare words NaN and Infinity.

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
