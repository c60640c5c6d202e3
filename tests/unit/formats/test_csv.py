"""Row scores as CSV, written and read back as far as CSV can hold them."""

from __future__ import annotations

import csv
import os
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.formats import WriteOptions
from airflow_provider_benchmarks.formats.csv import Csv
from airflow_provider_benchmarks.scores import low_scoring_rows, read_row_scores
from airflow_provider_benchmarks.store import Place, RowFormat, store_partitions
from tests.support.stored_rows import line, store

#: pandas before 3.1 ends a cell where it reads this character.
LOST = "" if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else "\0"
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=LOST)


def rows_of(path: str) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_values(tmp_path):
    item = {"text": 'é "q"\nline', "n": -1, "f": 0.5, "nested": {"a": [1]}, "none": None}
    stored = store(tmp_path / "rows.csv", [line(0, item, {"w/m": {"s": "NaN", "s.label": ""}})], "csv")
    head, row = rows_of(stored.path)
    assert head == ["row_index", *item, "s", "s.label", "metric_errors"]
    assert row == ["0", 'é "q"\nline', "-1", "0.5", '{"a": [1]}', "", "NaN", "", ""]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1+1", "＝1+1", "＋1", "－1", "＠SUM(A1)"]
)
def test_formulas_are_neutralised(tmp_path, text):
    stored = store(tmp_path / "a.csv", [line(0, {"=f": text})], "csv")
    head, row = rows_of(stored.path)
    assert (head[1], row[1]) == ("'=f", f"'{text}")
    assert read_row_scores(stored.path)["=f"].tolist() == [text]
    plain = store(tmp_path / "b.csv", [line(0, {"=f": text})], "csv", neutralise_formulas=False)
    assert rows_of(plain.path)[1][1] == text


@pytest.mark.parametrize("neutralise", [True, False])
@pytest.mark.parametrize(
    "text", ["'", "''", "'text", "'=1+1", "''=1+1", "'-5", "'+1", "'@x", "'\tx", "'\n", "'5", "'＝1"]
)
def test_an_apostrophe_of_the_text_itself_comes_back(tmp_path, text, neutralise):
    lines = [line(0, {text: text, "part": text}), line(1, {text: text.lstrip("'"), "part": text})]
    stored = store(tmp_path / "a.csv", lines, "csv", neutralise_formulas=neutralise)
    frame = read_row_scores(stored.path)
    assert list(frame.columns) == [text, "part", "metric_errors"]
    assert frame["part"].tolist() == [text, text]
    assert frame[text].tolist()[0] == text
    assert not neutralise or not any(cell[:1] in "=+-@\t\n＝" for row in rows_of(stored.path) for cell in row if cell)
    whole = store(tmp_path / "rows.parquet", lines)
    place = Place(str(tmp_path / "parts"))
    row_format = RowFormat(name="csv", neutralise_formulas=neutralise)
    store_partitions(Path(whole.path), place, fields=["part"], row_format=row_format)
    assert read_row_scores(place.url)["part"].tolist() == [text, text]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.sampled_from("'=+-@\t\r\n\"a1 ,＝"), min_size=1, max_size=6), st.booleans())
def test_every_text_comes_back(tmp_path, text, neutralise):
    stored = store(
        tmp_path / "a.csv", [line(0, {"t": text}), line(1, {"t": "no number"})], "csv", neutralise_formulas=neutralise
    )
    assert read_row_scores(stored.path)["t"].tolist() == [text, "no number"]


def test_a_negative_number_among_values_of_other_kinds_stays_a_number(tmp_path):
    values = [-5, "=1+1", -0.5, True, ["-5"]]
    stored = store(tmp_path / "a.csv", [line(i, {"f": value}) for i, value in enumerate(values)], "csv")
    assert [row[1] for row in rows_of(stored.path)[1:]] == ["-5", '"=1+1"', "-0.5", "true", '["-5"]']


@pytest.mark.parametrize("repeated", [False, True])
def test_memory_does_not_grow_with_the_size_of_rows(tmp_path, repeated):
    lines = [line(i, {"text": f"{0 if repeated else i:05}" * 4000}) for i in range(3000)]
    stored = store(tmp_path / "rows.parquet", lines)  # 60 MB
    tracemalloc.start()
    try:
        with open(os.devnull, "wb") as target:
            Csv().convert(Path(stored.path), target, WriteOptions())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6


