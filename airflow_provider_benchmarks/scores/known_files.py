"""Files that are read more than once: what is read later is of the same file, or nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable, open_stored


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile(ABC):
    """A file to be read. To open it is to check that it is the one that is known.

    It can be read wherever an Airflow ObjectStoragePath can.

    :param path: a local path, a URL that fsspec or Airflow opens, or an Airflow ObjectStoragePath
    """

    path: Any

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def open(self, mode: str = "rb") -> Iterator[Any]:
        """Open it for reading.

        :raises IncompleteResults: it is another file than the one that is known, or the local disk does not let it be
            read; names it
        :raises OSError: it is not there, or the storage fails
        """
        with named_if_unreadable(self.path), open_stored(self.path) as file:
            self._check(file)
            file.seek(0)
            yield file

    @contextmanager
    def named_if_missing(self) -> Iterator[None]:
        """Read the file in the block.

        :raises IncompleteResults: it is not there; names it
        """
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._is_missing() from error

    def require_rows(self, rows: int) -> None:  # noqa: B027  not every file has a known number
        """Refuse the file if it is known to have another number of rows.

        :raises IncompleteResults: names it
        """

    @abstractmethod
    def _check(self, file: Any) -> None:
        """Refuse a file that is another one.

        :param file: opened
        :raises IncompleteResults: names it
        """

    @abstractmethod
    def _is_missing(self) -> IncompleteResults: ...


def named_if_gone(path: Any) -> AbstractContextManager[None]:
    """Read in the block a file that was there before.

    :raises IncompleteResults: it is a known file and not there any more; names it
    """
    return path.named_if_missing() if isinstance(path, KnownFile) else nullcontext()
