"""What holds for checks of every type: what their fields take, and that they are plain data."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import fields
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import (
    NoDrift,
    NoRegression,
    Threshold,
    Verdict,
    WithinHistory,
    check_from_dict,
    evaluate,
)
from airflow_provider_benchmarks.gates.check import KINDS, Needs, register
from tests.support.scored_jobs import job

CHECKS = (Threshold, NoRegression, WithinHistory, NoDrift)


def make(kind, **arguments):
    bar = {"at_least": 0.5} if kind is Threshold and "at_most" not in arguments else {}
    return kind(**{"metric": "m", **bar, **arguments})


@pytest.mark.parametrize("kind", CHECKS)
def test_every_field_has_a_rule(kind):
    assert [field.name for field in fields(kind)] == list(kind.rules)


WRONG = {
    "metric": (None, 5, "", ["m"]),
    "score": (5, "", ["s"]),
    "baseline": (3, "", {"name": "b"}),
    "statistic": (None, 50, "median", "p50\n", ["mean"]),
    "at_least": ("0.7", True, math.nan, math.inf, 10**400, [0.7]),
    "at_most": ("3", False, -math.inf),
    "confidence": ("0.95", 0.5, 95, True),
    "margin": (None, "0.01", -0.01, True, math.nan),
    "relative": (None, "no", 0, 1),
    "higher_is_better": ("false", 0, [True]),
    "mode": (None, "show", ["prove"]),
    "severity": (None, "info", ["warn"]),
    "by": (3, "", ["category"]),
    "cluster_by": (3, ""),
    "repeat_by": (3, "", ["seed"]),
    "key": (5, "", {"a": 1}, [], [3], [["a"]], b"key"),
    "min_count": (None, 2.5, 0, "3", True, math.inf),
    "window": (7.5, 4, "20", True),
    "reference": (7.5, 4, "10", True, None),
    "baseline_runs": (None, 0, 1.5, "3", True),
    "spread": (0, -1, "3", math.nan),
    **dict.fromkeys(("max_nan_fraction", "max_error_rate", "max_unpaired"), (None, -0.1, 1.1, "0", True)),
    "where": (
        {}, [], "category", {1: "a"}, {"": 1}, {None: 1}, {"day": date(2024, 1, 1)}, {"x": []}, {"x": set()},
        {"x": [[1]]}, {"x": math.nan}, {"x": [math.inf]}, {"x": b"b"}, {"x": {}}, {"x": {"at_leest": 1}},
        {"x": {"at_least": "1"}}, {"x": {"at_least": True}}, {"x": {"at_least": [1]}}, {"x": object()},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (kind, name, value)
        for kind, (name, values) in product(CHECKS, WRONG.items())
        if name in kind.rules
        for value in values
    ],
)
def test_a_field_that_holds_what_it_can_not_is_named_with_it(kind, name, value):
    with pytest.raises(ConfigurationError, match=rf'"?: {name}\b.*( must .*, found |: unknown key )') as caught:
        make(kind, **{name: value})
    assert caught.value.path[0] == name
    assert pickle.loads(pickle.dumps(caught.value)).path == caught.value.path


def test_no_regression_can_not_be_turned_round_by_a_null():
    with pytest.raises(ConfigurationError, match="higher_is_better must be true or false, found None"):
        NoRegression("m", higher_is_better=None)
    assert WithinHistory("m", higher_is_better=None).higher_is_better is None


def test_a_whole_number_may_be_written_as_a_float():
    assert repr(WithinHistory("m", window=20.0).window) == "20"


def test_sets_and_tuples_are_kept_as_lists_in_one_order():
    check = NoRegression("m", where={"x": {3, 1, 2}, "y": ("b", "a"), "z": {"a", 2, None}}, key=("q", "id"))
    assert check.where == {"x": [1, 2, 3], "y": ["b", "a"], "z": [None, 2, "a"]}
    assert check.key == ["q", "id"]
    assert NoRegression("m", key={"b", "a"}).keys == ("a", "b")


def test_what_was_given_and_what_is_taken_can_be_changed_without_changing_the_check():
    given = {"x": [1], "y": {"at_least": 1}}
    check = Threshold("m", at_least=1, where=given)
    given["x"].append(2)
    given["y"]["above"] = 0
    check.to_dict()["where"]["x"].append(3)
    assert check.where == {"x": [1], "y": {"at_least": 1}}


names = st.text(min_size=1)
finite = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)
scalars = st.none() | st.booleans() | st.integers() | finite | st.text()
many = st.lists(scalars, min_size=1) | st.lists(scalars, min_size=1).map(tuple) | st.sets(scalars, min_size=1)
ranges = st.dictionaries(
    st.sampled_from(["at_least", "at_most", "above", "below"]), finite | st.integers(-(10**9), 10**9), min_size=1
)
wheres = st.none() | st.dictionaries(names, scalars | many | ranges, min_size=1)
severities = st.sampled_from(["fail", "warn"])
levels = st.floats(0.5, 1, exclude_min=True, exclude_max=True)
statistics = st.sampled_from(["mean", "max", "p90", "share:good", "nan_fraction"])

thresholds = st.builds(
    lambda low, width, statistic, confidence, **rest: Threshold(
        statistic=statistic,
        at_least=low,
        at_most=None if width is None else (low or 0) + width,
        confidence=confidence if statistic in ("mean", "p90", "share:good") else None,
        **rest,
    ),
    low=st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6),
    width=st.none() | st.floats(0, 1e6),
    statistic=statistics,
    confidence=st.none() | levels,
    metric=names,
    score=st.none() | names,
    where=wheres,
    by=st.none() | names,
    repeat_by=st.none(),
    min_count=st.integers(1, 10**6) | st.integers(1, 10**6).map(float),
    max_nan_fraction=shares,
    max_error_rate=shares,
    severity=severities,
)
comparisons = st.builds(
    lambda relative, margin, higher_is_better, **rest: NoRegression(
        margin=margin,
        relative=relative and (margin < 1 or not higher_is_better),
        higher_is_better=higher_is_better,
        **rest,
    ),
    metric=names,
    score=st.none() | names,
    baseline=st.none() | names,
    margin=st.floats(0, 1e6) | st.integers(0, 100),
    relative=st.booleans(),
    mode=st.sampled_from(["detect", "prove"]),
    confidence=levels,
    where=wheres,
    by=st.none() | names,
    key=st.none()
    | names
    | st.lists(names, min_size=1).flatmap(lambda key: st.sampled_from([key, tuple(key), set(key)])),
    cluster_by=st.none() | names,
    repeat_by=st.just("a field that no other names"),
    statistic=st.sampled_from(["mean", "majority", "pass@3"]),
    min_count=st.integers(1, 10**6),
    max_nan_fraction=shares,
    max_error_rate=shares,
    max_unpaired=shares,
    higher_is_better=st.booleans(),
    severity=severities,
)
histories = st.builds(
    WithinHistory,
    metric=names,
    score=st.none() | names,
    statistic=statistics,
    window=st.integers(5, 1000),
    spread=st.floats(0, 1e6, exclude_min=True),
    higher_is_better=st.none() | st.booleans(),
    max_nan_fraction=shares,
    severity=severities,
)
drifts = st.builds(
    NoDrift,
    metric=names,
    score=st.none() | names,
    statistic=statistics,
    reference=st.integers(5, 1000),
    higher_is_better=st.none() | st.booleans(),
    max_nan_fraction=shares,
    severity=severities,
)


@given(check=thresholds | comparisons | histories | drifts)
def test_a_check_is_what_comes_back_from_json(check):
    again = check_from_dict(json.loads(json.dumps(check.to_dict(), allow_nan=False)))
    assert again == check
    assert hash(again) == hash(check)
    assert again.to_dict() == check.to_dict()
    assert pickle.loads(pickle.dumps(check)) == check


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (Threshold("m", at_least=0.7), "≥ 0.7"),
        (Threshold("m", at_least=0.69999996), "≥ 0.69999996"),
        (Threshold("m", at_most=1234567), "≤ 1234567"),
        (Threshold("m", at_least=1e-9, at_most=0.3), "1e-09 to 0.3"),
        (NoRegression("m", margin=0.01), "drop ≤ 0.01 (detect)"),
        (NoRegression("m", margin=0.012345), "drop ≤ 0.012345 (detect)"),
        (NoRegression("m", margin=0.07, relative=True), "drop ≤ 7 % (detect)"),
        (NoRegression("m", margin=0.123456, relative=True, higher_is_better=False), "rise ≤ 12.3456 % (detect)"),
        (WithinHistory("m", spread=2.5), "within 2.5 spreads of the last 20"),
        (NoDrift("m"), "no fall since the reference of 10 jobs"),
        (NoDrift("m", reference=5, higher_is_better=False), "no rise since the reference of 5 jobs"),
        (NoDrift("m", higher_is_better=None), "no drift since the reference of 10 jobs"),
    ],
)
def test_a_bar_is_reported_exactly(check, expected):
    assert check.expected == expected


@given(bar=finite)
def test_a_bar_that_is_reported_is_the_bar(bar):
    assert float(Threshold("m", at_least=bar).expected.removeprefix("≥ ")) == bar


@pytest.mark.parametrize(
    ("check", "needs"),
    [
        (Threshold("m", at_least=1), Needs()),
        (Threshold("m", at_least=1, confidence=0.9), Needs(modules=("scipy",))),
        (Threshold("m", at_least=1, statistic="p95"), Needs(rows=True)),
        (Threshold("m", at_least=1, where={"a": 1}, by="b"), Needs(rows=True, fields=("a", "b"))),
        (NoRegression("m"), Needs(rows=True, baseline="", pairing=True, modules=("scipy",))),
        (
            NoRegression("m", baseline="old", key=["id", "a"], where={"a": 1}, cluster_by="c"),
            Needs(rows=True, fields=("a", "c", "id"), baseline="old", modules=("scipy",)),
        ),
        (WithinHistory("m", window=7), Needs(history=7)),
        (NoDrift("m", reference=7), Needs(since_pin=7, modules=("scipy",))),
    ],
)
def test_a_check_says_what_it_needs(check, needs):
    assert check.needs() == needs


class TestKinds:
    def test_they_are_listed_in_one_order(self):
        assert tuple(KINDS.values()) == CHECKS
        assert list(KINDS) == ["threshold", "no_regression", "within_history", "no_drift"]

    def test_two_can_not_have_one_name(self):
        class Other(Threshold):
            pass

        with pytest.raises(ValueError, match='two kinds of checks are called "threshold"'):
            register(Other)
        register(Threshold)
        assert tuple(KINDS.values()) == CHECKS

    @pytest.mark.parametrize(
        ("kind", "meant"), [("spread", ""), ("ThResHold", '. Did you mean "threshold"?'), (None, ""), (3, "")]
    )
    def test_an_unknown_one_is_named_with_the_known_ones(self, kind, meant):
        result = {"check": {"type": kind, "metric": "m"}, "interval": None}
        for read in (lambda: check_from_dict(result["check"]), lambda: Verdict.from_dict({"results": [result]})):
            with pytest.raises(ConfigurationError) as caught:
                read()
            named = kind if isinstance(kind, str) else repr(kind)
            assert str(caught.value) == (
                f'unknown type of check "{named}"{meant or "."} Known types of checks: threshold, no_regression, '
                "within_history, no_drift"
            )

    @pytest.mark.parametrize("wrong", [{"metric": "m", "at_least": 0.5}, "m", None, Threshold])
    def test_what_is_no_check_is_not_judged(self, wrong):
        with pytest.raises(ConfigurationError) as caught:
            evaluate([Threshold("m", at_least=0.5), wrong], job([1.0] * 10))
        assert str(caught.value).startswith(
            "expected a check (threshold, no_regression, within_history, no_drift), found "
        )


@pytest.mark.parametrize(
    ("data", "message", "path"),
    [
        ({"type": ["x"], "metric": "m"}, "unknown type of check \"['x']\". Known types of checks: thre", ("type",)),
        (
            {"type": "threshold", "metric": "m", True: 1, "foo": 2},
            'unknown field "True"; threshold on "m": unknown field "foo". Known fields of threshold: metric',
            (True,),
        ),
        ({"type": "no_regression"}, "has no metric. Known fields of no_regression: metric", ()),
    ],
)
def test_plain_data_that_is_no_check_is_reported(data, message, path):
    with pytest.raises(ConfigurationError) as caught:
        check_from_dict(data)
    assert message in str(caught.value)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("data", "meant"),
    [
        ({"metric": "m", "at_leest": 0.5}, "at_least"),
        ({"type": "no_regresion", "metric": "m"}, "no_regression"),
        ({"type": "NoDrift", "metric": "m"}, "no_drift"),
    ],
)
def test_a_typo_in_a_check_names_what_was_meant(data, meant):
    with pytest.raises(ConfigurationError) as caught:
        check_from_dict(data)
    assert f'. Did you mean "{meant}"? Known ' in str(caught.value)
