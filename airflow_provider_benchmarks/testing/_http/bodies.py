"""Response bodies: their length, their pieces, and bodies that faults cut, slow down or damage."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from airflow_provider_benchmarks.testing._http.response import Body, FileSlice

_BATCH_BYTES = 65_536
_CUT_PIECE_BYTES = 1024


class DropConnection(Exception):
    """Closes a connection without sending anything more."""


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
    """Yield a body in pieces of at most ``size`` bytes."""
    if isinstance(body, bytes):
        yield from (body[start : start + size] for start in range(0, len(body), size))
    elif isinstance(body, FileSlice):
        with body.path.open("rb") as file:
            file.seek(body.offset)
            remaining = body.length
            while remaining > 0:
                piece = file.read(min(size, remaining))
                remaining -= len(piece)
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
        if size >= _BATCH_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


def cut(body: Body, after_bytes: int) -> Iterator[bytes]:
    """Yield the first bytes of a body, then close the connection."""
    remaining = after_bytes
    for piece in pieces_of(body, _CUT_PIECE_BYTES):
        if remaining > 0:
            yield piece[:remaining]
        remaining -= len(piece)
        if remaining <= 0:
            break
    raise DropConnection


def error_line(error_type: str, line: int, message: str) -> bytes:
    """Return the line with which the service ends a stream of rows: the stored file is damaged from here on."""
    return json.dumps({"error": {"type": error_type, "line": line, "message": message}}).encode() + b"\n"


def with_error_line(body: Body, after_rows: int, error_type: str, message: str) -> Iterator[bytes]:
    """Yield the first rows of a body, then the error line."""
    rows = 0
    incomplete = b""
    for piece in pieces_of(body, _BATCH_BYTES):
        *lines, incomplete = (incomplete + piece).split(b"\n")
        for line in lines:
            if rows == after_rows:
                yield error_line(error_type, rows + 1, message)
                return
            yield line + b"\n"
            rows += 1
    yield incomplete
    yield error_line(error_type, rows + 1, message)
