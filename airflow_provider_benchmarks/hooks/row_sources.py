"""Where the row scores of a job come from: the service, or the score store, which keeps them for longer."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar

from airflow_provider_benchmarks.client import BenchmarkClient
from airflow_provider_benchmarks.exceptions import NotFound, NotStored, ServiceError
from airflow_provider_benchmarks.formats.service_rows import service_lines
from airflow_provider_benchmarks.jobs import JobResult, ResultName
from airflow_provider_benchmarks.scores import AggregateScores, RowScore
from airflow_provider_benchmarks.scores.listed_files import ListedFile
from airflow_provider_benchmarks.scores.renamed_rows import RenamedRows
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.stored_files import storage_errors
from airflow_provider_benchmarks.store import StoredJob

logger = logging.getLogger(__name__)


class RowSource(ABC):
    """The row scores of one job."""

    #: Whether the rows have all that the service had of them, the model's outputs too.
    has_outputs: ClassVar[bool] = True

    @property
    @abstractmethod
    def job(self) -> str:
        """The job, for messages."""

    @abstractmethod
    def open(self) -> tuple[Iterable[bytes], int | None]:
        """Open the rows: a JSONL file, cut anywhere, and its length in bytes where that is known.

        :raises NotFound: the service does not have them
        """

    @abstractmethod
    def rows(self) -> Iterator[RowScore]:
        """Stream the rows one by one, in constant memory.

        :raises NotFound: the service does not have them
        """

    @abstractmethod
    def aggregate(self) -> AggregateScores:
        """The aggregate scores, which say how many rows there must be."""

    def counted_rows(self) -> int | None:
        """Number of rows that the service reports besides the aggregate scores; None where it does not."""
        return None


@dataclass(slots=True)
class ServiceRows(RowSource):
    """Rows from the evaluation service.

    :param fetched: the aggregate scores, once they were fetched
    :param results: what the service has of the job, once that was fetched
    """

    client: BenchmarkClient
    job_name: str
    fetched: AggregateScores | None = field(default=None, init=False)
    results: Sequence[JobResult] | None = field(default=None, init=False)

    @property
    def job(self) -> str:
        return f'benchmark job "{self.job_name}" in workspace "{self.client.config.workspace}"'

    def open(self) -> tuple[Iterable[bytes], int | None]:
        return self.client.open_row_scores(self.job_name, results=self.results)

    def has_rows(self) -> bool:
        """True if the job has row scores."""
        self.results = self.client.list_results(self.job_name)
        return any(result.name == ResultName.ROW_SCORES for result in self.results)

    def aggregate(self) -> AggregateScores:
        if self.fetched is None:
            self.fetched = self.client.get_aggregate_scores(self.job_name)
        return self.fetched

    def counted_rows(self) -> int | None:
        try:
            counts = self.client.get_row_counts(self.job_name)
        except NotFound:  # the job was deleted, and its results are there
            return None
        return None if counts is None else counts.total

    def rows(self) -> Iterator[RowScore]:
        return self.client.iter_row_scores(self.job_name)


@dataclass(frozen=True, slots=True)
class StoredRows(RowSource):
    """Rows from a score store, in the service's shape.

    The store keeps items, scores, errors and, unless ``[benchmarks] store_outputs`` is off, the model's outputs.
    ``requests``, and fields of rows that this package does not know, are not in it.

    :param file: the job's row scores in the store
    """

    stored: StoredJob
    file: ListedFile
    has_outputs: ClassVar[bool] = False

    @property
    def job(self) -> str:
        return f'benchmark job "{self.stored.job}" in workspace "{self.stored.workspace}"'

    def open(self) -> tuple[Iterable[bytes], int | None]:
        return self._lines(), None

    def aggregate(self) -> AggregateScores:
        return self.stored.aggregate

    def counted_rows(self) -> int | None:
        return None if self.stored.reported_rows is None else self.stored.reported_rows.total

    def rows(self) -> Iterator[RowScore]:
        return read_rows(line for lines in self._lines() for line in lines.split(b"\n"))

    def _lines(self) -> Iterator[bytes]:
        try:
            with storage_errors(self.file), self.file.open() as file:
                lines = service_lines(file, str(self.file))
                yield from RenamedRows(lines, self.stored.row_names) if self.stored.row_names else lines
        except FileNotFoundError as error:
            raise NotStored(
                f"{self.job}: the score store has lost its row scores, {self.file} is not there. The service has "
                f"none any more either: restore the file from a backup, or run the benchmark again."
            ) from error


def purged_rows(stored: StoredJob | None, error: ServiceError) -> StoredRows:
    """The rows of a job that the service does not have any more.

    :param stored: the job in a score store; None where there is none
    :param error: the service's, raised where it does not say that the rows are gone, or the store has none either
    """
    # A job whose fileset was deleted is answered by 500: its record is still there.
    is_gone = isinstance(error, NotFound) or error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    if not is_gone or stored is None or (file := stored.rows_file) is None:
        raise error
    logger.warning(
        'The service has no row scores of benchmark job "%s" any more: taking them from the score store (%s), '
        "which has all but its requests, fields of rows that this package does not know, and the model's outputs where "
        "they were not stored",
        stored.job,
        file,
    )
    return StoredRows(stored, file)
