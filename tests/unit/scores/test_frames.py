from __future__ import annotations

import json

import pandas as pd
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores import RowScore, low_scoring_rows, row_scores_frame
from airflow_provider_benchmarks.scores.rows import read_rows


def frame_of(content: bytes) -> pd.DataFrame:
    return row_scores_frame(read_rows(content.split(b"\n")))


def row(item, scores, **more) -> RowScore:
    metrics = {m: [{"name": n, "value": v} for n, v in named.items()] for m, named in scores.items()}
    return RowScore.from_json(json.dumps({"item": item, "metrics": metrics, **more}).encode())


def documented_recipe(content: bytes) -> pd.DataFrame:
    """The code of the service's "Benchmark Results" page."""
    rows = []
    for row in (json.loads(each) for each in content.splitlines()):
        flat_row = {**row["item"]}
        for scores in row["metrics"].values():
            for score in scores:
                flat_row[score["name"]] = score["value"]
        rows.append(flat_row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("number", [38, 97])
def test_it_is_the_documented_recipe(recorded, number):
    ours = frame_of(recorded(number))
    documented = documented_recipe(recorded(number))
    assert list(ours.columns) == list(documented.columns)
    assert ours.index.name == "row_index"
    pd.testing.assert_frame_equal(ours, documented.rename_axis(index="row_index"), check_dtype=False)


def test_scores_are_floats_as_in_the_documented_table(recorded):
    frame = frame_of(recorded(38))
    assert frame["exact-match"].dtype == "float64"
    assert frame["exact-match"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_two_metrics_with_one_score_name_are_both_kept(recorded):
    frame = frame_of(recorded(94))
    assert "exact-match" not in frame
    assert {"my-workspace/exact-match:exact-match", "my-workspace/exact-match-lower:exact-match"} < set(frame)


def test_a_score_never_overwrites_an_item_field():
    frame = row_scores_frame([row({"f1": "a field", "x": 1}, {"w/m": {"f1": 0.5}})])
    assert frame["f1"].tolist() == ["a field"]
    assert frame["w/m:f1"].tolist() == [0.5]
    assert frame.attrs["score_columns"] == ["w/m:f1"]


def test_a_field_with_the_long_name_too_loses_nothing():
    frame = row_scores_frame([row({"f1": 1, "w/m:f1": 2}, {"w/m": {"f1": 0.5}})])
    assert frame.iloc[0].to_dict() == {"f1": 1, "w/m:f1": 2, "w/m:f1 (2)": 0.5}
    assert frame.attrs["score_columns"] == ["w/m:f1 (2)"]


def test_scores_named_like_the_long_name_of_another_are_all_kept():
    frame = row_scores_frame([row({}, {"w/a": {"x": 1}, "w/b": {"x": 2}, "w/c": {"w/a:x": 9}})])
    assert frame.iloc[0].to_dict() == {"w/a:x": 1.0, "w/b:x": 2.0, "w/c:w/a:x": 9.0}


def test_labels_booleans_and_missing_values_survive():
    frame = row_scores_frame(
        [
            row({}, {"w/m": {"s": 1, "s.label": "yes", "b": True}}),
            row({}, {"w/m": {"s": "NaN", "s.label": "", "b": False}}),
            row({}, {"w/m": {"s": None}}),
        ]
    )
    assert frame["s"].isna().tolist() == [False, True, True]
    assert frame["s.label"].tolist() == ["yes", "", None]
    assert frame["b"].tolist() == [True, False, None]


@pytest.mark.parametrize("word", ["NaN", "inf", "-inf", "Infinity", "-Infinity"])
def test_a_label_is_a_text_whatever_it_says(word):
    frame = row_scores_frame([row({}, {"w/m": {"s": word, "s.label": word}})])
    assert isinstance(frame["s"].iloc[0], float)
    assert frame["s.label"].tolist() == [word]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, None, 2**60 + 1], "object"),
        ([1.5, 2**60 + 1], "object"),
        ([2**63], "object"),
        (["whole", "half \ud800"], "object"),
        ([1, None], "float64"),
        ([2**60 + 1], "int64"),
    ],
)
def test_no_value_of_an_item_is_changed(values, dtype):
    column = row_scores_frame([row({"f": value}, {}) for value in values])["f"]
    assert column.dtype == dtype
    assert [None if pd.isna(value) else value for value in column] == values


