from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.scores import low_scoring_rows, read_row_scores, row_scores_frame
from airflow_provider_benchmarks.scores.column_names import column_names
from airflow_provider_benchmarks.scores.columns import FIXED
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.store import RowFormat
from tests.support.stored_rows import line, store


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
    loaded = read_row_scores(stored.path)
    assert loaded.pop("metric_errors").isna().all()
    pd.testing.assert_frame_equal(loaded, row_scores_frame(read_rows(content.split(b"\n"))))


@pytest.mark.parametrize(("compression", "codec"), [(None, "ZSTD"), ("zstd", "ZSTD"), ("snappy", "SNAPPY")])
@pytest.mark.parametrize("values", [[1, 2], [1, "late text"]])
def test_parquet_has_the_codec_that_was_asked_for(tmp_path, compression, codec, values):
    lines = [line(place, {"f": value}) for place, value in enumerate(values)]
    stored = store(tmp_path / "rows.parquet", lines, batches=True, compression=compression)
    chunk = pq.ParquetFile(stored.path).metadata.row_group(0).column(1)
    assert (chunk.path_in_schema, chunk.compression) == ("f", codec)
    assert list(read_row_scores(stored.path)["f"]) == values


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


texts = st.text(st.characters(), max_size=5)  # half characters among them
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(0, 1) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
odd_json = json_values | st.sampled_from(["NaN", math.nan, math.inf, [math.nan], {"a": -math.inf}])
odd_samples = odd_json | st.dictionaries(st.sampled_from(["inference_error", "response"]), odd_json, max_size=2)


def is_same(found: Any, value: Any) -> bool:
    """Equal, and a number, boolean or text as before; integers may have become floats."""
    if hasattr(found, "item"):
        found = found.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return found is None or (isinstance(found, float) and math.isnan(found))
    if type(found) is float and type(value) is int:
        return abs(value) <= 2**53 and found == value
    return type(found) is type(value) and repr(found) == repr(value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "", "row_index", "s", "\ud800"]), json_values), max_size=5
    ),
    scores=st.lists(st.dictionaries(st.sampled_from(["s", "t"]), json_values), max_size=5),
    errors=st.lists(odd_json, min_size=5, max_size=5),
    samples=st.lists(odd_samples, min_size=5, max_size=5),
    batches=st.booleans(),
)
def test_any_rows_come_back(tmp_path, items, scores, errors, samples, batches):
    count = max(len(items), len(scores))
    items += [{}] * (count - len(items))
    scores += [{}] * (count - len(scores))
    lines = [
        line(i, item, {"w/m": named}, metric_errors=error, sample=sample)
        for i, (item, named, error, sample) in enumerate(zip(items, scores, errors, samples))  # noqa: B905
    ]
    content = b"".join(lines)
    parquet = store(tmp_path / "rows.parquet", lines, batches=batches, with_sample=True)
    jsonl = store(tmp_path / "rows.jsonl", lines, "jsonl")
    named = column_names(
        dict.fromkeys(key for item in items for key in item),
        list(dict.fromkeys(("w/m", key) for one in scores for key in one)),
        fixed=FIXED,
    )
    for loaded in (
        read_row_scores(parquet.path),
        read_row_scores(jsonl.path, columns=pq.read_schema(parquet.path).names),
    ):
        for i, row in enumerate(read_rows(content.split(b"\n"))):
            for key, value in row.item.items():
                assert is_same(loaded[named[0][key]].iloc[i], value)
            for key, value in row.metrics["w/m"].items():
                assert is_same(loaded[named[1]["w/m", key]].iloc[i], value)
            assert is_same(loaded["metric_errors"].iloc[i], row.metric_errors or None)
            assert is_same(loaded["sample"].iloc[i], None if row.sample == {} else row.sample)
            assert (row.inference_error is not None) == (i in loaded.attrs["call_errors"])
            if row.inference_error is not None:
                assert loaded["inference_error"].iloc[i] == row.inference_error


