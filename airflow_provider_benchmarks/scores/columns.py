"""Row scores as columns: which there are, in which order, and of which types.

A stored table has, in this order: ``row_index``; a column for each field of the items; a column for each score;
``metric_errors``; ``inference_error`` where the call of the model failed for a row; and ``sample`` where it is asked
for. Their names are in :mod:`~airflow_provider_benchmarks.scores.column_names`.

Types: booleans, 64-bit integers, floats and texts stay what they are; integers next to floats become floats where that
is exact. Everything else, lists, objects, larger integers, and a field whose values are of several kinds, becomes JSON
text for all its values, and the column says so in its metadata, so that reading it back gives the values again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_benchmarks.scores.column_names import ITEM, column_wanted
from airflow_provider_benchmarks.scores.json_values import fits_utf8, json_text
from airflow_provider_benchmarks.scores.own_fields import OTHER_FIELDS, Field

ROW_INDEX = "row_index"
METRIC_ERRORS = "metric_errors"
SAMPLE = "sample"
INFERENCE_ERROR = "inference_error"
FIXED = (ROW_INDEX, METRIC_ERRORS, INFERENCE_ERROR, SAMPLE)
#: A float64 holds every whole number up to here; a larger one stays the int that it is.
EXACT_IN_FLOAT = 2**53
_INT64 = 2**63


def column_named(field: str) -> str:
    """The column that a field has in files, where no other gets the same."""
    return column_wanted(field, (*FIXED, OTHER_FIELDS))


def field_named(column: str) -> str:
    """The field in a column, as far as its name says so."""
    field = column.removeprefix(ITEM)
    return field if column_named(field) == column else column


class Kind(StrEnum):
    """The type of a column."""

    NULL = "null"
    BOOL = "bool"
    INT = "int"
    #: A 64-bit integer that a float does not hold exactly.
    LONG = "long"
    FLOAT = "float"
    TEXT = "text"
    JSON = "json"


def kind_of(values: Iterable[Any], *, numbers_are_floats: bool = False) -> Kind:
    """The narrowest type that holds all values without loss; None fits every type.

    :param numbers_are_floats: integers count as floats, as in score columns
    """
    kind = Kind.NULL
    # Mostly one Python type fills a column, so the set of types is taken first: one pass in C.
    types = set(map(type, values))
    if int in types:
        types.discard(int)
        kind = _kind_of_integers([value for value in values if type(value) is int])
        if numbers_are_floats and kind == Kind.INT:
            kind = Kind.FLOAT
    for found in types:
        kind = wider(kind, _KINDS.get(found, Kind.JSON))
    return kind


def _kind_of_integers(values: list[int]) -> Kind:
    largest = max(max(values), -min(values))
    if largest <= EXACT_IN_FLOAT:
        return Kind.INT
    return Kind.LONG if largest < _INT64 else Kind.JSON


_KINDS = {type(None): Kind.NULL, bool: Kind.BOOL, float: Kind.FLOAT, str: Kind.TEXT}


def wider(one: Kind, other: Kind) -> Kind:
    """The type of a column that has values of two types."""
    if one == other or other == Kind.NULL:
        return one
    if one == Kind.NULL:
        return other
    if {one, other} == {Kind.INT, Kind.LONG}:
        return Kind.LONG
    return Kind.FLOAT if {one, other} == {Kind.INT, Kind.FLOAT} else Kind.JSON


def as_json(value: Any) -> str | None:
    """A value of a JSON column."""
    return None if value is None else json_text(value)


class HalfCharacter(str):
    """A text that UTF-8 can't hold, as of half a surrogate pair. No column has this type, so it makes one of JSON."""

    __slots__ = ()

    @classmethod
    def where_needed(cls, value: Any) -> Any:
        return cls(value) if isinstance(value, str) and not fits_utf8(value) else value


@dataclass(slots=True)
class Columns:
    """Rows turned into columns: first seen, first placed.

    :param items: values of each item field, by field
    :param scores: values of each score, by ``(metric reference, score name)``
    """

    rows: int = 0
    row_index: list[int | None] = field(default_factory=list)
    items: dict[Field, list[Any]] = field(default_factory=dict)
    scores: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    metric_errors: list[str | None] = field(default_factory=list)
    #: Why the call of the model failed, where it did.
    inference_error: list[str | None] = field(default_factory=list)
    sample: list[str | None] = field(default_factory=list)

    def append(self, more: Columns, *, keep: Callable[[Field], bool]) -> None:
        """Add rows.

        :param keep: returns whether the values of a field or score are kept, by its name; if not, its list stays empty
        """
        mine: dict[Any, list[Any]]
        theirs: dict[Any, list[Any]]
        for mine, theirs in ((self.items, more.items), (self.scores, more.scores)):
            for key in dict.fromkeys((*mine, *theirs)):
                column = mine.setdefault(key, [])
                if keep(key[1] if isinstance(key, tuple) else key):
                    column += [None] * (self.rows - len(column))
                    column += theirs.get(key, [None] * more.rows)
        self.rows += more.rows
        self.row_index += more.row_index
        self.metric_errors += more.metric_errors
        self.inference_error += more.inference_error
        self.sample += more.sample
