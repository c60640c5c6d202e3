"""What tests requested for later jobs: duration, results, failures, holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.job import Schedule
from airflow_provider_benchmarks.testing._state.outcome import Failure, ResultFiles

V = TypeVar("V")
Rows = Iterable[Mapping[str, Any]] | bytes | Path | str


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps jobs in a status.

    :param subject: reference of the benchmark or dataset; None: all jobs
    """

    status: str
    subject: str | None

    def applies_to(self, subjects: Sequence[str]) -> bool:
        return self.subject is None or self.subject in subjects


class Scenarios:
    """What is requested for the jobs of each subject: a benchmark, or the dataset of jobs that bring their metrics.

    Where a job has both, what is requested for its benchmark counts. The subject None stands for all jobs. Hold the
    state's lock while using it.

    :param job_seconds: from submit to the end of a job, for subjects without a duration of their own
    """

    def __init__(self, *, job_seconds: float) -> None:
        self.job_seconds = job_seconds
        self.seconds_by_subject: dict[str | None, float] = {}
        self.outcome_by_subject: dict[str | None, ResultFiles | Failure] = {}
        self.holds: list[Hold] = []

        #: Of jobs so far; what is requested for others is probably misspelt.
        self.seen_subjects: set[str] = set()

    def schedule(self, subjects: Sequence[str]) -> Schedule:
        """Return the schedule of a new job."""
        self.seen_subjects.update(subjects)
        seconds = _first(self.seconds_by_subject, subjects, self.job_seconds)
        requested = _first(self.outcome_by_subject, subjects, self.outcome_by_subject.get(None))
        return Schedule(seconds, requested=requested)

    def held_statuses(self, subjects: Sequence[str]) -> set[str]:
        return {hold.status for hold in self.holds if hold.applies_to(subjects)}

    def unseen_subjects(self) -> list[str]:
        """Subjects that something is requested for, and no job has had."""
        requested = (*self.outcome_by_subject, *self.seconds_by_subject, *(hold.subject for hold in self.holds))
        return sorted({subject for subject in requested if subject is not None} - self.seen_subjects)


def _first(requested: Mapping[str | None, V], subjects: Sequence[str], default: V) -> V:
    return next((requested[subject] for subject in subjects if subject in requested), default)


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
