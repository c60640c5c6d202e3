"""Two files hold the same rows where all that they say is equal as JSON."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.formats.same_rows import RowComparison

ROW = {
    "row_index": 0,
    "item": {"q": 1, "nested": {"a": [1, 0.0], "b": None}},
    "sample": {"output_text": "x"},
    "metrics": {"w/m": [{"name": "s", "value": 1}]},
    "metric_errors": {"w/n": {"code": 1}},
    "requests": [],
}
INF = float("inf")


def are_same(one, other, *, but_outputs):
    lines = [json.dumps(row).encode() + b"\n" for row in (one, other)]
    comparison = RowComparison(lines[:1], but_outputs=but_outputs)
    comparison.add(lines[1])
    return comparison.finish()


def row(**changed):
    return {**ROW, **changed}


@pytest.mark.parametrize("but_outputs", [False, True])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"item": {"q": 1}}, {"item": {"q": True}}),
        ({"item": {"q": 0}}, {"item": {"q": False}}),
        ({"item": {"q": {"a": [1]}}}, {"item": {"q": {"a": [True]}}}),
        ({"item": {"q": INF}}, {"item": {"q": None}}),
        ({"item": {"q": [INF]}}, {"item": {"q": [None]}}),
        ({"item": {"q": INF}}, {"item": {"q": -INF}}),
        ({"item": {"q": "1"}}, {"item": {"q": 1}}),
        ({"item": {"sample": 1}}, {"item": {"item.sample": 1}}),
        ({"metrics": {"w/m": [{"name": "s", "value": 1}]}}, {"metrics": {"w/m": [{"name": "s", "value": True}]}}),
        ({"metrics": {"w/m": [{"name": "s", "value": "Infinity"}]}}, {"metrics": {"w/m": [{"name": "s"}]}}),
        ({"metric_errors": {"w/n": {"code": 1}}}, {"metric_errors": {"w/n": {"code": True}}}),
        ({"metric_errors": {"w/n": INF}}, {"metric_errors": {"w/n": None}}),
        ({"sample": {"inference_error": {"code": 1}}}, {"sample": {"inference_error": {"code": True}}}),
    ],
)
def test_values_that_are_not_equal_are_others(one, other, but_outputs):
    assert not are_same(row(**one), row(**other), but_outputs=but_outputs)
    assert not are_same(row(**other), row(**one), but_outputs=but_outputs)


@pytest.mark.parametrize("but_outputs", [False, True])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"item": {"q": 1, "x": {"a": [1, -0.0], "b": 2}}}, {"item": {"x": {"b": 2.0, "a": [1.0, 0]}, "q": 1.0}}),
        ({"item": {"q": float("nan")}}, {"item": {"q": None}}),
        ({"metrics": {"w/m": [{"name": "s", "value": "NaN"}]}}, {"metrics": {"w/m": [{"name": "s", "value": None}]}}),
        ({"metric_errors": {}}, {"metric_errors": None}),
    ],
)
def test_equal_values_are_the_same_however_they_are_written(one, other, but_outputs):
    assert are_same(row(**one), row(**other), but_outputs=but_outputs)


def test_a_missing_value_is_null_where_columns_are_compared():
    one, other = row(item={"q": 1, "x": None}), row(item={"q": 1})
    assert are_same(one, other, but_outputs=True)
    assert not are_same(one, other, but_outputs=False)


def test_outputs_count_unless_they_are_left_out():
    one, other = row(), row(sample={"output_text": "y"})
    assert are_same(one, other, but_outputs=True)
    assert not are_same(one, other, but_outputs=False)