def test_half_a_character_in_a_name_is_written_as_its_escape():
    frame = row_scores_frame([row({"a \ud800": 1}, {"w/m": {"s \ud800": 2, "s \\ud800": 3}})])
    assert frame.iloc[0].to_dict() == {"a \\ud800": 1, "s \\ud800 (2)": 3.0, "s \\ud800 (3)": 2.0}


def test_rows_with_a_failed_call_are_reported(recorded):
    assert frame_of(recorded(133)).attrs["call_errors"] == [3]
    failed = {"inference_error": "no answer"}
    rows = [row({}, {}, sample=sample) for sample in (failed, [failed], "inference_error", {}, None)]
    assert row_scores_frame(rows).attrs["call_errors"] == [0]


def test_rows_without_an_index_are_numbered():
    frame = row_scores_frame([row({"a": 1}, {}), row({"a": 2}, {})])
    assert frame.index.tolist() == [0, 1]
    assert row_scores_frame([row({"a": 1}, {}, row_index=7)]).index.tolist() == [7]


def test_no_rows_give_an_empty_frame():
    assert row_scores_frame([]).empty


def test_low_scoring_rows_are_those_of_the_documented_page():
    scores = [(0, 1), (0, 1), (1, 0), (1, 1), (1, 1)]
    frame = row_scores_frame(
        [row({"id": i}, {"w/a": {"exact": a}, "w/b": {"check": b}}) for i, (a, b) in enumerate(scores)]
    )
    assert low_scoring_rows(frame, 0.7).index.tolist() == [0, 1, 2]


def test_a_numeric_item_field_is_no_score():
    frame = row_scores_frame([row({"difficulty": 0.1}, {"w/m": {"s": 0.9}})])
    assert low_scoring_rows(frame, 0.7).empty


def test_a_nan_is_not_low():
    frame = row_scores_frame([row({}, {"w/m": {"s": "NaN", "t": 0.9}}), row({}, {"w/m": {"s": "NaN", "t": 0.1}})])
    assert low_scoring_rows(frame, 0.7).index.tolist() == [1]


@pytest.mark.parametrize(
    ("scores", "low", "others"),
    [
        ([0.1, "n/a", 0.9], [0], {"s": 1}),
        ([2**60, 0.1], [1], {}),
        ([-(10**400), 10**400], [0], {}),
        ([True, False, 0.1], [2], {"s": 2}),
        (["0.1", [0.1], {"a": 0.1}, None], [], {"s": 3}),
        ([None, "NaN", 0.1], [2], {}),
        (["-Infinity", "Infinity"], [0], {}),
    ],
)
def test_numbers_count_whatever_else_the_score_has(scores, low, others):
    frame = row_scores_frame([row({}, {"w/m": {"s": score, "t": 0.9, "t.label": "0.1"}}) for score in scores])
    found = low_scoring_rows(frame, 0.5)
    assert found.index.tolist() == low
    assert found.attrs["not_numbers"] == others
    assert "not_numbers" not in frame.attrs


@pytest.mark.parametrize("dtype", ["Float64", "float32", "int64"])
def test_numbers_of_other_types_count(dtype):
    frame = pd.DataFrame({"s": pd.array([0, 1], dtype=dtype)})
    if dtype == "Float64":
        frame.loc[1, "s"] = pd.NA
    frame.attrs["score_columns"] = ["s"]
    assert low_scoring_rows(frame, 0.5).index.tolist() == [0]


def test_a_frame_from_elsewhere_must_name_its_scores():
    with pytest.raises(ConfigurationError, match="score_columns"):
        low_scoring_rows(pd.DataFrame({"s": [0.1]}), 0.7)
