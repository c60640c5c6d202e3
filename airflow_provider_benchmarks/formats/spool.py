"""A folder for temporary files, whose error says where it is when it is full."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def spool_folder(prefix: str = "benchmark-rows-") -> Iterator[Path]:
    """Make a folder for a download's own files, which is deleted with all that is in it when the block ends.

    A destination that is full has an error of its own, see :func:`~airflow_provider_benchmarks.store.atomic_write`.

    :raises OSError: it is full, or there can be none; names it
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:  # tempfile finds no folder where it can write
        raise OSError(
            f"there is no folder for temporary files ({error}). Free some space, or set TMPDIR to a folder with more, "
            f"then run the task again."
        ) from error
    with made as name, named_if_full(folder := Path(name)):
        yield folder


@contextmanager
def named_if_full(folder: Path) -> Iterator[None]:
    """Write to a folder for temporary files in the block.

    :raises OSError: it is full; names it
    """
    try:
        yield
    except OSError as error:
        if not _is_full(error) and not (_is_full(error.__cause__) and str(folder) in str(error)):
            raise
        raise OSError(
            f"the folder for temporary files is full: {folder.parent} ({error}). Row scores of tables need about twice "
            f"their size there. Free some space, or set TMPDIR to a folder with more, then run the task again."
        ) from error


def _is_full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL
