"""Write an object so that it appears complete or never.

``with path.open("wb")`` commits what was written so far when an exception passes through it, a truncated object that
looks like a result. Here the object appears only when the block has ended well.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_provider_benchmarks.exceptions import ConfigurationError

#: s3fs would hold 50 MiB of each open file; 8 MiB still allows objects of 78 GiB within the 10,000 parts of S3.
_BLOCK_SIZE = 8 * 1024 * 1024


@contextmanager
def atomic_write(destination: str, *, storage_conn_id: str | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces the destination when the block ends without an exception.

    A worker that is killed while it writes leaves, for a local destination, a file ``.<name>.<32 hex digits>.part``
    beside it, which can be deleted; in object storage at most an unfinished multipart upload, which a bucket's
    lifecycle rule ends.

    :param destination: a path or URL that Airflow's ObjectStoragePath takes: ``/data/x``, ``s3://bucket/x``, …
    :param storage_conn_id: Airflow connection of the storage
    :raises ConfigurationError: Airflow has no filesystem for the destination
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(destination, conn_id=storage_conn_id)
        is_local = path.protocol in ("", "file")
        filesystem = None if is_local else path.fs
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f'Airflow has no filesystem for "{destination}" ({error}). Install the provider of the storage: '
            f"airflow-provider-benchmarks[s3], [gcs] or [azure]."
        ) from error
    with _local(Path(path.path)) if is_local else _remote(filesystem, path.path) as file:
        yield file


@contextmanager
def _local(path: Path) -> Iterator[BinaryIO]:
    # fsspec's own local transaction goes through the system's temp folder, which may be another file system.
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _remote(filesystem: Any, path: str) -> Iterator[BinaryIO]:
    file = filesystem.open(path, "wb", autocommit=False, block_size=_BLOCK_SIZE)
    try:
        yield cast("BinaryIO", file)
        file.close()
    except BaseException:
        with suppress(Exception):  # the first error is the one to report
            file.discard()
        raise
    file.commit()
