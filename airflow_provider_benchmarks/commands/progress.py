"""How far a download is, on a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.hooks.row_sources import ServiceRows
from airflow_provider_benchmarks.inert import one_line


@dataclass(slots=True)
class WatchedRows(ServiceRows):
    """Rows from the service, whose download shows how far it is where the standard error is a terminal."""

    def open(self) -> tuple[Iterable[bytes], int | None]:
        # A dataclass with slots is another class than the one that super() without arguments knows.
        pieces, length = ServiceRows.open(self)
        if sys.stderr is None or not sys.stderr.isatty():
            return pieces, length
        return _watched(pieces, length, one_line(self.job_name)), length


def _watched(pieces: Iterable[bytes], length: int | None, name: str) -> Iterator[bytes]:
    """The same pieces, counted."""
    close: Any = getattr(pieces, "close", None)
    try:
        with _bar() as bar:
            task = bar.add_task(f"rows of {name}", total=length)
            for piece in pieces:
                yield piece
                bar.advance(task, len(piece))
    finally:
        if close is not None:
            close()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Rich leaves colours out by itself where NO_COLOR is set.
    return Progress(*columns, console=Console(file=sys.stderr), transient=True, redirect_stdout=False)
