from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.scores import low_scoring_rows, read_row_scores, row_scores_frame
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.store import RowFormat, store_rows


def line(index: int, item: dict[str, Any], scores: dict[str, dict[str, Any]] | None = None, **more: Any) -> bytes:
    metrics = {m: [{"name": n, "value": v} for n, v in named.items()] for m, named in (scores or {}).items()}
    row = {"row_index": index, "item": item, "sample": {}, "metrics": metrics, "requests": [], **more}
    return json.dumps(row).encode() + b"\n"


def store(path: Path, lines: list[bytes], name: str = "parquet", batches: bool = False, **options: Any):
    """Store lines; with ``batches`` each line becomes a batch of its own, as the millions of a large file do."""
    from airflow_provider_benchmarks.store import results

    size, results._BLOCK = results._BLOCK, 1 if batches else results._BLOCK
    try:
        return store_rows(lines, str(path), row_format=RowFormat(name=name, **options))
    finally:
        results._BLOCK = size


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


@pytest.mark.parametrize("number", [38, 94, 97, 100, 122, 136])
@pytest.mark.parametrize("batches", [False, True])
def test_a_parquet_file_has_the_columns_of_the_frame(recorded, tmp_path, number, batches):
    content = recorded(number)
    stored = store(tmp_path / "rows.parquet", content.splitlines(keepends=True), batches=batches)
    frame = row_scores_frame(read_rows(content.split(b"\n")))
    loaded = read_row_scores(stored.path)
    assert [c for c in loaded.columns if c != "metric_errors"] == list(frame.columns)
    assert loaded.attrs["score_columns"] == frame.attrs["score_columns"]
    for name in frame.columns:
        ours = [None if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in loaded[name]]
        theirs = [None if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in frame[name]]
        assert ours == theirs, name
    assert stored.rows == len(frame)


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_jsonl_is_byte_for_byte_and_reads_back(recorded, tmp_path, compression):
    content = recorded(38)
    stored = store(tmp_path / "rows.jsonl", [content], "jsonl", compression=compression)
    if compression is None:
        assert (tmp_path / "rows.jsonl").read_bytes() == content
    assert stored.bytes == (tmp_path / "rows.jsonl").stat().st_size
    pd.testing.assert_frame_equal(read_row_scores(stored.path), row_scores_frame(read_rows(content.split(b"\n"))))


def test_the_same_rows_give_the_same_packed_file(tmp_path):
    one, other = (store(tmp_path / name, [line(0, {})], "jsonl", compression="gzip") for name in ("a", "b"))
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        ([1, 2, None], "int64"),
        ([1, 2.5], "double"),
        ([1, 2**60], "int64"),
        ([1, None, 2**60 + 1], "int64"),
        ([1.5, 2**60], "string"),
        ([1, 2**70], "string"),
        ([True, False, None], "bool"),
        ([True, 1], "string"),
        ([1, "a"], "string"),
        (["a", None, "b"], "string"),
        ([[1], {"a": None}], "string"),
        ([None, None], "null"),
        ([None, "late"], "string"),
        (["1", 1, 1.0, None, True, [1]], "string"),
        (["whole", "half \ud800", "é"], "string"),
        ([["half \ud800"], "whole"], "string"),
    ],
)
@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_field_of_any_values_is_stored_without_loss(tmp_path, values, arrow, batches, turned):
    values = values[::-1] if turned else values
    stored = store(tmp_path / "rows.parquet", [line(i, {"f": v}) for i, v in enumerate(values)], batches=batches)
    assert str(pq.read_schema(stored.path).field("f").type) == arrow
    loaded = [None if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in read_row_scores(stored.path)["f"]]
    assert loaded == values
    if arrow == "string":
        assert [type(v) for v in loaded] == [type(v) for v in values]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.lists(st.dictionaries(st.sampled_from(["a", "b", "", "row_index", "s"]), json_values), max_size=5),
    scores=st.lists(st.dictionaries(st.sampled_from(["s", "t"]), json_values), max_size=5),
    batches=st.booleans(),
)
def test_any_rows_come_back(tmp_path, items, scores, batches):
    count = max(len(items), len(scores))
    items += [{}] * (count - len(items))
    scores += [{}] * (count - len(scores))
    lines = [line(i, item, {"w/m": named}) for i, (item, named) in enumerate(zip(items, scores, strict=True))]
    stored = store(tmp_path / "rows.parquet", lines, batches=batches)
    loaded = read_row_scores(stored.path)
    for i, item in enumerate(items):
        for key, value in item.items():
            found = loaded["item.row_index" if key == "row_index" else key].iloc[i]
            found = None if pd.api.types.is_scalar(found) and pd.isna(found) else found
            assert found == value or (value is None and found is None)
    for i, named in enumerate(scores):
        for key, value in named.items():
            clash = any(key in item for item in items)
            found = loaded[f"w/m:{key}" if clash else key].iloc[i]
            found = None if pd.api.types.is_scalar(found) and pd.isna(found) else found
            assert found == value or (value is None and found is None)


