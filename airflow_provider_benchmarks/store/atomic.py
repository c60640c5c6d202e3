"""Write an object so that it appears complete or never.

``with path.open("wb")`` commits what was written so far when an exception passes through it, a truncated object that
looks like a result. Here the object appears only when the block has ended without one.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, Unwritable
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.safe_causes import safe_cause
from airflow_provider_benchmarks.store.place import Place

#: A file or a link is in the place of a folder, or a folder in that of the file.
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)

#: Most file systems take names of 255 bytes, of which ``.<name>.<32 hex digits>.part`` needs 39.
_MAX_NAME_BYTES, _PART_BYTES = 255, 39
#: Characters of what a storage says.
_MOST_SAID = 1000

logger = logging.getLogger(__name__)

#: s3fs would hold 50 MiB of each open file; 8 MiB still allows objects of 78 GiB within the 10,000 parts of S3.
_BLOCK_SIZE = 8 * 1024 * 1024


@contextmanager
def atomic_write(place: Place) -> Iterator[BinaryIO]:
    r"""Open a file for writing that replaces the destination when the block ends without an exception.

    A local file gets the owner and mode of any new file (the umask), also where it replaces another one; a symbolic
    link is replaced, not followed. Of several writers of one destination, the last to finish wins.

    A worker that is killed leaves the destination as it was, and what it had written, to be removed once it is old:

    - a local file ``.<name>.<32 hex digits>.part`` in the destination's folder:
      ``find FOLDER -regextype posix-extended -regex '.*/\..*\.[0-9a-f]{32}\.part' -mtime +1 -delete``
    - S3: an unfinished multipart upload, which costs storage but shows in no listing of objects. A lifecycle rule with
      ``AbortIncompleteMultipartUpload`` on the bucket ends it; by hand, ``aws s3api list-multipart-uploads --bucket B``
      and ``aws s3api abort-multipart-upload --bucket B --key KEY --upload-id ID``.
    - Google and Azure drop an unfinished upload after a week. Known gap: a zonal bucket of Google's shows an object
      while it is written, and keeps one that was cut short.

    :raises ConfigurationError: Airflow has no filesystem for the place, or not its connection
    :raises Unwritable: the local disk does not take the file, and will not until somebody changes that
    :raises OSError: the storage refused, failed or went away; its own error is the cause. A task that fails with it is
        retried. An error of the block itself passes as it is.
    """
    path = place.object_path
    with _storage_errors(place):
        pending = _LocalFile(Path(path.path)) if place.is_local else _RemoteFile(path.fs, path.path)
    try:
        yield _Writer(pending.file, place)
        place.before_commit()
        with _storage_errors(place):
            pending.commit()
    except BaseException:
        try:
            pending.discard()
        except Exception as error:  # noqa: BLE001  the first error is the one to report
            logger.warning('What was written of "%s" could not be removed: %s', place, safe_text(repr(error)))
        raise


def require_fitting_name(place: Place, *, of: str) -> None:
    """Refuse a local file that could never be written for the length of its name, or of a folder's.

    :param of: what has its name there, for the error
    :raises ConfigurationError: says by how much it is too long
    """
    if not place.is_local:
        return
    *folders, file = place.path.split("/")
    for name, most in (*((folder, _MAX_NAME_BYTES) for folder in folders), (file, _MAX_NAME_BYTES - _PART_BYTES)):
        if (size := len(name.encode(errors="replace"))) > most:
            raise ConfigurationError(
                f'{of} has too long a name for a folder on the local disk: "{shortened(name)}" has {size} bytes, and '
                f"may have {most}. Make it {size - most} shorter; a letter that is not of ASCII has six bytes or more."
            )


@contextmanager
def _storage_errors(place: Place) -> Iterator[None]:
    # One kind for all that storages raise (OSError, BotoCoreError, RuntimeError), and no note: Airflow's page of a task
    # shows none. The new file is there where only the answer to the last request was lost.
    try:
        yield
    except Exception as error:  # noqa: BLE001  one is raised in its place
        cause = safe_cause(error)
        said = f"{type(error).__name__}: {one_line(safe_text(shortened(error, _MOST_SAID)))}"
        if place.is_local and (remedy := _remedy(Path(place.path), error)):
            raise Unwritable(f'could not write "{place}" ({said}). {remedy}') from cause
        connection = f' and connection "{place.conn_id}"' if place.conn_id else ""
        raise OSError(
            f'could not write "{place}" ({said}). No partial file is there. '
            f"Check the storage{connection}, then run the task again."
        ) from cause


def _remedy(path: Path, error: Exception) -> str:
    """What to do where no retry of a write to the local disk mends it; empty where one may."""
    if not isinstance(error, OSError):
        return ""
    if error.errno in _DENIED:
        return "Give the user who runs this the right to write there, or choose another destination."
    if error.errno == errno.ENAMETOOLONG:
        return "This disk takes no names that long: choose shorter ones."
    if error.errno not in _IN_THE_WAY:
        return ""
    if path.is_dir():
        return "A folder is there already. Remove it, or choose another destination."
    found = next((folder for folder in reversed(path.parents) if not folder.is_dir()), path.parent)
    kind = "a link that leads to no folder" if found.is_symlink() else "no folder"
    return f"{found} is {kind}. Remove it, or choose another destination."


class _Writer(io.RawIOBase, BinaryIO):
    """What the block writes to. Closing it, as some writers do with their target, commits nothing."""

    def __init__(self, file: Any, place: Place) -> None:
        super().__init__()
        self._file = file
        self._place = place

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._file.tell())

    def write(self, data: Any) -> int:
        with _storage_errors(self._place):
            return int(self._file.write(data))


class _LocalFile:
    # fsspec's own local transaction goes through the system's temp folder, which may be another file system.
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._part = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
        self.file = self._part.open("xb")

    def commit(self) -> None:
        with self.file:
            self.file.flush()
            os.fsync(self.file.fileno())
        self._part.replace(self._path)
        # Or a power cut could bring the old file back after Airflow has recorded the new one. Some file systems can't
        # do it; the file is in its place by now, so that is no reason to fail.
        with suppress(OSError):
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        with suppress(OSError):  # a full disk fails once more
            self.file.close()
        self._part.unlink(missing_ok=True)


class _RemoteFile:
    def __init__(self, filesystem: Any, path: str) -> None:
        self.file = filesystem.open(path, "wb", autocommit=False, block_size=_BLOCK_SIZE)
        # fsspec keeps the file for a transaction that nobody has begun, for as long as Airflow keeps the filesystem.
        with suppress(ValueError):
            filesystem.transaction.files.remove(self.file)

    def commit(self) -> None:
        self.file.close()
        self.file.commit()

    def discard(self) -> None:
        # Garbage collection closes a file that is still open: s3fs would then begin another upload, and adlfs, which
        # knows no autocommit=False and commits in close(), would put the truncated object in its place.
        self.file.closed = True
        self.file.discard()
