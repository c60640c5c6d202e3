"""Run ways of doing the same work in turn, each in a process of its own, and compare their medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Way:
    """One way of doing the work.

    :param command: prints ``{"seconds": …, "peak_megabytes": …}`` as its last line
    """

    name: str
    command: Sequence[str]
    seconds: list[float] = field(default_factory=list)
    peak_megabytes: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def peak(self) -> float:
        return max(self.peak_megabytes)

    def run(self, environment: Mapping[str, str]) -> None:
        os.sync()  # what the one before has left to the disk is not this one's
        done = subprocess.run(
            self.command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{self.name} ended with {done.returncode}: {done.stdout}{done.stderr}")
        measured = json.loads(done.stdout.splitlines()[-1])
        self.seconds.append(measured["seconds"])
        self.peak_megabytes.append(measured["peak_megabytes"])

    def describe(self) -> str:
        runs = ", ".join(f"{seconds:.2f}" for seconds in self.seconds)
        return f"{self.name}: {self.median:.2f} s (of {runs}), peak {self.peak:.0f} MB"


def peak_megabytes() -> float:
    """The most memory that this process held; what getrusage says includes that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def in_turn(ways: Sequence[Way], *, rounds: int, environment: Mapping[str, str]) -> None:
    """Run each way once a round, so that a slow minute of the machine meets all of them."""
    for _ in range(rounds):
        for way in ways:
            way.run(environment)
    for way in ways:
        print(f"  {way.describe()}", flush=True)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
