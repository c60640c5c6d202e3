"""Ask a question once for all who need the answer at the same time: threads, and tasks of an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from airflow_provider_benchmarks.client._requests import Operation, Question
from airflow_provider_benchmarks.client._time_limits import time_left
from airflow_provider_benchmarks.exceptions import ServiceError


@dataclass(slots=True)
class _Asking:
    """A thread that asks a question, for which others wait."""

    thread: int
    has_ended: threading.Event = field(default_factory=threading.Event)
    is_settled: bool = False
    error: ServiceError | None = None


_threads: dict[Hashable, _Asking] = {}


def ask_once(question: Question, drive: Callable[[Operation[None]], None]) -> None:
    """Ask, or wait for the thread that does.

    :param drive: sends the requests of an operation
    :raises ServiceError: it was not found out
    """
    while True:
        own = _Asking(threading.get_ident())
        asking = _threads.setdefault(question.key, own)  # atomic: a lock could be held by a thread that a signal stops
        if asking is own:
            return _ask(question, drive, own)
        if asking.thread == own.thread:  # the handler of a signal asks; what it has interrupted can't go on before
            return drive(question.begin())
        if not asking.has_ended.wait(max(min(time_left(), threading.TIMEOUT_MAX), 0.0)):
            return drive(question.begin())  # no time is left, which the first request says
        if asking.error is not None:
            raise _copied(asking.error)
        if asking.is_settled:
            return None


def _ask(question: Question, drive: Callable[[Operation[None]], None], asking: _Asking) -> None:
    try:
        drive(question.begin())
        asking.is_settled = True
    except ServiceError as error:
        if time_left() > 0:  # else it is the time of this thread that was over: others may have more
            asking.error = error
        raise
    finally:
        _threads.pop(question.key, None)
        asking.has_ended.set()


class Questions:
    """The questions that one asynchronous client asks, which other clients of its event loop may wait for.

    They go on when who has asked first is cancelled, and end with the client.

    :param drive: sends the requests of an operation
    """

    def __init__(self, drive: Callable[[Operation[None]], Coroutine[Any, Any, None]]) -> None:
        self._drive = drive
        self._own: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> None:
        """Ask, or wait for the task that does.

        :raises ServiceError: it was not found out
        """
        asked = _tasks.setdefault(asyncio.get_running_loop(), {})
        while True:
            task = asked.get(question.key)
            if task is None:
                task = asked[question.key] = self._begin(question, asked)
            await asyncio.wait([task])  # who waits may be cancelled: the task goes on for the others
            if task.cancelled():  # its client was closed
                continue
            if isinstance(error := task.exception(), ServiceError):
                raise _copied(error)
            return task.result()

    def _begin(self, question: Question, asked: dict[Hashable, asyncio.Task[None]]) -> asyncio.Task[None]:
        # An empty context: its log lines belong to no task, least of all to the one whose trigger came first.
        task = asyncio.get_running_loop().create_task(self._drive(question.begin()), context=Context())
        self._own.add(task)

        def ended(_: asyncio.Task[None]) -> None:
            self._own.discard(task)
            if asked.get(question.key) is task:
                del asked[question.key]
            if not task.cancelled():
                task.exception()  # that nobody waits for it any more is no fault

        task.add_done_callback(ended)
        return task

    async def close(self) -> None:
        """End what this client asks."""
        own = list(self._own)
        for task in own:
            task.cancel()
        await asyncio.gather(*own, return_exceptions=True)


_tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, asyncio.Task[None]]] = WeakKeyDictionary()


def _copied(error: ServiceError) -> ServiceError:
    """The error for one of many who have asked: each gets a traceback of its own."""
    copy = error.reworded(str(error))
    copy.__cause__ = error.__cause__
    return copy
