"""Times and trigger arguments that the waiting operator and the sensor share."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: The trigger keeps its own deadline and ends with an event; Airflow's timeout of the deferral, which ends without
#: one, comes only later. Airflow looks at it every 15 seconds.
_BACKSTOP_SECONDS = 60.0


def deadline_after(timeout: timedelta | float | None, *, began: datetime | None = None) -> float | None:
    """Seconds since the epoch at which the time is over; None for no limit.

    :param began: when it began, as another machine's clock has told, which may be ahead; None for now
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    now = time.time()
    return None if seconds is None else seconds + (now if began is None else min(began.timestamp(), now))


def seconds_until(deadline: float | None) -> float | None:
    """What is left until a deadline; None for no limit."""
    return None if deadline is None else deadline - time.time()


def time_left(context: Context, execution_timeout: timedelta | None) -> timedelta | None:
    """What is left of the task's ``execution_timeout``, which counts from the start of the try; None for no limit.

    Airflow 3 does not count what a try took before it deferred.
    """
    started: datetime | None = getattr(context["ti"], "start_date", None)
    if execution_timeout is None or started is None:
        return execution_timeout
    return max(execution_timeout - (datetime.now(UTC) - started), timedelta(seconds=1))


def defer_arguments(
    *,
    conn_id: str,
    workspace: str | None,
    job_name: str,
    poll_interval: float,
    deadline: float | None,
    time_left: timedelta | None,
    cancel_on_kill: bool,
) -> dict[str, Any]:
    """Arguments of ``defer``: the trigger and the timeout of the deferral.

    :param time_left: of the task's ``execution_timeout``
    """
    from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

    limits = [] if time_left is None else [time_left]
    if deadline is not None:
        limits.append(timedelta(seconds=max(deadline - time.time(), 0.0) + _BACKSTOP_SECONDS))
    trigger = BenchmarkJobTrigger(
        conn_id=conn_id,
        workspace=workspace,
        job_name=job_name,
        poll_interval=poll_interval,
        deadline=deadline,
        cancel_on_kill=cancel_on_kill,
    )
    return {"trigger": trigger, "timeout": min(limits, default=None)}
