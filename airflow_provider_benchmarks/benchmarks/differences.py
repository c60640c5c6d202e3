"""What differs between two benchmarks, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened

#: Maximum number of differences that are written out.
_SHOWN = 5
#: Characters of a text before its first difference, and after it.
_BEFORE, _AFTER = 20, 60
_MISSING = object()


def differences(mine: Any, theirs: Any, *, metric: str | None = None, other: str = "was") -> str:
    """Describe what differs between two benchmarks, ``metrics.ws/m.candidate is … and was …``; empty for nothing.

    :param mine: content of a benchmark, as of :attr:`Benchmark.content`, or a part of it
    :param theirs: the same of the other one
    :param other: the word for the other one
    :param metric: reference of a metric; only what its scores depend on is compared. None (the default) compares all
    """
    if metric is not None and all(metric in each.get("metrics", {}) for each in (mine, theirs)):
        mine, theirs = (_only(each, metric) for each in (mine, theirs))
    found = [_in_words(path, a, b, other) for path, a, b in islice(_differing(mine, theirs), _SHOWN + 1)]
    return "; ".join([*found[:_SHOWN], "…"] if len(found) > _SHOWN else found)


def _only(content: Mapping[str, Any], metric: str) -> dict[str, Any]:
    return {**content, "metrics": {metric: content["metrics"][metric]}}


def _differing(mine: Any, theirs: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """The innermost values that differ."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys([*mine, *theirs]):
            yield from _differing(mine.get(key, _MISSING), theirs.get(key, _MISSING), (*path, str(key)))
    elif isinstance(mine, list) and isinstance(theirs, list):
        for place, (a, b) in enumerate(zip_longest(mine, theirs, fillvalue=_MISSING)):
            yield from _differing(a, b, (*path, str(place)))
    elif mine is _MISSING or theirs is _MISSING or mine != theirs or isinstance(mine, bool) != isinstance(theirs, bool):
        yield path, mine, theirs


def _in_words(path: tuple[str, ...], mine: Any, theirs: Any, other: str) -> str:
    where = ".".join(map(shortened, path))
    if isinstance(mine, str) and isinstance(theirs, str):
        same = next(
            (n for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
        )
        start = max(0, same - _BEFORE)
        return f'{where} is "{_excerpt(mine, start)}" and {other} "{_excerpt(theirs, start)}"'
    return f"{where} is {_shown(mine)} and {other} {_shown(theirs)}"


def _excerpt(text: str, start: int) -> str:
    """A part of a text that has the first difference from another one in it."""
    end = start + _BEFORE + _AFTER
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _shown(value: Any) -> str:
    return "missing" if value is _MISSING else brief(value)
