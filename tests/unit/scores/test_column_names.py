"""Every field and every score has a column of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.scores.column_names import column_names
from airflow_provider_benchmarks.scores.columns import FIXED


def test_a_score_has_its_name_where_nothing_else_has_it():
    items, scores = column_names(["q", "f1"], [("w/a", "x"), ("w/b", "x"), ("w/b", "y"), ("w/c", "f1")])
    assert items == {"q": "q", "f1": "f1"}
    assert list(scores.values()) == ["w/a:x", "w/b:x", "y", "w/c:f1"]


def test_a_name_that_is_the_long_name_of_another_score_is_not_given():
    _, scores = column_names([], [("w/a", "x"), ("w/c", "w/a:x")])
    assert scores == {("w/a", "x"): "x", ("w/c", "w/a:x"): "w/c:w/a:x"}


def test_fields_with_the_names_of_fixed_columns():
    items, scores = column_names(["sample", "a"], [("w/m", "sample"), ("w/m", "a")], fixed=FIXED)
    assert items == {"sample": "item.sample", "a": "a"}
    assert list(scores.values()) == ["w/m:sample", "w/m:a"]


def test_a_name_that_two_want_is_nobodys():
    items, _ = column_names(["\ud800", "\\ud800", "\\ud800 (2)"], [], fixed=FIXED)
    assert items == {"\ud800": "\\ud800 (4)", "\\ud800": "\\ud800 (3)", "\\ud800 (2)": "\\ud800 (2)"}
    _, scores = column_names([], [("a", "b:c"), ("a:b", "c"), ("x", "c"), ("x", "b:c")])
    assert list(scores.values()) == ["a:b:c (2)", "a:b:c (3)", "x:c", "x:b:c"]


NAMES = st.sampled_from(
    ["a", "b", "m:a", "item.a", "a (2)", "m:a (2)", "item.sample", "sample", "\ud800", "\\ud800", ""]
)


@given(
    st.lists(NAMES, unique=True),
    st.lists(st.tuples(st.sampled_from(["m", "m:m", "item.a", ""]), NAMES), unique=True),
    st.randoms(),
)
def test_names_differ_and_do_not_depend_on_the_order(fields, scores, chance):
    items, named = column_names(fields, scores, fixed=FIXED)
    given_out = [*items.values(), *named.values(), *FIXED]
    assert len(set(given_out)) == len(fields) + len(scores) + len(FIXED)
    assert list(items) == fields
    assert list(named) == scores
    other_fields, other_scores = list(fields), list(scores)
    chance.shuffle(other_fields)
    chance.shuffle(other_scores)
    assert column_names(other_fields, other_scores, fixed=FIXED) == (items, named)
