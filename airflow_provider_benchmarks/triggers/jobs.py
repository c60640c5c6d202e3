"""Wait for benchmark jobs in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout, ServiceError
from airflow_provider_benchmarks.jobs import JobPoller, progress_line
from airflow_provider_benchmarks.jobs.outcome import TIMED_OUT

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient


class BenchmarkJobTrigger(BaseTrigger):
    """Fire one event when a benchmark job has ended, or the deadline has passed.

    The event is ``{"job_name", "workspace", "status"}``: a terminal status of the service, ``timed_out`` (with
    ``message``), or ``failed_to_wait`` (with ``message``) when the service gave a definite answer that is not a job.

    :param conn_id: connection to the evaluation service
    :param workspace: workspace of the job; None for the connection's
    :param job_name: name of the job
    :param poll_interval: seconds between two looks
    :param deadline: seconds since the epoch, so that it holds over restarts of the triggerer; None for no limit
    """

    def __init__(
        self,
        *,
        conn_id: str,
        workspace: str | None,
        job_name: str,
        poll_interval: float = 30,
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.workspace = workspace
        self.job_name = job_name
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_benchmarks.triggers.jobs.BenchmarkJobTrigger",
            {
                "conn_id": self.conn_id,
                "workspace": self.workspace,
                "job_name": self.job_name,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_benchmarks.hooks.connection import open_async_client

        try:
            # The poller decides about pauses after faults; the client must not sleep inside a look as well.
            async with await open_async_client(self.conn_id, self.workspace, retry_seconds=0) as client:
                status = await self._wait(client)
        except JobTimeout as error:
            yield self._event(TIMED_OUT, message=str(error))
        except BenchmarkError as error:
            yield self._event("failed_to_wait", message=str(error))
        else:
            yield self._event(status)

    async def _wait(self, client: AsyncBenchmarkClient) -> str:
        poller = JobPoller(self.job_name, client.config.workspace, interval=self.poll_interval, deadline=self.deadline)
        shown = ""
        while True:
            try:
                job = await client.get_status(self.job_name)
            except ServiceError as error:
                pause: float | None = poller.on_error(error, time.time())
                self.log.warning("%s Looking again in %.0f s.", error, pause)
            else:
                pause = poller.on_job(job, time.time())
                if (line := progress_line(job)) != shown:
                    shown = line
                    self.log.info("%s: %s", self.job_name, line)
                if pause is None:
                    return job.status
            await asyncio.sleep(pause or 0.0)

    def _event(self, status: str, **more: str) -> TriggerEvent:
        return TriggerEvent({"job_name": self.job_name, "workspace": self.workspace, "status": status, **more})
