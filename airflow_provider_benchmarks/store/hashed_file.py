"""A file that is written to, with its size and hash."""

from __future__ import annotations

import hashlib
import io
from typing import Any, BinaryIO

from airflow_provider_benchmarks.background import BackgroundCalls


class HashedFile(io.RawIOBase, BinaryIO):
    """Pass what is written on to a file, and count and hash it; closing it leaves the file itself open.

    :param file: where to
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._digest = hashlib.sha256()
        # Hashing takes as long as writing, and leaves Python free meanwhile.
        self._beside = BackgroundCalls()
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.bytes

    def write(self, data: Any) -> int:
        # Who writes may use a buffer again as soon as this returns; bytes stay what they are.
        block = data if isinstance(data, bytes) else bytes(data)
        self._beside.run(self._digest.update, block)
        self._file.write(block)
        self.bytes += len(block)
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._beside.close()
        super().close()

    @property
    def sha256(self) -> str:
        """Of what has been written so far, in hex."""
        self._beside.wait()
        return self._digest.hexdigest()
