"""A place in object storage: a URL, and the Airflow connection that opens it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.connection_fields import not_found
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.local_paths import WITH_BUCKETS, is_local, local_path, refuse_password
from airflow_provider_benchmarks.scores.stored_files import storage_errors
from airflow_provider_benchmarks.storages import storage_problem

#: Connections, and URLs without their paths, of buckets that this process has seen.
_FOUND_BUCKETS: set[tuple[str | None, str]] = set()


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder that Airflow's ObjectStoragePath can open.

    Making one opens nothing: it may hold a template that is not rendered yet.

    :param url: a path or URL: ``/data/x``, ``s3://bucket/x``; ``s3://connection@bucket/x`` names its connection. A
        ``~`` at its beginning is the home of the user who runs this
    :param conn_id: Airflow connection of the storage; None for the one that the URL names, if it does
    :raises ConfigurationError: the URL is empty, can't be one, or has a password
    """

    url: str
    conn_id: str | None = None

    def __post_init__(self) -> None:
        if not self.url or not self.url.strip() or "\0" in self.url:
            raise ConfigurationError(f"a path or URL in object storage is needed, found {brief(self.url)}")
        if self.conn_id is not None and not isinstance(self.conn_id, str):
            raise ConfigurationError(f"storage_conn_id must be a text, or None, found {brief(self.conn_id)}")
        refuse_password(self.url)

    @classmethod
    def of(cls, path: Any, conn_id: str | None = None) -> Place:
        """Make a place of what a user may write.

        :param path: a text, a :class:`~pathlib.Path` or an ObjectStoragePath, which brings its connection along
        :param conn_id: used rather than the connection of the path
        :raises ConfigurationError: the path is empty
        """
        if not (path is None or isinstance(path, str | os.PathLike) or hasattr(path, "protocol")):
            raise ConfigurationError(f"a path or URL in object storage is needed, found {brief(path)}")
        # Airflow 2.11 has the connection among the options of the storage only.
        own = getattr(path, "conn_id", None) or getattr(path, "storage_options", {}).get("conn_id")
        return cls("" if path is None else str(path), conn_id or own)

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.url.rstrip('/')}/{name}", self.conn_id)

    @property
    def object_path(self) -> Any:
        """Airflow's ObjectStoragePath. It is made anew: its filesystem asks the storage again, as others write there.

        :raises ConfigurationError: Airflow has no filesystem for the URL, there is no such connection, or a folder of
            its path has no name
        """
        self.require_named_folders()
        local = local_path(self.url)
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        conn_id = self.conn_id or (urlsplit(self.url).netloc.rpartition("@")[0] if local is None else None)
        if conn_id:
            _check_connection(conn_id)
        # Up to Airflow 3.1 conn_id=None hides the connection that a URL names.
        options = {} if self.conn_id is None else {"conn_id": self.conn_id}
        try:
            # Of a URL Airflow takes "#", "?" and "::" for parts of its own; of what is joined to one, it takes nothing.
            start, rest = _parts(self.url) if local is None else ("/", local[1:])
            path = ObjectStoragePath(start, **options)
            path = path / rest if rest else path
            if local is None:  # for a local filesystem Airflow imports those of all providers: a third of a second
                # Without a connection, what reads a whole file and lists a folder has another than what opens one.
                path.fs.invalidate_cache(path.path)
                getattr(path, "__wrapped__", path).fs.invalidate_cache(path.path)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(
                f'Airflow has no filesystem for "{self.url}" ({error}). {_remedy(self.url, error)}'
            ) from error
        return path

    def before_commit(self) -> None:
        """Look at the place again before a file that was written for it appears there; an error leaves it as it was."""

    @property
    def fs(self) -> Any:
        """The fsspec filesystem."""
        return self.object_path.fs

    @property
    def path(self) -> str:
        """The path within :attr:`fs`."""
        return str(self.object_path.path)

    @property
    def location(self) -> str:
        """Where it is, whatever connection opens it and whatever links of the local disk lead to its folder."""
        if (path := local_path(self.url)) is None:
            scheme, _, rest = self.url.partition("://")
            bucket, slash, key = rest.partition("/")
            return f"{scheme}://{bucket.rpartition('@')[2]}{slash}{key}"
        folder, name = os.path.split(path)
        return os.path.join(os.path.realpath(folder), name)

    @property
    def is_local(self) -> bool:
        """True for a place on the local disk."""
        return is_local(self.url)

    def open(self, mode: str = "rb", **options: Any) -> BinaryIO:
        """Open the file for reading; use :func:`~airflow_provider_benchmarks.store.atomic_write` to write.

        :param options: of the fsspec filesystem
        """
        with storage_errors(self.url):
            file: BinaryIO = self.object_path.open(mode, **options)
        return file

    def read_bytes(self) -> bytes:
        with storage_errors(self.url):
            content: bytes = self.object_path.read_bytes()
        return content

    def is_file(self) -> bool:
        """True if there is a file; raises what the storage raises where it fails."""
        path = self.object_path
        # fsspec's isfile says no where the storage fails, too.
        try:
            with storage_errors(self.url):
                kind: str = path.fs.info(path.path)["type"]
        except NotADirectoryError:
            return False
        except FileNotFoundError:
            self.require_bucket()
            return False
        return kind != "directory"

    def require_named_folders(self) -> None:
        """Refuse ``s3://bucket//x``: object storages have a folder without a name there, which listings leave out.

        :raises ConfigurationError: the path in the object storage has one
        """
        scheme, _, path = self.url.partition("://")
        if scheme in WITH_BUCKETS and "" in path.rstrip("/").split("/"):
            raise ConfigurationError(
                f'"{self.url}" has nothing between two slashes: in object storage that is a folder without a name. '
                f"Write a single slash, and look whether a template has given nothing."
            )

    def require_bucket(self) -> None:
        """Refuse a bucket that is not there: for the objects in it, a storage says the same as of missing ones.

        :raises ConfigurationError: there is no such bucket
        """
        url, path = urlsplit(self.url), self.object_path
        seen = (self.conn_id, f"{url.scheme}://{url.netloc}")
        bucket = path.fs._strip_protocol(path.path).strip("/").partition("/")[0]
        if url.scheme in WITH_BUCKETS and bucket and seen not in _FOUND_BUCKETS:
            try:
                with storage_errors(self.url):
                    path.fs.info(bucket)
            except FileNotFoundError as error:
                raise ConfigurationError(
                    f'{self.url}: there is no bucket "{bucket}" in the storage. Create it, or correct the URL and its '
                    f"connection."
                ) from error
            except PermissionError:  # to read objects is another right
                pass
            _FOUND_BUCKETS.add(seen)


def _parts(url: str) -> tuple[str, str]:
    """A URL that Airflow takes as it is, and what is to be joined to it."""
    scheme, _, path = url.partition("://")
    bucket, _, key = path.partition("/")
    return (f"{scheme}://{bucket}", key) if "::" in key and "::" not in bucket else (url, "")


def _remedy(url: str, error: Exception) -> str:
    """What to do so that Airflow opens a URL."""
    # Airflow 3.0 admits a universal-pathlib that knows no path of its ObjectStoragePath, local ones neither.
    if "incompatible with ObjectStoragePath" in str(error):
        return (
            f"Airflow {version('apache-airflow')} does not work with universal-pathlib "
            f"{version('universal-pathlib')}: install the version that Airflow's own constraints name, or "
            f'"universal-pathlib<0.3".'
        )
    if (problem := storage_problem(url)) is not None:
        return f"{problem}."
    return "Write s3://, gs:// or abfs://, or install the Airflow provider that has a filesystem for this scheme."


@cache
def _check_connection(conn_id: str) -> None:
    """Refuse a connection that does not exist: Amazon's filesystem would use the machine's own credentials instead.

    :raises ConfigurationError: there is no such connection
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(not_found(conn_id, " for the storage")) from error
