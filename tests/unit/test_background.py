from __future__ import annotations

import sys
import threading
from contextvars import ContextVar

import pytest

from airflow_provider_benchmarks.background import TooSlow, call_within

value: ContextVar[str] = ContextVar("value", default="")


def test_a_call_in_time_returns_and_raises_what_it_does():
    value.set("of the caller")
    assert call_within(60, lambda: (value.get(), threading.current_thread().name), name="ask") == (
        "of the caller",
        "ask",
    )
    with pytest.raises(SystemExit, match="3"):
        call_within(None, lambda: sys.exit(3), name="ask")


def test_a_call_that_hangs_is_left_in_a_thread_that_keeps_no_process():
    end, threads = threading.Event(), []

    def hang() -> None:
        threads.append(threading.current_thread())
        end.wait(60)

    try:
        with pytest.raises(TooSlow, match="ask: not ended after 0.05 s"):
            call_within(0.05, hang, name="ask")
        assert (threads[0].is_alive(), threads[0].daemon) == (True, True)
    finally:
        end.set()
