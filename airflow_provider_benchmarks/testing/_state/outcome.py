"""How a job ends: as a test requested, and as decided."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_benchmarks.testing._state.fileset import StoredFile

EXIT_CODE_1 = "Job exited with code 1"


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Result files as they will be stored.

    :param rows: None: the job has no row scores
    """

    aggregate: bytes
    rows: StoredFile | None


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job fails.

    :param message: of ``error_details``
    :param root_error: error in the logs; without it the evaluation never starts and has no logs
    """

    message: str
    root_error: str | None = None


@dataclass(frozen=True, slots=True)
class FailedRow:
    """The row on which a metric failed.

    :param metric: reference of the metric
    :param row_index: position in the dataset
    :param cause: error message of the metric
    """

    metric: str
    row_index: int
    cause: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job will end.

    :param rows: number of samples to evaluate; None if unknown
    :param error: type and message of the error that ends the job
    """

    results: ResultFiles | None = None
    rows: int | None = None
    message: str = EXIT_CODE_1
    error: tuple[str, str] | None = None
    failed_row: FailedRow | None = None


def requested_outcome(requested: ResultFiles | Failure) -> Outcome:
    """Return how a job ends as a test requested."""
    if isinstance(requested, Failure):
        error = ("RuntimeError", requested.root_error) if requested.root_error is not None else None
        return Outcome(message=requested.message, error=error)
    rows = requested.rows
    # Counting the lines of gigabytes on disk would take seconds.
    in_memory = rows is not None and isinstance(rows.content, bytes)
    return Outcome(results=requested, rows=rows.read().count(b"\n") if rows is not None and in_memory else None)
