"""Decode blocks of JSONL lines into columns.

Rows in general become a dict for each item and each row's metrics, which takes most of the time. The rows of most
datasets are all alike. Once some have been seen, a decoder is made for just their fields and score names, which is
several times faster: it needs no dicts, and refuses every row that has anything else, so that nothing is lost. What it
refuses is decoded in the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from operator import attrgetter, itemgetter
from types import GenericAlias
from typing import Any, Literal

import msgspec

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import rows as row_scores
from airflow_provider_benchmarks.scores.columns import Columns, HalfCharacter
from airflow_provider_benchmarks.scores.completeness import RowCheck, read_one_by_one, require_row_a_line
from airflow_provider_benchmarks.scores.json_values import DECODE_ERRORS, json_text, parse_json, score_value
from airflow_provider_benchmarks.scores.own_fields import OwnFields
from airflow_provider_benchmarks.scores.rows import RowScore

#: In the text of every row whose model call failed.
_ERROR_KEY = b'"inference_error"'


class DecodedScore(msgspec.Struct, gc=False):  # millions of them; the garbage collector need not visit each
    name: str
    value: Any = None


class DecodedRow(msgspec.Struct, gc=False):
    """What columns need of a row. The rest, model responses above all, is skipped undecoded."""

    metrics: dict[str, list[DecodedScore]]
    item: dict[str, Any] | None = None
    row_index: int | None = None
    metric_errors: Any = None
    sample: msgspec.Raw = msgspec.Raw(b"null")

    @classmethod
    def of(cls, row: RowScore) -> DecodedRow:
        storable = HalfCharacter.where_needed  # the strict decoder refuses such texts, so that they come here only
        metrics = {
            m: [DecodedScore(name, storable(v)) for name, v in named.items()] for m, named in row.metrics.items()
        }
        item = {name: storable(value) for name, value in row.item.items()}
        return cls(metrics, item, row.row_index, row.metric_errors, msgspec.Raw(json_text(row.sample).encode()))


_DECODER = msgspec.json.Decoder(DecodedRow)


def decode_rows(block: bytes, check: RowCheck) -> list[DecodedRow]:
    """Decode whole lines of any shape and check them to be rows.

    :raises IncompleteResults: a line is not a row; says which
    """
    try:
        rows = _DECODER.decode_lines(block)
        require_row_a_line(rows, block)
    except (*DECODE_ERRORS, ValueError):
        rows = [DecodedRow.of(row) for row in read_one_by_one(block, check.rows)]
    first = check.rows
    check.add([row.row_index for row in rows])
    for position, row in enumerate(rows, first):
        if row.row_index is None:
            row.row_index = position
    return rows


def columns_of(rows: Sequence[DecodedRow], *, with_sample: bool = False, fields: OwnFields | None = None) -> Columns:
    """Turn rows into columns.

    :param fields: those of the items that have columns, which have seen these rows; None for those of these rows
    :raises IncompleteResults: a score comes twice in a row, or a sample can't be read
    """
    indices = [row.row_index for row in rows]
    items = [row.item or {} for row in rows]
    if fields is None:
        fields = OwnFields()
        fields.see(items)
    samples = [row.sample for row in rows]
    return Columns(
        rows=len(rows),
        row_index=indices,
        items=fields.columns(items),
        scores=_score_columns(rows),
        metric_errors=[_errors_text(row.metric_errors) for row in rows],
        inference_error=_read_samples(_inference_error, samples, indices),
        sample=_read_samples(_sample_text, samples, indices) if with_sample else [],
    )


def _score_columns(rows: Sequence[DecodedRow]) -> dict[tuple[str, str], list[Any]]:
    columns: dict[tuple[str, str], list[Any]] = {}
    for at, row in enumerate(rows):
        for metric, scores in row.metrics.items():
            for score in scores:
                values = columns.setdefault((metric, score.name), [])
                if len(values) > at:
                    raise IncompleteResults(f'score "{score.name}" of {metric} stands twice in row {row.row_index}')
                values.extend([None] * (at - len(values)))
                values.append(score.value)
    return {key: _score_values(key[1], values + [None] * (len(rows) - len(values))) for key, values in columns.items()}


def _score_values(name: str, values: list[Any]) -> list[Any]:
    """A score's values as they are, with the service's words for NaN and infinity turned into floats."""
    return [score_value(name, value) for value in values] if str in set(map(type, values)) else values


def _errors_text(errors: Any) -> str | None:
    return json_text(errors) if errors else None


def _read_samples(
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


def _inference_error(sample: bytes) -> str | None:
    """The error of a failed call of the model, from a sample."""
    if _ERROR_KEY not in sample:
        return None
    error: str | None = HalfCharacter.where_needed(row_scores.inference_error(parse_json(sample)))
    return error


def _sample_text(sample: bytes) -> str | None:
    if sample in (b"null", b"{}"):
        return None
    try:
        return sample.decode()
    except UnicodeDecodeError:
        return json_text(parse_json(sample))  # may be half a character


@dataclass(frozen=True, slots=True)
class _Shape:
    """The shape that rows share: the fields of their items, and the names of each metric's scores."""

    fields: tuple[str, ...] = ()
    metrics: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def widened_by(self, rows: Sequence[DecodedRow], fields: tuple[str, ...]) -> _Shape:
        """The shape of some rows more.

        :param fields: of the items of all rows
        """
        metrics = dict(self.metrics)
        for row in rows:
            for metric, scores in row.metrics.items():
                metrics.setdefault(metric, tuple(score.name for score in scores))
        return _Shape(fields, metrics)

    def row_type(self) -> type[Any] | None:
        """A type that accepts rows of this shape and no others; None where there can be none."""
        if any(not names or len(set(names)) != len(names) for names in self.metrics.values()):
            return None
        try:
            item = _struct("Item", dict.fromkeys(self.fields, (Any, None)))
            metrics = _struct("Metrics", {metric: (_scores_type(names),) for metric, names in self.metrics.items()})
        except ValueError:  # a name that msgspec does not accept, such as one with a quotation mark
            return None
        return msgspec.defstruct(
            "UniformRow",
            [
                ("metrics", metrics),
                ("item", item),
                ("row_index", int | None, None),
                ("metric_errors", Any, None),
                ("sample", msgspec.Raw, msgspec.Raw(b"null")),
            ],
            gc=False,
        )


