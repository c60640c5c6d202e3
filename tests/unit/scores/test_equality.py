"""One notion of equality for keys and items, whatever column, dtype or file they stand in."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.equality import (
    are_among,
    canonical,
    canonical_column,
    canonical_texts,
    hash_items,
    same_values,
)

BIG = 2**53
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        (BIG, float(BIG)),
        ({"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}),
        ([], ()),
        (None, float("nan")),
        (np.int64(BIG + 1), BIG + 1),
        (np.array([1, 2]), [1, 2]),
        (np.bool_(True), True),
    ],
)
def test_values_that_are_equal_as_json_have_one_text(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, "1"),
        (True, "true"),
        (None, "null"),
        (None, ""),
        ([1], "[1]"),
        (BIG, BIG + 1),
        (BIG + 1, float(BIG)),
        ([10**5000], [10**5000 + 1]),
        (0.1, 0.1 + 2**-56),
        (31, "1f"),
        ("a\0", "a"),
        ("\ud800", "\ud801"),
        ({"a": None}, {}),
        (["a", "b"], ["b", "a"]),
    ],
)
def test_others_have_others(one, other):
    assert canonical(one) != canonical(other)


@given(JSON, JSON)
def test_texts_are_equal_where_the_values_are(one, other):
    assert canonical(json.loads(json.dumps(one))) == canonical(one)
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert canonical(one) == canonical(other)
    if canonical(one) == canonical(other):
        assert one == other


def test_what_is_nested_too_deeply_is_reported_so():
    deep = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(IncompleteResults, match="nested too deeply"):
        canonical_texts([deep])


@pytest.mark.parametrize("dtype", ["int64", "Int64", "object", "float64", "category"])
def test_the_dtype_of_a_column_does_not_matter(dtype):
    column = pd.Series([1, 2, 3], dtype="int64").astype(dtype)
    assert list(canonical_column(column)) == [canonical(value) for value in (1, 2, 3)]
    assert same_values(column, pd.Series([1, 2, 4])).tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", ["Int64", "string", "object", "boolean", "float64"])
def test_what_is_missing_is_equal_whatever_stands_for_it(dtype):
    missing = pd.Series([None, None], dtype=dtype)
    assert same_values(missing, pd.Series([None, "x"], dtype="object")).tolist() == [True, False]
    assert same_values(missing, missing).all()
    assert hash_items([("a", canonical_column(missing))], 2).tolist() == [0, 0]


def test_large_numbers_beside_a_missing_one_keep_their_value():
    one, other = (pd.Series([None, BIG + more], dtype="object") for more in (0, 1))
    assert same_values(one, other).tolist() == [True, False]


def test_an_item_is_its_fields_in_any_order_and_nothing_else():
    one, two = canonical_column(pd.Series(["x"])), canonical_column(pd.Series(["y"]))
    assert hash_items([("a", one), ("b", two)], 1) == hash_items([("b", two), ("a", one)], 1)
    assert hash_items([("a", one), ("b", two)], 1) != hash_items([("a", two), ("b", one)], 1)


@pytest.mark.parametrize(
    ("column", "wanted", "found"),
    [
        ([1, 2, 3], [1.0, True, "2"], [1]),
        ([1, None, 3], [1, None], [1, None]),
        ([1.5, 2.0], [2, "1.5"], [2.0]),
        ([BIG + 1, BIG], [float(BIG)], [BIG]),
        ([True, False], [1, "True"], []),
        (["1", "a"], [1, "a"], ["a"]),
        ([1, True, "1", 1.0], [1], [1, 1.0]),
        ([1, True, "1"], [True], [True]),
        ([[1], "a", {"b": 1}], ["a"], ["a"]),
    ],
)
@pytest.mark.parametrize("dtype", [None, "object"])
def test_which_values_are_among_others(column, wanted, found, dtype):
    assert_among(pd.Series(column, dtype=dtype), column, wanted, found)


def test_which_values_are_among_others_that_only_a_column_of_objects_holds():
    column = [0.1, 10**30]
    assert_among(pd.Series(column, dtype="object"), column, [10**30], [10**30])


def assert_among(values, column, wanted, found):
    chosen = [value for value, is_one in zip(column, are_among(values, wanted), strict=True) if is_one]
    assert [repr(value) for value in chosen] == [repr(value) for value in found]
