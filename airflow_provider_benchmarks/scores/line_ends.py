r"""Ends of lines in a JSONL file.

A line ends at the byte ``\n``, alone or after ``\r``. Some tools end it with a bare ``\r``. Within a row that is blank
space, which JSON allows; between two rows it becomes ``\n`` here, before anything else reads the file, so that all
formats and readers see the same rows. The file's size stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

#: No object begins right after the end of another one within a row, and a text has no raw ``\r``.
_BETWEEN_ROWS = re.compile(rb"(?<=\})([ \t]*)\r(?!\n)([ \t\r]*)(?=(?:\xef\xbb\xbf)?\{)")
_BLANKS = b" \t\r\xef\xbb\xbf"
#: What a row may end with when a piece ends: the next piece says whether it does.
_MAY_GO_ON = (b"}", b" ", b"\t", b"\r", b"\xef", b"\xbb", b"\xbf")
#: Number of blank bytes between two rows that are held back at most.
_MOST_HELD = 64


def with_line_feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    r"""Turn each bare ``\r`` between two rows into ``\n``.

    :param pieces: a JSONL file, cut anywhere
    """
    held = b""
    for piece in pieces:
        joined = held + piece if held else piece
        whole, held = _cut(joined) if joined.endswith(_MAY_GO_ON) else (joined, b"")
        if whole:
            yield _BETWEEN_ROWS.sub(rb"\1\n\2", whole) if b"\r" in whole else whole
    if held:
        yield held


def _cut(piece: bytes) -> tuple[bytes, bytes]:
    """A piece up to a row's end, after which the next row may begin, and the rest of it."""
    end = len(piece.rstrip(_BLANKS))
    if not piece.endswith(b"}", 0, end) or len(piece) - end > _MOST_HELD:
        return piece, b""
    return piece[: end - 1], piece[end - 1 :]
