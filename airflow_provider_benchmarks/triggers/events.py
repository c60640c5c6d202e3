"""Fire asset events for benchmark jobs that finish, whoever has submitted them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_benchmarks.benchmarks import is_reference
from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.durations import seconds_of
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.given_values import require_text, texts_of
from airflow_provider_benchmarks.jobs import TERMINAL_STATUSES, BenchmarkJob, JobStatus
from airflow_provider_benchmarks.jobs.finished import FinishedJobs, JobsPoll
from airflow_provider_benchmarks.storable import storable
from airflow_provider_benchmarks.triggers._watcher_means import with_means
from airflow_provider_benchmarks.triggers._watcher_poll import WatcherPoll, now
from airflow_provider_benchmarks.triggers._watcher_state import WatcherState


class BenchmarkJobEventTrigger(BaseEventTrigger):
    """Fire an asset event for every job of a benchmark that finishes; for an ``AssetWatcher``, from Airflow 3.0 on.

    The payload of the event is ``{"job_name", "workspace", "benchmark", "status", "means"}``. ``means`` are the means
    of the job's scores by ``metric:score``; empty where the job has not completed. Where they can't be read, the
    payload has ``means_error`` in place of ``means``.

    Jobs that had finished before the first poll of the workspace make no events. Nor do jobs that were running then and
    were not among the newest thousand.

    From Airflow 3.3 on the state of the trigger is stored with the asset. After a restart of the triggerer, jobs that
    finished meanwhile make their events, and no job makes two. The state is stored 5 to 10 s after an event was passed
    to Airflow, since an event that Airflow loses would else be lost for good. So a triggerer that stops within that
    time fires the event again. So may two triggerers of which one takes over from the other. The asset needs a trigger
    of its own: where two assets are watched by equal triggers, Airflow stores nothing.

    Before 3.3 a restart begins anew: jobs that finish while no triggerer runs make no events.

    From 3.3 on the triggers of a connection, workspace and interval share one poll. A poll requests the newest jobs and
    those that were running at the last poll, however many others there are. A service that does not respond, or
    refuses, is polled again with growing pauses. A watcher never ends, whatever is wrong: Airflow would start it again
    at once, again and again.

    :param benchmark: reference ``workspace/name`` of the benchmark
    :param statuses: statuses of finished jobs that make events: ``completed``, ``error``, ``cancelled``. Default: only
        ``completed``
    :param name_pattern: only jobs whose name matches this pattern, with ``*`` and ``?``; None (the default) for all
    :param conn_id: connection to the evaluation service
    :param workspace: workspace of the jobs; None (the default) for the connection's
    :param poll_interval: seconds or timedelta between two polls, more than 0
    :raises ConfigurationError: ``benchmark`` is no reference, a status is not one of a finished job, or the interval is
        not positive
    """

    def __init__(
        self,
        *,
        benchmark: str,
        statuses: Sequence[str] = (JobStatus.COMPLETED,),
        name_pattern: str | None = None,
        conn_id: str = "nemo_evaluator_default",
        workspace: str | None = None,
        poll_interval: timedelta | float = 60,
    ) -> None:
        super().__init__()
        statuses = texts_of(statuses, "statuses")
        require_text(benchmark, "benchmark")
        require_text(conn_id, "conn_id")
        require_text(name_pattern, "name_pattern", optional=True)
        require_text(workspace, "workspace", optional=True)
        if not is_reference(benchmark):
            given = (
                f'; did you mean "{workspace}/{shortened(benchmark)}"?' if workspace and "/" not in benchmark else ""
            )
            raise ConfigurationError(
                f'benchmark must be the reference of a benchmark, "workspace/name", as its file has it, found '
                f"{brief(benchmark)}{given}"
            )
        if not statuses or not set(statuses) <= TERMINAL_STATUSES:
            known = ", ".join(sorted(TERMINAL_STATUSES))
            raise ConfigurationError(f"statuses must be some of {known}, found {list(statuses)}")
        self.benchmark = benchmark
        # Sorted, since they may come from a set: Airflow takes a trigger with other arguments for another trigger.
        self.statuses = sorted({str(status) for status in statuses})
        self.name_pattern = name_pattern
        self.conn_id = conn_id
        self.workspace = workspace
        self.poll_interval = seconds_of(poll_interval, "poll_interval")

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
        """Poll alone: on Airflow before 3.3, and outside a triggerer."""
        polls = self._poll().polls(FinishedJobs(benchmark=self.benchmark, name_pattern=self.name_pattern))
        async for event in self.filter_shared_stream(polls):
            yield event

    def shared_stream_key(self) -> Hashable:
        path, _ = self.serialize()
        return path, self.conn_id, self.workspace, self.poll_interval

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[JobsPoll]:
        """Poll for all triggers that share the stream: for the jobs of all benchmarks."""
        shared = WatcherPoll(kwargs["conn_id"], kwargs["workspace"], interval=kwargs["poll_interval"])
        async for poll in shared.polls(FinishedJobs()):
            yield poll

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire the events of this trigger's jobs. Where a shared poll does not cover all of these, poll alone once."""
        # The interval is left out, so that it can be changed without the loss of an event.
        identity = [value for name, value in self.serialize()[1].items() if name != "poll_interval"]
        state = await WatcherState.load(getattr(self, "asset_state_store", None), *identity)
        finished = FinishedJobs(benchmark=self.benchmark, name_pattern=self.name_pattern, state=state.stored)
        polled_at = 0.0
        try:
            async for poll in shared_stream:
                if poll.started_at < polled_at:
                    continue  # older than what is known: a job whose event was fired may still be running in it
                if not finished.is_served_by(poll):
                    poll = await self._poll().poll(finished)
                    polled_at = now()
                pending = deque(job for job in finished.take(poll) if job.status in self.statuses)
                fired = lambda pending=pending: finished.state(unreported=pending)
                if not pending:  # else the state after the first event would have to wait until this one is stored
                    state.save_soon(fired)
                jobs = tuple(pending)
                async with aclosing(with_means(jobs, conn_id=self.conn_id, workspace=self.workspace)) as with_scores:
                    async for job, means in with_scores:
                        yield self._event(job, means)
                        pending.popleft()
                        state.save_soon(fired)
        finally:
            await state.close()

    def _poll(self) -> WatcherPoll:
        return WatcherPoll(self.conn_id, self.workspace, interval=self.poll_interval)

    @staticmethod
    def _event(job: BenchmarkJob, means: dict[str, Any]) -> TriggerEvent:
        event = {
            "job_name": job.name,
            "workspace": job.workspace,
            "benchmark": job.benchmark,
            "status": str(job.status),
            **means,
        }
        return TriggerEvent(storable(event))
