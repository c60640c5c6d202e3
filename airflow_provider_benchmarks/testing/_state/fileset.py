"""Filesets and their files."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from airflow_provider_benchmarks.testing._state.identifiers import new_id


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's content: bytes in memory, or a file on disk that is served without being loaded."""

    content: bytes | Path

    @property
    def size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    def open(self) -> BinaryIO:
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)


@dataclass(slots=True)
class Fileset:
    """A folder of the files service.

    :param files: by path
    """

    name: str
    workspace: str
    created_at: str
    description: str = ""
    id: str = field(default_factory=lambda: new_id("fileset"))
    files: dict[str, StoredFile] = field(default_factory=dict)
