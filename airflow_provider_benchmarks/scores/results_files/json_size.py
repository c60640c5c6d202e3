"""Bound the memory that JSON takes as Python values, before these are made.

The size of the text bounds nothing: three bytes ``[],`` become 64, and packed they are next to nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.json_values import json_text, parse_json

#: Memory of the values of one document. A sample of a log with its tokens and times counts as 5 to 9 kB.
MAX_DOCUMENT_VALUE_BYTES = 1024**3
#: Memory of the values of one line.
MAX_LINE_VALUE_BYTES = 512 * 1024**2
#: Memory of what is kept of all lines.
MAX_KEPT_VALUE_BYTES = 2 * 1024**3
#: Bytes of CPython's smallest object with a member, of a list, of a key, and of a text or number, each with its place.
_SIZES = {b"{": 192, b"[": 72, b":": 80, b",": 96}


def value_bytes(data: bytes) -> int:
    """The most memory that JSON takes as Python values, its texts left aside. Braces within texts count too."""
    return sum(data.count(character) * size for character, size in _SIZES.items())


def parse_bounded(data: bytes, limit: int) -> Any:
    """Decode JSON as :func:`parse_json` does.

    :param limit: of memory in bytes
    :raises IncompleteResults: it would take more memory
    :raises ValueError: it is no JSON
    """
    if value_bytes(data) > limit:
        raise IncompleteResults(f"its values would take more than {limit:,} bytes of memory")
    return parse_json(data)


class KeptValues:
    """What is kept of lines that are read one after another."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, *values: Any) -> None:
        """Count some values of JSON.

        :raises IncompleteResults: all together are too large
        """
        for value in values:
            try:
                text = msgspec.json.encode(value)
            except (ValueError, OverflowError):  # half a surrogate pair, or a number of more than 64 bits
                text = json_text(value).encode()
            self._bytes += len(text) + value_bytes(text)
        if self._bytes > MAX_KEPT_VALUE_BYTES:
            raise IncompleteResults(f"its rows would take more than {MAX_KEPT_VALUE_BYTES:,} bytes of memory")
