"""A triggerer's line to its supervisor as Airflow 3.0 and 3.1 have it; the supervisor answers when it is made to."""

from __future__ import annotations

import asyncio
from typing import Any


class SupervisorLine:
    """One request at a time; what is cancelled once it was sent would end a triggerer.

    Stands in for ``SUPERVISOR_COMMS``. That an answer is late can't be provoked inside one process.

    :param connection: fields of the one connection
    """

    def __init__(self, **connection: Any) -> None:
        self.sent: list[str] = []
        self.answered: list[str] = []
        self.cancelled: list[str] = []
        self.is_free = asyncio.Event()
        self._connection = connection
        self._lock = asyncio.Lock()

    def send(self, message: Any) -> Any:
        from asgiref.sync import async_to_sync

        return async_to_sync(self.asend)(message)

    async def asend(self, message: Any) -> Any:
        kind = type(message).__name__
        async with self._lock:
            if kind != "MaskSecret":
                self.sent.append(kind)
                try:
                    await self.is_free.wait()
                except asyncio.CancelledError:
                    self.cancelled.append(kind)
                    raise
                self.answered.append(kind)
            return self._answer(kind, message)

    def _answer(self, kind: str, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import ConnectionResult, TaskStatesResult

        if kind == "GetConnection":
            return ConnectionResult(conn_id=message.conn_id, conn_type="nemo_evaluator", **self._connection)
        if kind == "GetTaskStates":
            states = {run_id: dict.fromkeys(message.task_ids, "failed") for run_id in message.run_ids}
            return TaskStatesResult(task_states=states)
        return None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that was sent still waits for its answer."""
        return len(self.answered) + len(self.cancelled) == len(self.sent)
