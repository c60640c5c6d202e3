"""The evaluation service's REST API over httpx; knows nothing of Airflow.

A synchronous and an asynchronous client share one core: what to send and how to read the answer
(``_operations``), errors and retries. What differs between generations of the service is in ``generations``.
"""

from __future__ import annotations

from airflow_provider_benchmarks.client._async import AsyncBenchmarkClient
from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._operations import Submission
from airflow_provider_benchmarks.client._sync import BenchmarkClient
from airflow_provider_benchmarks.client.generations import GENERATIONS

__all__ = ["GENERATIONS", "AsyncBenchmarkClient", "BenchmarkClient", "ClientConfig", "Submission"]
