"""Open stored files, wherever they are."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.openers import airflow_path

#: Schemes whose URLs have no user, so that an Airflow connection may be before the @.
_WITH_CONNECTION = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl")


class Openable(Protocol):
    """A path that opens itself, such as Airflow's ObjectStoragePath."""

    def open(self, mode: str, /) -> Any: ...


def stored_path(path: Any) -> Any:
    """Return Airflow's path for a URL that names a connection, ``s3://connection@bucket/key``; others as they are.

    :raises ConfigurationError: the connection is asked for where Airflow, or its provider of the storage, is missing
    """
    if hasattr(path, "open"):
        return path
    url = urlsplit(str(path))
    # A container has no dot in its name: abfs://container@account.dfs.core.windows.net is Azure's own way to write it.
    is_account = url.scheme.startswith("abfs") and "." in (url.hostname or "")
    if url.scheme not in _WITH_CONNECTION or not url.username or is_account:
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
    if hasattr(path, "open"):
        return path.open("rb")
    import fsspec

    return fsspec.open(str(path), "rb")


def filesystem_of(path: Any) -> tuple[Any, str]:
    """The fsspec filesystem of a path, and the path in it; of any path that :func:`open_stored` takes."""
    import fsspec

    path = stored_path(path)
    return (path.fs, path.path) if hasattr(path, "fs") else fsspec.url_to_fs(str(path))


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
    are raised by the storage's own code.
    """
    if not isinstance(error, OSError):
        return not isinstance(error, MemoryError)
    return error.errno is None and _raised_in(error) in ("pyarrow", "gzip")


def _raised_in(error: Exception) -> str:
    """The package whose code has raised an error."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