@pytest.mark.parametrize(
    "values",
    [
        [2.5, 1, 3, "text"],
        [1, 2.5, 3, None, 4, True],
        [None, 0.5, None, 1, 2**60 + 1],
        [1.0, 2, 0.5, 2**70],
        [1, "text", 2.5, 1],
    ],
)
def test_how_rows_are_cut_into_batches_does_not_matter(tmp_path, values):
    lines = [line(i, {"f": value}) for i, value in enumerate(values)]
    whole, cut = (store(tmp_path / f"{batches}", lines, batches=batches) for batches in (False, True))
    assert pq.read_table(cut.path).column("f").to_pylist() == [None if v is None else json.dumps(v) for v in values]
    assert pq.read_table(cut.path).equals(pq.read_table(whole.path))
    assert pq.read_metadata(cut.path).metadata == pq.read_metadata(whole.path).metadata


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), json_values), max_size=6))
def test_how_any_rows_are_cut_into_batches_does_not_matter(tmp_path, items):
    lines = [line(i, item) for i, item in enumerate(items)]
    whole, cut = (store(tmp_path / f"{batches}", lines, batches=batches) for batches in (False, True))
    assert pq.read_table(cut.path).equals(pq.read_table(whole.path))
    assert pq.read_schema(cut.path).equals(pq.read_schema(whole.path), check_metadata=True)


@pytest.mark.parametrize(
    ("fields", "column", "expected"),
    [
        ({"sample": {"inference_error": "400 \ud83d"}}, "inference_error", "400 \ud83d"),
        ({"sample": {"inference_error": "400", "logprob": math.nan}}, "inference_error", "400"),
        ({"sample": {"inference_error": {"code": 400}}}, "inference_error", '{"code": 400}'),
        ({"sample": ["inference_error"]}, "sample", ["inference_error"]),
        ({"sample": "inference_error"}, "sample", "inference_error"),
        ({"sample": {"output_text": "\ud83d"}}, "sample", {"output_text": "\ud83d"}),
        ({"metric_errors": ["w/m failed"]}, "metric_errors", ["w/m failed"]),
        ({"metric_errors": "w/m failed"}, "metric_errors", "w/m failed"),
        ({"metric_errors": {"w/m": "\ud83d"}}, "metric_errors", {"w/m": "\ud83d"}),
    ],
)
@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("name", ["parquet", "jsonl", "csv"])
def test_odd_errors_and_samples_are_kept(tmp_path, fields, column, expected, batches, name):
    lines = [line(0, {}), line(1, {}, **fields), line(2, {}, sample={"inference_error": "no answer"})]
    if name == "csv" and expected == "400 \ud83d":
        expected = json.dumps(expected)  # CSV does not say that a column is JSON
    loaded = read_row_scores(
        store(tmp_path / "rows", lines, name, batches=batches, with_sample=True).path, columns=[column]
    )
    assert loaded[column].iloc[1] == expected
    assert pd.isna(loaded[column].iloc[0])


@pytest.mark.parametrize(
    ("sample", "with_sample"),
    [(b'{"output_text": "\xff"}', True), (b'{"inference_error": "\xff"}', False)],
)
@pytest.mark.parametrize("rows_before", [0, 2])
def test_a_sample_that_is_no_text_is_an_error_that_names_the_row(tmp_path, sample, with_sample, rows_before):
    lines = [line(i, {}, {"w/m": {"s": 1}}) for i in range(rows_before)]
    lines.append(line(rows_before, {}, {"w/m": {"s": 1}}).replace(b'"sample": {}', b'"sample": ' + sample))
    with pytest.raises(IncompleteResults, match=f"the sample of row index {rows_before} can't be read: 'utf-8' codec"):
        store(tmp_path / "rows.parquet", lines, batches=True, with_sample=with_sample)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("sample", [None, {}, {"output_text": "yes"}])
def test_outputs_have_a_column_where_a_row_has_one(tmp_path, sample, batches):
    lines = [line(0, {"a": 1}), line(1, {"a": 2}, sample=sample), line(2, {"a": 3})]
    loaded = read_row_scores(store(tmp_path / "rows", lines, batches=batches, with_sample=None).path)
    assert list(loaded.get("sample", [])) == ([None, sample, None] if sample else [])
    assert list(loaded["a"]) == [1, 2, 3]


