from __future__ import annotations

from datetime import datetime

from airflow_provider_benchmarks.testing._jobs.column_types import unify_column_types


def test_every_row_gets_every_column():
    assert unify_column_types([{"a": 1}, {"b": "x"}]) == [{"a": 1, "b": None}, {"a": None, "b": "x"}]


def test_whole_numbers_become_floats_next_to_floats():
    table = unify_column_types([{"n": [1]}, {"n": [2.5]}, {"n": None}])
    assert [type(number) for number in (table[0]["n"][0], table[1]["n"][0])] == [float, float]
    assert table[2]["n"] is None


def test_dates_become_times_only_where_all_are_dates():
    assert unify_column_types([{"d": "2020-01-01"}, {"d": None}]) == [{"d": datetime(2020, 1, 1)}, {"d": None}]
    assert unify_column_types([{"d": "2020-01-01"}, {"d": "soon"}]) == [{"d": "2020-01-01"}, {"d": "soon"}]
    assert unify_column_types([{"d": "2020-99-01"}]) == [{"d": "2020-99-01"}]


def test_nested_objects_are_completed_too():
    assert unify_column_types([{"o": {"p": 1}}, {"o": {"q": 2}}, {"o": None}]) == [
        {"o": {"p": 1, "q": None}},
        {"o": {"p": None, "q": 2}},
        {"o": None},
    ]


def test_rows_that_no_table_can_hold_stay_as_they_are():
    rows = [{"m": 1, "a": 1}, {"m": "s"}]
    assert unify_column_types(rows) == rows
