"""Wait for benchmark jobs in the triggerer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout
from airflow_provider_benchmarks.jobs import progress_line
from airflow_provider_benchmarks.jobs.outcome import TIMED_OUT
from airflow_provider_benchmarks.triggers._shared_polling import waiting_for


class BenchmarkJobTrigger(BaseTrigger):
    """Fire one event when a benchmark job has ended, or the deadline has passed.

    All triggers of a connection and workspace in a triggerer share one HTTP client and one poll loop.

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
        try:
            status = await self._wait()
        except JobTimeout as error:
            yield self._event(TIMED_OUT, message=str(error))
        except BenchmarkError as error:
            yield self._event("failed_to_wait", message=str(error))
        else:
            yield self._event(status)

    async def _wait(self) -> str:
        with waiting_for(
            self.job_name,
            conn_id=self.conn_id,
            workspace=self.workspace,
            interval=self.poll_interval,
            deadline=self.deadline,
        ) as wait:
            while True:
                news = await wait.news()
                if isinstance(news, str):
                    self.log.warning("%s", news)
                    continue
                self.log.info("%s: %s", self.job_name, progress_line(news))
                if news.is_finished:
                    return news.status

    def _event(self, status: str, **more: str) -> TriggerEvent:
        return TriggerEvent({"job_name": self.job_name, "workspace": self.workspace, "status": status, **more})
