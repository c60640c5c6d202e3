"""Fetch results of a job into object storage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from airflow_provider_benchmarks.client import BenchmarkClient
from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    DestinationExists,
    IncompleteResults,
    NotFound,
    ProtocolError,
    ResultsChanged,
    ServiceError,
    Unwritable,
)
from airflow_provider_benchmarks.formats import TABLE_FORMATS, RowFormat
from airflow_provider_benchmarks.formats.spool import spool_folder
from airflow_provider_benchmarks.hooks.row_sources import RowSource, ServiceRows, purged_rows
from airflow_provider_benchmarks.jobs import BenchmarkJob, require_completed
from airflow_provider_benchmarks.retry_policy import is_recoverable
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.store import (
    IfExists,
    Place,
    RowOptions,
    RowsToCompare,
    RowTarget,
    ScoreStore,
    StoredFile,
    StoredJob,
    find_partitions,
    find_row_file,
    refuse_other_kind,
    require_stored,
    store_bytes,
    store_partitions,
    store_row_files,
    sweep_partitions,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
_ATTEMPTS = 3


class RowDownload:
    """One download of a job's row scores to a destination."""

    def __init__(self, source: RowSource, options: RowOptions) -> None:
        assert options.place is not None, "a download needs a destination"
        self._source = source
        self._place = options.place
        self._options = options
        #: The new file would not have the model's outputs, which the old one may have.
        self._is_poorer = options.row_format.keeps_outputs and not source.has_outputs
        self._old: StoredFile | None = None
        #: What became of the destination's target; None as long as nothing was fetched.
        self._new: StoredFile | Exception | None = None
        #: The old file, whose rows are compared with the new ones where the bytes do not tell.
        self._compared: RowsToCompare | None = None

    def fetch_with(self, other: RowTarget) -> StoredFile:
        """Fetch the rows once, for the destination and for another file. Each is written though the other can't be.

        :return: the other file; :meth:`finish` returns the destination's, or raises what is wrong with it
        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count; nothing is stored
        """
        return require_stored(*self._fetch([other]))

    def finish(self) -> StoredFile:
        """Fetch the rows, unless that was done or ``if_exists`` keeps what is there.

        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
        :raises DestinationExists: there is a folder where a file is to be, the reverse, or a file of another format; or
            ``if_exists`` is ``fail`` and there is something else; or the new file would lack the model's outputs that
            an old one may have, and can't be compared with it
        """
        if self._old is None and self._new is None:
            self._fetch([])
        old, new = self._old, self._new
        if isinstance(new, Exception):
            raise new
        if old is None:
            assert new is not None
            return new
        if new is None:
            logger.info("%s is there already, with %s rows: nothing to download", self._place, old.rows)
        elif not self._keeps(old, new):
            return self._replace()
        if self._options.fields:
            sweep_partitions(self._place)
        return old

    def _fetch(self, others: Sequence[RowTarget]) -> list[StoredFile | Exception]:
        """Fetch the rows for the destination, unless it is kept, and for the others. Returns what became of those."""
        try:
            self._read_destination()
        except Exception as error:  # noqa: BLE001  whatever it is, finish() raises it
            self._new = error
        if self._new is not None or (self._old is not None and self._options.if_exists == IfExists.SKIP):
            return fetch_files(self._source, others) if others else []
        return self._download(others)

    def _download(self, others: Sequence[RowTarget]) -> list[StoredFile | Exception]:
        row_format, limit = self._options.row_format, self._options.limit
        place = self._place if self._old is None else None  # where there is an old one, the new one is only compared
        if not self._options.fields:
            target = RowTarget(place=place, row_format=row_format, limit=limit, compared=self._to_compare())
            self._new, *files = fetch_files(self._source, [target, *others])
            return files
        with spool_folder() as folder:
            whole = folder / "rows.parquet"
            as_table = RowFormat(name="parquet", with_sample=row_format.with_sample)
            target = RowTarget(place=Place(str(whole)), row_format=as_table, limit=limit)
            self._new, *files = fetch_files(self._source, [target, *others])
            if isinstance(self._new, StoredFile):
                try:
                    self._new = store_partitions(whole, place, fields=self._options.fields, row_format=row_format)
                except Exception as error:  # noqa: BLE001  the others are there; finish() raises it
                    self._new = error
        return files

    def _replace(self) -> StoredFile:
        self._old = None
        self._download([])
        assert self._new is not None
        return require_stored(self._new)

    def _read_destination(self) -> None:
        refuse_other_kind(self._place, is_folder=bool(self._options.fields))
        if self._options.if_exists != IfExists.REPLACE:
            self._old = self._find_old()
        elif self._is_poorer:
            with suppress(DestinationExists):  # what is no complete file of the format is replaced
                self._old = self._find_old()

    def _keeps(self, old: StoredFile, new: StoredFile) -> bool:
        """Whether the old file is kept, as it has the rows of the new one; False where it is to be replaced.

        :raises DestinationExists: it is to be neither
        """
        is_same = self._holds_same_rows(old, new)
        if is_same:
            if self._is_poorer and old.sha256 != new.sha256:
                logger.warning(
                    "%s is kept: it has the same %s rows, with more of each than the score store has",
                    self._place,
                    old.rows,
                )
            return True
        if self._options.if_exists == IfExists.FAIL:
            raise DestinationExists(
                f"{self._place} holds other row scores ({old.rows} rows) than those of {self._source.job} ({new.rows} "
                f'rows), and if_exists="fail". Choose another destination.'
            )
        if is_same is None:
            raise DestinationExists(
                f"{self._place} has {old.rows} rows, which may be those of {self._source.job} with all that the "
                "service had of them. The score store may lack the model's outputs, and replaces no such file. Choose "
                "another destination."
            )
        return False

    def _holds_same_rows(self, old: StoredFile, new: StoredFile) -> bool | None:
        """Whether the destination has the rows of the new file; None where its format can't tell.

        JSONL of the same rows has other bytes from another route of the service, or from another gzip. The bytes of a
        table follow from its rows, unless it has the model's outputs and the new one has not.
        """
        if old.sha256 == new.sha256 or old.rows != new.rows:
            return old.sha256 == new.sha256
        if not self._is_poorer and self._options.row_format.name in TABLE_FORMATS:
            return False
        return None if self._compared is None else self._compared.are_same

    def _to_compare(self) -> RowsToCompare | None:
        """The old file, where the bytes of the new one may be others though the rows are the same.

        The rows are compared as they come: they are fetched once, and the service may purge them before a second time.
        """
        row_format = self._options.row_format
        self._compared = None
        if self._old is not None and (self._is_poorer or row_format.name not in TABLE_FORMATS):
            self._compared = RowsToCompare(self._place, row_format, but_outputs=self._is_poorer)
        return self._compared

    def _find_old(self) -> StoredFile | None:
        if self._options.fields:
            return find_partitions(self._place)
        old = find_row_file(self._place, self._options.row_format)
        # A file without rows may be of a job without any, or of anything that was cut short: it is no download to skip.
        return None if old is not None and not old.rows and self._options.if_exists == IfExists.SKIP else old