class TestScores:
    def test_numbers_are_floats_and_nan_is_not_null(self, tmp_path):
        lines = [line(0, {}, {"w/m": {"s": 1}}), line(1, {}, {"w/m": {"s": "NaN"}}), line(2, {}, {"w/m": {"s": None}})]
        stored = store(tmp_path / "rows.parquet", lines)
        column = pq.read_table(stored.path).column("s")
        assert str(column.type) == "double"
        assert same(column.to_pylist()[1], math.nan)
        assert [column.to_pylist()[0], column.to_pylist()[2]] == [1.0, None]

    def test_a_second_metric_with_the_same_score_name_renames_both(self, tmp_path):
        lines = [line(0, {}, {"w/a": {"s": 1}}), line(1, {}, {"w/a": {"s": 0}, "w/b": {"s": 1}})]
        stored = store(tmp_path / "rows.parquet", lines, batches=True)
        loaded = read_row_scores(stored.path)
        assert list(loaded.columns) == ["w/a:s", "w/b:s", "metric_errors"]
        assert loaded["w/a:s"].tolist() == [1.0, 0.0]

    def test_errors_and_samples(self, tmp_path):
        lines = [line(0, {}, metric_errors={"w/m": "boom"}, sample={"output_text": "é"}), line(1, {})]
        loaded = read_row_scores(store(tmp_path / "rows.parquet", lines, with_sample=True).path)
        assert loaded["metric_errors"].tolist()[0] == {"w/m": "boom"}
        assert loaded["sample"].tolist()[0] == {"output_text": "é"}
        assert loaded[["metric_errors", "sample"]].isna().iloc[1].all()
        assert "sample" not in read_row_scores(store(tmp_path / "b.parquet", lines).path)

    def test_low_scoring_rows_of_a_loaded_file(self, tmp_path):
        lines = [line(i, {"difficulty": 0}, {"w/m": {"s": s}}) for i, s in enumerate([0.9, 0.1])]
        loaded = read_row_scores(store(tmp_path / "rows.parquet", lines).path)
        assert low_scoring_rows(loaded, 0.7).index.tolist() == [1]

    def test_a_score_that_stands_twice_in_a_row_is_refused(self, tmp_path):
        twice = (
            b'{"row_index": 0, "item": {}, "metrics": {"w/m": [{"name": "s", "value": 1}, {"name": "s", "value": 2}]}}'
        )
        with pytest.raises(IncompleteResults, match=r'score "s" of w/m stands twice in row 0'):
            store(tmp_path / "rows.parquet", [twice])


