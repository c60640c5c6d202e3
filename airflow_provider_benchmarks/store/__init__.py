"""Results in object storage: complete, or not there at all."""

from __future__ import annotations

from airflow_provider_benchmarks.store.atomic import atomic_write
from airflow_provider_benchmarks.store.results import StoredFile, store_bytes, store_rows

__all__ = ["StoredFile", "atomic_write", "store_bytes", "store_rows"]
