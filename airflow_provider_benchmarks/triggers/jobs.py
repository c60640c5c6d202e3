"""Wait for benchmark jobs in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.jobs import progress_line
from airflow_provider_benchmarks.jobs.outcome import wait_failed
from airflow_provider_benchmarks.triggers._cancelling import cancel_job, to_the_end
from airflow_provider_benchmarks.triggers._killed import was_killed
from airflow_provider_benchmarks.triggers._shared_polling import waiting_for


class BenchmarkJobTrigger(BaseTrigger):
    """Fire one event when a benchmark job has ended, or the deadline has passed.

    All triggers of a connection and workspace in a triggerer share one HTTP client and one poll loop.

    The event is ``{"job_name", "workspace", "status"}``: a terminal status of the service, ``timed_out``, or
    ``failed_to_wait`` when the service gave a definite answer that is not a job; the latter two with ``error``,
    ``message`` and ``fields`` of the error.

    :param conn_id: connection to the evaluation service
    :param workspace: workspace of the job; None for the connection's
    :param job_name: name of the job
    :param poll_interval: seconds between two looks
    :param deadline: seconds since the epoch, so that it holds over restarts of the triggerer; None for no limit
    :param cancel_on_kill: cancel the job when the task is marked, cleared or timed out by Airflow while it is deferred;
        never when a triggerer stops or another one takes over
    """

    def __init__(
        self,
        *,
        conn_id: str,
        workspace: str | None,
        job_name: str,
        poll_interval: float = 30,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.workspace = workspace
        self.job_name = job_name
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill
        self._cancelling: asyncio.Task[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_benchmarks.triggers.jobs.BenchmarkJobTrigger",
            {
                "conn_id": self.conn_id,
                "workspace": self.workspace,
                "job_name": self.job_name,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            status = await self._wait()
        except asyncio.CancelledError as stop:
            # Before Airflow 3.3 the only notice that the task was ended, and in every version that Airflow timed it out.
            # From 3.3 on a triggerer that stops gives no reason with it.
            if stop.args or not hasattr(BaseTrigger, "on_kill"):
                await self.on_kill()
            raise
        except BenchmarkError as error:
            yield self._event(**wait_failed(error))
        else:
            yield self._event(status=status)

    async def on_kill(self) -> None:
        """Cancel the job if the task was ended by someone; a failure to do so is logged."""
        if not self.cancel_on_kill:
            return
        if self._cancelling is None:
            self._cancelling = asyncio.create_task(self._cancel_if_killed())
        await to_the_end(self._cancelling)

    async def _cancel_if_killed(self) -> None:
        if not await was_killed(self.task_instance, self.job_name):
            return
        try:
            await cancel_job(self.job_name, conn_id=self.conn_id, workspace=self.workspace)
        except Exception as error:  # noqa: BLE001  nobody is left to be told in another way
            self.log.warning(
                'The task was ended, but benchmark job "%s" may still be running on the service. Cancel it there. %s',
                self.job_name,
                str(error) or "The service did not answer in time.",
            )
        else:
            self.log.info('The task was ended: asked the service to cancel benchmark job "%s".', self.job_name)

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
                self.log.info("%s: %s", self.job_name, progress_line(news, time.time()))
                if news.is_finished:
                    return news.status

    def _event(self, **found: Any) -> TriggerEvent:
        return TriggerEvent({"job_name": self.job_name, "workspace": self.workspace, **found})
