"""Wait for benchmark jobs in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_benchmarks.durations import number_of, seconds_of
from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.jobs.outcome import wait_failed
from airflow_provider_benchmarks.storable import storable
from airflow_provider_benchmarks.triggers._cancelling import cancel_job, wait_despite_cancellation
from airflow_provider_benchmarks.triggers._on_kill import was_killed
from airflow_provider_benchmarks.triggers._shared_polling import waiting_for


class BenchmarkJobTrigger(BaseTrigger):
    """Fire one event when a benchmark job has finished, or its deadline has passed.

    All triggers of a connection and workspace in a triggerer share one HTTP client and one poll loop.

    The payload of the event is ``{"job_name", "workspace", "status"}``. The status is a terminal status of the service;
    or ``timed_out``, when the deadline has passed; or ``failed_to_wait``, when the service gave a definite response
    that is not a job. For the latter two the payload also has ``error``, ``message`` and ``fields`` of the error. The
    trigger itself raises nothing.

    :param conn_id: connection to the evaluation service
    :param workspace: workspace of the job; None for the connection's
    :param job_name: name of the job
    :param poll_interval: seconds or timedelta between two polls
    :param deadline: when the wait ends, in seconds since the epoch, so that it holds over restarts of the triggerer;
        None (the default) for no limit
    :param cancel_on_kill: cancel the job when the deferred task is marked, cleared or timed out by Airflow; never when
        a triggerer stops or another one takes over. Default: False
    :raises ConfigurationError: the interval or the deadline is no finite number, or the interval is not positive
    """

    def __init__(
        self,
        *,
        conn_id: str,
        workspace: str | None,
        job_name: str,
        poll_interval: timedelta | float = 30,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()
        # One that is no number would end the poll loop of all jobs of the connection.
        poll_interval = seconds_of(poll_interval, "poll_interval")
        if deadline is not None:
            deadline = number_of(deadline, "deadline")
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
            # Before Airflow 3.3 this is the only sign that the task was killed, and on every version that Airflow timed
            # it out. From 3.3 on a triggerer that stops cancels without a reason.
            if stop.args or not hasattr(BaseTrigger, "on_kill"):
                await self.on_kill()
            raise
        except BenchmarkError as error:
            yield self._event(**wait_failed(error))
        else:
            yield self._event(status=status)

    async def on_kill(self) -> None:
        """Cancel the job if the task was killed. An error is logged, not raised."""
        if not self.cancel_on_kill:
            return
        if self._cancelling is None:
            self._cancelling = asyncio.create_task(self._cancel_if_killed())
        await wait_despite_cancellation(self._cancelling)

    async def _cancel_if_killed(self) -> None:
        if not await was_killed(self.task_instance, self.job_name, self.workspace):
            return
        try:
            await cancel_job(self.job_name, conn_id=self.conn_id, workspace=self.workspace)
        except Exception as error:  # noqa: BLE001  the log is the only place left to report it
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
                report = await wait.next_report()
                if isinstance(report, BenchmarkJob):
                    return report.status
                self.log.log(report.level, "%s", report.text)

    def _event(self, **fields: Any) -> TriggerEvent:
        return TriggerEvent(storable({"job_name": self.job_name, "workspace": self.workspace, **fields}))
