"""Run ways of doing the same work in turn, each in a process of its own, and compare their medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Way:
    """One way of doing the work.

    :param command: prints ``{"seconds": …}`` as its last line; what it does before and after is not measured
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
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{self.name} ended with {process.returncode}: {output}")
        self.seconds.append(json.loads(output.splitlines()[-1])["seconds"])
        self.peak_megabytes.append(usage.ru_maxrss / 1000)

    def describe(self) -> str:
        runs = ", ".join(f"{seconds:.2f}" for seconds in self.seconds)
        return f"{self.name}: {self.median:.2f} s (of {runs}), peak {self.peak:.0f} MB"


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
