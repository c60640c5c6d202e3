"""Reads the body of a request from a connection; a large one goes to disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path

from airflow_provider_benchmarks.testing._http.bodies import DropConnection, PieceReader

_MIB = 1024 * 1024
_MAX_BODY_IN_MEMORY_BYTES = _MIB
_MAX_CHUNK_HEAD_BYTES = 100
_MAX_CHUNK_END_BYTES = 10
_MAX_TRAILER_BYTES = 1000


def read_body(stream: BufferedIOBase, headers: Mapping[str, str], folder: Path) -> bytes | Path:
    """Read the body that the headers announce.

    :param headers: names in lower case
    :param folder: where a body of more than 1 MiB is written to
    :return: the bytes, or the path of the file
    :raises DropConnection: the client closed the connection in the middle of the body
    """
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _spool(_read_chunks(stream), folder)
    length = int(headers.get("content-length") or 0)
    if length <= _MAX_BODY_IN_MEMORY_BYTES:
        return stream.read(length)
    return _spool(_read_pieces(stream, length), folder)


def _read_pieces(stream: BufferedIOBase, length: int) -> Iterator[bytes]:
    while length > 0:
        piece = stream.read(min(length, _MIB))
        if not piece:
            raise DropConnection
        length -= len(piece)
        yield piece


def _read_chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    while size := int(stream.readline(_MAX_CHUNK_HEAD_BYTES).split(b";")[0], 16):
        yield from _read_pieces(stream, size)
        stream.readline(_MAX_CHUNK_END_BYTES)
    while stream.readline(_MAX_TRAILER_BYTES).strip():
        pass  # trailers


def _spool(pieces: Iterator[bytes], folder: Path) -> bytes | Path:
    """Write a body of unknown size to a file; return it as bytes if it turns out to be small."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        shutil.copyfileobj(PieceReader(pieces), file, _MIB)
    path = Path(file.name)
    if path.stat().st_size > _MAX_BODY_IN_MEMORY_BYTES:
        return path
    content = path.read_bytes()
    path.unlink()
    return content
