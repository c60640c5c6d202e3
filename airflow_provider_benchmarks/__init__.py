"""Apache Airflow provider for benchmark evaluation services: run benchmark jobs, fetch their scores, gate on them."""

from __future__ import annotations

from airflow_provider_benchmarks.provider_info import get_provider_info

__version__ = "0.1.0"

__all__ = ["__version__", "get_provider_info"]
