"""Row scores as a table with stable columns, for files: which columns there are, what they are called, their types.

A stored table has, in this order: ``row_index``; a column for each field of the items; a column for each score, named
as in :func:`~airflow_provider_benchmarks.scores.row_scores_frame`; ``metric_errors``; ``inference_error`` where the
call of the model failed for a row; and ``sample`` where it is asked for. An item field with the name of one of these becomes ``item.<field>``.

Types: booleans, 64-bit integers, floats and texts stay what they are; integers next to floats become floats where that
is exact. Everything else, lists, objects, larger integers, and a field whose values are of several kinds, becomes JSON
text for all its values, and the column says so in its metadata, so that reading it back gives the values again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.completeness import RowCheck, read_one_by_one
from airflow_provider_benchmarks.scores.frames import EXACT_IN_FLOAT, column_names
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.scores.values import score_value

ROW_INDEX = "row_index"
METRIC_ERRORS = "metric_errors"
SAMPLE = "sample"
INFERENCE_ERROR = "inference_error"
_FIXED = (ROW_INDEX, METRIC_ERRORS, INFERENCE_ERROR, SAMPLE)
_ERROR_KEY = b'"inference_error"'
_INT64 = 2**63


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
    """The type of a column that has been of two types."""
    if one == other or other == Kind.NULL:
        return one
    if one == Kind.NULL:
        return other
    if {one, other} == {Kind.INT, Kind.LONG}:
        return Kind.LONG
    return Kind.FLOAT if {one, other} == {Kind.INT, Kind.FLOAT} else Kind.JSON


def as_json(value: Any) -> str | None:
    """A value of a JSON column; NaN and infinities in it are the bare words that Python's JSON reads."""
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    return text if _fits_utf8(text) else json.dumps(value)


def _fits_utf8(text: str) -> bool:
    """False for half a surrogate pair, which JSON may hold as an escape."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _HalfCharacter(str):
    """A text that UTF-8 can't hold. Being of no type that a column has, it makes a column of JSON text."""

    __slots__ = ()

    @classmethod
    def where_needed(cls, value: Any) -> Any:
        return cls(value) if isinstance(value, str) and not _fits_utf8(value) else value


class TableScore(msgspec.Struct, gc=False):  # millions of them; the garbage collector need not look at each
    name: str
    value: Any = None


class TableRow(msgspec.Struct, gc=False):
    """What a table takes of a row; the rest, model responses above all, is skipped undecoded."""

    metrics: dict[str, list[TableScore]]
    item: dict[str, Any] | None = None
    row_index: int | None = None
    metric_errors: dict[str, Any] | None = None
    sample: msgspec.Raw = msgspec.Raw(b"null")

    @classmethod
    def of(cls, row: RowScore) -> TableRow:
        storable = _HalfCharacter.where_needed  # the strict decoder refuses such texts, so that they come here only
        metrics = {m: [TableScore(name, storable(v)) for name, v in named.items()] for m, named in row.metrics.items()}
        item = {name: storable(value) for name, value in row.item.items()}
        sample = msgspec.Raw(json.dumps(row.sample).encode())
        return cls(metrics, item, row.row_index, dict(row.metric_errors), sample)


_DECODER = msgspec.json.Decoder(TableRow)


def read_table_rows(block: bytes, check: RowCheck) -> list[TableRow]:
    """Read whole lines and check them to be rows.

    :raises IncompleteResults: a line is not a row; says which
    """
    try:
        rows = _DECODER.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError):
        rows = [TableRow.of(row) for row in read_one_by_one(block, check.rows)]
    first = check.rows
    check.add([row.row_index for row in rows])
    for position, row in enumerate(rows, first):
        if row.row_index is None:
            row.row_index = position
    return rows


@dataclass(slots=True)
class Columns:
    """Rows turned into columns: first seen, first placed.

    :param items: values of each item field, by field
    :param scores: values of each score, by ``(metric reference, score name)``
    """

    rows: int = 0
    row_index: list[int | None] = field(default_factory=list)
    items: dict[str, list[Any]] = field(default_factory=dict)
    scores: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    metric_errors: list[str | None] = field(default_factory=list)
    #: Why the call of the model failed, where it did.
    inference_error: list[str | None] = field(default_factory=list)
    sample: list[str | None] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[TableRow], *, with_sample: bool = False) -> Columns:
        return cls(
            rows=len(rows),
            row_index=[row.row_index for row in rows],
            items=_item_columns([row.item or {} for row in rows]),
            scores=_score_columns(rows),
            metric_errors=[errors_text(row.metric_errors) for row in rows],
            inference_error=[inference_error(row.sample) for row in rows],
            sample=[sample_text(row.sample) for row in rows] if with_sample else [],
        )


def _item_columns(items: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [item.get(name) for item in items] for name in dict.fromkeys(name for item in items for name in item)}


def _score_columns(rows: Sequence[TableRow]) -> dict[tuple[str, str], list[Any]]:
    columns: dict[tuple[str, str], list[Any]] = {}
    for at, row in enumerate(rows):
        for metric, scores in row.metrics.items():
            for score in scores:
                values = columns.setdefault((metric, score.name), [])
                if len(values) > at:
                    raise IncompleteResults(f'score "{score.name}" of {metric} stands twice in row {row.row_index}')
                values.extend([None] * (at - len(values)))
                values.append(score.value)
    return {key: score_values(values + [None] * (len(rows) - len(values))) for key, values in columns.items()}


def score_values(values: list[Any]) -> list[Any]:
    """Scores as they are, with the service's words for NaN and infinity turned into floats."""
    return [score_value(value) for value in values] if str in set(map(type, values)) else values


def errors_text(errors: dict[str, Any] | None) -> str | None:
    return as_json(errors) if errors else None


def inference_error(sample: msgspec.Raw) -> str | None:
    """What a sample says of a failed call of the model."""
    text = bytes(sample)
    if _ERROR_KEY not in text:
        return None
    error = msgspec.json.decode(text).get(INFERENCE_ERROR)
    return None if error is None else str(error)


def sample_text(sample: msgspec.Raw) -> str | None:
    text = bytes(sample)
    return None if text in (b"null", b"{}") else text.decode()


def names_of_items(fields: Iterable[str]) -> dict[str, str]:
    """Name the column of each item field.

    :raises IncompleteResults: two fields would get the same name
    """
    fields = list(fields)
    if broken := [name for name in fields if not _fits_utf8(name)]:
        raise IncompleteResults(f"the dataset has a field {broken[0]!a}, whose name can't be that of a column")
    names = {name: f"item.{name}" if name in _FIXED else name for name in fields}
    if len(set(names.values())) != len(fields):
        clash = next(name for name in names.values() if list(names.values()).count(name) > 1)
        raise IncompleteResults(f'the dataset has a field "{clash}", which is the name of another field\'s column too')
    return names


def names_of_scores(item_columns: Iterable[str], scores: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name the column of each score; never one that an item field or a fixed column has."""
    return column_names([*item_columns, *_FIXED], list(scores))
