"""Count and hash what is written to a file."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from typing import Any, BinaryIO

from airflow_provider_benchmarks.background import BackgroundCalls
from airflow_provider_benchmarks.scores.listed_files import END_BYTES


class HashedFile(io.RawIOBase, BinaryIO):
    """Pass what is written on to a file, and count and hash it; closing it leaves the file itself open.

    :param file: that is written to
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._digest = hashlib.sha256()
        # Hashing takes as long as writing, and releases Python's lock meanwhile.
        self._background = BackgroundCalls()
        self.bytes = 0
        # The last blocks: as few as have what is hashed of the end.
        self._end, self._end_bytes = deque[bytes](), 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.bytes

    def write(self, data: Any) -> int:
        # The caller may use a buffer again as soon as this returns; bytes do not change.
        block = data if isinstance(data, bytes) else bytes(data)
        self._background.run(self._digest.update, block)
        self._file.write(block)
        self.bytes += len(block)
        self._keep(block)
        return len(block)

    def _keep(self, block: bytes) -> None:
        self._end.append(block)
        self._end_bytes += len(block)
        while self._end_bytes - len(self._end[0]) >= END_BYTES:
            self._end_bytes -= len(self._end.popleft())

    def close(self) -> None:
        if not self.closed:
            self._background.close()
        super().close()

    @property
    def sha256(self) -> str:
        """Of what has been written so far, in hex."""
        self._background.wait()
        return self._digest.hexdigest()

    @property
    def end_sha256(self) -> str:
        """Of the last :data:`~airflow_provider_benchmarks.scores.listed_files.END_BYTES`, in hex."""
        return hashlib.sha256(b"".join(self._end)[-END_BYTES:]).hexdigest()
