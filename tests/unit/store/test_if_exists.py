from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists
from airflow_provider_benchmarks.formats.csv import count_records
from airflow_provider_benchmarks.store import IfExists, Place, RowFormat, find_row_file, store_rows

FORMATS = {
    "jsonl": RowFormat(),
    "gzip": RowFormat(compression="gzip"),
    "zstd": RowFormat(compression="zstd"),
    "parquet": RowFormat(name="parquet"),
    "csv": RowFormat(name="csv"),
}


def store(path: Path, kind: str, *texts: str) -> object:
    lines = (json.dumps({"row_index": i, "item": {"a": text}, "metrics": {}}) for i, text in enumerate(texts))
    return store_rows([f"{line}\n".encode() for line in lines], Place(str(path)), row_format=FORMATS[kind])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("texts", [["x", "y"], ['a, b\n\n\r\n"c"', "'", ""], ["long" * 100_000]])
def test_a_file_is_described_as_it_was_when_it_was_stored(tmp_path, kind, texts):
    stored = store(tmp_path / "rows", kind, *texts)
    assert find_row_file(Place(str(tmp_path / "rows")), FORMATS[kind]) == stored


def test_there_is_none(tmp_path):
    assert find_row_file(Place(str(tmp_path / "rows")), RowFormat()) is None


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("asked", FORMATS)
def test_a_file_of_another_format_is_reported(tmp_path, kind, asked):
    if kind == asked:
        return
    store(tmp_path / "rows", kind, "x")
    with pytest.raises(DestinationExists, match=f'rows is not {asked}: it is {kind}.*or if_exists="replace"'):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS[asked])


@pytest.mark.parametrize("asked", ["gzip", "zstd", "parquet"])
@pytest.mark.parametrize("content", [b"", b"something else"])
def test_so_is_any_other_file(tmp_path, asked, content):
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(DestinationExists, match=f"is not {asked}: it is another kind of file"):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS[asked])


@pytest.mark.parametrize("kind", ["gzip", "zstd", "parquet"])
def test_a_damaged_file_is_reported(tmp_path, kind):
    store(tmp_path / "rows", kind, *("xyz"[i % 3] * i for i in range(300)))
    content = (tmp_path / "rows").read_bytes()
    (tmp_path / "rows").write_bytes(content[: len(content) // 2])
    with pytest.raises(DestinationExists, match="can't be read as"):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS[kind])


def test_a_damaged_gzip_checksum_is_reported(tmp_path):
    content = gzip.compress(b'{"row_index": 0, "metrics": {}}\n')
    (tmp_path / "rows").write_bytes(content[:-8] + b"\0" * 8)
    with pytest.raises(DestinationExists, match="can't be read as jsonl"):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS["gzip"])


def test_a_folder_is_reported(tmp_path):
    with pytest.raises(DestinationExists, match="is a folder"):
        find_row_file(Place(str(tmp_path)), RowFormat())


def test_a_last_line_without_an_end_and_blank_lines(tmp_path):
    (tmp_path / "rows").write_bytes(b'{"metrics": {}}\n\n{"metrics": {}}')
    assert find_row_file(Place(str(tmp_path / "rows")), RowFormat()).rows == 2


@given(st.lists(st.lists(st.text('a"\n\r,;', max_size=6), min_size=2, max_size=2), max_size=5), st.integers(1, 9))
def test_records_of_csv_are_those_that_a_reader_finds(table, size):
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    content = text.getvalue().encode()
    assert count_records(content[at : at + size] for at in range(0, len(content), size)) == len(table)
    assert count_records([content, b"a last one without an end"]) == len(table) + 1


def test_what_is_not_known():
    with pytest.raises(ConfigurationError, match='if_exists must be one of replace, skip, fail, found "maybe"'):
        IfExists("maybe")
