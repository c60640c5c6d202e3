"""What to do when the destination is there already."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, IncompleteResults
from airflow_provider_benchmarks.formats import START_BYTES, RowFormat, kind_of_file
from airflow_provider_benchmarks.formats.same_rows import RowComparison
from airflow_provider_benchmarks.scores.stored_files import is_damage
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.stored_file import StoredFile, store_bytes

_CHUNK_BYTES = 4 * 1024 * 1024
_NEXT = 'Choose another destination, or if_exists="replace".'


class IfExists(StrEnum):
    """What a download does with a destination that is there already.

    ``replace`` puts the new file in its place once it is complete; ``skip`` keeps the old one and downloads nothing;
    ``fail`` is an error, unless the old file is the very same: a retry of a task whose file was complete passes.

    Rows that the service has purged come from the score store, which lacks ``requests``, fields that this package does
    not know, and the model's outputs where they were not stored. A file of the same rows that may have more (JSONL, or
    ``with_sample``) is kept then, also with ``replace``, and ``fail`` passes. CSV and folders of ``partition_by`` can't
    be compared so: with as many rows and ``with_sample`` they are an error.
    """

    REPLACE = "replace"
    SKIP = "skip"
    FAIL = "fail"

    @classmethod
    def _missing_(cls, value: object) -> IfExists:
        raise ConfigurationError(f'if_exists must be one of {", ".join(cls)}, found "{shortened(value)}"')


def find_row_file(place: Place, row_format: RowFormat) -> StoredFile | None:
    """Describe the file of row scores at a place; None where there is none.

    :raises DestinationExists: what is there is not a whole file of row scores in this format
    """
    refuse_other_kind(place, is_folder=False)
    if not place.is_file():
        return None
    digest, size = hashlib.sha256(), 0
    with place.open() as file:
        _check_beginning(place, file.read(START_BYTES), row_format)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    try:
        with place.open() as file:
            rows = row_format.format.count_rows(file, row_format.compression)
    except (IncompleteResults, ValueError, EOFError, zlib.error, OSError) as error:
        if not is_damage(error):
            raise
        raise DestinationExists(f"{place} can't be read as {row_format.name} ({error}). {_NEXT}") from error
    return StoredFile(path=place.url, rows=rows, bytes=size, sha256=digest.hexdigest(), format=row_format.name)


def refuse_other_kind(place: Place, *, is_folder: bool) -> None:
    """Refuse a folder of the local disk where a file is to be, and a file where a folder is to be.

    :raises DestinationExists: names it
    """
    if not place.is_local:
        return
    path = Path(place.path)
    if path.exists() and path.is_dir() != is_folder:
        found, wanted = ("a file", "a folder (partition_by)") if is_folder else ("a folder", "a file")
        raise DestinationExists(f"{place} is {found}, and {wanted} is to be there. Choose another destination.")


class RowsToCompare:
    """A file, to be compared with rows as they are fetched.

    :param but_outputs: compare all but the model's outputs
    """

    def __init__(self, place: Place, row_format: RowFormat, *, but_outputs: bool = False) -> None:
        self._place, self._row_format, self._but_outputs = place, row_format, but_outputs
        #: Whether the file has the rows in whatever bytes; None where its format can't tell.
        self.are_same: bool | None = None

    @contextmanager
    def comparing(self) -> Iterator[Callable[[bytes], None]]:
        """Compare with rows from the first on. The context returns a function that takes blocks of whole lines."""
        self.are_same = None
        with self._place.open() as file:
            lines = self._row_format.format.lines(file, self._row_format.compression)
            if lines is None:
                yield lambda _: None
                return
            comparison = RowComparison(lines, but_outputs=self._but_outputs)
            yield comparison.add
            self.are_same = comparison.finish()


def store_content(
    content: bytes, place: Place, *, what: str, format: str, if_exists: IfExists = IfExists.REPLACE
) -> StoredFile:
    """Store a small file, unless ``if_exists`` keeps the one that is there.

    :param what: the content, for the error
    :raises DestinationExists: ``if_exists`` is ``fail`` and there is something else
    """
    refuse_other_kind(place, is_folder=False)
    if if_exists == IfExists.REPLACE or not place.is_file():
        return store_bytes([content], place, format=format)
    old = place.read_bytes()
    if if_exists == IfExists.FAIL and old != content:
        raise DestinationExists(f"{place} holds something else than {what}. {_NEXT}")
    return StoredFile(path=place.url, rows=None, bytes=len(old), sha256=hashlib.sha256(old).hexdigest(), format=format)


def _check_beginning(place: Place, start: bytes, row_format: RowFormat) -> None:
    expected, found = row_format.format.kind(row_format.compression), kind_of_file(start)
    is_text = row_format.format.is_text and row_format.compression is None
    if found != expected and (start or not is_text):  # a text of no rows is empty
        raise DestinationExists(
            f"{place} is not {expected}: it is {found or 'another kind of file'}, and begins with {start!r}. {_NEXT}"
        )
