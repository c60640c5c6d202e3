"""Rows and items of stored files, read by themselves."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_benchmarks.formats.service_rows import service_lines
from airflow_provider_benchmarks.scores import read_row_scores, selected_rows
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


class _WatchedPath:
    """A path whose file remembers which threads have read it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.readers: set[str] = set()

    def __str__(self) -> str:
        return self._path

    def open(self, mode: str) -> _Watched:
        return _Watched(self._path, self.readers)


def _lines(path: _WatchedPath) -> list[bytes]:
    with path.open("rb") as file:
        return list(service_lines(file, str(path)))


@pytest.mark.parametrize(
    "read",
    [
        lambda path: selected_rows.read_items(path, range(0, 999, 100)),
        lambda path: selected_rows.number_items([path, path]),
        lambda path: selected_rows.read_selected_rows(path, scores=["s"], fields=["text"]),
        read_row_scores,
        lambda path: read_row_scores(path, columns=["s"]),
        _lines,
    ],
    ids=["items", "numbers of items", "columns for gates", "frame", "columns of a frame", "lines"],
)
def test_stored_rows_are_read_by_the_thread_that_wants_them(tmp_path: Path, read: Any) -> None:
    """Another one that still holds the file when the process ends would make it end with SIGABRT."""
    lines = [line(i, {"text": str(i % 99) * 99}, {"w/m": {"s": 1}}) for i in range(999)]
    path = _WatchedPath(store(tmp_path / "rows", lines).path)
    assert len(read(path))
    assert path.readers == {threading.current_thread().name}
