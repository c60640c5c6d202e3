"""Print what a command has to say, whatever has become of the terminal."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import AbstractContextManager, redirect_stdout, suppress
from typing import Any, TextIO


def to_stderr() -> AbstractContextManager[Any]:
    """Send to the standard error what is printed meanwhile: Airflow logs to the standard output, which is for results.

    What imports Airflow belongs into it.
    """
    return redirect_stdout(sys.stderr)


def show(text: str) -> None:
    """Print a result.

    :raises OSError: it can't be written
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "the standard output is closed")
    with suppress(BrokenPipeError):  # the reader has closed the pipe, as ``head`` does; the exit code still holds
        print_to(text, sys.stdout)


def print_to(text: str, stream: TextIO | None) -> None:
    """Print in the encoding of a stream.

    :raises OSError: the stream can't be written
    """
    if stream is None:  # the parent process has closed it
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, errors="replace").decode(encoding), file=stream, flush=True)
    except OSError:
        # Python flushes again when it exits, and would fail again, with another exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
