"""Apache Airflow provider for benchmark evaluation services: run benchmark jobs, fetch their scores, gate on them."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.openers import set_airflow_opener
from airflow_provider_benchmarks.provider_info import get_provider_info

__version__ = "0.1.0"

__all__ = ["__version__", "get_provider_info"]


def _airflow_path(url: str) -> Any:
    from airflow_provider_benchmarks.store.place import Place

    return Place(url).object_path


set_airflow_opener(_airflow_path)
