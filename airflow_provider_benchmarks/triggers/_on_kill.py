"""Decide whether a cancelled trigger means that its task was killed, or only that the triggerer restarted.

Airflow cancels the trigger in both cases, some seconds later. From 3.3 on it calls ``on_kill`` as well, but also when
another triggerer has taken the trigger over. So the state of the task decides. In doubt the task was not killed.

Thousands of tasks can be killed at once, and all requests of a trigger to Airflow go through one thread. So the lookups
of an event loop are batched: one request returns the states of all runs and map indexes of a task.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.job_xcom import TaskJob, pull_job
from airflow_provider_benchmarks.triggers._airflow_requests import request_airflow_in_thread
from airflow_provider_benchmarks.triggers._event_loop_registry import EventLoopRegistry

logger = logging.getLogger(__name__)

#: For one request to Airflow, from when it is sent. A busy Airflow 3 takes over 10 s for the first one.
#: Before 3.3 the request is also made when a triggerer shuts down, and then there may be nobody left to respond. A
#: supervisor ends the triggerer for good within 30 s.
AIRFLOW_TIMEOUT_SECONDS = 60.0 if AIRFLOW_V_3_0_PLUS else 10.0
#: Lookups that come within this time of another are batched with it.
BATCH_SECONDS = 0.1
#: Maximum number of runs in one request: their ids must fit into a URL.
MAX_RUNS_PER_REQUEST = 50
#: Number of XComs pulled in one call of the thread. Each is a request of its own to Airflow, and others wait meanwhile.
XCOMS_PER_CALL = 10
_DEFERRED = "deferred"

T = TypeVar("T")


async def was_killed(ti: Any, job_name: str, workspace: str | None) -> bool:
    """Return True if a deferred task was marked, cleared or timed out, so that it does not wait for its job any longer.

    False while the task is deferred and waits for this job. False, too, where the state of the task can't be known.

    :param ti: the trigger's task instance; None where it has none
    :param job_name: the job that the trigger waits for
    :param workspace: workspace of that job; None for the connection's
    """
    if ti is None:
        return False
    try:
        return await _batches.get(None, _LookupBatch).look_up(ti, job_name, workspace)
    except Exception as error:  # noqa: BLE001  whatever it is: an unknown state is no reason to cancel a job
        logger.warning("Whether task %s was ended can't be known, so its job is left running: %r", ti.task_id, error)
        return False


@dataclass(frozen=True, slots=True, eq=False)
class _Lookup:
    ti: Any
    job_name: str
    workspace: str | None
    result: asyncio.Future[bool]

    def set(self, result: bool | Exception) -> None:
        if self.result.done():  # the caller was cancelled
            return
        if isinstance(result, Exception):
            self.result.set_exception(result)
        else:
            self.result.set_result(result)

    def is_for(self, job: TaskJob) -> bool:
        return job.name == self.job_name and self.workspace in (None, job.workspace)


class _LookupBatch:
    """The pending lookups of one event loop, and the task that makes the requests. It ends when none is pending."""

    def __init__(self) -> None:
        self._queued: list[_Lookup] = []
        self._in_progress: list[_Lookup] = []
        self._deferred: list[_Lookup] = []
        # An empty context: its log lines belong to no task.
        self._task = asyncio.get_running_loop().create_task(self._process(), context=contextvars.Context())

    @property
    def is_done(self) -> bool:
        return self._task.done()

    async def look_up(self, ti: Any, job_name: str, workspace: str | None) -> bool:
        lookup = _Lookup(ti, job_name, workspace, asyncio.get_running_loop().create_future())
        self._queued.append(lookup)
        return await lookup.result

    def _pending(self) -> list[_Lookup]:
        return [*self._in_progress, *self._queued, *self._deferred]

    async def _process(self) -> None:
        try:
            await asyncio.sleep(BATCH_SECONDS)
            # States first, since they decide most lookups. Only for a task that is deferred its job is needed as well.
            while self._queued or self._deferred:
                if self._queued:
                    self._in_progress, self._queued = self._queued, []
                    for group in _by_task(self._in_progress):
                        if waiting := [lookup for lookup in group if not lookup.result.done()]:
                            await self._request(waiting, _task_states, self._decide_by_state)
                else:
                    some, self._deferred = self._deferred[:XCOMS_PER_CALL], self._deferred[XCOMS_PER_CALL:]
                    await self._request(some, _current_jobs, self._decide_by_job)
        finally:
            _batches.remove(None, self)
            for lookup in self._pending():
                lookup.result.cancel()  # no effect on those that have a result

    async def _request(
        self,
        lookups: Sequence[_Lookup],
        request: Callable[[Sequence[Any]], Sequence[T]],
        decide: Callable[[_Lookup, T], None],
    ) -> None:
        try:
            found = await request_airflow_in_thread(
                lambda: request([lookup.ti for lookup in lookups]), timeout_seconds=AIRFLOW_TIMEOUT_SECONDS
            )
        except TimeoutError:
            # Airflow responds to nobody now. A triggerer that stops must not wait for the timeout again and again.
            timed_out = TimeoutError(f"Airflow gave no answer within {AIRFLOW_TIMEOUT_SECONDS:.0f} s")
            for lookup in (*lookups, *self._pending()):
                lookup.set(timed_out)
            self._queued, self._deferred = [], []
        except Exception as error:  # noqa: BLE001  whatever it is, it is raised to the callers
            for lookup in lookups:
                lookup.set(error)
        else:
            for lookup, value in zip(lookups, found, strict=True):
                decide(lookup, value)

    def _decide_by_state(self, lookup: _Lookup, found: tuple[bool, str | None]) -> None:
        known, state = found
        if known and str(state) == _DEFERRED:
            self._deferred.append(lookup)
        else:
            lookup.set(known)

    def _decide_by_job(self, lookup: _Lookup, job: TaskJob | None) -> None:
        # A task that was cleared may be deferred again within a second. Then its XCom names the new job. A task that
        # deferred under a release without that XCom has none: what it waits for is unknown, so it was not killed.
        lookup.set(job is not None and not lookup.is_for(job))


_batches: EventLoopRegistry[_LookupBatch] = EventLoopRegistry()


def _by_task(lookups: Iterable[_Lookup]) -> Iterable[list[_Lookup]]:
    """Group the lookups that one request can serve: some runs of a task, with all their map indexes."""
    tasks: defaultdict[tuple[str, str], defaultdict[str, list[_Lookup]]] = defaultdict(lambda: defaultdict(list))
    for lookup in lookups:
        tasks[lookup.ti.dag_id, lookup.ti.task_id][lookup.ti.run_id].append(lookup)
    for runs in tasks.values():
        by_run = list(runs.values())
        for start in range(0, len(by_run), MAX_RUNS_PER_REQUEST):
            yield [lookup for of_run in by_run[start : start + MAX_RUNS_PER_REQUEST] for lookup in of_run]


def _task_states(tis: Sequence[Any]) -> list[tuple[bool, str | None]]:
    """Request the states of task instances: whether each is known, and the state. A cleared task has none.

    :param tis: task instances of one task
    """
    if not AIRFLOW_V_3_0_PLUS:
        return _task_states_from_database(tis)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    map_indexes = {ti.map_index for ti in tis}
    states = RuntimeTaskInstance.get_task_states(
        dag_id=tis[0].dag_id,
        task_ids=[tis[0].task_id],  # the keys of two tasks could be the same, where one of them is mapped
        run_ids=sorted({ti.run_id for ti in tis}),
        map_index=map_indexes.pop() if len(map_indexes) == 1 else None,
    )
    found = []
    for ti in tis:
        of_run = states.get(ti.run_id) or {}
        key = ti.task_id if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
        found.append((key in of_run, of_run.get(key)))
    return found


def _task_states_from_database(tis: Sequence[Any]) -> list[tuple[bool, str | None]]:
    """Read the same from the metadata database, to which triggers have access before Airflow 3."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = (
            session.query(TaskInstance.run_id, TaskInstance.map_index, TaskInstance.state)
            .filter(TaskInstance.dag_id == tis[0].dag_id, TaskInstance.task_id == tis[0].task_id)
            .filter(TaskInstance.run_id.in_({ti.run_id for ti in tis}))
            .all()
        )
    states = {(run_id, map_index): state for run_id, map_index, state in rows}
    return [((ti.run_id, ti.map_index) in states, states.get((ti.run_id, ti.map_index))) for ti in tis]


def _current_jobs(tis: Sequence[Any]) -> list[TaskJob | None]:
    """Pull the job that each task submitted or attached to last."""
    return [pull_job(ti) for ti in tis]
