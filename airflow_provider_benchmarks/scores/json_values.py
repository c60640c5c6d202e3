"""JSON values as the service writes them: NaN is the string "NaN", a statistic may be null, and a label is any text."""

from __future__ import annotations

import json
import math
import sys
from itertools import chain
from typing import Any, TypeGuard

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults

#: How the names of a rubric's labels end; the score itself has the name before it.
LABEL = ".label"
#: Raised by the strict decoder for what it does not accept, the last for what is nested too deeply.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
#: Of lists and objects in each other. No service nests a tenth as deep.
_MOST_LEVELS = 200
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
#: Of a whole number that Python reads.
_MOST_DIGITS = 4300
_NUMBERS_IN_WORDS = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "inf": math.inf,
    "-inf": -math.inf,
}


def parse_json(data: bytes | str) -> Any:
    """Decode JSON; the bare words NaN and Infinity, which Python's own encoder writes, are accepted too.

    :raises ValueError: it is not JSON, or is nested too deeply
    """
    try:
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The strict decoder is several times faster. The lenient one gets only what the strict one refused.
            value = _lenient(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _refuse_depth(value, data)
    return value


def _refuse_depth(value: Any, data: bytes | str) -> None:
    """Refuse a value that is nested more deeply than code that walks through it can go.

    How deep that is depends on who calls it. So the limit is one that always holds.
    """
    if _is_surely_flat(data.encode(errors="replace") if isinstance(data, str) else data):
        return
    level = [value]
    for _ in range(_MOST_LEVELS):
        members = chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return
    raise ValueError(f"it is nested more than {_MOST_LEVELS} levels deep")


def _is_surely_flat(data: bytes) -> bool:
    """True if the brackets alone show few levels; False also where those in texts hide how many there are."""
    if data.count(b"[") + data.count(b"{") <= _MOST_LEVELS:
        return True
    brackets = data.translate(None, _NO_BRACKETS)
    for _ in range(_MOST_LEVELS // 2):  # a round takes off two levels at most
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not left:
            return True
        if left == brackets:
            return False
        brackets = left
    return False


def _lenient(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:  # Python reads no whole number of more than 4,300 digits: it remains the text that it is
        return json.loads(data, parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else digits)


def json_text(value: Any) -> str:
    """Encode as JSON that UTF-8 can hold; NaN and infinities are the bare words that :func:`parse_json` accepts.

    :raises IncompleteResults: it is nested too deeply
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
        return text if fits_utf8(text) else json.dumps(value)
    except RecursionError as error:
        raise IncompleteResults("a value is nested too deeply to be written as JSON") from error


def fits_utf8(text: str) -> bool:
    """False for half a surrogate pair, which JSON may hold as an escape."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def statistic_value(value: Any) -> Any:
    """Convert the service's words for NaN and infinity to floats; everything else is returned as it is."""
    return _NUMBERS_IN_WORDS.get(value, value) if isinstance(value, str) else value


def score_value(name: str, value: Any) -> Any:
    """Return a row's score as it is, NaN and infinity as floats; a label is a text whatever it says.

    :param name: the score's
    """
    return value if name.endswith(LABEL) else statistic_value(value)


def is_number(value: Any) -> TypeGuard[float]:
    """True for a number that statistics can use: not a boolean, not NaN, not infinite, not too large for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def json_safe(value: Any) -> Any:
    """Replace NaN and infinities by None, arrays by lists, and other objects by texts, at any depth: JSON has none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return json_safe(value.tolist()) if hasattr(value, "tolist") else str(value)