@pytest.mark.parametrize("word", ["NaN", "inf", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["parquet", "jsonl", "csv"])
def test_a_label_is_a_text_whatever_it_says(tmp_path, word, name):
    lines = [line(i, {}, {"w/m": {"s": word, "s.label": label}}) for i, label in enumerate([word, "other"])]
    for batches in (False, True):
        loaded = read_row_scores(store(tmp_path / f"{batches}", lines, name, batches=batches).path)
        assert loaded["s.label"].tolist() == [word, "other"]
        assert loaded["s"].dtype == "float64"


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

    @pytest.mark.parametrize("batches", [False, True])
    def test_nothing_overwrites_anything(self, tmp_path, batches):
        lines = [
            line(0, {"sample": 1, "item.sample": 2, "w/a:x": 3}, {"w/a": {"x": 4}}),
            line(1, {}, {"w/b": {"x": 5}, "w/c": {"w/a:x": 6}}),
        ]
        expected = {
            "item.sample": [1, None],
            "item.item.sample": [2, None],
            "w/a:x": [3, None],
            "w/a:x (2)": [4, None],
            "w/b:x": [None, 5],
            "w/c:w/a:x": [None, 6],
        }
        for name in ("parquet", "jsonl", "csv"):
            loaded = read_row_scores(store(tmp_path / name, lines, name, batches=batches).path)
            found = {key: [None if pd.isna(v) else v for v in loaded[key]] for key in loaded if key != "metric_errors"}
            assert found == expected
            if name != "csv":
                assert loaded.attrs["score_columns"] == ["w/a:x (2)", "w/b:x", "w/c:w/a:x"]

    def test_half_a_character_in_a_name_is_written_as_its_escape(self, tmp_path):
        lines = [line(0, {"half \ud800": 1}, {"w/m": {"\ud800": 2}})]
        for name in ("parquet", "jsonl", "csv"):
            loaded = read_row_scores(store(tmp_path / name, lines, name).path)
            assert loaded[["half \\ud800", "\\ud800"]].iloc[0].tolist() == [1, 2]


def read_or_error(path):
    try:
        return read_row_scores(path)
    except (IncompleteResults, ConfigurationError) as error:
        return error


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_flipped_bit_of_a_parquet_file_changes_nothing_silently(tmp_path, place):
    lines = [line(i, {"q": f"q{i}"}, {"w/m": {"s": i % 2, "t": i / 7}}) for i in range(100)]
    path = tmp_path / "rows.parquet"
    store(path, lines)
    content, whole = path.read_bytes(), read_row_scores(path)
    footer = int.from_bytes(content[-8:-4], "little") + 8  # a manifest has its hash
    for at in range(place, len(content) - footer, 100):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        found = read_or_error(path)
        if isinstance(found, Exception):
            assert str(path) in str(found)
        else:
            pd.testing.assert_frame_equal(found, whole)


def test_a_flipped_bit_of_a_footer_is_named(tmp_path):
    store(path := tmp_path / "rows.parquet", [line(i, {"q": f"q{i}"}, {"w/m": {"s": i}}) for i in range(100)])
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    for at in range(len(content) - footer, len(content), 3):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        found = read_or_error(path)
        assert not isinstance(found, Exception) or str(path) in str(found)


def test_the_metadata_has_a_digest_of_scores_and_errors(tmp_path):
    def digest(change=lambda row: row, **options):
        rows = [{"item": {"q": i}, "scores": {"w/m": {"s": i % 2, "s.label": "no"}}} for i in range(9)]
        rows = [change(row) if i == 5 else row for i, row in enumerate(rows)]
        lines = [line(i, row.pop("item"), row.pop("scores"), **row) for i, row in enumerate(rows)]
        path = store(tmp_path / "rows.parquet", lines, **options).path
        return pq.read_metadata(path).metadata[b"benchmarks.values"]

    same = digest()
    assert digest(batches=True) == digest(lambda row: {**row, "item": {"q": "?"}}) == same
    others = {
        digest(lambda row: {**row, "scores": {"w/m": {"s": 0, "s.label": "no"}}}),
        digest(lambda row: {**row, "scores": {"w/m": {"s": None, "s.label": "no"}}}),
        digest(lambda row: {**row, "scores": {"w/m": {"s": 1, "s.label": "on"}}}),
        digest(lambda row: {**row, "metric_errors": {"w/m": "failed"}}),
        digest(lambda row: {**row, "sample": {"inference_error": "failed"}}),
        digest(with_sample=True),
    }
    assert len(others - {same}) == 6


def test_no_rows_give_an_empty_file(tmp_path):
    for name in ("parquet", "jsonl", "csv"):
        assert store(tmp_path / name, [], name).rows == 0
    assert read_row_scores(tmp_path / "parquet").empty
    assert read_row_scores(tmp_path / "jsonl").empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "xml"}, 'unknown format of row scores "xml"; known: jsonl, parquet, csv'),
        ({"compression": "lz4"}, 'with "lz4". What can be: jsonl with gzip or zstd; parquet with zstd or snappy'),
        ({"name": "csv", "compression": "gzip"}, "as csv can't be compressed"),
        ({"name": "parquet", "compression": "gzip"}, "as parquet can't be compressed"),
    ],
)
def test_formats_that_there_are_not(options, message):
    with pytest.raises(ConfigurationError, match=message):
        RowFormat(**options)
