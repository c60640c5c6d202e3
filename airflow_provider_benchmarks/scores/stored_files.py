"""Open stored files, wherever they are."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError, IncompleteResults, ResultsChanged
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.openers import airflow_path
from airflow_provider_benchmarks.safe_causes import safe_cause
from airflow_provider_benchmarks.scores.local_paths import (
    WITH_BUCKETS,
    is_local,
    local_path,
    require_possible,
    scheme_of,
)
from airflow_provider_benchmarks.storages import storage_problem

#: Packages of the clients of object storages. Their errors for a connection or credentials need be no OSErrors.
_CLIENTS = ("adlfs", "aiobotocore", "aiohttp", "azure", "boto3", "botocore", "gcsfs", "google", "requests", "urllib3")
#: Packages that raise an OSError without an errno for what they have read.
_READERS = ("pyarrow", "gzip")
#: What s3fs and Azure raise for a file that was written anew since it was opened or listed.
_CHANGED = ("FileExpired", "ResourceModifiedError")
#: What is wrong with a file of the local disk itself, and what to do. Storages deny access to more than one file.
_UNREADABLE = {
    errno.EISDIR: ("it is a folder, and should be a file", "Remove it, then store again what it was to hold."),
    errno.ELOOP: ("its links lead in a circle", "Remove them, then store again what it was to hold."),
    errno.EACCES: ("access is denied", "Give the user who runs this the right to read it."),
}


class Openable(Protocol):
    """A path that opens itself, such as Airflow's ObjectStoragePath."""

    def open(self, mode: str, /) -> Any: ...


def stored_path(path: Any) -> Any:
    """Return Airflow's path for a URL that names a connection, ``s3://connection@bucket/key``; others as they are.

    :raises ConfigurationError: the path is empty, there can be none like it, or the connection is asked for where
        Airflow, or its provider of the storage, is missing
    """
    if isinstance(path, str | os.PathLike):
        require_possible(path)
    if hasattr(path, "open"):
        return path
    if not str(path).strip():  # fsspec takes it for the current folder
        raise ConfigurationError("a path is empty: name a file or a folder, or set the variable that it is from")
    # Only URLs of buckets have no user, so that a connection may be before the @.
    if scheme_of(path) not in WITH_BUCKETS:
        return path
    url = urlsplit(str(path))
    # A container has no dot in its name: abfs://container@account.dfs.core.windows.net is Azure's own way to write it.
    is_account = url.scheme.startswith("abfs") and "." in (url.hostname or "")
    if not url.username or is_account:
        return path
    try:
        found = airflow_path(str(path))
        found.fs  # noqa: B018  makes the filesystem
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            f'{path} names the Airflow connection "{url.username}", which takes Airflow and its provider of the '
            f"storage to open ({error}). Without them, leave the connection out of the URL."
        ) from error
    return found


def open_stored(path: Any) -> Any:
    """Open a local path, a URL that fsspec or Airflow opens, or an Airflow ObjectStoragePath, for reading."""
    path = stored_path(path)
    if not hasattr(path, "open"):
        filesystem, place = filesystem_of(path)
        if scheme_of(path) in WITH_BUCKETS and "/" not in place.strip("/"):
            raise IsADirectoryError(errno.EISDIR, "it is a bucket, and no file", str(path))
        return filesystem.open(place, "rb")  # fsspec.open would take a "*" in it for any text
    if getattr(path, "protocol", "") not in ("", "file", "local"):  # of Airflow, which keeps its filesystems
        path.fs.invalidate_cache(path.path)
    return path.open("rb")


def filesystem_of(path: Any) -> tuple[Any, str]:
    """The fsspec filesystem of a path, and the path in it; of any path that :func:`open_stored` takes.

    It asks the storage anew: fsspec keeps one filesystem for a process, with what folders had in them earlier.

    :raises ConfigurationError: there is no filesystem for the URL, it is not installed, or is one within another
    """
    path = stored_path(path)
    with _known_protocol(path):
        filesystem, place = (path.fs, path.path) if hasattr(path, "fs") else _filesystem_of_text(str(path))
    filesystem.invalidate_cache(place)
    return filesystem, place


def _filesystem_of_text(path: str) -> tuple[Any, str]:
    import fsspec

    if (local := local_path(path)) is not None:
        return fsspec.filesystem("file"), local
    # As fsspec's url_to_fs, which takes a "::" in the name of an object for a chain of filesystems.
    kind = fsspec.get_filesystem_class(scheme_of(path))
    return fsspec.filesystem(scheme_of(path), **kind._get_kwargs_from_urls(path)), kind._strip_protocol(path)


