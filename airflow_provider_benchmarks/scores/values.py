"""Numbers as the service writes them: NaN is the string "NaN" in JSON, and a statistic may be null."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

_NUMBERS_IN_WORDS = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "inf": math.inf,
    "-inf": -math.inf,
}


def parse_json(data: bytes | str) -> Any:
    """Decode JSON; the bare words NaN and Infinity, which Python's own encoder writes, are taken too.

    :raises ValueError: it is not JSON
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The strict decoder is several times faster, so the lenient one sees only what the strict one refused.
        return json.loads(data)


def score_value(value: Any) -> Any:
    """Give a row's score as it is, with the service's words for NaN and infinity turned into floats."""
    return _NUMBERS_IN_WORDS.get(value, value) if isinstance(value, str) else value


def is_number(value: Any) -> bool:
    """Whether a value is a number that statistics can use: not a boolean, not NaN, not infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def json_safe(value: Any) -> Any:
    """Replace NaN and infinities by None, at any depth: JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return value
