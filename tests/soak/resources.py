"""Memory and sockets of a process and its children, over time."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

_PARTS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process and its children have.

    :param memory: resident, in bytes
    :param files: number of open files, sockets among them
    """

    memory: int
    files: int
    sockets: int
    threads: int


@dataclass(slots=True)
class Resources:
    """Samples of one process tree."""

    samples: list[Sample] = field(default_factory=list)

    def take(self, pid: int) -> None:
        found = [0, 0, 0, 0]
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            for process in [parent, *parent.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess), process.oneshot():
                    sockets = len(process.net_connections("all"))
                    each = (process.memory_info().rss, process.num_fds(), sockets, process.num_threads())
                    found = [total + one for total, one in zip(found, each, strict=True)]
            self.samples.append(Sample(*found))

    def medians(self, of: Callable[[Sample], int]) -> list[float]:
        """Medians of equal parts of the time, in its order."""
        size = max(len(self.samples) // _PARTS, 1)
        parts = [self.samples[at : at + size] for at in range(0, len(self.samples), size)][:_PARTS]
        return [statistics.median(of(sample) for sample in part) for part in parts]
