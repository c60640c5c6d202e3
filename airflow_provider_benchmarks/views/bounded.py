"""Texts of others on an HTML page: inert, and no longer than there is room for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.inert import inert_text, one_line
from airflow_provider_benchmarks.storable import storable_text


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text on a page.

    :param cut: what of it is shown, in words; empty for all
    """

    text: str
    cut: str = ""


def cost(text: str) -> int:
    """Bytes that a text takes on a page."""
    return len(escape(text).encode())


def line(text: str, most: int) -> str:
    """A text on one line, of at most as many bytes, with ``…`` where it is cut."""
    shown = _within(one_line(storable_text(text[:most])), most)
    return shown if len(text) <= most and not shown.endswith("\0") else f"{shown.rstrip(chr(0))}…"


def shown(value: Any, most: int) -> ShownText:
    """A value: texts as they are, others as JSON.

    :param most: bytes on the page
    """
    text = value if isinstance(value, str) else _json(value)
    found = _within(inert_text(storable_text(text[:most])), most)
    if len(text) <= most and not found.endswith("\0"):
        return ShownText(found)
    found = found.rstrip("\0")
    return ShownText(found, f"cut: the first {len(found):,} of {len(text):,} characters")


def _within(text: str, most: int) -> str:
    r"""The beginning of a text that takes no more bytes; a ``\0``, which no inert text has, marks that it was cut."""
    is_cut = False
    while (size := cost(text)) > most:
        is_cut = True
        text = text[: min(len(text) * most // size, len(text) - 1)]
    return f"{text}\0" if is_cut else text


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=1, default=str)
    except (ValueError, TypeError, RecursionError):  # a number of too many digits, a key that is no text, or too deep
        return brief(value)
