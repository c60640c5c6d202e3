"""Results in object storage: complete, or not there at all."""

from __future__ import annotations

from airflow_provider_benchmarks.formats import RowFormat
from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.evaluator_runs import store_results
from airflow_provider_benchmarks.store.if_exists import (
    IfExists,
    RowsToCompare,
    find_row_file,
    refuse_other_kind,
    store_content,
)
from airflow_provider_benchmarks.store.partitions import find_partitions, store_partitions, sweep_partitions
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.row_files import RowTarget, require_stored, store_row_files, store_rows
from airflow_provider_benchmarks.store.row_options import RowArguments, RowOptions, refuse_other_ending
from airflow_provider_benchmarks.store.score_store import ScoreStore
from airflow_provider_benchmarks.store.stored_file import StoredFile, store_bytes
from airflow_provider_benchmarks.store.stored_job import StoredJob, read_stored_job

__all__ = [
    "IfExists",
    "Place",
    "RowArguments",
    "RowFormat",
    "RowOptions",
    "RowTarget",
    "RowsToCompare",
    "ScoreStore",
    "StoredFile",
    "StoredJob",
    "atomic_write",
    "find_partitions",
    "find_row_file",
    "read_stored_job",
    "refuse_other_ending",
    "refuse_other_kind",
    "require_stored",
    "store_bytes",
    "store_content",
    "store_partitions",
    "store_results",
    "store_row_files",
    "store_rows",
    "sweep_partitions",
]
