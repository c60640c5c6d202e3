"""What tests requested for later jobs: duration, results, failures, holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.job import Schedule
from airflow_provider_benchmarks.testing._state.outcome import Failure, ResultFiles

Rows = Iterable[Mapping[str, Any]] | bytes | Path | str


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps jobs in a status.

    :param subject: reference of the benchmark or dataset; None: all jobs
    """

    status: str
    subject: str | None

    def applies_to(self, subject: str | None) -> bool:
        return self.subject is None or self.subject == subject


class Scenarios:
    """What is requested for the jobs of each subject: a benchmark, or the dataset of jobs that bring their metrics.

    The subject None stands for all jobs. Hold the state's lock while using it.

    :param job_seconds: from submit to the end of a job, for subjects without a duration of their own
    """

    def __init__(self, *, job_seconds: float) -> None:
        self.job_seconds = job_seconds
        self.seconds_by_subject: dict[str | None, float] = {}
        self.outcome_by_subject: dict[str | None, ResultFiles | Failure] = {}
        self.holds: list[Hold] = []

    def schedule(self, subject: str | None) -> Schedule:
        """Return the schedule of a new job."""
        seconds = self.seconds_by_subject.get(subject, self.job_seconds)
        outcomes = self.outcome_by_subject
        return Schedule(seconds, requested=outcomes.get(subject, outcomes.get(None)))

    def held_statuses(self, subject: str | None) -> set[str]:
        return {hold.status for hold in self.holds if hold.applies_to(subject)}


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
