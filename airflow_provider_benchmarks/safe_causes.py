"""Errors of other libraries, which a traceback shows behind the error that is made of them: safe to be shown."""

from __future__ import annotations

import operator
from typing import Any

from airflow_provider_benchmarks.inert import indented, one_line
from airflow_provider_benchmarks.masking import masked_content, safe_text

#: Characters, or bytes, of what an error was about, such as the document of a JSONDecodeError.
_MOST_KEPT = 10_000
#: Stands for a text that an error fails to write.
UNREADABLE = "its text can not be read"


class ForeignError(Exception):
    """In place of an error whose text is not that of its arguments, and can't be changed; says what that one says."""


def safe_cause(error: BaseException) -> BaseException:
    """Make an error and what caused it safe, as :func:`~airflow_provider_benchmarks.masking.safe_text` does.

    :return: the error itself, with safe texts in place of its own; a :class:`ForeignError` or another group where it
        can't be changed
    """
    return _safe(error, {})


def told(error: Any) -> str:
    """What an error is and says, in a line that is safe to be shown; a text in its place as it is."""
    text = said(error)
    text = UNREADABLE if text is None else text
    return one_line(safe_text(text if isinstance(error, str) else f"{type(error).__name__}: {text}"))


def _safe(error: BaseException, done: dict[int, BaseException]) -> BaseException:
    if id(error) in done:  # what it has become; causes may be circular
        return done[id(error)]
    done[id(error)] = error
    error.args = tuple(_safe_argument(arg, done) for arg in error.args)
    # What these errors show is no longer in their arguments, or they keep beside them what they were about.
    of_system = ("strerror", "filename", "filename2") if isinstance(error, OSError) else ()
    for name in (*of_system, *getattr(error, "__dict__", ())):
        if name != "__notes__" and isinstance(text := getattr(error, name), str | bytes):
            setattr(error, name, _safe_argument(text[:_MOST_KEPT], done))
    notes = getattr(error, "__notes__", [])
    if notes:
        error.__notes__ = [_shown(str(note)) for note in notes]
    is_hidden = error.__suppress_context__
    cause, context = (each and _safe(each, done) for each in (error.__cause__, error.__context__))
    found = done[id(error)] = _itself_or_another(error, done)
    found.__cause__, found.__context__, found.__suppress_context__ = cause, context, is_hidden
    return found


def _itself_or_another(error: BaseException, done: dict[int, BaseException]) -> BaseException:
    found = error
    if isinstance(error, BaseExceptionGroup):
        members = [_safe(member, done) for member in error.exceptions]
        if _shown(error.message) != error.message or any(map(operator.is_not, members, error.exceptions)):
            found = BaseExceptionGroup(_shown(error.message), members)
    elif (text := said(error)) is None or _shown(text) != text:
        found = ForeignError(f"{type(error).__name__}: {UNREADABLE if text is None else _shown(text)}")
    if found is not error:
        found.__traceback__ = error.__traceback__
        if notes := getattr(error, "__notes__", None):
            found.__notes__ = notes
    return found


def said(error: Any) -> str | None:
    """The text of an error; None where it has none that can be read."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it may do anything
        return None


def _safe_argument(value: Any, done: dict[int, BaseException]) -> Any:
    match value:
        case str():
            return _shown(value)
        case bytes():
            return masked_content(value)
        case None | int() | float():
            return value
        case BaseException():
            return _safe(value, done)
    written = repr(value)
    return value if safe_text(written) == written else _shown(written)


def _shown(text: str) -> str:
    return indented(safe_text(text))
