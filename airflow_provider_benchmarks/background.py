"""Run calls in a second thread: in order and one at a time, or in limited time."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class TooSlow(Exception):
    """A call has not ended in its time."""


def call_within(seconds: float | None, call: Callable[[], T], *, name: str) -> T:
    """Run a call that may have no time limit of its own; returns and raises what it does.

    :param seconds: None for no limit
    :param name: of its thread
    :raises TooSlow: it has not ended in time. It goes on in its thread, which keeps no process from its end
    """
    results: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(call)
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            results.put(_raising(error))
        else:
            results.put(lambda: result)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        ended = results.get(timeout=seconds)
    except queue.Empty:
        raise TooSlow(f"{name}: not ended after {seconds:.3g} s") from None
    return ended()


def _raising(error: BaseException) -> Callable[[], Any]:
    def call() -> Any:
        raise error

    return call


class BackgroundCalls:
    """Run calls in a second thread while the caller prepares the next; for work that lets other threads run.

    A call begins when the one before has finished. :meth:`run` waits for that, so that memory holds no more than one
    piece.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._running: Future[Any] | None = None

    def run(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Begin a call as soon as the one before has finished; raises what that one raised."""
        self.wait()
        self._running = self._pool.submit(call, *arguments)

    def wait(self) -> None:
        """Wait for the running call; raises what it raised."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def close(self) -> None:
        """Wait for the running call, whatever it raises, and end the thread."""
        self._pool.shutdown(wait=True)
