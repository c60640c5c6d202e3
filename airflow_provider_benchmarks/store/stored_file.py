"""A file that was stored whole, and how one is stored as it comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.hashed_file import HashedFile
from airflow_provider_benchmarks.store.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that was stored whole.

    :param path: where it is, as it was asked for
    :param rows: dataset rows in it; None for a file that does not hold rows
    :param bytes: its size
    :param sha256: of its content, in hex
    """

    path: str
    rows: int | None
    bytes: int
    sha256: str
    format: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def store_bytes(pieces: Iterable[bytes], place: Place, *, format: str) -> StoredFile:
    """Store a body as it comes."""
    with atomic_write(place) as file, HashedFile(file) as target:
        for piece in pieces:
            target.write(piece)
    return StoredFile(path=place.url, rows=None, bytes=target.bytes, sha256=target.sha256, format=format)


def read_if_there(path: str) -> bytes | None:
    """The content of a small file; None where there is none."""
    try:
        return Place(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # the latter, where someone's file lies among the store's folders
        return None
