"""What is sent by others' code, which may hang, exit, or send nothing at all."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.background import TooSlow
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.notifications import _sending
from airflow_provider_benchmarks.notifications._sending import seconds_for, send_within
from airflow_provider_benchmarks.notifications.gate import BenchmarkGateNotifier


def context(*, ended: float | None = None, **fields: Any) -> Any:
    """The context of a gate.

    :param ended: seconds since the task ended
    """
    ti = SimpleNamespace(dag_id="d", task_id="gate", run_id="r", map_index=-1, xcom_pull=lambda **_: None)
    ti.end_date = None if ended is None else datetime.now(UTC) - timedelta(seconds=ended)
    return {"ti": ti, **fields}


def raises(error: BaseException) -> Any:
    def send(text: str) -> None:
        raise error

    return send


class Unwritable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Asynchronous:
    text = ""

    def render_template_fields(self, context: Any) -> None:
        pass

    async def __call__(self, text: str) -> None:
        pass

    async def notify(self, context: Any) -> None:
        pass


async def post(text: str) -> None:
    pass


def test_what_hangs_is_given_up_while_airflow_leaves_the_process_its_time(caplog):
    end = threading.Event()
    try:
        BenchmarkGateNotifier(send=lambda text: end.wait(60))(context(ended=19.6))
        assert "The notification was not sent within 0." in caplog.text
        assert not end.is_set()
    finally:
        end.set()


@pytest.mark.parametrize(
    ("overtime", "ended", "seconds"),
    [
        ("20", None, 10),
        ("20", 0, 10),
        ("20", 10, 5),
        ("20", 16, 2),
        ("8", 0, 4),
        ("600", 0, 10),
        ("20", 3600, 10),
        ("20", -5, 10),
    ],
)
def test_several_that_hang_take_less_than_airflow_leaves_together(monkeypatch, overtime, ended, seconds):
    monkeypatch.setenv("AIRFLOW__CORE__TASK_SUCCESS_OVERTIME", overtime)
    assert seconds_for(context(ended=ended)["ti"]) == pytest.approx(seconds, abs=0.2)


def test_several_of_a_task_whose_end_is_not_known_share_the_time_too(monkeypatch):
    skipped, other = context()["ti"], context()["ti"]
    other.task_id = "other"
    _sending._first.clear()
    assert seconds_for(skipped) == pytest.approx(10, abs=0.2)
    for key in _sending._first:
        _sending._first[key] -= timedelta(seconds=10)
    assert seconds_for(skipped) == pytest.approx(5, abs=0.2)
    assert seconds_for(other) == pytest.approx(10, abs=0.2)
    for key in _sending._first:
        _sending._first[key] -= timedelta(seconds=100)
    assert seconds_for(other) == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit: "),
        (asyncio.CancelledError(), "CancelledError: "),
        (Unwritable(), "Unwritable: its text can not be read"),
        (RuntimeError("x\ud800\0 \n2026 INFO forged"), "RuntimeError: x\ufffd␀  2026 INFO forged"),
    ],
)
def test_whatever_others_raise_is_logged_in_a_line(caplog, error, said):
    BenchmarkGateNotifier(send=raises(error))(context())
    (record,) = caplog.records
    assert record.getMessage() == f"The notification was not sent: {said}"


def signals() -> list[type[BaseException]]:
    try:
        from airflow.sdk import exceptions
    except ImportError:
        from airflow import exceptions
    return [KeyboardInterrupt, exceptions.AirflowTaskTimeout, exceptions.AirflowTaskTerminated]


@pytest.mark.parametrize("signal", signals())
def test_airflows_own_signals_are_raised(signal):
    with pytest.raises(signal):
        BenchmarkGateNotifier(send=raises(signal("now")))(context())


@pytest.mark.parametrize("send", [post, partial(post), partial(partial(post)), Asynchronous()])
def test_a_function_that_nobody_awaits_is_refused(send):
    with pytest.raises(ConfigurationError, match="send is async, and nobody awaits it here"):
        BenchmarkGateNotifier(send=send)


def test_a_notifier_that_nobody_awaits_is_refused():
    with pytest.raises(ConfigurationError, match="notifier is async"):
        BenchmarkGateNotifier(Asynchronous())


def test_a_coroutine_that_comes_unannounced_is_an_error(caplog, recwarn):
    BenchmarkGateNotifier(send=lambda text: post(text))(context())
    assert [found for found in recwarn if "never awaited" in str(found.message)] == []
    assert "returned a coroutine, which is not awaited: give a plain function" in caplog.text


@pytest.mark.parametrize(
    "verdict", [{"x": 1}, {"outcome": None}, {"summary": "FAIL: 0 of 1 checks hold", "results": 3}]
)
def test_a_verdict_that_can_not_be_read_leaves_what_is_known(caplog, verdict):
    found, texts = context(exception=RuntimeError("boom")), []
    found["ti"].xcom_pull = lambda key, **_: verdict if key == "verdict" else None
    BenchmarkGateNotifier(send=texts.append, markup="plain")(found)
    headline = verdict.get("summary", "The verdict can't be read")
    assert texts == [f"{headline}\nGate d.gate, run r\nRuntimeError: boom"]
    assert "The verdict can't be read for the notification" in caplog.text


def test_an_error_that_has_no_text_is_told_by_its_kind():
    texts: list[str] = []
    BenchmarkGateNotifier(send=texts.append, markup="plain")(context(exception=Unwritable()))
    assert texts[0].endswith("Unwritable: its text can not be read")


@pytest.mark.parametrize("markup", [[], {}, 3, "rtf"])
def test_what_is_no_markup_is_refused(markup):
    with pytest.raises(ConfigurationError, match="markup must be one of"):
        BenchmarkGateNotifier(send=print, markup=markup)


def test_a_request_that_is_left_behind_keeps_its_answer(monkeypatch):
    """On Airflow 3.0 and 3.1, whose line to the supervisor has no lock."""
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    answer, asked = threading.Event(), []

    class Line:
        socket = "a socket"

        def send(self, message: str) -> str:
            asked.append(f"asked {message}")
            if message == "connection":
                answer.wait(60)
            asked.append(f"answered {message}")
            return message

    monkeypatch.setattr(runner, "SUPERVISOR_COMMS", Line(), raising=False)
    with pytest.raises(TooSlow):
        send_within(0.05, lambda: runner.SUPERVISOR_COMMS.send("connection"))
    others = threading.Thread(target=runner.SUPERVISOR_COMMS.send, args=("state",))
    others.start()
    others.join(0.05)
    assert asked == ["asked connection"]
    answer.set()
    others.join(60)
    assert asked == ["asked connection", "answered connection", "asked state", "answered state"]
    assert runner.SUPERVISOR_COMMS.socket == "a socket"
    line = runner.SUPERVISOR_COMMS
    assert send_within(60, lambda: None) is None
    assert runner.SUPERVISOR_COMMS is line


def test_a_line_that_has_a_lock_is_left_as_it_is(monkeypatch):
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    line = SimpleNamespace(socket="a socket", _thread_lock=threading.Lock())
    monkeypatch.setattr(runner, "SUPERVISOR_COMMS", line, raising=False)
    assert send_within(60, lambda: None) is None
    assert runner.SUPERVISOR_COMMS is line
