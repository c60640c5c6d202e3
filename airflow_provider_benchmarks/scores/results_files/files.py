"""Read files that other programs have written, whatever they hold: sizes are bounded, and damage is named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError, IncompleteResults, ResultsChanged
from airflow_provider_benchmarks.scores.line_ends import with_line_feeds
from airflow_provider_benchmarks.scores.results_files.json_size import (
    MAX_DOCUMENT_VALUE_BYTES,
    MAX_LINE_VALUE_BYTES,
    parse_bounded,
)
from airflow_provider_benchmarks.scores.stored_files import (
    filesystem_of,
    is_damage,
    is_there,
    storage_errors,
)

#: Size of one JSON document in bytes, unpacked. Memory of its values has a limit of its own (json_size.py).
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
#: Size of a file of lines in bytes; each line is reduced to its scores and its item before the next is read.
MAX_LINES_BYTES = 2 * 1024 * 1024 * 1024
#: Size of one line in bytes. A line of an agent's run has its whole trajectory.
MAX_LINE_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
#: Number of rows of one benchmark.
MAX_ROWS = 1_000_000
#: Number of files and folders in a folder that is searched for results.
_MAX_FILES = 20_000
_IS_NAMED = "names_file"


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that an evaluator has written.

    :param url: as the user would write it, for messages
    :param path: in the filesystem
    """

    filesystem: Any
    path: str
    url: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    def matches(self, pattern: str) -> bool:
        """True if the name is of a pattern, such as ``results_*.json``."""
        return fnmatchcase(self.name, pattern)

    def start(self, size: int) -> bytes:
        """The first bytes."""
        with self.opened() as file:
            return file.read(size)

    def beside(self, *names: str, levels: int = 1) -> ResultFile:
        """A file or folder near this one.

        :param names: its path from the folder
        :param levels: the folder is this number of levels up
        """
        folder = str(PurePosixPath(self.path).parents[levels - 1])
        above = self.url.rsplit("/", levels)
        shown = above[0] if len(above) > levels else folder
        return ResultFile(self.filesystem, "/".join((folder, *names)), "/".join((shown, *names)))

    def siblings(self) -> list[ResultFile]:
        """The files of this one's folder, by name."""
        return list_files(self.beside())

    def exists(self) -> bool:
        self._forget()
        with storage_errors(self.url):
            return is_there(self.filesystem, self.path)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file; what is raised because of its content is an :class:`IncompleteResults`."""
        self._forget()
        with named_if_damaged(self.url), self.filesystem.open(self.path, "rb") as file:
            yield file

    def _forget(self) -> None:
        """Drop what the filesystem remembers of earlier listings: files may have been written since."""
        self.filesystem.invalidate_cache(self.path)

    def json(self) -> Any:
        """Read a JSON document.

        :raises IncompleteResults: it is none, or is too large
        """
        with self.opened() as file:
            return parse_bounded(bounded(file, MAX_DOCUMENT_BYTES), MAX_DOCUMENT_VALUE_BYTES)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Read JSON Lines, one object after another; blank lines are skipped.

        :raises IncompleteResults: a line is no object, there are too many, or one is too long
        """
        number, size = 0, 0
        with self.opened() as opened:
            file = io.BufferedReader(_WithLineFeeds(opened))  # not all files of fsspec limit the size of a line
            while line := file.readline(MAX_LINE_BYTES + 1):
                number, size = number + 1, size + len(line)
                if len(line) > MAX_LINE_BYTES:
                    raise IncompleteResults(f"line {number} is longer than {MAX_LINE_BYTES:,} bytes")
                if size > MAX_LINES_BYTES:
                    raise IncompleteResults(f"it is larger than {MAX_LINES_BYTES:,} bytes")
                if line.strip():
                    yield _object_of(line, number)


class _WithLineFeeds(io.RawIOBase):
    """A file of lines, each of which ends with a line feed."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._pieces = with_line_feeds(iter(lambda: file.read(_PIECE_BYTES), b""))
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._left = self._left or memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def bounded(file: Any, limit: int) -> bytes:
    """Read a file to its end.

    :raises IncompleteResults: it has more bytes than the limit
    """
    content: bytes = file.read(limit + 1)
    if len(content) > limit:
        raise IncompleteResults(f"it is larger than {limit:,} bytes")
    return content


def _named(message: str) -> IncompleteResults:
    """An error whose message names the file already. A class of its own would be what logs show as the error's type."""
    error = IncompleteResults(message)
    vars(error)[_IS_NAMED] = True
    return error


