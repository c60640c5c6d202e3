"""Row scores as a table with stable columns, for files: which columns there are, and their types.

A stored table has, in this order: ``row_index``; a column for each field of the items; a column for each score;
``metric_errors``; ``inference_error`` where the call of the model failed for a row; and ``sample`` where it is asked
for. What they are called is in :mod:`~airflow_provider_benchmarks.scores.names`.

Types: booleans, 64-bit integers, floats and texts stay what they are; integers next to floats become floats where that
is exact. Everything else, lists, objects, larger integers, and a field whose values are of several kinds, becomes JSON
text for all its values, and the column says so in its metadata, so that reading it back gives the values again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import rows as row_scores
from airflow_provider_benchmarks.scores.completeness import RowCheck, read_one_by_one
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.scores.values import REFUSED, fits_utf8, json_text, parse_json, score_value

ROW_INDEX = "row_index"
METRIC_ERRORS = "metric_errors"
SAMPLE = "sample"
INFERENCE_ERROR = "inference_error"
FIXED = (ROW_INDEX, METRIC_ERRORS, INFERENCE_ERROR, SAMPLE)
#: Stands in the text of every row whose model call failed.
ERROR_KEY = b'"inference_error"'
#: A float64 holds every whole number up to here; a larger one stays the int that it is.
EXACT_IN_FLOAT = 2**53
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
    """A value of a JSON column."""
    return None if value is None else json_text(value)


class HalfCharacter(str):
    """A text that UTF-8 can't hold. Being of no type that a column has, it makes a column of JSON text."""

    __slots__ = ()

    @classmethod
    def where_needed(cls, value: Any) -> Any:
        return cls(value) if isinstance(value, str) and not fits_utf8(value) else value


class TableScore(msgspec.Struct, gc=False):  # millions of them; the garbage collector need not look at each
    name: str
    value: Any = None


class TableRow(msgspec.Struct, gc=False):
    """What a table takes of a row; the rest, model responses above all, is skipped undecoded."""

    metrics: dict[str, list[TableScore]]
    item: dict[str, Any] | None = None
    row_index: int | None = None
    metric_errors: Any = None
    sample: msgspec.Raw = msgspec.Raw(b"null")

    @classmethod
    def of(cls, row: RowScore) -> TableRow:
        storable = HalfCharacter.where_needed  # the strict decoder refuses such texts, so that they come here only
        metrics = {m: [TableScore(name, storable(v)) for name, v in named.items()] for m, named in row.metrics.items()}
        item = {name: storable(value) for name, value in row.item.items()}
        return cls(metrics, item, row.row_index, row.metric_errors, msgspec.Raw(json_text(row.sample).encode()))


_DECODER = msgspec.json.Decoder(TableRow)


def read_table_rows(block: bytes, check: RowCheck) -> list[TableRow]:
    """Read whole lines and check them to be rows.

    :raises IncompleteResults: a line is not a row; says which
    """
    try:
        rows = _DECODER.decode_lines(block)
    except REFUSED:
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
        indices = [row.row_index for row in rows]
        samples = [row.sample for row in rows]
        return cls(
            rows=len(rows),
            row_index=indices,
            items=_item_columns([row.item or {} for row in rows]),
            scores=_score_columns(rows),
            metric_errors=[errors_text(row.metric_errors) for row in rows],
            inference_error=read_samples(inference_error, samples, indices),
            sample=read_samples(sample_text, samples, indices) if with_sample else [],
        )

    def append(self, more: Columns, *, keep: Callable[[str], bool]) -> None:
        """Add rows.

        :param keep: told the name of a field or score, whether its values are kept; otherwise its list stays empty
        """
        mine: dict[Any, list[Any]]
        theirs: dict[Any, list[Any]]
        for mine, theirs in ((self.items, more.items), (self.scores, more.scores)):
            for key in dict.fromkeys((*mine, *theirs)):
                column = mine.setdefault(key, [])
                if keep(key if isinstance(key, str) else key[1]):
                    column += [None] * (self.rows - len(column))
                    column += theirs.get(key, [None] * more.rows)
        self.rows += more.rows
        self.row_index += more.row_index
        self.metric_errors += more.metric_errors
        self.inference_error += more.inference_error
        self.sample += more.sample


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
    return {key: score_values(key[1], values + [None] * (len(rows) - len(values))) for key, values in columns.items()}


def score_values(name: str, values: list[Any]) -> list[Any]:
    """A score's values as they are, with the service's words for NaN and infinity turned into floats."""
    return [score_value(name, value) for value in values] if str in set(map(type, values)) else values


def errors_text(errors: Any) -> str | None:
    return json_text(errors) if errors else None


def read_samples(
    read: Callable[[bytes], str | None], samples: Sequence[msgspec.Raw], indices: Sequence[int | None]
) -> list[str | None]:
    """Read something of each sample.

    :raises IncompleteResults: a sample can't be read; says which
    """
    found = []
    for sample, index in zip(samples, indices, strict=True):
        try:
            found.append(read(bytes(sample)))
        except ValueError as error:
            raise IncompleteResults(f"the sample of row index {index} can't be read: {error}") from error
    return found


def inference_error(sample: bytes) -> str | None:
    """What a sample says of a failed call of the model."""
    if ERROR_KEY not in sample:
        return None
    error: str | None = HalfCharacter.where_needed(row_scores.inference_error(parse_json(sample)))
    return error


def sample_text(sample: bytes) -> str | None:
    if sample in (b"null", b"{}"):
        return None
    try:
        return sample.decode()
    except UnicodeDecodeError:
        return json_text(parse_json(sample))  # may be half a character
