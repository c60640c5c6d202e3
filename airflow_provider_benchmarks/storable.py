"""Values that every database of Airflow can store: its JSON and text columns, and the messages that carry them there.

PostgreSQL's ``jsonb`` refuses NUL and half a surrogate pair, and its ``json`` the words NaN and Infinity. UTF-8 has no
half of a pair, and MessagePack, in which tasks and triggers send values to Airflow, no whole number of more than 64
bits. Airflow's serialiser of XComs refuses keys that it uses itself. A value that can't be stored fails its task, and
an event that can't be stored is submitted again and again.

So what goes to Airflow passes through :func:`storable`. It replaces visibly, and changes nothing else.
"""

from __future__ import annotations

import math
from typing import Any

#: Stands for NUL: its own picture.
_NUL = "\N{SYMBOL FOR NULL}"
#: The whole numbers that MessagePack has.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
#: The keys of objects that Airflow's serialiser takes for its own.
_RESERVED_KEYS = frozenset({"__classname__", "__id__", "__type"})


def storable(value: Any) -> Any:
    """Replace what a database refuses, at any depth of mappings, lists and tuples.

    In texts and keys NUL becomes ``␀``, and half a surrogate pair ``�``. NaN and infinities become None; a whole
    number of more than 64 bits becomes the text of its digits. Keys remain different: one that would equal another
    gets a number, ``a␀ (2)``. Tuples become lists, as in JSON. Other objects are returned as they are.
    """
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if _SMALLEST <= value <= _LARGEST else _digits(value)
    if isinstance(value, dict):
        names = _storable_keys(value)
        return {names[key]: storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def storable_text(text: str) -> str:
    """Replace NUL and halves of surrogate pairs in a text; two halves that belong together become their character."""
    return whole_characters(text).replace("\0", _NUL)


def whole_characters(text: str) -> str:
    """Replace halves of surrogate pairs in a text by ``�``; two that belong together become their character."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _storable_keys(data: dict[Any, Any]) -> dict[Any, Any]:
    """The keys of a mapping by what they were. Those that need no change keep their names."""
    names = {key: _storable_key(key) for key in data}
    taken = {key for key, name in names.items() if name == key}
    for key, name in names.items():
        if name == key:
            continue
        free, number = name, 2
        while free in taken:
            free, number = f"{name} ({number})", number + 1
        taken.add(free)
        names[key] = free
    return names


def _storable_key(key: Any) -> Any:
    if not isinstance(key, str):
        return storable(key)
    return f"{key} (reserved)" if key in _RESERVED_KEYS else storable_text(key)


def _digits(value: int) -> str:
    # Python writes no number of more than 4,300 digits.
    return str(value) if value.bit_length() < 14_000 else f"a whole number of {value.bit_length()} bits"
