from __future__ import annotations

import json
import pickle
import traceback

import pytest

from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.masking import register_secrets
from airflow_provider_benchmarks.safe_causes import ForeignError, safe_cause

TOKEN = "nvapi-A/b+c=d.e_f~g"
HOLD = "\x1b[31m::group::x\rb\0c\x1b]8;;https://a.example\x07\nERROR forged"
INERT = ": :group::x␍b␀c\n    ERROR forged"


def test_what_caused_an_error():
    register_secrets([TOKEN])
    inner, outer = ValueError(f"inner {TOKEN}", 5), OSError(f"outer {TOKEN}")
    outer.__cause__ = inner
    inner.__context__ = outer
    assert safe_cause(outer) is outer
    assert (inner.args, outer.args) == (("inner ***", 5), ("outer ***",))


def test_what_caused_an_error_is_inert():
    register_secrets([TOKEN])
    split = f"{TOKEN[:3]}\x1b[0m{TOKEN[3:]}"
    causes = [
        ValueError(HOLD + split),
        OSError(5, HOLD + split, "a\r" + split),
        ExceptionGroup("several", [KeyError(HOLD + split)]),
        RuntimeError(ValueError(HOLD + split)),
    ]
    outer = BenchmarkError("outer")
    for number, cause in enumerate(causes):
        (causes[number - 1] if number else outer).__cause__ = cause
    causes[0].add_note(HOLD + split)
    outer.__cause__ = safe_cause(causes[0])
    shown = "".join(traceback.format_exception(outer))
    assert shown.count(INERT + "***") == 4
    assert INERT.replace("\n", "\\n") + "***" in shown  # of the KeyError
    assert not set("\x1b\r\0\x07") & set(shown)
    assert "\nERROR" not in shown


class Told(Exception):
    """Says something else than its arguments."""

    def __init__(self, text):
        super().__init__()
        self.told = [text]

    def __str__(self):
        return self.told[0]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def shown_with(cause):
    outer = BenchmarkError("outer")
    outer.__cause__ = safe_cause(cause)
    return "".join(traceback.format_exception(outer))


@pytest.mark.parametrize(
    "cause",
    [
        ValueError(TOKEN.encode()),
        ValueError((TOKEN, {"key": [TOKEN]})),
        OSError(2, "not found", TOKEN.encode()),
        Told(TOKEN),
        ExceptionGroup(TOKEN, [ValueError(1)]),
        ExceptionGroup("several", [ValueError(1), ExceptionGroup("of them", [Told(TOKEN)])]),
        RuntimeError(Told(TOKEN)),
        UnicodeDecodeError("utf-8", TOKEN.encode(), 0, 1, TOKEN),
    ],
    ids=repr,
)
def test_whatever_an_error_shows(cause):
    assert TOKEN in shown_with(cause)
    register_secrets([TOKEN])
    shown = shown_with(cause)
    assert TOKEN not in shown
    assert "***" in shown


def test_an_error_that_says_something_else_than_its_arguments():
    register_secrets([TOKEN])
    inner, outer = Told(f"inner {TOKEN}\nERROR forged"), ValueError("outer")
    inner.add_note("a note")
    try:
        raise inner
    except Told as error:
        outer.__context__ = error
    found = safe_cause(outer)
    assert found is outer
    assert not outer.__suppress_context__
    assert isinstance(outer.__context__, ForeignError)
    assert str(outer.__context__) == "Told: inner ***\n    ERROR forged"
    assert outer.__context__.__notes__ == ["a note"]
    assert outer.__context__.__traceback__ is inner.__traceback__ is not None


def test_what_an_error_was_about():
    """It is no part of the text, but of its pickle, and of what a debugger and some logs show."""
    register_secrets([TOKEN])
    error = safe_cause(json.JSONDecodeError("bad", f'{{"key": "{TOKEN}{HOLD}"' + "x" * 10**6, 3))
    assert isinstance(error, json.JSONDecodeError)
    assert error.doc.startswith(f'{{"key": "***{INERT[:5]}')
    assert len(error.doc) < 20_000
    assert TOKEN.encode() not in pickle.dumps(error)


def test_an_error_without_secrets_stays_what_it_is():
    register_secrets([TOKEN])
    error = ExceptionGroup("several", [Told("text"), ValueError(b"bytes", ["list"], None, 5, 2.5)])
    error.__cause__ = cause = KeyError("key")
    assert safe_cause(error) is error
    assert error.__cause__ is cause
    assert error.exceptions[1].args == (b"bytes", ["list"], None, 5, 2.5)


def test_an_error_that_can_t_say_anything():
    assert str(safe_cause(Mute())) == "Mute: its text can not be read"
