"""What counts as a number among a score's rows, whatever column they stand in."""

from __future__ import annotations

import pandas as pd
import pytest

from airflow_provider_benchmarks.gates.row_values import RowValues


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "Int64", "Float64", "object"])
def test_numbers_of_any_dtype_are_numbers(dtype):
    found = RowValues.of(pd.DataFrame({"s": pd.Series([1, 0, 1], dtype=dtype)}), "s")
    assert (found.numbers.tolist(), found.count) == ([1, 0, 1], 3)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "float64", "object", "boolean", "string", "category"])
def test_what_is_missing_in_any_dtype_is_without_a_value(dtype):
    found = RowValues.of(pd.DataFrame({"s": pd.Series([None, None], dtype=dtype)}), "s")
    assert (found.count, found.counts.without_value, found.counts.not_numbers) == (0, 2, 0)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([True, False]),
        pd.Series([True, False], dtype="boolean"),
        pd.Series(["1", "good"]),
        pd.Series(["1", "good"], dtype="string"),
        pd.Series(["1", "good"], dtype="category"),
        pd.Series([True, "0.5"], dtype="object"),
        pd.to_datetime(pd.Series(["2026-01-01", "2026-01-02"])),
        pd.Series([1j, 2j]),
        pd.Series([10**400, -(10**400)], dtype="object"),
    ],
    ids=lambda values: f"{values.dtype} {type(values.iloc[0]).__name__}",
)
def test_what_is_no_number_in_any_dtype_is_none(values):
    found = RowValues.of(pd.DataFrame({"s": values}), "s")
    assert (found.count, found.counts.without_value, found.counts.not_numbers) == (0, 0, 2)


def test_infinite_numbers_are_no_value():
    found = RowValues.of(pd.DataFrame({"s": [float("inf"), float("nan"), 0.5]}), "s")
    assert (found.count, found.counts.without_value) == (1, 2)
