"""Bodies on their way out: in pieces, cut, or ended by an error line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_benchmarks.testing.faults import ErrorLine
from airflow_provider_benchmarks.testing.messages import Body, FileSlice
from airflow_provider_benchmarks.testing.shapes import error_line

_BATCH = 65_536


class DropConnection(Exception):
    """Ends a connection without a further byte."""


class PieceReader:
    """Reads from an iterator as if it were a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


def body_length(body: Body) -> int:
    if isinstance(body, bytes):
        return len(body)
    assert isinstance(body, FileSlice), "a stream of unknown length must be chunked"
    return body.length


def pieces_of(body: Body, size: int) -> Iterator[bytes]:
    """Give a body in pieces of at most this size."""
    if isinstance(body, bytes):
        yield from (body[start : start + size] for start in range(0, len(body), size))
    elif isinstance(body, FileSlice):
        with body.path.open("rb") as file:
            file.seek(body.offset)
            left = body.length
            while left > 0:
                piece = file.read(min(size, left))
                left -= len(piece)
                yield piece
    else:
        for piece in body:
            yield from pieces_of(piece, size)


def batched(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces: a system call for every row would take longer than the rows."""
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


def cut(body: Body, after_bytes: int) -> Iterator[bytes]:
    """Give the first bytes of a body, then end the connection."""
    left = after_bytes
    for piece in pieces_of(body, 1024):
        if left > 0:
            yield piece[:left]
        left -= len(piece)
        if left <= 0:
            break
    raise DropConnection


def with_error_line(body: Body, effect: ErrorLine) -> Iterator[bytes]:
    """Give so many rows of a body, then the line that says that the rest is damaged."""
    rows = 0
    unfinished = b""
    for piece in pieces_of(body, _BATCH):
        *lines, unfinished = (unfinished + piece).split(b"\n")
        for line in lines:
            if rows == effect.after_rows:
                yield error_line(effect.error_type, rows + 1, effect.message)
                return
            yield line + b"\n"
            rows += 1
    yield unfinished
    yield error_line(effect.error_type, rows + 1, effect.message)