def fetch_file(source: RowSource, target: RowTarget) -> StoredFile:
    """Fetch rows for one file.

    :raises IncompleteResults: there are fewer or more rows than the service reports, or the aggregate scores count
        where it does not; nothing is stored
    """
    return require_stored(*fetch_files(source, [target]))


def fetch_files(source: RowSource, targets: Sequence[RowTarget]) -> list[StoredFile | Exception]:
    """Fetch rows once, for any number of files.

    :return: for each target its file, or why that target alone could not be written: the others are
    :raises IncompleteResults: there are fewer or more rows than the service reports, or the aggregate scores count
        where it does not; nothing is stored
    """

    def expected_rows(check: RowCheck) -> int | None:
        return check.expected_rows(aggregate.result(), reported=counted.result())

    def fetch() -> list[StoredFile | Exception]:
        with _opened(source) as (pieces, length):
            return store_row_files(pieces, targets, length=length, expected_rows=expected_rows)

    try:
        with ThreadPoolExecutor(max_workers=1) as pool:  # the rows come meanwhile
            aggregate, counted = pool.submit(source.aggregate), pool.submit(source.counted_rows)
            return _retry(fetch, lambda error: isinstance(error, ResultsChanged))
    except IncompleteResults as error:
        raise IncompleteResults(f"row scores of {source.job}: {str(error).rstrip('.')}. Nothing was stored.") from error


