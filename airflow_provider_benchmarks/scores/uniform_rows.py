"""Read rows that are all alike, as those of most datasets are, several times faster than rows in general.

Rows in general become a dict for each item and each row's metrics, which takes most of the time. Once some rows have
been seen, a decoder is made for just their fields and score names: it needs no dicts, and refuses every row that has
anything else, so that nothing is lost. What it refuses is read in the general way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from types import GenericAlias
from typing import Any, Literal

import msgspec

from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.scores.table import (
    ERROR_KEY,
    Columns,
    TableRow,
    errors_text,
    inference_error,
    read_samples,
    read_table_rows,
    sample_text,
    score_values,
)
from airflow_provider_benchmarks.scores.values import REFUSED


@dataclass(frozen=True, slots=True)
class _Shape:
    """What rows have in common: the fields of their items, and the names of each metric's scores."""

    fields: tuple[str, ...] = ()
    metrics: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def widened_by(self, rows: Sequence[TableRow]) -> _Shape:
        fields = dict.fromkeys((*self.fields, *(name for row in rows for name in row.item or ())))
        metrics = dict(self.metrics)
        for row in rows:
            for metric, scores in row.metrics.items():
                metrics.setdefault(metric, tuple(score.name for score in scores))
        return _Shape(tuple(fields), metrics)

    def row_type(self) -> type[Any] | None:
        """A type that takes rows of this shape and no others; None where there can be none."""
        if any(not names or len(set(names)) != len(names) for names in self.metrics.values()):
            return None
        try:
            item = _struct("Item", dict.fromkeys(self.fields, (Any, None)))
            metrics = _struct("Metrics", {metric: (_scores_type(names),) for metric, names in self.metrics.items()})
        except ValueError:  # a name that msgspec does not take, such as one with a quotation mark
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


class ColumnReader:
    """Read blocks of whole lines into columns.

    :param with_sample: read the model's outputs too
    """

    def __init__(self, *, with_sample: bool = False) -> None:
        self._with_sample = with_sample
        self._shape = _Shape()
        self._decoder: msgspec.json.Decoder[Any] | None = None

    def read(self, block: bytes, check: RowCheck) -> Columns:
        """Read lines and check them to be rows.

        :raises IncompleteResults: a line is not a row; says which
        """
        if self._decoder is not None:
            try:
                rows = self._decoder.decode_lines(block)
            except REFUSED:  # a ValidationError is a DecodeError too
                pass
            else:
                return self._columns(rows, check, may_have_failed=ERROR_KEY in block)
        general = read_table_rows(block, check)
        shape = self._shape.widened_by(general)
        if shape != self._shape:
            self._shape = shape
            row_type = shape.row_type()
            self._decoder = None if row_type is None else msgspec.json.Decoder(row_type)
        return Columns.of(general, with_sample=self._with_sample)

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
                (metric, name): score_values(
                    name, _values(map(itemgetter(position), _values(metrics, f"f{place}")), "value")
                )
                for place, (metric, names) in enumerate(self._shape.metrics.items())
                for position, name in enumerate(names)
            },
            metric_errors=list(map(errors_text, errors)) if any(errors) else nothing,
            inference_error=read_samples(inference_error, samples, indices) if may_have_failed else nothing,
            sample=read_samples(sample_text, samples, indices) if self._with_sample else [],
        )


def _values(structs: Iterable[Any], attribute: str) -> list[Any]:
    return list(map(attrgetter(attribute), structs))
