from __future__ import annotations

import json

import pandas as pd
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
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


def test_a_field_with_the_long_name_is_an_error_and_not_a_loss():
    with pytest.raises(IncompleteResults, match='"w/m:f1"'):
        row_scores_frame([row({"f1": 1, "w/m:f1": 2}, {"w/m": {"f1": 0.5}})])


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


def test_a_frame_from_elsewhere_must_name_its_scores():
    with pytest.raises(ConfigurationError, match="score_columns"):
        low_scoring_rows(pd.DataFrame({"s": [0.1]}), 0.7)