class TestNames:
    def test_fields_with_the_names_of_fixed_columns(self, tmp_path):
        item = {"row_index": "a", "metric_errors": "b", "sample": "c"}
        loaded = read_row_scores(store(tmp_path / "rows.parquet", [line(0, item)], with_sample=True).path)
        assert loaded[["item.row_index", "item.metric_errors", "item.sample"]].iloc[0].tolist() == ["a", "b", "c"]

    def test_a_score_with_the_name_of_a_fixed_column(self, tmp_path):
        loaded = read_row_scores(store(tmp_path / "rows.parquet", [line(0, {}, {"w/m": {"sample": 1}})]).path)
        assert loaded["w/m:sample"].tolist() == [1.0]

    def test_two_fields_for_one_name_are_an_error_and_not_a_loss(self, tmp_path):
        with pytest.raises(IncompleteResults, match=r'field "item\.sample"'):
            store(tmp_path / "rows.parquet", [line(0, {"sample": 1, "item.sample": 2})])
        assert list(tmp_path.iterdir()) == []


class TestCsv:
    def rows_of(self, path: str) -> list[list[str]]:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.reader(file))

    def test_values(self, tmp_path):
        item = {"text": 'é "q"\nline', "n": -1, "f": 0.5, "nested": {"a": [1]}, "none": None}
        stored = store(tmp_path / "rows.csv", [line(0, item, {"w/m": {"s": "NaN", "s.label": ""}})], "csv")
        head, row = self.rows_of(stored.path)
        assert head == ["row_index", *item, "s", "s.label", "metric_errors"]
        assert row == ["0", 'é "q"\nline', "-1", "0.5", '{"a": [1]}', "", "NaN", "", ""]

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
    def test_formulas_are_neutralised(self, tmp_path, text):
        stored = store(tmp_path / "a.csv", [line(0, {"=f": text})], "csv")
        head, row = self.rows_of(stored.path)
        assert (head[1], row[1]) == ("'=f", f"'{text}")
        plain = store(tmp_path / "b.csv", [line(0, {"=f": text})], "csv", neutralise_formulas=False)
        assert self.rows_of(plain.path)[1][1] == text


class TestLoading:
    def test_only_some_columns(self, recorded, tmp_path):
        for name in ("parquet", "jsonl"):
            stored = store(tmp_path / name, [recorded(38)], name)
            loaded = read_row_scores(stored.path, columns=["reference", "exact-match"])
            assert list(loaded.columns) == ["reference", "exact-match"]
            assert loaded.attrs["score_columns"] == ["exact-match"]
            assert loaded.index.tolist() == [0, 1, 2, 3, 4]
            with pytest.raises(ConfigurationError, match=r"no columns \['nope'\]; it has: row_index, input"):
                read_row_scores(stored.path, columns=["nope"])

    def test_what_is_neither_parquet_nor_jsonl(self, tmp_path):
        (tmp_path / "x").write_text("a,b\n1,2\n")
        with pytest.raises(ConfigurationError, match="neither Parquet nor JSONL"):
            read_row_scores(tmp_path / "x")


def test_no_rows_give_an_empty_file(tmp_path):
    for name in ("parquet", "jsonl", "csv"):
        assert store(tmp_path / name, [], name).rows == 0
    assert read_row_scores(tmp_path / "parquet").empty
    assert read_row_scores(tmp_path / "jsonl").empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "xml"}, 'unknown format of row scores "xml"; known: jsonl, parquet, csv'),
        ({"compression": "lz4"}, 'compressed with "lz4"; jsonl can, with gzip or zstd'),
        ({"name": "parquet", "compression": "gzip"}, "as parquet can't be compressed"),
    ],
)
def test_formats_that_there_are_not(options, message):
    with pytest.raises(ConfigurationError, match=message):
        RowFormat(**options)


def test_a_field_whose_name_is_no_text_is_an_error(tmp_path):
    with pytest.raises(IncompleteResults, match=r"field 'half \\ud800'"):
        store(tmp_path / "rows.parquet", [line(0, {"half \ud800": 1})])
