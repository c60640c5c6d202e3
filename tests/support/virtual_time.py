"""An event loop whose time passes only while nothing is to be done, so that no test waits for a pause or a timeout."""

from __future__ import annotations

import asyncio
import functools
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
T = TypeVar("T")
#: What ``time.time`` returns at the start, seconds since the epoch.
START = 1_800_000_000.0


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Advances the clock of its loop where it would block."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready: list[Any] = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None and timeout > 0:
            self.loop.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code without sockets and threads: their work would take no time."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own; ``time.time`` goes with the loop's clock."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, pytest.MonkeyPatch.context() as patch:
        loop = runner.get_loop()
        patch.setattr(time, "time", lambda: START + loop.time())
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make an asynchronous test run so."""

    @functools.wraps(test)
    def run_test(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return run_test


async def until(condition: Callable[[], object]) -> None:
    """Let the time pass until a condition holds, for a week at most."""
    async with asyncio.timeout(7 * 24 * 3600):
        while not condition():  # noqa: ASYNC110 - it is about what other tasks of the loop have done
            await asyncio.sleep(0.5)
