"""A file that was stored whole, and how one is stored as it comes."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.scores.listed_files import ListedFile
from airflow_provider_benchmarks.scores.local_paths import require_possible
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable
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
    :param end_sha256: of its end, as of :class:`~airflow_provider_benchmarks.scores.listed_files.ListedFile`; empty
        where it is not known
    """

    path: str
    rows: int | None
    bytes: int
    sha256: str
    format: str
    end_sha256: str = field(default="", compare=False, repr=False)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` has written; what later releases add to it is left out.

        :raises LookupError: a field is missing
        :raises ValueError: a field has another type
        """
        path, rows, size, digest, kind = (data[name] for name in ("path", "rows", "bytes", "sha256", "format"))
        end = data.get("end_sha256", "")
        if not all(isinstance(text, str) for text in (path, digest, kind, end)):
            raise ValueError(f"expected texts in the description of a file, found {brief(data)}")
        if type(size) is not int or not (rows is None or type(rows) is int):
            raise ValueError(f"expected whole numbers in the description of a file, found {brief(data)}")
        return cls(path=path, rows=rows, bytes=size, sha256=digest, format=kind, end_sha256=end)

    def to_dict(self) -> dict[str, Any]:
        """What a task returns."""
        return {name: getattr(self, name) for name in ("path", "rows", "bytes", "sha256", "format")}

    def to_listing(self) -> dict[str, Any]:
        """What the manifest of its folder has of it."""
        return {**self.to_dict(), "path": self.path.rpartition("/")[2], "end_sha256": self.end_sha256}

    def listed_in(self, manifest: str) -> ListedFile:
        """The file as one that a manifest lists, to be read.

        :param manifest: its path, for messages
        """
        return ListedFile(
            path=Place(self.path),
            manifest=manifest,
            size=self.bytes,
            sha256=self.sha256,
            end_sha256=self.end_sha256,
            rows=self.rows,
        )


def store_bytes(pieces: Iterable[bytes], place: Place, *, format: str) -> StoredFile:
    """Store a body as it comes."""
    with atomic_write(place) as file, HashedFile(file) as target:
        for piece in pieces:
            target.write(piece)
    return StoredFile(
        path=place.url,
        rows=None,
        bytes=target.bytes,
        sha256=target.sha256,
        format=format,
        end_sha256=target.end_sha256,
    )


def store_json(path: str, data: Any) -> StoredFile:
    """Store plain JSON."""
    return store_bytes([json.dumps(data, allow_nan=False).encode()], Place(path), format="json")


def read_if_there(path: str | Place) -> bytes | None:
    """The content of a small file; None where there is none.

    :raises ConfigurationError: there is no such bucket, or there can be no such path
    :raises IncompleteResults: a folder is in its place, its links lead in a circle, or the local disk denies access to
        it; names it
    """
    place = path if isinstance(path, Place) else Place(path)
    require_possible(place.url)
    try:
        with named_if_unreadable(place):
            return place.read_bytes()
    except NotADirectoryError:  # someone's file lies among the store's folders
        return None
    except FileNotFoundError:
        place.require_bucket()
        return None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # no file of this disk can be called so
            raise
        return None
