"""Results in object storage: complete, or not there at all."""

from __future__ import annotations

from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.existing import IfExists, stored_before
from airflow_provider_benchmarks.store.partitions import partitions_before, store_partitions
from airflow_provider_benchmarks.store.results import RowFormat, StoredFile, store_bytes, store_rows
from airflow_provider_benchmarks.store.score_store import ScoreStore, StoredJob, read_stored_job

__all__ = [
    "IfExists",
    "RowFormat",
    "ScoreStore",
    "StoredFile",
    "StoredJob",
    "atomic_write",
    "partitions_before",
    "read_stored_job",
    "store_bytes",
    "store_partitions",
    "store_rows",
    "stored_before",
]