@contextmanager
def _opened(source: RowSource) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Open the rows, and close the answer in the end, also where not all of it was read."""
    pieces, length = source.open()
    stream = iter(pieces)
    try:
        yield stream, length
    finally:
        for opened in (stream, pieces):  # a generator that has not begun closes nothing
            if close := getattr(opened, "close", None):
                close()


def store_and_download(source: ServiceRows, store: ScoreStore, options: RowOptions) -> tuple[StoredJob, StoredFile]:
    """Put a job into the score store and its row scores into a file; they are fetched once for both.

    Where one of them can't be written, the other has the rows all the same: the service may purge them before the next
    try. Rows that the service does not have any more come from the store, without what it does not keep.

    :raises NotFound: neither has the job, or its row scores
    :raises JobError: the job has not completed
    """
    if options.place is not None:
        store.refuse_own_file(options.place)
    download = RowDownload(source, options)
    try:
        stored = store_job(source, store, fetch=download.fetch_with)
    except Exception as error:
        # Others of the package's own are of the job or its results, for whatever they are.
        if isinstance(error, Unwritable) or not isinstance(error, BenchmarkError):
            _finish_despite(download)
        raise
    try:
        return stored, download.finish()
    except ServiceError as error:
        return stored, RowDownload(purged_rows(stored, error), options).finish()


def _finish_despite(download: RowDownload) -> None:
    """Finish a download whose task fails with another error, which is the one to raise."""
    try:
        file = download.finish()
    except Exception as error:  # noqa: BLE001
        logger.warning("The destination was not written either: %s", error)
    else:
        logger.info("Stored %s rows in %s, though the score store failed", file.rows, file.path)


def download_artifacts(client: BenchmarkClient, job_name: str, place: Place) -> StoredFile:
    """Fetch the archive of a job's artifacts. It is packed anew for each request, so a broken download begins again.

    :raises ProtocolError: what comes is no archive; nothing is stored
    :raises IncompleteResults: the archive is damaged, or its end is missing; nothing is stored
    """
    refuse_other_kind(place, is_folder=False)

    def fetch() -> StoredFile:
        with closing(client.iter_artifacts(job_name)) as chunks:
            return store_bytes(chunks, place, format="tar.gz")

    def is_worth_it(error: BaseException) -> bool:
        return isinstance(error, IncompleteResults) or (isinstance(error, ServiceError) and is_recoverable(error))

    return _retry(fetch, is_worth_it)


def store_job(
    source: ServiceRows, store: ScoreStore, *, fetch: Callable[[RowTarget], StoredFile] | None = None
) -> StoredJob:
    """Put a completed job with all its scores into the score store, unless it is there already.

    A job that the service does not have any more is searched for in the store.

    :param fetch: fetches the row scores for the store. It is not called where they are there, or the job has none
    :raises JobError: the job has not completed
    :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
    """
    client, job_name = source.client, source.job_name
    try:
        job = client.get_job(job_name)
    except NotFound:
        found = find_purged_job(store, job_name, client.config.workspace)
        if found is None:
            raise
        return found.with_aliases(client.config.aliases)
    require_completed(job, takes="the score store")
    return add_to_store(source, store, job, fetch=fetch)


def find_purged_job(store: ScoreStore, job_name: str, workspace: str) -> StoredJob | None:
    """Find a job that the service does not have any more in the score store; None where it is not there either."""
    found = store.find(job_name, workspace=workspace)
    if found is None:
        return None
    logger.warning(
        'The service has no benchmark job "%s" any more: taking it as the score store %s has it', job_name, store.root
    )
    return replace(found, is_purged=True)


def add_to_store(
    source: ServiceRows,
    store: ScoreStore,
    job: BenchmarkJob,
    *,
    fetch: Callable[[RowTarget], StoredFile] | None = None,
) -> StoredJob:
    """Put a completed job with all its scores into the score store, unless it is there already.

    :param fetch: as for :func:`store_job`
    :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
    """
    client = source.client
    if (found := store.find_same(job)) is not None:
        store.require_same_scores(job, aggregate_of(source, found), found)
        without = ", without row scores" if found.rows is None else ""
        logger.info('Benchmark job "%s" is in the score store %s already%s', job.name, store.root, without)
        return found.with_aliases(client.config.aliases)

    def store_rows(place: Place) -> StoredFile:
        target = RowTarget(place=place, row_format=RowFormat(name="parquet", with_sample=_outputs_to_store()))
        return fetch(target) if fetch else fetch_file(source, target)

    has_rows = source.has_rows()
    aggregate = source.aggregate()
    stored = store.add(job, aggregate, store_rows=store_rows if has_rows else None, dataset=client.get_dataset(job))
    logger.info('Benchmark job "%s" is in the score store %s', job.name, store.root)
    return stored


def _outputs_to_store() -> bool | None:
    """``with_sample`` of the store's files: a column of outputs where a row has one, unless told otherwise."""
    from airflow.providers.common.compat.sdk import conf

    return None if conf.getboolean("benchmarks", "store_outputs", fallback=True) else False


def aggregate_of(source: ServiceRows, found: StoredJob | None) -> AggregateScores:
    """Return the aggregate scores of a job that the service has; the stored ones where it has lost them.

    :param found: the job in the score store; None if it is not there
    """
    try:
        return source.aggregate()
    except (NotFound, ProtocolError) as error:
        if found is None:
            raise
        logger.warning("%s The stored scores are taken.", error)
        source.fetched = found.aggregate.with_aliases(source.client.config.aliases)
        return source.fetched


def _retry(fetch: Callable[[], T], is_worth_it: Callable[[BaseException], bool]) -> T:
    return Retrying(retry=retry_if_exception(is_worth_it), stop=stop_after_attempt(_ATTEMPTS), reraise=True)(fetch)
