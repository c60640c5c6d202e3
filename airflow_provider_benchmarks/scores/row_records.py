"""Read a few rows in full: their items and the model's outputs, from whatever file has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from airflow_provider_benchmarks.formats import START_BYTES, format_of
from airflow_provider_benchmarks.scores.columns import SAMPLE
from airflow_provider_benchmarks.scores.known_files import named_if_gone
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.selected_rows import read_records
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable, open_stored, storage_errors


def read_row_records(path: Any, row_indices: Collection[int]) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Read rows by row index; those whose index comes twice are left out, as it does not tell which is which.

    :param path: of a Parquet or JSONL file, as :func:`~airflow_provider_benchmarks.scores.read_row_scores` takes it
    :return: the item of each that is there, and the model's outputs, where the file has them
    """
    with storage_errors(path), named_if_gone(path), named_if_unreadable(path), open_stored(path) as file:
        start = file.read(START_BYTES)
        file.seek(0)
        kind = format_of(start)
        if kind is not None and kind.is_text:
            return _records(kind.lines(file, kind.sniff(start)) or (), set(row_indices))
    return read_records(path, sorted(row_indices))


def _records(blocks: Iterable[bytes], wanted: set[int]) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    found: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    twice = set()
    for position, row in enumerate(read_rows(_lines(blocks))):
        index = position if row.row_index is None else row.row_index
        if index in found:
            twice.add(index)
        elif index in wanted:
            outputs = row.sample if isinstance(row.sample, dict) else {SAMPLE: row.sample}
            found[index] = (dict(row.item), outputs)
    return {index: record for index, record in found.items() if index not in twice}


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield from block.split(b"\n")
