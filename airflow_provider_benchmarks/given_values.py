"""Values that users give to methods: counts, texts and lists of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError


def require_count(value: Any, what: str, *, least: int = 0) -> None:
    """Refuse what is not a whole number.

    :param what: what it is, for the message
    :param least: the smallest that it may be
    :raises ConfigurationError: names it
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= sys.maxsize:
        raise ConfigurationError(f"{what} must be a whole number, {least} or more, found {brief(value)}")


def require_text(value: Any, what: str, *, optional: bool = False) -> None:
    """Refuse what is not a text.

    :param optional: it may be None, too
    :raises ConfigurationError: names it
    """
    if not (isinstance(value, str) or (optional and value is None)):
        raise ConfigurationError(f"{what} must be a text{', or None' if optional else ''}, found {brief(value)}")


def texts_of(value: Any, what: str) -> list[str]:
    """A text, or several, as a list.

    :raises ConfigurationError: it is neither; names it
    """
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, Iterable) or isinstance(values, Mapping | bytes):
        raise ConfigurationError(f"{what} must be a text, or a list of texts, found {brief(value)}")
    texts = list(values)
    if not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(f"{what} must be a text, or a list of texts, found {brief(value)}")
    return texts
