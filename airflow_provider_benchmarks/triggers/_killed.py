"""Tell a task that was ended while it was deferred from a trigger that only moves or restarts.

Airflow cancels a trigger in both cases, some seconds later. From 3.3 on it calls ``on_kill`` as well, but also when
another triggerer has taken the trigger over. So the state of the task decides, and in doubt nothing was ended.

Airflow cancels the trigger anew every second until it has ended, so that what takes longer needs :func:`to_the_end`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from airflow.triggers.base import BaseTrigger

logger = logging.getLogger(__name__)

#: For the question about the state, seconds. A busy Airflow takes its time; but before 3.3 the question is asked when a
#: triggerer shuts down as well, which may have nobody left to answer it.
_LIMIT = 60.0 if hasattr(BaseTrigger, "on_kill") else 10.0
_DEFERRED = "deferred"


async def was_killed(ti: Any, job_name: str) -> bool:
    """Whether a task was marked, cleared or timed out while it was deferred, so that nobody waits for its job any longer.

    False while the task is deferred and waits for this job, and where that can't be known.

    :param ti: the trigger's task instance; None where it has none
    :param job_name: the job that the trigger waits for
    """
    from asgiref.sync import sync_to_async

    if ti is None:
        return False
    try:
        # Where triggerers talk to their supervisor, that takes asgiref's way from a thread back to the event loop.
        return await asyncio.wait_for(sync_to_async(_waits_no_longer)(ti, job_name), _LIMIT)
    except Exception as error:  # noqa: BLE001  whatever it is: not knowing is no reason to cancel a job
        logger.warning("Whether task %s was ended can't be known, so its job is left running: %r", ti.task_id, error)
        return False


def _waits_no_longer(ti: Any, job_name: str) -> bool:
    known, state = _state_of(ti)
    if not known or str(state) != _DEFERRED:
        return known
    # A task that was cleared may be deferred again by now, within a second. Then its link shows the new job.
    url = _job_url_of(ti)
    return url is not None and url.rpartition("/")[2] != job_name


async def to_the_end(task: asyncio.Task[None]) -> None:
    """Wait until a task has ended, however often the one that waits is cancelled."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])


def _state_of(ti: Any) -> tuple[bool, str | None]:
    """Whether the task's state is known, and the state; a cleared task has none."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if not AIRFLOW_V_3_0_PLUS:
        return _state_in_database(ti)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    of_run = states.get(ti.run_id) or {}
    key = ti.task_id if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
    return key in of_run, of_run.get(key)


def _state_in_database(ti: Any) -> tuple[bool, str | None]:
    """Before Airflow 3 triggers may look there."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        found = (
            session.query(TaskInstance.state)
            .filter_by(dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index)
            .one_or_none()
        )
    return found is not None, found and found[0]


def _job_url_of(ti: Any) -> str | None:
    """The address of the job that the task submitted or attached to last."""
    from airflow.providers.common.compat.sdk import XCom

    from airflow_provider_benchmarks.links import BenchmarkJobLink

    url = XCom.get_one(
        key=BenchmarkJobLink().xcom_key,
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
    )
    return url if isinstance(url, str) else None
