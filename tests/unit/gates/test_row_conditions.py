"""What a check says where no row meets its conditions."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from tests.support.scored_jobs import job, judge

CATEGORIES = ["code", "history"]


def of_items(*items):
    return job([1.0] * len(items), items=[{"q": i, **item} for i, item in enumerate(items)])


def reason(where, *items, by=None):
    scores = of_items(*items)
    found = judge(Threshold("m", at_least=0, where=where, by=by), scores, None)
    assert (found.outcome, found.count) == ("fail", 0)
    compared = judge(NoRegression("m", where=where, by=by, key="q"), scores, scores)
    assert (compared.outcome, compared.reason) == ("fail", found.reason)
    return found.reason


@pytest.mark.parametrize("by", [None, "q"])
def test_the_values_that_there_are(by):
    items = [{"category": CATEGORIES[i % 2]} for i in range(20)]
    assert reason({"category": "math"}, *items, by=by) == "no row has category = math; there are: code, history"
    assert reason({"category": ["math", "art"]}, *items, by=by) == (
        "no row has category in math, art; there are: code, history"
    )


def test_a_typo():
    assert reason({"category": "histroy"}, *({"category": name} for name in CATEGORIES)) == (
        'no row has category = histroy; there are: code, history. Did you mean "history"?'
    )


def test_many_values_and_long_ones():
    items = [{"category": f"{i:02d}"} for i in range(20)]
    assert reason({"category": "math"}, *items) == (
        "no row has category = math; there are: 00, 01, 02, 03, 04, 05, 06, 07 and 12 others"
    )
    found = reason({"category": "math"}, {"category": "x" * 5000}, {"category": "y"})
    assert found == f"no row has category = math; there are: {'x' * 40}… (5,000 characters), y"


def test_values_of_another_type_are_told_apart():
    items = [{"level": level} for level in (1, 2, 2)]
    assert reason({"level": "1"}, *items) == 'no row has level = "1"; there are: 1, 2'
    assert reason({"level": [3, "2"]}, *items) == 'no row has level = 3 or "2"; there are: 1, 2'


def test_ranges():
    items = [{"length": length} for length in (3, 1, 8)]
    assert reason({"length": {"at_least": 10}}, *items) == "no row has length ≥ 10; the smallest is 1, the largest 8"
    assert reason({"length": {"above": 3, "below": 8}}, *items) == (
        "no row has length > 3, length < 8; the smallest is 1, the largest 8"
    )
    assert reason({"length": {"above": 3}}, {"length": "long"}, {"length": "short"}) == (
        "no row has length > 3, as no value is a number; there are: long, short"
    )


def test_fields_without_a_value():
    assert reason({"category": "math"}, {"category": None}, {"category": None}) == (
        "no row has category = math: none has a value of category"
    )
    assert reason({"tags": "math"}, {"tags": ["a", {"b": 1}]}, {"tags": ["a", {"b": 1}]}, {"tags": True}) == (
        "no row has tags = math; there are: True, ['a', {'b': 1}]"
    )


def test_conditions_that_no_row_meets_at_once():
    items = [{"category": "math", "level": 1}, {"category": "code", "level": 2}, {"category": "code", "level": 2}]
    assert reason({"category": "math", "level": 2}, *items) == (
        "no row meets all conditions at once, though some meet each: category = math (1 row), level = 2 (2 rows)"
    )
    assert reason({"category": "art", "level": 2}, *items) == "no row has category = art; there are: code, math"


@pytest.mark.parametrize("by", [None, "category"])
def test_rows_of_which_none_is_paired(by):
    """There is no row whose values could be listed."""
    mine = of_items(*({"category": "math"} for _ in range(20)))
    theirs = job([1.0] * 20, items=[{"q": 100 + i, "category": "math"} for i in range(20)])
    found = judge(NoRegression("m", by=by, key="q", max_unpaired=1), mine, theirs)
    assert found.outcome == "fail"
    assert found.reason == ("0 pairs of rows with a score, 10 are needed" if by is None else "there are no rows")


def test_groups_of_values_with_the_same_text_have_two_names():
    values = [1, "1", None, "None", True, "x", 2] * 2
    scores = of_items(*({"g": value} for value in values))
    names = {'g = "1"', "g = 1", 'g = "None"', "g = None", "g = True", "g = x", "g = 2"}
    for check in (Threshold("m", at_least=0, by="g"), NoRegression("m", by="g", min_count=2)):
        results = evaluate([check], scores, scores).results
        assert (len(results), {result.group for result in results}) == (7, names)


@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize(
    ("odd", "meets"),
    [
        ("\ud800", False),
        ("1\ud83d", False),
        (10**400, True),
        (-(10**400), False),
        (10**30, True),
        ("\0", False),
        ("\U0001f600", False),
        ("\uff17", False),
        (" 7 ", True),
        ("1e400", True),
        (float("inf"), True),
        ([1], False),
        (True, False),
        (None, False),
    ],
)
def test_an_odd_value_among_those_of_a_range(kind, odd, meets):
    levels = [odd if i == 3 else kind(i) for i in range(20)]
    scores = of_items(*({"level": level} for level in levels))
    found = judge(Threshold("m", at_least=0, where={"level": {"at_least": 5}}), scores, None)
    assert (found.outcome, found.count) == ("pass", 15 + meets)
    assert judge(Threshold("m", at_least=0, where={"level": {"below": -1}}), scores, None).count == (odd == -(10**400))


@pytest.mark.parametrize("odd", ["\ud800", 10**400])
def test_odd_values_where_no_row_is_in_a_range(odd):
    found = reason({"level": {"below": -5}}, {"level": odd}, {"level": 1})
    assert found.startswith("no row has level < -5; the smallest is 1, the largest")
