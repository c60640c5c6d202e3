"""What tests have asked of later jobs: how long they take, the results they give, how they fail, where they halt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.testing.state import StoredFile

Rows = Iterable[Mapping[str, Any]] | bytes | Path | str


@dataclass(frozen=True, slots=True)
class GivenResults:
    """Result files as they will be stored."""

    aggregate: bytes
    rows: StoredFile | None


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job fails.

    :param message: what ``error_details`` says
    :param root_error: what the logs say; without it the evaluation never starts and there are no logs of it
    """

    message: str
    root_error: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Jobs stay in a status, those of one benchmark or all."""

    status: str
    benchmark: str | None

    def applies_to(self, benchmark: str) -> bool:
        return self.benchmark is None or self.benchmark == benchmark


class Scenarios:
    """Use it under the state's lock."""

    def __init__(self, *, job_seconds: float) -> None:
        self.job_seconds = job_seconds
        self.seconds_of: dict[str, float] = {}
        self.outcome_of: dict[str, GivenResults | Failure] = {}
        self.holds: list[Hold] = []

    def seconds(self, benchmark: str) -> float:
        return self.seconds_of.get(benchmark, self.job_seconds)

    def held_in(self, benchmark: str) -> set[str]:
        return {hold.status for hold in self.holds if hold.applies_to(benchmark)}


def given_results(aggregate: Any, rows: Rows | None) -> GivenResults:
    """Turn results into the files that a worker would have uploaded: compact JSON, UTF-8."""
    return GivenResults(aggregate if isinstance(aggregate, bytes) else _encode(aggregate), _rows_file(rows))


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
