"""Download the scores of a finished job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.jobs import JobStatus
from airflow_provider_benchmarks.operators._asset_extra import tell_outlets
from airflow_provider_benchmarks.operators._base import (
    STORE_AS_FILE,
    BenchmarkOperator,
    check_xcom_bytes,
    check_xcom_size,
    score_store,
    xcom_bytes,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.jobs import BenchmarkJob
    from airflow_provider_benchmarks.scores import AggregateScores
    from airflow_provider_benchmarks.store import Place, StoredJob


class _DownloadOperator(BenchmarkOperator):
    """Base of the downloads.

    :param job_name: name of the job (templated)
    :param destination: path or URL of the file to write, for Airflow's ObjectStoragePath (templated)
    :param storage_conn_id: Airflow connection of the destination, not of the score store (templated)
    :param if_exists: ``replace`` what is there once the new file is complete, ``skip`` storing, or ``fail`` if it is not
        the very same
    :param store: score store that keeps the job with all its scores, as baseline and history for gates; defaults to
        ``[benchmarks] score_store``, and an empty text means none. ``s3://connection@bucket/folder`` names its
        connection (templated)
    """

    template_fields: Sequence[str] = (
        "job_name",
        "destination",
        "storage_conn_id",
        "store",
        *BenchmarkOperator.template_fields,
    )
    formats: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        job_name: str,
        destination: str | None = None,
        format: str,
        storage_conn_id: str | None = None,
        if_exists: str = "replace",
        store: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if format not in self.formats:
            raise ConfigurationError(
                f'task "{self.task_id}": unknown format "{shortened(format)}"; known: {", ".join(self.formats)}'
            )
        self.job_name = job_name
        self.destination = destination
        self.format = format
        self.storage_conn_id = storage_conn_id
        self.if_exists = if_exists
        self.store = store

    @property
    def _place(self) -> Place | None:
        """The destination; None where there is none.

        :raises ConfigurationError: it is empty
        """
        from airflow_provider_benchmarks.store import Place

        return None if self.destination is None else Place.of(self.destination, self.storage_conn_id)

    def _check_options(self, *, row_format: str = "jsonl", compression: str | None = None, **more: Any) -> None:
        """Refuse what can't be done when the DAG is parsed already.

        :raises ConfigurationError: names the task and the argument
        """
        from airflow_provider_benchmarks.store import RowFormat, check_row_options

        try:
            check_row_options(
                place=self._place,
                row_format=RowFormat(name=row_format, compression=compression),
                if_exists=self.if_exists,
                **more,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f'task "{self.task_id}": {error}') from error

    def _refuse_unused(self, **given: bool) -> None:
        """Refuse options of the file where none is written.

        :param given: by their names, whether they are other than their defaults
        :raises ConfigurationError: names them, and says what the task gives instead
        """
        if self.store:  # a store names its own connection, and keeps what it has
            given |= {"if_exists": self.if_exists != "replace", "storage_conn_id": self.storage_conn_id is not None}
        names = [f"{name}=" for name, is_given in given.items() if is_given]
        if self.destination is None and names:
            instead = "the score store keeps the whole job as it is" if self.store else "the rows themselves go to XCom"
            raise ConfigurationError(
                f'task "{self.task_id}": {", ".join(names)} would be ignored, as there is no destination and {instead}. '
                f"Give a destination= for the file, or leave {'it' if len(names) == 1 else 'them'} out."
            )

    def _store_job(self) -> StoredJob | None:
        """Keep the job in the score store, where there is one, which has jobs also that the service has purged.

        :raises JobError: it has not completed
        """
        store = score_store(self.store)
        return None if store is None else self.hook.store_job(store, self.job_name)

    def _look(self) -> BenchmarkJob:
        """See how the job stands, before its results are fetched: it may complete between the two."""
        job = self.hook.get_job(self.job_name)
        if job.status != JobStatus.COMPLETED:
            advice = "" if job.is_finished else " Wait for it first."
            self.log.warning('%s is "%s": its scores may not be of all rows.%s', job, job.status, advice)
        return job

    def _tell(
        self, context: Context, job: BenchmarkJob | StoredJob, aggregate: AggregateScores | None, more: dict[str, Any]
    ) -> None:
        tell_outlets(self, context, job_name=self.job_name, benchmark=job.benchmark, aggregate=aggregate, more=more)


class DownloadAggregateScoresOperator(_DownloadOperator):
    """Fetch a job's aggregate scores; from the score store where the service has purged the job.

    Those of a job that has not completed may not be of all rows: the log warns, and a score store does not take them.

    :param job_name: name of the job (templated)
    :param destination: where to store them as well; with histograms, which the XCom leaves out (templated)
    :param format: ``json``, the shape of the service's answer
    :return: one flat record a score: metric_ref, name, count, nan_count, mean, std_dev, …, p10 … p100; NaN as null
    :raises NotFound: the job has no results, or there is no such job
    :raises JobError: it has not completed, and there is a score store
    :raises DestinationExists: ``if_exists="fail"`` and there is another file
    :raises ResultsTooLarge: they are too large for an XCom, which they go to in any case
    """

    formats = ("json",)

    def __init__(self, *, format: str = "json", **kwargs: Any) -> None:
        super().__init__(format=format, **kwargs)
        self._check_options()
        self._refuse_unused()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        kept = self._store_job()
        job = kept or self._look()
        scores = kept.aggregate if kept else self.hook.get_aggregate_scores(self.job_name)
        records = scores.to_records()
        what = f'aggregate scores of benchmark job "{self.job_name}"'
        if self.do_xcom_push:
            advice = STORE_AS_FILE if self.destination is None else "Raise it, or set do_xcom_push=False."
            check_xcom_size(records, f"The {what}", advice=advice)
        path = None if self.destination is None else self._store_scores(scores, what)
        self._tell(context, job, scores, _place(path))
        return records

    def _store_scores(self, scores: AggregateScores, what: str) -> str:
        from airflow_provider_benchmarks.store import IfExists, store_content

        assert self._place is not None
        stored = store_content(
            json.dumps(scores.to_json(), allow_nan=False).encode(),
            self._place,
            what=what,
            format="json",
            if_exists=IfExists(self.if_exists),
        )
        self.log.info("%d scores are in %s (%d bytes)", len(scores.scores), stored.path, stored.bytes)
        return stored.path


class DownloadRowScoresOperator(_DownloadOperator):
    """Fetch a job's row scores.

    Those of a job that has not completed may not be of all rows: the log warns, and a score store does not take them.

    :param job_name: name of the job (templated)
    :param destination: where to store them; None puts the rows themselves into XCom (templated)
    :param format: ``jsonl`` (byte for byte what the service holds), ``parquet`` or ``csv`` (extra ``parquet``)
    :param compression: ``gzip`` or ``zstd`` (extra ``parquet``) for JSONL; ``zstd`` (when None) or ``snappy`` for Parquet
    :param with_sample: keep the model's outputs in Parquet and CSV too, as JSON text
    :param neutralise_formulas: in CSV, put an apostrophe before texts that a spreadsheet would run as a formula
    :param limit: only so many rows, 1 or more; not for what a ``store`` gives
    :param partition_by: make the destination a folder, with a file of its own for each value of this field of the
        items, or of these fields: ``category=a/rows-….parquet`` (Parquet and CSV; templated)
    :return: ``{"path", "rows", "bytes", "sha256", "format"}``; without destination the rows as the service sends them,
        or, where the task names a ``store``, the file there, which is Parquet with all rows
    :raises IncompleteResults: there are fewer or more rows than the aggregate scores count, or the file is damaged
    :raises DestinationExists: ``if_exists="fail"`` and there is another file
    :raises ResultsTooLarge: they are too large for an XCom and there is no destination
    """

    template_fields: Sequence[str] = ("partition_by", *_DownloadOperator.template_fields)
    formats = ("jsonl", "parquet", "csv")

    def __init__(
        self,
        *,
        format: str = "jsonl",
        compression: str | None = None,
        with_sample: bool = False,
        neutralise_formulas: bool = True,
        limit: int | None = None,
        partition_by: str | Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(format=format, **kwargs)
        self._check_options(row_format=format, compression=compression, limit=limit, partition_by=partition_by)
        self.compression = compression
        self.with_sample = with_sample
        self.neutralise_formulas = neutralise_formulas
        self.limit = limit
        self.partition_by = partition_by
        self._refuse_unused(
            format=format != "jsonl",
            compression=compression is not None,
            with_sample=with_sample,
            neutralise_formulas=not neutralise_formulas,
            limit=limit is not None and bool(self.store),
        )

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        kept = self._store_job()
        job, aggregate = kept or self._look(), kept.aggregate if kept else None
        if self.destination is None:
            rows = kept.rows.to_dict() if self.store and kept and kept.rows else self._rows()
            count = rows["rows"] if isinstance(rows, dict) else len(rows)
            path = rows["path"] if isinstance(rows, dict) else None
            self._tell(context, job, aggregate, {"rows": count, **_place(path)})
            return rows
        stored = self.hook.download_row_scores(
            self.job_name,
            self.destination,
            format=self.format,
            compression=self.compression,
            with_sample=self.with_sample,
            neutralise_formulas=self.neutralise_formulas,
            if_exists=self.if_exists,
            limit=self.limit,
            partition_by=self.partition_by,
            storage_conn_id=self.storage_conn_id,
        )
        self.log.info("Stored %s rows in %s (%d bytes)", stored.rows, stored.path, stored.bytes)
        self._tell(context, job, aggregate, {"rows": stored.rows, **_place(stored.path)})
        return stored.to_dict()

    def _rows(self) -> list[dict[str, Any]]:
        from airflow_provider_benchmarks.scores.completeness import RowCheck

        rows: list[dict[str, Any]] = []
        check, size, is_cut = RowCheck(), 0, False
        for row in self.hook.iter_row_scores(self.job_name):
            if len(rows) == self.limit:
                is_cut = True
                break
            check.note_scores((metric, *score) for metric, scores in row.metrics.items() for score in scores.items())
            rows.append(row.to_dict())
            # As they come, before a huge result has filled the memory.
            size += xcom_bytes(rows[-1]) + len(", ")
            check_xcom_bytes(size, f'The first {len(rows)} row scores of benchmark job "{self.job_name}"')
        aggregate = self.hook.get_aggregate_scores(self.job_name)
        try:
            check.add([row["row_index"] for row in rows])
            check.finish(check.expected_rows(aggregate), limit=self.limit, is_cut=is_cut)
        except IncompleteResults as error:
            raise IncompleteResults(
                f'row scores of benchmark job "{self.job_name}" in workspace "{self.hook.workspace}": {error}'
            ) from error
        return rows


def _place(path: str | None) -> dict[str, str]:
    return {} if path is None else {"path": path}
