"""Tell a task that was ended while it was deferred from a trigger that only moves or restarts.

Airflow cancels a trigger in both cases. From 3.3 on it calls ``on_kill`` as well, but also when another triggerer has
taken the trigger over. So the state of the task decides, and in doubt nothing was ended.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

logger = logging.getLogger(__name__)

#: For the question about the state. A triggerer that shuts down may have nobody left to answer it.
_LIMIT = 10.0
_DEFERRED = "deferred"


async def was_killed(ti: Any) -> bool:
    """Whether a deferred task was marked, cleared or timed out, so that nobody waits for its job any longer.

    False while the task is still deferred, and where its state can't be had. A task that was cleared and is deferred
    again at once counts as not killed.

    :param ti: the trigger's task instance; None where it has none
    """
    from asgiref.sync import sync_to_async

    if ti is None:
        return False
    try:
        # Where triggerers talk to their supervisor, that takes asgiref's way from a thread back to the event loop.
        known, state = await asyncio.wait_for(sync_to_async(_state_of)(ti), _LIMIT)
    except Exception as error:  # noqa: BLE001  whatever it is: not knowing is no reason to cancel a job
        logger.debug("The state of task %s can't be had: %r", ti, error)
        return False
    return known and str(state) != _DEFERRED


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
