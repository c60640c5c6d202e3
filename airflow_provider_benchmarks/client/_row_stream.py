"""Cut a streamed JSONL body into lines, and resume after a dropped connection without losing or repeating a row."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from airflow_provider_benchmarks.exceptions import ResultsChanged
from airflow_provider_benchmarks.scores.completeness import MAX_LINE_BYTES, line_too_long

#: Number of times that a body whose connection drops is begun again.
MAX_RESTARTS = 5


class RowStream:
    r"""Lines of one body, over as many connections as it takes.

    The documented download has no byte ranges, so a new connection starts from the first line: what was delivered
    before is skipped, and its checksum compared, so that a file that has changed meanwhile is noticed.
    Lines end at the byte ``\n`` alone: stored rows hold U+2028 and the like unescaped.
    """

    def __init__(self) -> None:
        self.delivered = 0
        self._checksum = 0
        self._restart()

    def _restart(self) -> None:
        self._carry: list[bytes] = []
        self._carried = 0
        self._seen = 0
        self._seen_checksum = 0

    def reconnected(self) -> None:
        """Begin the body again from its first line."""
        self._restart()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Add a piece of the body, and return the lines that it completes.

        :raises IncompleteResults: a line is longer than ``MAX_LINE_BYTES``
        """
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = b"".join((*self._carry, piece)) if self._carry else piece
            self._carry, self._carried = [], 0
            yield from self._deliver(line)
        if rest:
            self._carry.append(rest)
            self._carried += len(rest)
            if self._carried > MAX_LINE_BYTES:
                raise line_too_long()

    def end(self) -> Iterator[bytes]:
        """Take the end of the body, and return a last line that has no line end."""
        if self._carry:
            line = b"".join(self._carry)
            self._carry = []
            yield from self._deliver(line)
        if self._seen < self.delivered:
            raise ResultsChanged(
                f"the row scores changed while they were read: {self.delivered} lines before the connection was lost, "
                f"{self._seen} after it. Read them again."
            )

    def _deliver(self, line: bytes) -> Iterator[bytes]:
        self._seen += 1
        self._seen_checksum = zlib.crc32(line, self._seen_checksum)
        if self._seen > self.delivered:
            self.delivered = self._seen
            self._checksum = self._seen_checksum
            yield line
        elif self._seen == self.delivered and self._seen_checksum != self._checksum:
            raise ResultsChanged(
                f"the row scores changed while they were read: the first {self.delivered} lines are not the same after "
                f"the connection was lost. Read them again."
            )
