"""Tell Airflow of benchmark jobs that finish, whoever has submitted them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import TERMINAL_STATUSES, BenchmarkJob, JobStatus
from airflow_provider_benchmarks.jobs.finished import FinishedJobs
from airflow_provider_benchmarks.triggers._watching import JobWatch, WatcherState, means_or_error

if TYPE_CHECKING:
    from datetime import datetime


class BenchmarkJobEventTrigger(BaseEventTrigger):
    """Fire an asset event for every job of a benchmark that finishes; for an ``AssetWatcher``, from Airflow 3.0 on.

    The event's payload is ``{"job_name", "workspace", "benchmark", "status", "means"}`` with the means of the job's
    scores by ``metric:score``; ``{"means_error"}`` in place of them where they can't be read. Jobs that had finished
    before the trigger saw the workspace for the first time make no events.

    From Airflow 3.3 on what was told is kept with the asset: after a restart of the triggerer jobs that have finished
    meanwhile are told of, and none twice. It is kept some seconds after an event was handed to Airflow, so a triggerer
    that is killed within these tells that job again. Before 3.3 a restart begins anew: jobs that finish while no
    triggerer runs are told of only if they had not finished when it starts again, which is to say not at all.

    From 3.3 on the triggers of a connection, workspace and interval share one poll. A poll asks only for the jobs that
    were created since the oldest that has not finished. A service that does not answer, or refuses, is asked again, less
    and less often: a watcher never ends.

    :param benchmark: reference ``workspace/name``
    :param statuses: of the finished jobs to tell of: ``completed``, ``error``, ``cancelled``
    :param name_pattern: only jobs with such a name, with ``*`` and ``?``
    :param conn_id: connection to the evaluation service
    :param workspace: workspace of the jobs; None for the connection's
    :param poll_interval: seconds between two looks
    :raises ConfigurationError: a status is none that ends a job, or the interval is not positive
    """

    def __init__(
        self,
        *,
        benchmark: str,
        statuses: Sequence[str] = (JobStatus.COMPLETED,),
        name_pattern: str | None = None,
        conn_id: str = "nemo_evaluator_default",
        workspace: str | None = None,
        poll_interval: float = 60,
    ) -> None:
        super().__init__()
        if not statuses or not set(statuses) <= TERMINAL_STATUSES:
            known = ", ".join(sorted(TERMINAL_STATUSES))
            raise ConfigurationError(f"statuses must be some of {known}, found {list(statuses)}")
        if not poll_interval > 0:
            raise ConfigurationError(f"poll_interval must be more than 0, found {poll_interval}")
        self.benchmark = benchmark
        self.statuses = [str(status) for status in statuses]
        self.name_pattern = name_pattern
        self.conn_id = conn_id
        self.workspace = workspace
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_benchmarks.triggers.events.BenchmarkJobEventTrigger",
            {
                "benchmark": self.benchmark,
                "statuses": self.statuses,
                "name_pattern": self.name_pattern,
                "conn_id": self.conn_id,
                "workspace": self.workspace,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look by itself; on Airflow before 3.3, and outside of a triggerer."""
        watch = JobWatch(self.conn_id, self.workspace, interval=self.poll_interval)
        state = await self._load()
        finished = self._finished_jobs(state)
        try:
            while True:
                async for event in self._events(finished.take(await watch.jobs_since(finished.since))):
                    yield event
                await state.save_soon(finished.state())
                await watch.pause()
        finally:
            await state.save_now()

    def shared_stream_key(self) -> Hashable:
        path, _ = self.serialize()
        return path, self.conn_id, self.workspace, self.poll_interval

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[list[BenchmarkJob]]:
        """Look for all triggers; gives all jobs that can be news to any of them."""
        watch = JobWatch(
            kwargs.get("conn_id", "nemo_evaluator_default"), kwargs.get("workspace"), interval=kwargs["poll_interval"]
        )
        everyones = FinishedJobs()
        while True:
            jobs = await watch.jobs_since(everyones.since)
            everyones.take(jobs)
            yield jobs
            await watch.pause()

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        state = await self._load()
        finished = self._finished_jobs(state)
        try:
            if finished.since is not None:  # what has finished while no triggerer ran; the stream may begin later
                watch = JobWatch(self.conn_id, self.workspace, interval=self.poll_interval)
                async for event in self._events(finished.take(await watch.jobs_since(finished.since))):
                    yield event
            async for jobs in shared_stream:
                async for event in self._events(finished.take(_created_since(jobs, finished.since))):
                    yield event
                await state.save_soon(finished.state())
        finally:
            await state.save_now()

    async def _load(self) -> WatcherState:
        return await WatcherState.load(getattr(self, "asset_state_store", None), self.serialize())

    def _finished_jobs(self, state: WatcherState) -> FinishedJobs:
        return FinishedJobs(benchmark=self.benchmark, name_pattern=self.name_pattern, state=state.kept)

    async def _events(self, jobs: Sequence[BenchmarkJob]) -> AsyncIterator[TriggerEvent]:
        for job in jobs:
            if job.status not in self.statuses:
                continue
            means = (
                {"means": {}}
                if job.status != JobStatus.COMPLETED
                else await means_or_error(job.name, conn_id=self.conn_id, workspace=self.workspace)
            )
            yield TriggerEvent(
                {
                    "job_name": job.name,
                    "workspace": job.workspace,
                    "benchmark": job.benchmark,
                    "status": str(job.status),
                    **means,
                }
            )


def _created_since(jobs: Sequence[BenchmarkJob], since: datetime | None) -> list[BenchmarkJob]:
    return [job for job in jobs if since is None or job.created_at is None or job.created_at >= since]
