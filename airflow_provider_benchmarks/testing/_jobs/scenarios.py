"""What tests requested for later jobs: duration, results, failures, holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.outcome import Failure, ResultFiles

Rows = Iterable[Mapping[str, Any]] | bytes | Path | str


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps jobs in a status.

    :param benchmark: reference of the benchmark; None: the jobs of all benchmarks
    """

    status: str
    benchmark: str | None

    def applies_to(self, benchmark: str) -> bool:
        return self.benchmark is None or self.benchmark == benchmark


class Scenarios:
    """What is requested for the jobs of each benchmark. Hold the state's lock while using it.

    :param job_seconds: from submit to the end of a job, for benchmarks without a duration of their own
    """

    def __init__(self, *, job_seconds: float) -> None:
        self.job_seconds = job_seconds
        self.seconds_by_benchmark: dict[str, float] = {}
        self.outcome_by_benchmark: dict[str, ResultFiles | Failure] = {}
        self.holds: list[Hold] = []

    def seconds(self, benchmark: str) -> float:
        return self.seconds_by_benchmark.get(benchmark, self.job_seconds)

    def held_statuses(self, benchmark: str) -> set[str]:
        return {hold.status for hold in self.holds if hold.applies_to(benchmark)}


def result_files(aggregate: Any, rows: Rows | None) -> ResultFiles:
    """Encode results as a worker uploads them: compact JSON, UTF-8."""
    return ResultFiles(aggregate if isinstance(aggregate, bytes) else _encode(aggregate), _rows_file(rows))


def _rows_file(rows: Rows | None) -> StoredFile | None:
    if rows is None:
        return None
    if isinstance(rows, str | Path):
        path = Path(rows).absolute()
        if not path.is_file():
            raise FileNotFoundError(path)
        return StoredFile(path)
    if isinstance(rows, bytes):
        return StoredFile(rows)
    return StoredFile(b"".join(_encode(row) + b"\n" for row in rows))


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
