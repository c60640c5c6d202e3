"""Closes that are postponed until the lock of the pool is free."""

from __future__ import annotations

import sys
import threading

import httpcore
import httpx
import pytest

from airflow_provider_benchmarks.client._reentrant_pool import _Lock, allow_reentry


def test_what_is_closed_within_the_lock_is_closed_after_it_in_its_order() -> None:
    lock, closed = _Lock(), []
    with lock:
        for number in (1, 2):
            lock.close(lambda number=number: closed.append(number))
        assert closed == []
    assert closed == [1, 2]


def test_closes_that_take_the_lock_are_not_nested_however_many_they_are() -> None:
    lock, closed = _Lock(), []

    def close() -> None:
        with lock:
            closed.append(None)

    with lock:
        for _ in range(3 * sys.getrecursionlimit()):
            lock.close(close)
    assert len(closed) == 3 * sys.getrecursionlimit()


def test_what_is_closed_while_another_is_being_closed_is_closed_too() -> None:
    lock, closed = _Lock(), []

    def close() -> None:
        with lock:
            lock.close(lambda: closed.append("inner"))

    with lock:
        lock.close(close)
    assert closed == ["inner"]


def test_an_error_of_a_postponed_close_is_not_that_of_the_request() -> None:
    lock, closed = _Lock(), []
    with lock:
        lock.close(lambda: 1 / 0)
        lock.close(lambda: closed.append(None))
    assert closed == [None]


def test_another_thread_closes_while_this_one_has_the_lock() -> None:
    lock, closed = _Lock(), []
    with lock:
        other = threading.Thread(target=lambda: lock.close(lambda: closed.append(None)))
        other.start()
        other.join(60)
        assert closed == [None]


def test_a_lock_that_could_not_be_taken_postpones_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def acquire(self) -> None:
            raise KeyboardInterrupt

    lock, closed = _Lock(), []
    monkeypatch.setattr(lock, "_lock", Interrupted())
    with pytest.raises(KeyboardInterrupt), lock:
        pass
    lock.close(lambda: closed.append(None))
    assert closed == [None]


def test_a_transport_of_many_clients_is_prepared_once() -> None:
    transport = httpx.HTTPTransport()
    clients = [httpx.Client(transport=transport) for _ in range(3)]
    for client in clients:
        allow_reentry(client)
    assert isinstance(transport._pool, httpcore.ConnectionPool)
    assert type(transport._pool).__mro__.count(httpcore.ConnectionPool) == 1
    assert type(transport._pool).__bases__ == (httpcore.ConnectionPool,)
