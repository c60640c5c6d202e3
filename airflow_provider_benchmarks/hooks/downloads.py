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
    NotFound,
    ResultsChanged,
    ServiceError,
)
from airflow_provider_benchmarks.formats import TABLE_FORMATS, RowFormat
from airflow_provider_benchmarks.jobs import ResultName, require_completed
from airflow_provider_benchmarks.retry_policy import is_recoverable
from airflow_provider_benchmarks.scores.completeness import FirstRows, line_blocks
from airflow_provider_benchmarks.store import (
    IfExists,
    Place,
    ScoreStore,
    StoredFile,
    StoredJob,
    check_row_options,
    holds_same_rows,
    partitions_before,
    refuse_other_kind,
    store_bytes,
    store_partitions,
    store_rows,
    stored_before,
    sweep_partitions,
)
from airflow_provider_benchmarks.store.row_files import BLOCK_BYTES

logger = logging.getLogger(__name__)

T = TypeVar("T")
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDownload:
    """A download of a job's row scores.

    :param place: the file, or with ``partition_by`` the folder
    :param limit: store only so many rows
    :param partition_by: columns that get a folder for each of their values
    :raises ConfigurationError: an argument can't be used
    """

    client: BenchmarkClient
    job_name: str
    place: Place
    row_format: RowFormat
    if_exists: IfExists = IfExists.REPLACE
    limit: int | None = None
    partition_by: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        check_row_options(
            place=self.place,
            row_format=self.row_format,
            if_exists=self.if_exists,
            limit=self.limit,
            partition_by=self.partition_by,
        )

    def run(self) -> StoredFile:
        """Fetch the rows, unless what is there already is to be kept.

        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
        :raises DestinationExists: ``if_exists`` is ``fail`` and there is something else, or what is there can't be told
            or replaced
        """
        refuse_other_kind(self.place, is_folder=bool(self.partition_by))
        old = None if self.if_exists == IfExists.REPLACE else self._there_before()
        if old is None:
            return self._fetch(self.place)
        if self.if_exists == IfExists.SKIP:
            logger.info("%s is there already, with %s rows: nothing to download", self.place, old.rows)
        else:
            # The new one is made only to be compared.
            new = self._fetch(None)
            if old.sha256 != new.sha256 and not (old.rows == new.rows and self._differs_in_bytes_only()):
                raise DestinationExists(
                    f"{self.place} holds other row scores ({old.rows} rows) than those of {self._job} ({new.rows} "
                    f'rows), and if_exists="fail". Choose another destination.'
                )
        if self.partition_by:
            sweep_partitions(self.place)
        return old

    def _differs_in_bytes_only(self) -> bool:
        """Whether a JSONL file holds the same rows as another route of the service, or another gzip, writes them."""
        if self.row_format.name in TABLE_FORMATS:
            return False
        pieces, _ = self.client.open_row_scores(self.job_name)
        blocks = FirstRows(self.limit).of(line_blocks(pieces, BLOCK_BYTES))
        return holds_same_rows(self.place, blocks, self.row_format)

    @property
    def _job(self) -> str:
        return f'benchmark job "{self.job_name}" in workspace "{self.client.config.workspace}"'

    def _there_before(self) -> StoredFile | None:
        if self.partition_by:
            return partitions_before(self.place)
        return stored_before(self.place, self.row_format)

    def _fetch(self, place: Place | None) -> StoredFile:
        if not self.partition_by:
            return self._fetch_file(place, self.row_format)
        with tempfile.TemporaryDirectory(prefix="row-scores-") as folder:
            whole = Path(folder) / "rows.parquet"
            self._fetch_file(Place(str(whole)), RowFormat(name="parquet", with_sample=self.row_format.with_sample))
            return store_partitions(whole, place, fields=self.partition_by, row_format=self.row_format)

    def _fetch_file(self, place: Place | None, row_format: RowFormat) -> StoredFile:
        def fetch() -> StoredFile:
            pieces, length = self.client.open_row_scores(self.job_name)
            return store_rows(
                pieces,
                place,
                row_format=row_format,
                length=length,
                expected_rows=lambda check: check.expected_rows(aggregate.result()),
                limit=self.limit,
            )

        try:
            with ThreadPoolExecutor(max_workers=1) as beside:  # the rows come meanwhile
                aggregate = beside.submit(self.client.get_aggregate_scores, self.job_name)
                return _try_again(fetch, lambda error: isinstance(error, ResultsChanged))
        except IncompleteResults as error:
            raise IncompleteResults(f"row scores of {self._job}: {error}. Nothing was stored.") from error


def download_artifacts(client: BenchmarkClient, job_name: str, place: Place) -> StoredFile:
    """Fetch the archive of a job's artifacts; it is packed anew for each request, so a broken download begins anew."""
    refuse_other_kind(place, is_folder=False)

    def fetch() -> StoredFile:
        chunks = client.iter_result(job_name, ResultName.ARTIFACTS)
        return store_bytes(chunks, place, format="tar.gz")

    return _try_again(fetch, lambda error: isinstance(error, ServiceError) and is_recoverable(error))


def store_job(client: BenchmarkClient, store: ScoreStore, job_name: str) -> StoredJob:
    """Put a completed job with all its scores into the score store, unless it is there already.

    One that the service does not have any more is looked for in the store.

    :raises JobError: the job has not completed
    :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
    """
    try:
        job = client.get_job(job_name)
    except NotFound:
        found = store.find(job_name, workspace=client.config.workspace)
        if found is None:
            raise
        logger.warning(
            'The service has no benchmark job "%s" any more: taking it as the score store %s has it',
            job_name,
            store.root,
        )
        return found
    require_completed(job, takes="the score store")

    def store_rows(place: Place) -> StoredFile:
        return RowDownload(client=client, job_name=job_name, place=place, row_format=RowFormat(name="parquet")).run()

    has_rows = any(result.name == ResultName.ROW_SCORES for result in client.list_results(job_name))
    aggregate = client.get_aggregate_scores(job_name)
    stored = store.add(job, aggregate, store_rows=store_rows if has_rows else None, dataset=client.get_dataset(job))
    logger.info('Benchmark job "%s" is in the score store %s', job_name, store.root)
    return stored


def _try_again(fetch: Callable[[], T], is_worth_it: Callable[[BaseException], bool]) -> T:
    return Retrying(retry=retry_if_exception(is_worth_it), stop=stop_after_attempt(_TRIES), reraise=True)(fetch)
