"""Download the scores of a finished job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.operators._asset_extra import tell_outlets
from airflow_provider_benchmarks.operators._base import BenchmarkOperator, check_xcom_size, score_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.store import StoredJob


class _DownloadOperator(BenchmarkOperator):
    """Base of the downloads.

    :param job_name: name of the job (templated)
    :param destination: path or URL of the file to write, for Airflow's ObjectStoragePath; a file there is replaced once
        the new one is complete (templated)
    :param storage_conn_id: Airflow connection of the storage (templated)
    :param store: score store that keeps the job with all its scores, as baseline and history for gates; defaults to
        ``[benchmarks] score_store``, and an empty text means none (templated)
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
        store: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if format not in self.formats:
            raise ConfigurationError(
                f'task "{self.task_id}": unknown format "{format}"; known: {", ".join(self.formats)}'
            )
        self.job_name = job_name
        self.destination = destination
        self.format = format
        self.storage_conn_id = storage_conn_id
        self.store = store

    def _store_job(self) -> StoredJob | None:
        store = score_store(self.store)
        return None if store is None else self.hook.store_job(store, self.job_name)


class DownloadAggregateScoresOperator(_DownloadOperator):
    """Fetch a job's aggregate scores.

    :param job_name: name of the job (templated)
    :param destination: where to store them as well; with histograms, which the XCom leaves out (templated)
    :param format: ``json``, the shape of the service's answer
    :return: one flat record a score: metric_ref, name, count, nan_count, mean, std_dev, …, p10 … p100; NaN as null
    :raises NotFound: the job has no results
    :raises ResultsTooLarge: they are too large for an XCom and there is no destination
    """

    formats = ("json",)

    def __init__(self, *, format: str = "json", **kwargs: Any) -> None:
        super().__init__(format=format, **kwargs)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        scores = self.hook.get_aggregate_scores(self.job_name)
        records = scores.to_records()
        if self.destination is None:
            check_xcom_size(records, f'The aggregate scores of benchmark job "{self.job_name}"')
        else:
            from airflow_provider_benchmarks.store import store_bytes

            content = json.dumps(scores.to_json(), allow_nan=False).encode()
            stored = store_bytes([content], self.destination, format="json", storage_conn_id=self.storage_conn_id)
            self.log.info("Stored %d scores in %s (%d bytes)", len(records), stored.path, stored.bytes)
        self._store_job()
        tell_outlets(self, context, job_name=self.job_name, **_place(self.destination))
        return records


class DownloadRowScoresOperator(_DownloadOperator):
    """Fetch a job's row scores.

    :param job_name: name of the job (templated)
    :param destination: where to store them; None puts the rows themselves into XCom (templated)
    :param format: ``jsonl`` (byte for byte what the service holds), ``parquet`` or ``csv`` (extra ``parquet``)
    :param compression: ``gzip`` or ``zstd``, for JSONL
    :param with_sample: keep the model's outputs in Parquet and CSV too, as JSON text
    :param neutralise_formulas: in CSV, put an apostrophe before texts that a spreadsheet would run as a formula
    :param if_exists: ``replace`` what is there, ``skip`` the download, or ``fail`` if it is not the very same
    :param limit: only so many rows
    :param partition_by: make the destination a folder, with a file of its own for each value of this field of the
        items, or of these fields: ``category=a/rows-….parquet`` (Parquet and CSV; templated)
    :return: ``{"path", "rows", "bytes", "sha256", "format"}``; without destination the rows as the service sends them,
        or, where the task names a ``store``, the file there
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
        if_exists: str = "replace",
        limit: int | None = None,
        partition_by: str | Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        from airflow_provider_benchmarks.store import IfExists, RowFormat

        super().__init__(format=format, **kwargs)
        if limit is not None and limit < 1:
            raise ConfigurationError(f'task "{self.task_id}": limit must be 1 or more, found {limit}')
        if if_exists not in tuple(IfExists):
            raise ConfigurationError(
                f'task "{self.task_id}": if_exists must be one of {", ".join(IfExists)}, found "{if_exists}"'
            )
        if partition_by and (format == "jsonl" or self.destination is None):
            raise ConfigurationError(
                f'task "{self.task_id}": partition_by needs a destination, and format="parquet" or "csv": JSONL is the '
                f"service's file as it is"
            )
        RowFormat(name=format, compression=compression)  # a compression that does not fit is refused here
        self.compression = compression
        self.with_sample = with_sample
        self.neutralise_formulas = neutralise_formulas
        self.if_exists = if_exists
        self.limit = limit
        self.partition_by = partition_by

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        kept = self._store_job()
        if self.destination is None:
            rows = kept.rows.to_dict() if self.store and kept and kept.rows else self._rows()
            count = rows["rows"] if isinstance(rows, dict) else len(rows)
            path = rows["path"] if isinstance(rows, dict) else None
            tell_outlets(self, context, job_name=self.job_name, rows=count, **_place(path))
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
        tell_outlets(self, context, job_name=self.job_name, rows=stored.rows, **_place(stored.path))
        return stored.to_dict()

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for row in islice(self.hook.iter_row_scores(self.job_name), self.limit):
            rows.append(row.to_dict())
            if len(rows) % 1000 == 0:  # before a huge result has filled the memory
                check_xcom_size(rows, f'The first {len(rows)} row scores of benchmark job "{self.job_name}"')
        self._check_complete(len(rows))
        check_xcom_size(rows, f'The row scores of benchmark job "{self.job_name}"')
        return rows

    def _check_complete(self, rows: int) -> None:
        expected = None if self.limit else self.hook.get_aggregate_scores(self.job_name).expected_rows
        if expected is not None and rows != expected:
            raise IncompleteResults(
                f'row scores of benchmark job "{self.job_name}" in workspace "{self.hook.workspace}": there are {rows} '
                f"rows, but the aggregate scores count {expected}"
            )


def _place(path: str | None) -> dict[str, str]:
    return {} if path is None else {"path": path}
