"""Open a client without holding up the event loop that all triggers of a triggerer share."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.triggers._airflow_requests import request_airflow

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient


async def open_client(conn_id: str, workspace: str | None, *, retry_seconds: float) -> AsyncBenchmarkClient:
    """Open a client of a connection; the caller closes it.

    :param workspace: None for the connection's
    :param retry_seconds: for so long a request is made again after faults
    """
    await asyncio.to_thread(_import_client)
    from airflow_provider_benchmarks.hooks.connection import open_async_client

    return await request_airflow(open_async_client, conn_id, workspace, retry_seconds=retry_seconds)


@cache
def _import_client() -> None:
    """Import what a first look needs, which takes longer than an event loop should stand still."""
    import anyio

    import airflow_provider_benchmarks.client
    import airflow_provider_benchmarks.hooks.connection  # noqa: F401

    anyio.run(anyio.sleep, 0)  # httpx's first request would import the backend, for 0.1 s on the event loop
