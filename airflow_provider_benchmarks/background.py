"""Run calls in a second thread, in order and one at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


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
