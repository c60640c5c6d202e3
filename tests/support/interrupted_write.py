"""A process of its own that writes a file and waits to be killed, or meets a limit of the system.

``python -m tests.support.interrupted_write DESTINATION CONNECTION BYTES [LIMIT]``: with no limit it says ``written``
in the middle of the block and waits; with one, no file of this process may grow past that number of bytes.
"""

from __future__ import annotations

import resource
import signal
import sys

from airflow_provider_benchmarks.store import Place, atomic_write

#: Smaller than Python's own buffer of a local file, so that some of it is still there when the disk is full.
_PIECE = 5000


def main(destination: str, connection: str, size: str, limit: str | None = None) -> None:
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that the write fails with an error, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        with atomic_write(Place(destination, connection or None)) as file:
            for start in range(0, int(size), _PIECE):
                file.write(b"n" * min(_PIECE, int(size) - start))
            if limit is None:
                print("written", flush=True)
                sys.stdin.read()
    except OSError as error:
        print(error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
