from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.formats.service_rows import service_lines
from airflow_provider_benchmarks.formats.table_file import FIELD_KEY
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.scores.rows import read_rows
from tests.support.stored_rows import line, store


def given_back(path) -> list[bytes]:
    with open(path, "rb") as file:
        return b"".join(service_lines(file, str(path))).splitlines(keepends=True)


def values(row) -> dict[tuple[str, str], str]:
    """The values of a row by metric and score; a score that a row does not have is stored as null."""
    return {
        (metric, name): str(float(value) if isinstance(value, int) else value)
        for metric, scores in row.metrics.items()
        for name, value in scores.items()
        if value is not None
    }


@pytest.mark.parametrize("number", [38, 94, 97, 100, 122, 133, 136])
def test_the_rows_of_a_file_read_as_those_of_the_service(recorded, tmp_path, number):
    content = recorded(number)
    first = store(tmp_path / "first", [content])
    rows = list(read_rows(content.split(b"\n")))
    again = store(tmp_path / "again", given_back(first.path))
    assert [values(row) for row in read_rows(b"".join(given_back(first.path)).split(b"\n"))] == list(map(values, rows))
    one, other = read_row_scores(first.path), read_row_scores(again.path)
    pd.testing.assert_frame_equal(one, other)
    assert one.attrs == other.attrs


def test_odd_rows(tmp_path):
    items = [
        {"sample": 1, "mixed": 1, "big": 2**60 + 1, "flag": True, "float": 1, "half": "a", "late": None, "s": "x"},
        {"sample": 2, "mixed": "a", "big": None, "flag": None, "float": 0.5, "half": "\ud800", "late": [1], "s": "y"},
    ]
    scores = [
        {"w/m": {"s": 1, "q": 1, "q.label": "a", "b": True, "none": None, "mixed": 1}, "w/n": {"q2": 1}},
        {"w/m": {"s": "NaN", "q": "Infinity", "q.label": "NaN", "b": False, "mixed": {"a": [1]}}},
    ]
    more = [{}, {"metric_errors": {"w/m": "boom"}, "sample": {"inference_error": "no answer"}}]
    first = store(tmp_path / "first", [line(i, items[i], scores[i], **more[i]) for i in range(2)])
    lines = given_back(first.path)
    again = store(tmp_path / "again", lines)
    pd.testing.assert_frame_equal(read_row_scores(first.path), read_row_scores(again.path))
    row = json.loads(lines[1])
    assert {score["name"]: score["value"] for score in row["metrics"]["w/m"]} == {
        "s": "NaN",
        "q": "Infinity",
        "q.label": "NaN",
        "b": False,
        "none": None,
        "mixed": {"a": [1]},
    }
    assert row["metrics"]["w/n"] == [{"name": "q2", "value": None}]
    assert (row["item"]["sample"], row["sample"]) == (2, {"inference_error": "no answer"})


def test_a_field_keeps_its_name(tmp_path):
    items = [
        {"row_index": 1, "sample": 2},
        {"item.row_index": 1},
        {"item.row_index": 1, "row_index": 2},
        {"\ud800k": 1, "w/m:s": 2, "s": 3},
    ]
    for number, item in enumerate(items):
        first = store(tmp_path / f"{number}", [line(0, item, {"w/m": {"s": 1}})])
        assert [json.loads(each)["item"] for each in given_back(first.path)] == [item]


def test_a_file_that_does_not_name_its_fields(tmp_path):
    first = store(tmp_path / "first", [line(0, {"row_index": 1, "a": 2}, {"w/m": {"s": 1}})])
    table = pq.read_table(first.path)
    assert [FIELD_KEY in (field.metadata or {}) for field in table.schema][:4] == [False, True, True, False]
    fields = [field if FIELD_KEY not in (field.metadata or {}) else field.remove_metadata() for field in table.schema]
    pq.write_table(table.cast(pa.schema(fields, metadata=table.schema.metadata)), tmp_path / "bare")
    assert [json.loads(each)["item"] for each in given_back(tmp_path / "bare")] == [{"row_index": 1, "a": 2}]


def test_a_score_stays_that_of_its_metric(tmp_path):
    """Two metrics have a score of one name, and the rows have that of one of them."""
    first = store(tmp_path / "first", [line(i, {"a": i}, {"w/a": {"x": i}}) for i in range(2)])
    assert [list(json.loads(each)["metrics"]) for each in given_back(first.path)] == [["w/a"], ["w/a"]]


def test_a_file_that_does_not_name_its_metrics(tmp_path):
    first = store(tmp_path / "first", [line(0, {"a": 1}, {"w/a": {"x": 1}})])
    table = pq.read_table(first.path)
    bare = pa.schema([field.remove_metadata() for field in table.schema], metadata=table.schema.metadata)
    pq.write_table(table.cast(bare), tmp_path / "bare")
    with pytest.raises(IncompleteResults, match="bare does not say of which metric the score in its column x is"):
        given_back(tmp_path / "bare")


def test_a_damaged_file(tmp_path):
    stored = store(tmp_path / "x", [line(i, {"text": f"{i}" * 99}) for i in range(999)])
    content = bytearray(Path(stored.path).read_bytes())
    content[300:900] = bytes(600)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(IncompleteResults, match="x can't be read as Parquet"):
        given_back(tmp_path / "x")
