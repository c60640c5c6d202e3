"""Tell Airflow of benchmark jobs that finish, whoever has submitted them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import aclosing
from typing import Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import TERMINAL_STATUSES, BenchmarkJob, JobStatus
from airflow_provider_benchmarks.jobs.finished import FinishedJobs, Look
from airflow_provider_benchmarks.triggers._watching import JobWatch, WatcherState, now, with_means


class BenchmarkJobEventTrigger(BaseEventTrigger):
    """Fire an asset event for every job of a benchmark that finishes; for an ``AssetWatcher``, from Airflow 3.0 on.

    The event's payload is ``{"job_name", "workspace", "benchmark", "status", "means"}`` with the means of the job's
    scores by ``metric:score``, empty where it has not completed; ``{"means_error"}`` in place of them where they can't be
    read. Jobs that had finished before the trigger saw the workspace for the first time make no events, nor do jobs that
    ran then and were not among the newest thousand.

    From Airflow 3.3 on what was told is kept with the asset: after a restart of the triggerer jobs that have finished
    meanwhile are told of, and none twice. It is kept five to ten seconds after an event was handed to Airflow, since an
    event that Airflow loses would be lost for good; so a triggerer that stops within these tells that job again, and so
    may two triggerers of which one takes over from the other. The asset needs a trigger of its own: where two assets are
    watched by the very same one, Airflow keeps nothing.

    Before 3.3 a restart begins anew: jobs that finish while no triggerer runs are never told of.

    From 3.3 on the triggers of a connection, workspace and interval share one poll. A poll asks for the newest jobs and
    for those that ran at the last one, however many others there are. A service that does not answer, or refuses, is
    asked again, less and less often: a watcher never ends, whatever is wrong, since Airflow would start it anew at
    once, again and again.

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
        # In one order whatever they came in, even from a set: Airflow takes other arguments for another trigger.
        self.statuses = sorted({str(status) for status in statuses})
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
        looks = self._watch().looks(FinishedJobs(benchmark=self.benchmark, name_pattern=self.name_pattern))
        async for event in self.filter_shared_stream(looks):
            yield event

    def shared_stream_key(self) -> Hashable:
        path, _ = self.serialize()
        return path, self.conn_id, self.workspace, self.poll_interval

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        """Look for all triggers: at the jobs of all benchmarks."""
        watch = JobWatch(kwargs["conn_id"], kwargs["workspace"], interval=kwargs["poll_interval"])
        async for look in watch.looks(FinishedJobs()):
            yield look

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Tell of this trigger's own jobs; where others' looks don't show all of these, look once by itself."""
        # The interval is left out, so that it can be changed without a job getting lost.
        identity = [value for name, value in self.serialize()[1].items() if name != "poll_interval"]
        state = await WatcherState.load(getattr(self, "asset_state_store", None), *identity)
        finished = FinishedJobs(benchmark=self.benchmark, name_pattern=self.name_pattern, state=state.kept)
        looked_at = 0.0
        try:
            async for look in shared_stream:
                if look.began < looked_at:
                    continue  # older than what is known: a job that was told of may still run in it
                if not finished.is_served_by(look):
                    look = await self._watch().look(finished)
                    looked_at = now()
                untold = deque(job for job in finished.take(look) if job.status in self.statuses)
                told = lambda untold=untold: finished.state(untold=untold)
                if not untold:  # or the state with the first event would have to wait for this one
                    state.save_soon(told)
                async with aclosing(with_means(tuple(untold), conn_id=self.conn_id, workspace=self.workspace)) as news:
                    async for job, means in news:
                        yield self._event(job, means)
                        untold.popleft()
                        state.save_soon(told)
        finally:
            await state.close()

    def _watch(self) -> JobWatch:
        return JobWatch(self.conn_id, self.workspace, interval=self.poll_interval)

    @staticmethod
    def _event(job: BenchmarkJob, means: dict[str, Any]) -> TriggerEvent:
        return TriggerEvent(
            {
                "job_name": job.name,
                "workspace": job.workspace,
                "benchmark": job.benchmark,
                "status": str(job.status),
                **means,
            }
        )
