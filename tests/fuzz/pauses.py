"""Pauses that take no time: the clock goes on by them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch


@contextmanager
def no_pauses() -> Iterator[None]:
    """Let ``time.sleep`` put all clocks forward."""
    clock, monotonic, ahead = time.time, time.monotonic, [0.0]

    def sleep(seconds: float) -> None:
        ahead[0] += seconds

    with ExitStack() as patches:
        patches.enter_context(patch("time.sleep", sleep))
        patches.enter_context(patch("time.time", lambda: clock() + ahead[0]))
        patches.enter_context(patch("time.monotonic", lambda: monotonic() + ahead[0]))
        yield