def _struct(name: str, types: dict[str, tuple[Any, ...]]) -> Any:
    """A type with these keys and no others; its attributes are f0, f1, …, as keys may be any text."""
    attributes = {f"f{place}": key for place, key in enumerate(types)}
    members = [(attribute, *types[key]) for attribute, key in attributes.items()]
    return msgspec.defstruct(name, members, rename=attributes, gc=False, forbid_unknown_fields=True)


def _scores_type(names: tuple[str, ...]) -> Any:
    """A tuple with one score of each name, in this order."""
    scores = [msgspec.defstruct("Score", [("name", Literal[name]), ("value", Any, None)], gc=False) for name in names]
    return GenericAlias(tuple, tuple(scores))


class RowDecoder:
    """Decode blocks of whole lines, one after another.

    :param with_sample: read the model's outputs too
    """

    def __init__(self, *, with_sample: bool = False) -> None:
        self._with_sample = with_sample
        self._shape = _Shape()
        self._fields = OwnFields()
        self._decoder: msgspec.json.Decoder[Any] | None = None

    def decode(self, block: bytes, check: RowCheck) -> Columns:
        """Decode lines and check them to be rows.

        :raises IncompleteResults: a line is not a row; says which
        """
        found, *more = self.batches(block, check)
        for columns in more:
            found.append(columns, keep=lambda _: True)
        return found

    def batches(self, block: bytes, check: RowCheck) -> Iterator[Columns]:
        """Decode lines, so few at a time that columns of very many fields stay small.

        :raises IncompleteResults: a line is not a row; says which
        """
        for lines in _of_lines(block, self._fields.most_rows):
            if (rows := self._uniform(lines)) is not None:
                yield self._columns(rows, check, may_have_failed=_ERROR_KEY in lines)
                continue
            general = decode_rows(lines, check)
            self._widen(general)
            for first in range(0, max(len(general), 1), self._fields.most_rows):
                some = general[first : first + self._fields.most_rows]
                yield columns_of(some, with_sample=self._with_sample, fields=self._fields)

    def _uniform(self, block: bytes) -> list[Any] | None:
        """The rows of lines that all have the known shape; None where one may have not."""
        if self._decoder is None:
            return None
        try:
            rows: list[Any] = self._decoder.decode_lines(block)
            require_row_a_line(rows, block)
        except (*DECODE_ERRORS, ValueError):  # a ValidationError is a DecodeError too
            return None
        return rows

    def _widen(self, rows: Sequence[DecodedRow]) -> None:
        self._fields.see(row.item or {} for row in rows)
        shape = self._shape.widened_by(rows, self._fields.names)
        if self._fields.is_passed:  # most blocks have rows with other fields
            self._decoder = None
        elif shape != self._shape:
            row_type = shape.row_type()
            self._decoder = None if row_type is None else msgspec.json.Decoder(row_type)
        self._shape = shape

    def _columns(self, rows: list[Any], check: RowCheck, *, may_have_failed: bool) -> Columns:
        first = check.rows
        indices = _values(rows, "row_index")
        check.add(indices)
        if None in indices:
            indices = [position if index is None else index for position, index in enumerate(indices, first)]
        items, metrics, errors = (_values(rows, name) for name in ("item", "metrics", "metric_errors"))
        samples = _values(rows, "sample") if may_have_failed or self._with_sample else []
        nothing: list[str | None] = [None] * len(rows)
        return Columns(
            rows=len(rows),
            row_index=indices,
            items={name: _values(items, f"f{place}") for place, name in enumerate(self._shape.fields)},
            scores={
                (metric, name): _score_values(
                    name, _values(map(itemgetter(position), _values(metrics, f"f{place}")), "value")
                )
                for place, (metric, names) in enumerate(self._shape.metrics.items())
                for position, name in enumerate(names)
            },
            metric_errors=list(map(_errors_text, errors)) if any(errors) else nothing,
            inference_error=_read_samples(_inference_error, samples, indices) if may_have_failed else nothing,
            sample=_read_samples(_sample_text, samples, indices) if self._with_sample else [],
        )


def _of_lines(block: bytes, most: int) -> Iterator[bytes]:
    """Cut whole lines into parts of a number of lines at most."""
    if block.count(b"\n") <= most:
        yield block
        return
    lines = list(BytesIO(block))
    for first in range(0, len(lines), most):
        yield b"".join(lines[first : first + most])


def _values(structs: Iterable[Any], attribute: str) -> list[Any]:
    return list(map(attrgetter(attribute), structs))
