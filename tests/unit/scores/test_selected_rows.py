"""Rows and items of stored files, read by themselves."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.scores import selected_rows
from tests.support.stored_rows import line, store


class _Watched(io.FileIO):
    """A file that remembers which threads have read it."""

    def __init__(self, path: Any, readers: set[str]) -> None:
        super().__init__(path)
        self._readers = readers

    def readinto(self, buffer: Any) -> int | None:
        self._readers.add(threading.current_thread().name)
        return super().readinto(buffer)

    def read(self, size: int | None = -1) -> bytes | None:
        self._readers.add(threading.current_thread().name)
        return super().read(-1 if size is None else size)


def test_items_are_read_by_their_row_index(tmp_path: Path) -> None:
    lines = [line(i, {"text": f"text {i}", "late": None if i < 5 else i}, {"w/m": {"s": 1}}) for i in range(9)]
    stored = store(tmp_path / "rows", lines[::-1])
    assert selected_rows.read_items(stored.path, [7, 2, 99]) == {
        2: {"text": "text 2"},
        7: {"text": "text 7", "late": 7},
    }


def test_items_are_read_by_the_thread_that_wants_them(tmp_path: Path, monkeypatch: Any) -> None:
    """Another one that still holds the file when the process ends would make it end with SIGABRT."""
    stored = store(tmp_path / "rows", [line(i, {"text": str(i) * 99}, {"w/m": {"s": 1}}) for i in range(999)])
    readers: set[str] = set()

    @contextmanager
    def opened(path: Any) -> Iterator[_Watched]:
        with _Watched(path, readers) as file:
            yield file

    monkeypatch.setattr(selected_rows, "open_stored", opened)
    assert len(selected_rows.read_items(stored.path, range(0, 999, 100))) == 10
    assert readers == {threading.current_thread().name}