class TestReading:
    def test_numbers_and_booleans_are_reported_by_how_they_are_spelled(self, tmp_path):
        columns = {
            "int": [1, None, -(2**60)],
            "float": [0.5, 1e300, None],
            "bool": [True, None, False],
            "text": ["a", None, "b"],
            "code": ["007", "1", "2"],
            "nothing": [None, None, None],
        }
        lists = [[1], None, None]
        scores = [{"s": 1, "s.label": "yes"}, {"s": "NaN", "s.label": ""}, {"s": 0.5}]
        lines = [
            line(i, {name: values[i] for name, values in columns.items()} | {"list": lists[i]}, {"w/m": scores[i]})
            for i in range(3)
        ]
        loaded = read_row_scores(store(tmp_path / "rows.csv", lines, "csv").path)
        found = {name: [None if pd.isna(v) else v for v in loaded[name]] for name in loaded}
        assert found.pop("metric_errors") == [None] * 3
        assert found.pop("s") == [1.0, None, 0.5]
        assert found.pop("s.label") == ["yes", None, None]
        assert found.pop("list") == ["[1]", None, None]
        assert found == columns
        assert loaded.index.tolist() == [0, 1, 2]

    def test_only_some_columns(self, tmp_path):
        lines = [line(i, {"a": i, "b": "x"}, {"w/m": {"s": 0.5}}) for i in range(2)]
        stored = store(tmp_path / "rows.csv", lines, "csv")
        assert list(read_row_scores(stored.path, columns=["s", "a"]).columns) == ["s", "a"]
        with pytest.raises(ConfigurationError, match=r"no columns \['nope'\]; it has: row_index, a, b, s"):
            read_row_scores(stored.path, columns=["nope"])

    def test_errors_and_samples_are_json(self, tmp_path):
        failed = {"inference_error": "no answer"}
        lines = [line(0, {}), line(1, {}, metric_errors={"w/m": "boom"}, sample=failed)]
        loaded = read_row_scores(store(tmp_path / "rows.csv", lines, "csv", with_sample=True).path)
        assert loaded.iloc[1].tolist() == [{"w/m": "boom"}, "no answer", failed]
        assert loaded.attrs["call_errors"] == [1]

    def test_scores_must_be_named(self, tmp_path):
        loaded = read_row_scores(store(tmp_path / "rows.csv", [line(0, {}, {"w/m": {"s": 0.1}})], "csv").path)
        with pytest.raises(ConfigurationError, match=r'set frame.attrs\["score_columns"\]'):
            low_scoring_rows(loaded, 0.5)
        loaded.attrs["score_columns"] = ["s"]
        assert low_scoring_rows(loaded, 0.5).index.tolist() == [0]

    @pytest.mark.parametrize(
        ("content", "error", "message"),
        [
            (b"row_index,a\r\n1.0,x\r\n", IncompleteResults, "invalid literal for int.*'1.0'"),
            (b'row_index,metric_errors\r\n1,"{"\r\n', IncompleteResults, "can't be read as CSV of row scores"),
            (b"row_index,a\r\n1,\xff\r\n", IncompleteResults, "can't be read as CSV of row scores"),
            (b"row_index;a\r\n1;x\r\n", ConfigurationError, "has no columns .'row_index'.; it has: row_index;a"),
        ],
    )
    def test_what_was_changed_elsewhere_is_an_error_that_names_the_file(self, tmp_path, content, error, message):
        (tmp_path / "rows.csv").write_bytes(content)
        with pytest.raises(error, match=f"rows.csv.*{message}"):
            read_row_scores(tmp_path / "rows.csv")

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(st.text(CHARACTERS, min_size=1, max_size=4), min_size=1, max_size=4), st.text(CHARACTERS, max_size=4)
    )
    def test_any_texts_come_back(self, tmp_path, texts, name):
        texts = ["a text", *texts]
        lines = [line(i, {name: text}) for i, text in enumerate(texts)]
        loaded = read_row_scores(store(tmp_path / "rows.csv", lines, "csv").path)
        column = f"item.{name}" if name in ("row_index", "sample") else name
        # An apostrophe before a formula is taken for ours.
        assert loaded[column].tolist() == [
            text[1:] if text[0] == "'" and text[1:2] and text[1] in "=+-@\t\r\n＝＋－＠" else text for text in texts
        ]
