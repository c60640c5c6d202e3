"""Files that nothing describes, and that are read more than once."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_benchmarks.exceptions import ResultsChanged
from airflow_provider_benchmarks.scores.known_files import KnownFile
from airflow_provider_benchmarks.scores.listed_files import END_BYTES
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable, open_stored, storage_errors

#: What storages say of a version of a file, by whatever name.
_VERSION = ("ETag", "etag", "generation", "LastModified", "last_modified", "mtime", "updated", "modified")
_AGAIN = "Run the gate again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile(KnownFile):
    """A file that nothing describes: what was there when it was seen first is what is read later.

    :param size: in bytes
    :param version: what the disk or the storage says of it
    :param end_sha256: of its last :data:`END_BYTES`; empty where the version tells of its content
    """

    size: int
    version: tuple[str, ...]
    end_sha256: str

    @classmethod
    def at(cls, path: Any) -> Self:
        """See a file.

        :raises IncompleteResults: the local disk does not let it be read; names it
        :raises OSError: it is not there, or the storage fails
        """
        with storage_errors(path), named_if_unreadable(path), open_stored(path) as file:
            size, version, end = _seen(file)
        return cls(path=path, size=size, version=version, end_sha256=end)

    @contextmanager
    def open(self, mode: str = "rb") -> Iterator[Any]:
        """Open it for reading.

        :raises ResultsChanged: it was written anew since it was seen, or is while it is read; names it
        :raises IncompleteResults: the local disk does not let it be read; names it
        :raises OSError: it is not there, or the storage fails
        """
        # Without super(): slots make another class of this one.
        with KnownFile.open(self) as file:
            try:
                yield file
            except Exception as error:  # what a file holds that is written meanwhile is no damage of it
                self._check_version(file, error)
                raise
            self._check_version(file)

    def _check(self, file: Any) -> None:
        if _seen(file) != (self.size, self.version, self.end_sha256):
            raise self._has_changed()

    def _check_version(self, file: Any, error: Exception | None = None) -> None:
        """Refuse a file of the disk that was written into since it was opened; a storage never changes an open one."""
        if not file.closed and _version(file) != self.version:
            raise self._has_changed() from error

    def _has_changed(self) -> ResultsChanged:
        return ResultsChanged(f"{self} changed while it was read: something else was written there. {_AGAIN}")

    def _is_missing(self) -> ResultsChanged:
        return ResultsChanged(f"{self} is not there any more: it was removed while it was read. {_AGAIN}")


def _seen(file: Any) -> tuple[int, tuple[str, ...], str]:
    """What an open file is known by: its size and version, and its end where nothing else tells of its content."""
    size = file.seek(0, os.SEEK_END)
    version = _version(file)
    if version and not _is_of_disk(file):
        return size, version, ""
    # A disk may give two times to a file that was written twice in a moment, or one.
    file.seek(max(size - END_BYTES, 0))
    return size, version, hashlib.sha256(file.read()).hexdigest()


def _version(file: Any) -> tuple[str, ...]:
    if (number := _descriptor(file)) is not None:
        found = os.fstat(number)
        return (str(found.st_dev), str(found.st_ino), str(found.st_size), str(found.st_mtime_ns))
    details = getattr(file, "details", None)
    return tuple(f"{name}={details[name]}" for name in _VERSION if name in details) if isinstance(details, dict) else ()


def _is_of_disk(file: Any) -> bool:
    return _descriptor(file) is not None


def _descriptor(file: Any) -> int | None:
    """The number of a file of the local disk; None for one of a storage."""
    try:
        number: int = file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
    return number