@contextmanager
def _known_protocol(path: Any) -> Iterator[None]:
    try:
        yield
    except ConfigurationError:
        raise
    except (ValueError, ImportError) as error:
        advice = storage_problem(str(path), through_airflow=False) or "Write s3://, gs:// or abfs://, or a local path"
        raise ConfigurationError(f"{path}: nothing here opens such a URL ({error}). {advice}.") from error


@contextmanager
def storage_errors(path: Any) -> Iterator[None]:
    """Raise as an OSError that names the path what the client of a storage raises as an error of its own.

    :raises ResultsChanged: the storage does not go on with a file that was written anew since it was opened
    :raises OSError: the storage can't be reached, or refuses: PermissionError where it denies access
    """
    try:
        yield
    except BenchmarkError:
        raise
    except Exception as error:
        _name(path, error)
        if type(error).__name__ in _CHANGED:
            raise ResultsChanged(f"{path} was written anew while it was read. Read it again.") from safe_cause(error)
        if not _is_of_client(error):
            raise
        raise OSError(
            f"{path}: the storage can't be reached, or refuses "
            f"({type(error).__name__}: {one_line(safe_text(shortened(error)))}). Try again; then check the storage and "
            f"its connection."
        ) from safe_cause(error)


@contextmanager
def named_if_unreadable(path: Any) -> Iterator[None]:
    """Read a file in the block, one of many of which none may hide the others.

    :raises IncompleteResults: on the local disk it is a folder, a link that leads nowhere, or access to it is denied;
        names it. The error of a storage stays what it is
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNREADABLE or not is_local(path):
            raise
        what, remedy = _UNREADABLE[error.errno]
        raise IncompleteResults(f"{path} can't be read ({what}). {remedy}") from error


def is_there(filesystem: Any, path: str, *, name: str = "") -> bool:
    """True if there is a file or folder; raises what the storage raises where it fails.

    fsspec's own ``exists`` says no there, too.

    :param path: in the filesystem
    :param name: the path as a user would write it, for messages
    :raises IncompleteResults: as of :func:`named_if_unreadable`
    """
    try:
        with storage_errors(name or path), named_if_unreadable(name or path):
            filesystem.info(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if _is_link(filesystem, path):
            raise IncompleteResults(
                f"{name or path} can't be read (its link leads nowhere). Remove it, then store again what it was to "
                f"hold."
            ) from error
        return False
    return True


def _is_link(filesystem: Any, path: str) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(filesystem, LocalFileSystem) and os.path.islink(path)


def is_folder(path: Any) -> bool:
    filesystem, place = filesystem_of(path)
    found = bool(filesystem.isdir(place))
    filesystem.invalidate_cache(place)  # or what is written there next would not be seen
    return found


def within(folder: Any, name: str) -> Any:
    """The path of a file in a folder."""
    return folder / name if hasattr(folder, "open") else f"{str(folder).rstrip('/')}/{name}"


def is_damage(error: Exception) -> bool:
    """True if a reader failed because of what it read, and not because the storage failed below it.

    Arrow and gzip have OSErrors of their own for damage, without an errno. Those of some storages have none either, but
    are raised by the storage's own code. A reader that is led to a place before the file's beginning gets EINVAL from a
    file of the local disk; of object storages it is a refusal.
    """
    if not isinstance(error, OSError):
        return not isinstance(error, MemoryError) and not _is_of_client(error)
    if error.errno == errno.EINVAL:
        return _raised_in(error) in (*_READERS, "fsspec", "zipfile", __name__.partition(".")[0])
    return error.errno is None and _raised_in(error) in _READERS


def _is_of_client(error: Exception) -> bool:
    return any(kind.__module__.partition(".")[0] in _CLIENTS for kind in type(error).__mro__)


def _name(path: Any, error: Exception) -> None:
    """Name the path in what fsspec makes of a storage's refusal; an error of the local disk names its file."""
    if not isinstance(error, OSError) or error.filename is not None:
        return
    if isinstance(error, PermissionError) and error.errno is None and str(path) not in str(error):
        error.strerror = f"the storage denies access ({shortened(error)}); check the rights of its connection"
        error.errno, error.filename = errno.EACCES, str(path)
    elif isinstance(error, FileNotFoundError) and error.errno is None:
        # Of a missing object fsspec says nothing but its key, and of a missing bucket it says no name.
        error.strerror = str(error).rstrip(".") if " " in str(error) else os.strerror(errno.ENOENT)
        if "bucket" in error.strerror:
            error.strerror += "; create it, or correct the URL and its connection"
        error.errno, error.filename = errno.ENOENT, str(path)
    elif error.errno in (errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO)):
        error.filename = str(path)


def _raised_in(error: Exception) -> str:
    """The package whose code has raised an error."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
