"""The details of a task of lighteval: Parquet with a row for each document.

A call of the model that failed has no word of its own. Where a server has answered none of some attempts, lighteval
takes an empty answer and scores it; nothing tells it from one that the model has left empty, and its scores stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.results_files.files import MAX_LINES_BYTES, MAX_ROWS, ResultFile, object_at
from airflow_provider_benchmarks.scores.results_files.json_size import KeptValues
from airflow_provider_benchmarks.scores.results_files.run import ResultRow, has_value, score_number

_BATCH_ROWS = 128
#: Python parses no number of some thousands of digits.
_MAX_DIGITS = 20
#: Memory of one batch of rows. A few bytes of Parquet can hold a long text many times.
_BATCH_BYTES = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the details.

    :param valued: names of the metrics of which it has a value, whether a number or not
    """

    row: ResultRow
    valued: frozenset[str]


def read_details(details: ResultFile) -> list[Document]:
    """The documents in the order of the dataset; lighteval has shuffled them.

    :raises IncompleteResults: one is there twice, or there are too many
    """
    import pyarrow.parquet as pq

    found: list[Document] = []
    kept = KeptValues()
    with details.opened() as opened:
        file = pq.ParquetFile(opened)
        if missing := {"doc", "metric"} - set(file.schema_arrow.names):
            raise IncompleteResults(f"there are no columns {', '.join(sorted(missing))}, which lighteval 0.13 writes")
        groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
        if sum(group.total_byte_size for group in groups) > MAX_LINES_BYTES:
            raise IncompleteResults(f"it is larger than {MAX_LINES_BYTES:,} bytes")
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=["doc", "metric"]):
            if batch.nbytes > _BATCH_BYTES:
                raise IncompleteResults(f"{_BATCH_ROWS:,} documents are larger than {_BATCH_BYTES:,} bytes")
            for row in map(_row, batch.to_pylist()):
                kept.add(row.row.item, row.row.scores)
                found.append(row)
            if len(found) > MAX_ROWS:
                raise IncompleteResults(f"there are more than {MAX_ROWS:,} documents")
        found.sort(key=_place)
        for one, other in pairwise(found):
            if _place(one) == _place(other):
                raise IncompleteResults(f"document {brief(one.row.item['id'])} is there twice")
    return found


def _place(document: Document) -> tuple[int, int, str]:
    """By the number of the document, or what else is its id."""
    document_id = str(document.row.item["id"])
    is_number = document_id.isdecimal() and len(document_id) < _MAX_DIGITS
    return (0, int(document_id), "") if is_number else (1, 0, document_id)


def _row(row: dict[str, Any]) -> Document:
    scores = {name: _value(value) for name, value in object_at(row, "metric").items()}
    # Of some metrics a document has what the score of all is computed from, such as the texts for BLEU.
    numbers = {name: {name: value} for name, value in scores.items() if value is None or isinstance(value, float)}
    return Document(
        row=ResultRow(item=_item(object_at(row, "doc")), scores=numbers),
        valued=frozenset(name for name, value in scores.items() if has_value(value)),
    )


def _value(value: Any) -> Any:
    return score_number(value) if value is None or isinstance(value, bool | int | float) else value


def _item(document: dict[str, Any]) -> dict[str, Any]:
    """What identifies a document: its question without the examples before it, and what the task has added."""
    specific = document.get("specific")
    item = dict(specific) if isinstance(specific, dict) else {}
    return item | {key: document.get(key) for key in ("id", "query", "choices", "gold_index")}
