"""Deadlines of a wait, the timeout of its deferral, and whose event it resumes with."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.jobs import BenchmarkJob

#: The trigger has its own deadline and then fires an event. Airflow's timeout of the deferral, which resumes no task,
#: comes this much later. Airflow checks it every 15 s.
TIMEOUT_AFTER_DEADLINE = timedelta(seconds=60)
#: Minimum timeout of a deferral whose ``execution_timeout`` is over already.
MIN_TIMEOUT = timedelta(seconds=1)


def deadline_after(timeout: timedelta | float | None, *, began: datetime | None = None) -> float | None:
    """Return the deadline in seconds since the epoch; None for no limit.

    :param timeout: seconds or timedelta, None for no limit
    :param began: when the time began, by the clock of another machine, which may be ahead; None for now
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    now = time.time()
    return None if seconds is None else seconds + (now if began is None else min(began.timestamp(), now))


def deadline_of_job(
    timeout: timedelta | float | None, job: BenchmarkJob, *, is_new: bool, is_cancelled: bool
) -> float | None:
    """Return the deadline of a task's job in seconds since the epoch; None for no limit.

    :param timeout: of the job, over all tries that wait for it
    :param is_new: True if this try has submitted it
    :param is_cancelled: True if its deadline ends the job, too
    """
    restarted = deadline_after(timeout)
    if is_new or restarted is None:
        return restarted
    deadline = deadline_after(timeout, began=job.created_at)
    # A timeout that leaves the job running does not end the wait for good: a retry waits for as long again.
    has_passed = deadline is not None and deadline <= time.time()
    return restarted if has_passed and not is_cancelled else deadline


def seconds_until(deadline: float | None) -> float | None:
    """Return the seconds that are left until a deadline; None for no limit."""
    return None if deadline is None else deadline - time.time()


def deferral_timeout(
    context: Context, *, deadline: float | None, execution_timeout: timedelta | None
) -> timedelta | None:
    """Return the ``timeout`` of ``defer``; None for no limit.

    :param deadline: the trigger's, seconds since the epoch
    :param execution_timeout: the task's, which counts from the start of the try
    """
    limits = []
    if execution_timeout is not None:
        limits.append(_left_of(execution_timeout, started=getattr(context["ti"], "start_date", None)))
    if deadline is not None:
        limits.append(timedelta(seconds=max(deadline - time.time(), 0.0)) + TIMEOUT_AFTER_DEADLINE)
    return min(limits, default=None)


def is_of_earlier_try(context: Context, try_number: int | None) -> bool:
    """Return True if an event ended the wait of an earlier try: Airflow 3.0 resumes a retry with it; 3.1 does not.

    :param try_number: number of the try that deferred; None where it did not say
    """
    return try_number is not None and context["ti"].try_number > try_number


def _left_of(execution_timeout: timedelta, *, started: datetime | None) -> timedelta:
    # Airflow 3 does not count the time that a try took before it deferred.
    if started is None:
        return execution_timeout
    return max(execution_timeout - (datetime.now(UTC) - started), MIN_TIMEOUT)
