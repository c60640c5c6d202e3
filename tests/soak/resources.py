"""Memory and sockets of a process and its children, over time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

#: Share of the samples that are compared at the beginning and at the end.
_PART = 4


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

    def change(self, of: Callable[[Sample], int]) -> tuple[float, float]:
        """Medians of the first and of the last quarter of the samples."""
        size = max(len(self.samples) // _PART, 1)
        return _median(self.samples[:size], of), _median(self.samples[-size:], of)


def _median(samples: Sequence[Sample], of: Callable[[Sample], int]) -> float:
    return statistics.median(of(sample) for sample in samples)
