"""Download the scores of a finished job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief_names
from airflow_provider_benchmarks.exceptions import (
    DestinationExists,
    IncompleteResults,
    ServiceError,
)
from airflow_provider_benchmarks.formats import FORMATS
from airflow_provider_benchmarks.operators._arguments import (
    FLAG,
    NAMES,
    TEXT,
    Rule,
    is_known,
)
from airflow_provider_benchmarks.operators._base import (
    DEFAULT_CONN_ID,
    STORE_AS_FILE,
    check_xcom_bytes,
    check_xcom_size,
    score_store,
    xcom_bytes,
)
from airflow_provider_benchmarks.operators._download import DownloadOperator
from airflow_provider_benchmarks.operators._final_errors import fails_for_good
from airflow_provider_benchmarks.operators._run_log import log_scores
from airflow_provider_benchmarks.operators.store_results import StoreResultsOperator
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.hooks.row_sources import RowSource
    from airflow_provider_benchmarks.jobs import BenchmarkJob
    from airflow_provider_benchmarks.scores import AggregateScores
    from airflow_provider_benchmarks.store import Place, RowOptions, StoredFile, StoredJob

__all__ = ["DownloadAggregateScoresOperator", "DownloadRowScoresOperator", "StoreResultsOperator"]


class DownloadAggregateScoresOperator(DownloadOperator):
    """Fetch a job's aggregate scores; from the score store where the service has purged the job.

    Those of a job that has not completed may not be of all rows: the log warns, and a score store does not take them.
    The log shows them as a table, too.

    :param job_name: name of the job (templated)
    :param destination: path or URL of a file to store them in as well, for Airflow's ObjectStoragePath; with
        histograms, which the XCom leaves out (templated)
    :param format: ``json``, the shape of the service's answer
    :param storage_conn_id: Airflow connection of the destination, not of the score store (templated)
    :param if_exists: ``replace`` what is there once the new file is complete, ``skip`` storing, or ``fail`` if it is
        not the very same
    :param store: score store that keeps the job with all its scores, as baseline and history for gates; defaults to
        ``[benchmarks] score_store``, and an empty text means none. ``s3://connection@bucket/folder`` names its
        connection (templated)
    :param aliases: other names of metrics for jobs whose submitter has not kept the names, by those that results have:
        ``{"exact-match": "workspace/exact-match"}`` (templated)
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :return: one flat record a score: metric_ref, name, count, nan_count, mean, std_dev, …, p10 … p100; NaN as null
    :raises NotFound: the job has no results, or there is no such job
    :raises JobError: it has not completed, and there is a score store
    :raises DestinationExists: ``if_exists="fail"`` and there is another file
    :raises ResultsTooLarge: they are too large for an XCom, which they go to in any case
    """

    formats = ("json",)

    def __init__(
        self,
        *,
        job_name: str,
        destination: str | None = None,
        format: str = "json",
        storage_conn_id: str | None = None,
        if_exists: str = "replace",
        store: str | None = None,
        aliases: Mapping[str, str] | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_name=job_name,
            destination=destination,
            format=format,
            storage_conn_id=storage_conn_id,
            if_exists=if_exists,
            store=store,
            aliases=aliases,
            conn_id=conn_id,
            workspace=workspace,
            **kwargs,
        )
        self.check_known_arguments()
        self._check_options()
        self._refuse_unused()

    @fails_for_good
    def execute(self, context: Context) -> list[dict[str, Any]]:
        self._begin()
        stored = self._store_job()
        job = stored or self._get_job()
        with self._naming_status(job):
            scores = stored.aggregate if stored else self.hook.get_aggregate_scores(self.job_name)
        records: list[dict[str, Any]] = storable(scores.to_records())
        what = f'aggregate scores of benchmark job "{self.job_name}"'
        if self.do_xcom_push:
            advice = STORE_AS_FILE if self.destination is None else "Raise it, or set do_xcom_push=False."
            check_xcom_size(records, f"The {what}", advice=advice)
        place = self._place()
        file = None if place is None else self._store_scores(scores, place, what)
        self._tell(context, job, scores, file=file)
        log_scores(self.log, scores, job_name=self.job_name)
        return records

    def _store_scores(self, scores: AggregateScores, place: Place, what: str) -> StoredFile:
        from airflow_provider_benchmarks.store import IfExists, store_content

        content = json.dumps(scores.to_json(), allow_nan=False).encode()
        stored = store_content(content, place, what=what, format="json", if_exists=IfExists(self.if_exists))
        self.log.info("%d scores are in %s (%d bytes)", len(scores.scores), stored.path, stored.bytes)
        return stored


class DownloadRowScoresOperator(DownloadOperator):
    """Fetch a job's row scores; from the score store where the service has purged them.

    Those of a job that has not completed may not be of all rows: the log warns, and a score store does not take them.
    A file and a score store are filled by one download. Of purged rows the score store lacks ``requests``, fields that
    this package does not know, and the model's outputs where ``[benchmarks] store_outputs`` is off.

    :param job_name: name of the job (templated)
    :param destination: path or URL of the file to store them in, for Airflow's ObjectStoragePath; None puts the rows
        themselves into XCom (templated)
    :param format: ``jsonl`` (byte for byte what the service holds), ``parquet`` or ``csv`` (extra ``parquet``)
    :param compression: ``gzip`` or ``zstd`` (extra ``parquet``) for JSONL; ``zstd`` (when None) or ``snappy`` for
        Parquet
    :param with_sample: keep the model's outputs in Parquet and CSV too, as JSON text
    :param neutralise_formulas: in CSV, put an apostrophe before texts that a spreadsheet would run as a formula
    :param limit: number of rows, 1 or more; None for all. What is in a ``store`` has all rows
    :param partition_by: make the destination a folder, with a file of its own for each value of this field of the
        items, or of these fields: ``category=a/rows-….parquet`` (Parquet and CSV; templated)
    :param storage_conn_id: Airflow connection of the destination, not of the score store (templated)
    :param if_exists: ``replace`` what is there once the new file is complete, ``skip`` storing, or ``fail`` if it is
        not the very same. A file of the same rows that may have more than the score store (JSONL, ``with_sample``) is
        kept where the service has purged them. CSV and ``partition_by`` can't be compared so, and are an error
    :param store: score store that keeps the job with all its scores, as baseline and history for gates; defaults to
        ``[benchmarks] score_store``, and an empty text means none. ``s3://connection@bucket/folder`` names its
        connection (templated)
    :param aliases: other names of metrics for jobs whose submitter has not kept the names, by those that results have:
        ``{"exact-match": "workspace/exact-match"}`` (templated)
    :param conn_id: connection to the evaluation service (templated)
    :param workspace: workspace of the job; defaults to the connection's (templated)
    :return: ``{"path", "rows", "bytes", "sha256", "format"}``; without destination the rows as the service sends them,
        or, where the task names a ``store``, the file there, which is Parquet with all rows
    :raises NotFound: the job has no row scores, or there is no such job, and there is none in a score store
    :raises JobError: it has not completed, and there is a score store
    :raises IncompleteResults: there are fewer or more rows than the aggregate scores count, or the file is damaged
    :raises DestinationExists: ``if_exists="fail"`` and there is another file
    :raises ResultsTooLarge: they are too large for an XCom and there is no destination
    """

    template_fields: Sequence[str] = ("partition_by", *DownloadOperator.template_fields)
    formats = tuple(FORMATS)
    argument_rules: Mapping[str, Rule] = {
        **DownloadOperator.argument_rules,
        "compression": TEXT.or_none(),
        "with_sample": FLAG,
        "neutralise_formulas": FLAG,
        "partition_by": NAMES,
    }

    def __init__(
        self,
        *,
        job_name: str,
        destination: str | None = None,
        format: str = "jsonl",
        compression: str | None = None,
        with_sample: bool = False,
        neutralise_formulas: bool = True,
        limit: int | None = None,
        partition_by: str | Sequence[str] = (),
        storage_conn_id: str | None = None,
        if_exists: str = "replace",
        store: str | None = None,
        aliases: Mapping[str, str] | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            job_name=job_name,
            destination=destination,
            format=format,
            storage_conn_id=storage_conn_id,
            if_exists=if_exists,
            store=store,
            aliases=aliases,
            conn_id=conn_id,
            workspace=workspace,
            **kwargs,
        )
        self.compression = compression
        self.with_sample = with_sample
        self.neutralise_formulas = neutralise_formulas
        self.limit = limit
        self.partition_by = partition_by
        self.check_known_arguments()
        self._check_options()
        self._refuse_unused(
            format=format != "jsonl",
            compression=compression is not None,
            with_sample=with_sample,
            neutralise_formulas=not neutralise_formulas,
            limit=limit is not None and bool(self.store),
        )

    def _options(self) -> RowOptions:
        from airflow_provider_benchmarks.store import RowOptions

        return RowOptions.of(
            self._place(),
            format=self.format,
            compression=self.compression,
            with_sample=self.with_sample,
            neutralise_formulas=self.neutralise_formulas,
            if_exists=self.if_exists,
            limit=self.limit,
            partition_by=self.partition_by if is_known(self.partition_by) else (),
        )

    @fails_for_good
    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        self._begin()
        return self._return_rows(context) if self.destination is None else self._store_rows(context)

    def _store_rows(self, context: Context) -> dict[str, Any]:
        from airflow_provider_benchmarks.hooks.downloads import RowDownload, store_and_download
        from airflow_provider_benchmarks.hooks.row_sources import ServiceRows

        options, source = self._options(), ServiceRows(self.hook.client, self.job_name)
        store = score_store(self.store)
        job: BenchmarkJob | StoredJob
        if store is None:
            job = self._get_job()
            with self._naming_status(job):
                file, aggregate = RowDownload(source, options).finish(), source.fetched
        else:
            job, file = store_and_download(source, store, options)
            aggregate = job.aggregate
        self.log.info("Stored %s rows in %s (%d bytes)", file.rows, file.path, file.bytes)
        self._tell(context, job, aggregate, file=file)
        return dict(storable(file.to_dict()))

    def _return_rows(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        from airflow_provider_benchmarks.hooks.row_sources import ServiceRows, purged_rows

        stored = self._store_job()
        if self.store and stored and stored.rows:
            if stored.row_names:
                raise DestinationExists(
                    f"the score store {self.store} has the row scores of benchmark job "
                    f'"{stored.job}" with the metrics {brief_names(stored.row_names)}, which the aliases of task '
                    f'"{self.task_id}" call {brief_names(stored.row_names.values())}: other aliases were set when they '
                    f"were stored. Give a destination= for a file with these names, or set no other aliases."
                )
            self._tell(context, stored, stored.aggregate, file=stored.rows)
            return dict(storable(stored.rows.to_dict()))
        job, source = stored or self._get_job(), ServiceRows(self.hook.client, self.job_name)
        try:
            with self._naming_status(job):
                rows = self._collect(source)
        except ServiceError as error:
            rows = self._collect(purged_rows(stored, error))
        self._tell(context, job, stored.aggregate if stored else source.fetched, rows=len(rows))
        return rows

    def _collect(self, source: RowSource) -> list[dict[str, Any]]:
        from airflow_provider_benchmarks.scores.completeness import RowCheck

        rows: list[dict[str, Any]] = []
        check, size, is_cut = RowCheck(), 0, False
        for row in source.rows():
            if len(rows) == self.limit:
                is_cut = True
                break
            check.note_scores((metric, *score) for metric, scores in row.metrics.items() for score in scores.items())
            rows.append(storable(row.to_dict()))
            # As they come, before a huge result has filled the memory.
            size += xcom_bytes(rows[-1]) + len(", ")
            check_xcom_bytes(size, f'The first {len(rows)} row scores of benchmark job "{self.job_name}"')
        aggregate = source.aggregate()
        try:
            check.add([row["row_index"] for row in rows])
            check.finish(
                check.expected_rows(aggregate, reported=source.counted_rows()), limit=self.limit, is_cut=is_cut
            )
        except IncompleteResults as error:
            raise IncompleteResults(f"row scores of {source.job}: {error}") from error
        return rows
