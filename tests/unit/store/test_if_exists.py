from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists
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


LINE = b'{"row_index": 0, "item": {"a": "x"}, "metrics": {}}\n'
FOREIGN = {
    "jsonl": [
        b"something else",
        b"row_index,a\n0,x\n",
        b"[]\n",
        b'{"level": "info"}\n',
        LINE + b'{"row_index": 1, "it',
        LINE + b'{"row_index": 1',
        LINE * 2,
        LINE + b"\0" * 9,
        b"\xff\xfe{",
    ],
    "csv": [
        b"",
        b"something else",
        b"a,row_index\n",
        b"row_index_2,a\n0,x\n",
        LINE,
        b"row_index,a\r\n0,x\r\n1,y",
        b"row_index,a\r\n0,x\r\n1",
        b'row_index,a\r\n0,"x\r\n',
        b"row_index,a\r\n0,x\r\n" * 2,
        b"row_index,a\r\n0,x\r\n0,x\r\n",
        b"row_index,a\r\n0,\xff\r\n",
    ],
}


@pytest.mark.parametrize(("kind", "content"), [(kind, content) for kind in FOREIGN for content in FOREIGN[kind]])
def test_a_text_of_something_else_is_reported(tmp_path, kind, content):
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(DestinationExists, match=f'(is not {kind}: it is|can\'t be read as {kind} ).*"replace"'):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS[kind])


@pytest.mark.parametrize("content", [content for content in FOREIGN["jsonl"] if content.strip()])
def test_so_is_one_that_is_compressed(tmp_path, content):
    (tmp_path / "rows").write_bytes(gzip.compress(content))
    with pytest.raises(DestinationExists, match="can't be read as jsonl"):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS["gzip"])


def test_a_table_of_something_else_is_reported(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "rows")
    with pytest.raises(DestinationExists, match="can't be read as parquet"):
        find_row_file(Place(str(tmp_path / "rows")), FORMATS["parquet"])
    store(tmp_path / "whole", "parquet", "x", "y")
    content = (tmp_path / "whole").read_bytes()
    for other in (content[:-4] + b"PAR2", content[:-1], content * 2 + b"x", b"PAR1", content + b"\n"):
        (tmp_path / "rows").write_bytes(other)
        with pytest.raises(DestinationExists, match="can't be read as parquet"):
            find_row_file(Place(str(tmp_path / "rows")), FORMATS["parquet"])


def test_a_text_without_rows_has_none(tmp_path):
    for content in (b"", b"\n\n"):
        (tmp_path / "rows").write_bytes(content)
        assert find_row_file(Place(str(tmp_path / "rows")), RowFormat()).rows == 0


def test_a_folder_is_reported(tmp_path):
    with pytest.raises(DestinationExists, match="is a folder"):
        find_row_file(Place(str(tmp_path)), RowFormat())


def test_a_last_line_without_an_end_and_blank_lines(tmp_path):
    (tmp_path / "rows").write_bytes(b'{"metrics": {}}\n\n{"metrics": {}}')
    assert find_row_file(Place(str(tmp_path / "rows")), RowFormat()).rows == 2


def test_what_is_not_known():
    with pytest.raises(ConfigurationError, match='if_exists must be one of replace, skip, fail, found "maybe"'):
        IfExists("maybe")