@contextmanager
def named_if_damaged(name: str) -> Iterator[None]:
    """Name the file in an error that its content is the reason of, whatever reader has raised it.

    :raises IncompleteResults: for whatever a reader raises because of what it has read
    :raises ConfigurationError: there is no such file
    """
    try:
        with storage_errors(name):
            yield
    except ConfigurationError:
        raise
    except ResultsChanged as error:
        raise _named(str(error)) from error
    except BenchmarkError as error:
        if _IS_NAMED in vars(error):
            raise
        raise _named(f"{name}: {error}") from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ConfigurationError(f"{name}: there is no such file") from error
    except Exception as error:
        if not is_damage(error):
            raise
        reason = f"{type(error).__name__}: {shortened(error)}"
        raise _named(f"{name} can't be read ({reason}). If it is damaged, write it again.") from error


def find_results(path: Any) -> tuple[ResultFile, list[ResultFile]]:
    """The file or folder at a path, and the files there: itself, or all in the folder and below.

    :raises ConfigurationError: there is nothing, or the folder has too many files to be one of results
    """
    if not str(path).strip():
        raise ConfigurationError(f"expected the path of results, found {brief(path)}")
    filesystem, place = filesystem_of(path)
    root = ResultFile(filesystem, place.rstrip("/") or place, str(path).rstrip("/") or str(path))
    filesystem.invalidate_cache(place)  # isdir uses earlier listings, too
    if filesystem.isdir(place):
        return root, list_files(root, is_deep=True)
    if not root.exists():
        raise ConfigurationError(f"{path}: there is no such file or folder")
    return root, [root]


def list_files(folder: ResultFile, *, is_deep: bool = False) -> list[ResultFile]:
    """The files of a folder, sorted by path.

    :param is_deep: also those of all folders below
    :raises ConfigurationError: there are too many
    """
    # fsspec's own find leaves out folders that it can't list, and reads a bucket to its end.
    names: list[str] = []
    folders = [folder.path]
    for path in folders:
        for name, is_folder in _listed(folder.filesystem, path):
            (folders if is_folder else names).append(name)
        if len(names) + len(folders) - 1 > _MAX_FILES:
            raise ConfigurationError(
                f"{folder.url} has more than {_MAX_FILES:,} files and folders. Name the folder of one run, or its file "
                f"of results."
            )
        if not is_deep:
            break
    start = len(folder.path.rstrip("/"))
    return [ResultFile(folder.filesystem, name, f"{folder.url}{name[start:]}") for name in sorted(names)]


def _listed(filesystem: Any, folder: str) -> Iterator[tuple[str, bool]]:
    """What is in a folder: the path of each, and whether it is a folder itself."""
    start = f"{folder.rstrip('/')}/"
    filesystem.invalidate_cache(folder)
    for entry in filesystem.ls(folder, detail=True):
        name = entry["name"].rstrip("/")
        if name.startswith(start):  # object storages also list a marker of the folder itself
            yield name, entry["type"] == "directory"


def object_at(data: Any, *keys: str) -> dict[str, Any]:
    """The object at a path of keys.

    :raises IncompleteResults: there is none
    """
    for position, key in enumerate(keys):
        data = data.get(key) if isinstance(data, dict) else None
        if not isinstance(data, dict):
            raise IncompleteResults(f'expected an object as "{".".join(keys[: position + 1])}", found {brief(data)}')
    if not isinstance(data, dict):
        raise IncompleteResults(f"expected an object, found {brief(data)}")
    return data


def text_at(data: dict[str, Any], key: str) -> str:
    """The text of a field.

    :raises IncompleteResults: it is missing or empty, or something else
    """
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise IncompleteResults(f'expected a text as "{key}", found {brief(value)}')
    return value


def whole_number_at(data: dict[str, Any], key: str, default: int | None = None) -> int:
    """The whole number, 0 or more, of a field.

    :raises IncompleteResults: it is missing and has no default, or is something else
    """
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise IncompleteResults(f'expected a whole number as "{key}", found {brief(value)}')
    return value


def _object_of(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = parse_bounded(line, MAX_LINE_VALUE_BYTES)
    except ValueError as error:
        raise IncompleteResults(f"line {number} is no JSON: {shortened(error)}") from error
    except IncompleteResults as error:
        raise IncompleteResults(f"line {number}: {error}") from error
    if not isinstance(found, dict):
        raise IncompleteResults(f"expected an object in line {number}, found {brief(found)}")
    return found
