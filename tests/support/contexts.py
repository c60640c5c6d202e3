"""Run a task without a scheduler: a context, and what Airflow does between a deferral and its end."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

_EVENT_LIMIT = 60.0


@dataclass(slots=True)
class TaskInstance:
    """What operators see of a task instance; ``xcoms`` keeps every push in its order."""

    dag_id: str = "nightly"
    run_id: str = "scheduled__2026-01-01"
    task_id: str = "run"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    xcoms: list[tuple[str, Any]] = field(default_factory=list)
    on_push: Callable[[str], object] | None = None

    @property
    def values(self) -> list[tuple[str, Any]]:
        """What was pushed beside links."""
        return [(key, value) for key, value in self.xcoms if not key.startswith("_link_")]

    def xcom_push(self, key: str, value: Any) -> None:
        if self.on_push is not None:
            self.on_push(key)
        self.xcoms.append((key, value))

    def get_first_reschedule_date(self, context: Any) -> None:
        return None


def task_context(*, clear_number: int = 0, **fields: Any) -> dict[str, Any]:
    """Make the context of a try; further arguments are the task instance's."""
    ti = TaskInstance(**fields)
    return {"ti": ti, "task_instance": ti, "dag_run": SimpleNamespace(clear_number=clear_number, run_id=ti.run_id)}


def outlet_events() -> Any:
    """Airflow's own, which refuse what is no asset."""
    try:
        from airflow.sdk.execution_time.context import OutletEventAccessors
    except ImportError:  # Airflow 2
        from airflow.utils.context import OutletEventAccessors
    return OutletEventAccessors()


def stored(trigger: Any) -> Any:
    """Give the trigger as a triggerer gets it: rebuilt from its class path and plain JSON."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(kwargs, allow_nan=False)))


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop go on until a condition holds."""
    async with asyncio.timeout(_EVENT_LIMIT):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in the service's threads
            await asyncio.sleep(0.01)


async def events_of(trigger: Any) -> list[dict[str, Any]]:
    """Await a trigger until it ends and return its events, as plain JSON."""

    async def collect() -> list[dict[str, Any]]:
        return [json.loads(json.dumps(event.payload)) async for event in trigger.run()]

    return await asyncio.wait_for(collect(), _EVENT_LIMIT)


def run_task(make: Callable[[], Any], context: Any) -> Any:
    """Run a task to its end, through the triggerer if it defers.

    :param make: returns a new instance of the operator, since a task resumes on another worker
    """
    try:
        return make().execute(context)
    except TaskDeferred as deferral:
        deferred = deferral
    (event,) = asyncio.run(events_of(stored(deferred.trigger)))
    kwargs = {**(deferred.kwargs or {}), "event": event}
    return make().resume_execution(deferred.method_name, kwargs, context)
