"""Send in limited time, so that a chat that hangs changes nothing about the task.

From Airflow 3 on, callbacks run before the task's state is sent, and before listeners such as OpenLineage's. Where they
take longer than ``[core] task_success_overtime`` together, Airflow kills the process: a missed gate would be retried.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.background import call_within

#: Seconds for one notification, at most.
MOST_SECONDS = 10.0
#: What others' code may raise to no effect. Airflow's own signals, such as AirflowTaskTimeout, are none of these.
_OF_OTHERS = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)
#: When a task that is not known to have ended had its first notification.
_first: dict[tuple[Any, ...], datetime] = {}


def send_within(seconds: float, send: Callable[[], object]) -> BaseException | None:
    """Send in a thread of its own.

    :return: what went wrong
    :raises TooSlow: it was not sent in time. It goes on, as long as the process does
    """
    _share_line()
    return call_within(seconds, partial(_error_of, send), name="send a notification")


def seconds_for(ti: Any) -> float:
    """Time for a notification: half of what Airflow still leaves the process of a task that has ended.

    So several that hang, one after the other, leave time for the lineage, too.
    """
    overtime: float = conf.getfloat("core", "task_success_overtime", fallback=2 * MOST_SECONDS)
    ended = _end_of(ti)
    passed = (datetime.now(UTC) - ended).total_seconds()
    if 0 <= passed < overtime:
        return min((overtime - passed) / 2, MOST_SECONDS)
    # Of a task that ended longer ago, another process tells: Airflow's DAG processor.
    _first.clear()
    _end_of(ti)
    return min(overtime / 2, MOST_SECONDS)


def _end_of(ti: Any) -> datetime:
    """When a task has ended; where Airflow does not say so, as of a skip, its first notification is taken for it."""
    if isinstance(ended := getattr(ti, "end_date", None), datetime):
        return ended
    key = tuple(getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id", "map_index", "try_number"))
    if key not in _first:
        _first.clear()
        _first[key] = datetime.now(UTC)
    return _first[key]


def is_async(function: Any) -> bool:
    """True for what returns a coroutine, which nobody awaits here."""
    while isinstance(function, partial):
        function = function.func
    called = getattr(type(function), "__call__", None)  # noqa: B004  that of an object's own class
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _error_of(send: Callable[[], object]) -> BaseException | None:
    try:
        found = send()
        if inspect.iscoroutine(found):
            found.close()
            raise TypeError("what sends it returned a coroutine, which is not awaited: give a plain function")
    except _OF_OTHERS as error:
        return error
    return None


class _SharedLine:
    """A task's line to its supervisor that two threads can use: a request has its answer before the next is sent."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self._thread_lock = threading.Lock()

    def send(self, message: Any, **others: Any) -> Any:
        with self._thread_lock:
            return self._line.send(message, **others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


def _share_line() -> None:
    """Let a thread that is left behind ask Airflow for a connection while the task goes on.

    Airflow 3.0 and 3.1 leave it to chance who reads which answer; later ones have such a lock of their own.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    line = getattr(runner, "SUPERVISOR_COMMS", None)
    if hasattr(line, "socket") and not hasattr(line, "_thread_lock"):
        runner.SUPERVISOR_COMMS = _SharedLine(line)  # type: ignore[union-attr]
