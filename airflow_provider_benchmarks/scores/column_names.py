"""Names of the columns of row scores: one for each item field and each score, whatever their own names are.

An item field's column has the field's name. In files it is ``item.<field>`` where a fixed column has that name, or
would have it without the ``item.`` that the field's name begins with. Fields without a column of their own are
``other_fields``, and that is a fixed name, too. So a column's name says what the field is called, but for the two cases
below.

A score's column has the score's name where that is unique in the job and no item field or fixed column has it.
Otherwise it is ``metric_ref:score``, also where its name is the long name of another score.

Half a surrogate pair, which JSON may hold and UTF-8 can't, is written as its escape.

A name that is taken even so, or that two of them would get, is followed by the first free number, from ``(2)`` on. The
order of rows, metrics and scores changes no name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from airflow_provider_benchmarks.scores.own_fields import OTHER_FIELDS, OTHERS, Field

_NUMBER = re.compile(r" \([0-9]+\)$")
#: Before the names of fields that are called like a fixed column.
ITEM = "item."
_ITEMS = re.compile(r"^(?:item\.)+")

_Key = TypeVar("_Key", str, tuple[str, str])


def column_names(
    fields: Iterable[Field], scores: Sequence[tuple[str, str]], *, fixed: Iterable[str] = ()
) -> tuple[dict[Field, str], dict[tuple[str, str], str]]:
    """Name the column of each item field and of each score.

    :param scores: ``(metric reference, score name)``
    :param fixed: names of columns that are neither
    """
    taken = {*fixed, OTHER_FIELDS}
    fields = list(fields)
    own = _distinct({field: column_wanted(field, taken) for field in fields if field is not OTHERS}, taken)
    items = {field: OTHER_FIELDS if field is OTHERS else own[field] for field in fields}
    taken |= own.keys() | set(own.values())
    times = Counter(name for _, name in scores)
    long = {(metric, name): f"{metric}:{name}" for metric, name in scores}
    others = taken | set(long.values())
    wanted = {key: key[1] if times[key[1]] == 1 and key[1] not in others else long[key] for key in scores}
    return items, _distinct(wanted, taken)


def column_wanted(field: str, taken: Collection[str]) -> str:
    """The column that an item field has where no other gets the same.

    :param taken: names of fixed columns
    """
    return f"{ITEM}{field}" if _ITEMS.sub("", field) in taken else field


def without_number(column: str) -> str:
    """The name that a column would have if no other had it: without the number that tells the two apart."""
    return _NUMBER.sub("", column)


def _distinct(wanted: dict[_Key, str], taken: set[str]) -> dict[_Key, str]:
    wanted = {key: name.encode(errors="backslashreplace").decode() for key, name in wanted.items()}
    times = Counter(wanted.values())
    # A name that two want goes to neither, or a lookup of the one could return the other.
    taken = taken | {name for name in times if times[name] > 1}
    names: dict[_Key, str] = {}
    for key in sorted(wanted):
        name, number = wanted[key], 1
        while name in taken or (number > 1 and name in times):
            number += 1
            name = f"{wanted[key]} ({number})"
        taken.add(name)
        names[key] = name
    return {key: names[key] for key in wanted}
