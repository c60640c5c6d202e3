"""Values as JSON gives them back: what a benchmark, and what it is run with, may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.json_values import fits_utf8

#: Maximum depth of lists and mappings.
_MAX_DEPTH = 50


class WrongBenchmark(ConfigurationError):
    """A part of a benchmark, or of what it is run with, is not what it may be.

    :param path: keys and places that lead to the part
    """

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


def plain(value: Any, path: tuple[str | int, ...]) -> Any:
    """Copy a value as JSON gives it back.

    :param path: keys and places that lead to it, for the error
    :raises WrongBenchmark: JSON has no such value, or none that every service reads
    """
    if value is None or isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return _integer(value, path)
    if len(path) > _MAX_DEPTH:
        raise WrongBenchmark(f"nested more than {_MAX_DEPTH} levels deep", path)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {_text(key, path): plain(member, (*path, key)) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member, (*path, place)) for place, member in enumerate(value)]
    raise WrongBenchmark(
        f"{_words(path)} must be a text, a finite number, true, false, null, a list, or a mapping with texts as keys, "
        f"found {brief(value)}",
        path,
    )


def plain_mapping(value: Any, name: str) -> dict[str, Any]:
    """Copy a mapping as JSON gives it back.

    :raises WrongBenchmark: it is none, or JSON has no such value
    """
    if not isinstance(value, Mapping):
        raise WrongBenchmark(f"{name} must be a mapping, found {brief(value)}", (name,))
    copied: dict[str, Any] = plain(value, (name,))
    return copied


def plain_text(value: Any, name: str) -> str | None:
    """Return a text as it is, and None.

    :raises WrongBenchmark: it is neither, or no text in UTF-8
    """
    if value is not None and not isinstance(value, str):
        raise WrongBenchmark(f"{name} must be a text, or None, found {brief(value)}", (name,))
    return value if value is None else _text(value, (name,))


def _text(value: str, path: tuple[str | int, ...]) -> str:
    if not fits_utf8(value):
        raise WrongBenchmark(f"{_words(path)} holds half a surrogate pair, which is no text in UTF-8", path)
    return value


def _integer(value: int, path: tuple[str | int, ...]) -> int:
    try:
        str(value)
    except ValueError as error:  # Python writes no more than 4,300 digits
        raise WrongBenchmark(f"{_words(path)} has too many digits for a number in JSON", path) from error
    return value


def _words(path: tuple[str | int, ...]) -> str:
    return ".".join(shortened(str(step).encode(errors="replace").decode()) for step in path)
