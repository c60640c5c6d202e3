"""Fetch results of a job into object storage."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from airflow_provider_benchmarks.client import BenchmarkClient
from airflow_provider_benchmarks.exceptions import (
    DestinationExists,
    IncompleteResults,
    JobError,
    ResultsChanged,
    ServiceError,
)
from airflow_provider_benchmarks.jobs import JobStatus
from airflow_provider_benchmarks.jobs.polling import is_transient
from airflow_provider_benchmarks.store import (
    IfExists,
    RowFormat,
    ScoreStore,
    StoredFile,
    StoredJob,
    partitions_before,
    store_bytes,
    store_partitions,
    store_rows,
    stored_before,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
_TRIES = 3
ROW_SCORES = "row-scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDownload:
    """A download of a job's row scores.

    :param destination: the file, or with ``partition_by`` the folder
    :param limit: store only so many rows
    :param partition_by: columns that get a folder for each of their values
    :param storage_conn_id: Airflow connection of the storage
    """

    client: BenchmarkClient
    job_name: str
    destination: str
    row_format: RowFormat
    if_exists: IfExists = IfExists.REPLACE
    limit: int | None = None
    partition_by: Sequence[str] = field(default=())
    storage_conn_id: str | None = None

    def run(self) -> StoredFile:
        """Fetch the rows, unless what is there already is to be kept.

        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
        :raises DestinationExists: ``if_exists`` is ``fail`` and there is something else
        """
        old = None if self.if_exists == IfExists.REPLACE else self._there_before()
        if old is None:
            return self._fetch(self.destination)
        if self.if_exists == IfExists.SKIP:
            logger.info("%s is there already, with %s rows: nothing to download", self.destination, old.rows)
            return old
        # The new one is made only to be compared.
        new = self._fetch(None)
        if old.sha256 != new.sha256:
            raise DestinationExists(
                f"{self.destination} holds other row scores ({old.rows} rows) than those of {self._job} ({new.rows} "
                f'rows), and if_exists="fail". Choose another destination.'
            )
        return old

    @property
    def _job(self) -> str:
        return f'benchmark job "{self.job_name}" in workspace "{self.client.config.workspace}"'

    def _there_before(self) -> StoredFile | None:
        if self.partition_by:
            return partitions_before(self.destination, storage_conn_id=self.storage_conn_id)
        return stored_before(self.destination, self.row_format, storage_conn_id=self.storage_conn_id)

    def _fetch(self, destination: str | None) -> StoredFile:
        if not self.partition_by:
            return self._fetch_file(destination, self.row_format, self.storage_conn_id)
        with tempfile.TemporaryDirectory(prefix="row-scores-") as folder:
            whole = Path(folder) / "rows.parquet"
            self._fetch_file(str(whole), RowFormat(name="parquet", with_sample=self.row_format.with_sample), None)
            return store_partitions(
                whole,
                destination,
                fields=self.partition_by,
                row_format=self.row_format,
                storage_conn_id=self.storage_conn_id,
            )

    def _fetch_file(self, destination: str | None, row_format: RowFormat, storage_conn_id: str | None) -> StoredFile:
        def fetch() -> StoredFile:
            pieces, length = self.client.open_row_scores(self.job_name)
            return store_rows(
                pieces,
                destination,
                row_format=row_format,
                length=length,
                expected_rows=lambda: aggregate.result().expected_rows,
                limit=self.limit,
                storage_conn_id=storage_conn_id,
            )

        try:
            with ThreadPoolExecutor(max_workers=1) as beside:  # the rows come meanwhile
                aggregate = beside.submit(self.client.get_aggregate_scores, self.job_name)
                return _try_again(fetch, lambda error: isinstance(error, ResultsChanged))
        except IncompleteResults as error:
            raise IncompleteResults(f"row scores of {self._job}: {error}. Nothing was stored.") from error


def download_artifacts(
    client: BenchmarkClient, job_name: str, destination: str, *, storage_conn_id: str | None
) -> StoredFile:
    """Fetch the archive of a job's artifacts; it is packed anew for each request, so a broken download begins anew."""

    def fetch() -> StoredFile:
        chunks = client.iter_result(job_name, "artifacts")
        return store_bytes(chunks, destination, format="tar.gz", storage_conn_id=storage_conn_id)

    return _try_again(fetch, lambda error: isinstance(error, ServiceError) and is_transient(error))


def store_job(client: BenchmarkClient, store: ScoreStore, job_name: str) -> StoredJob:
    """Put a completed job with all its scores into the score store, unless it is there already.

    :raises JobError: the job has not completed
    :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
    """
    job = client.get_job(job_name)
    if job.status != JobStatus.COMPLETED:
        raise JobError(
            f'{job} is "{job.status}": the score store takes completed jobs. Wait for it first.',
            job=job.name,
            workspace=job.workspace,
            benchmark=job.benchmark,
            status=job.status,
        )

    def store_rows(path: str) -> StoredFile:
        return RowDownload(
            client=client, job_name=job_name, destination=path, row_format=RowFormat(name="parquet")
        ).run()

    has_rows = any(result.name == ROW_SCORES for result in client.list_results(job_name))
    aggregate = client.get_aggregate_scores(job_name)
    stored = store.add(job, aggregate, store_rows=store_rows if has_rows else None)
    logger.info('Benchmark job "%s" is in the score store %s', job_name, store.root)
    return stored


def _try_again(fetch: Callable[[], T], is_worth_it: Callable[[BaseException], bool]) -> T:
    return Retrying(retry=retry_if_exception(is_worth_it), stop=stop_after_attempt(_TRIES), reraise=True)(fetch)
