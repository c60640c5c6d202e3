from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.gates import (
    CheckResult,
    NoRegression,
    Outcome,
    Threshold,
    Verdict,
    WithinHistory,
    evaluate,
)
from airflow_provider_benchmarks.scores import AggregateScores, JobScores


@pytest.fixture
def verdict(recorded):
    scores = JobScores(AggregateScores.from_json(recorded(37)), job="run-1")
    return evaluate([Threshold("exact-match", at_least=0.9), Threshold("a|<b>", at_least=0.7)], scores)


def test_the_table_has_every_check(verdict):
    table = verdict.to_table()
    head, _, first, second = table.splitlines()
    assert head.split() == [
        "outcome",
        "metric",
        "score",
        "statistic",
        "observed",
        "expected",
        "count",
        "NaNs",
        "reason",
    ]
    assert first.split()[:9] == ["FAIL", "my-workspace/exact-match", "exact-match", "mean", "0.6", "≥", "0.9", "5", "0"]
    assert 'metric "a|<b>" is not in the results' in second


def test_markdown_cells_do_not_break(verdict):
    markdown = verdict.to_markdown()
    assert markdown.startswith("**FAIL: 0 of 2 checks hold**")
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {6}


def test_html_is_escaped(verdict):
    assert "a|<b>" not in verdict.to_html()
    assert "a|&lt;b&gt;" in verdict.to_html()


def test_the_dict_has_what_a_report_needs(verdict):
    data = verdict.to_dict()
    assert (data["outcome"], data["job"]) == ("fail", "run-1")
    assert data["results"][0] == {
        "check": {"type": "threshold", "metric": "exact-match", "at_least": 0.9},
        "metric": "my-workspace/exact-match",
        "score": "exact-match",
        "statistic": "mean",
        "outcome": "fail",
        "observed": 0.6,
        "expected": "≥ 0.9",
        "interval": None,
        "count": 5,
        "nan_count": 0,
        "reason": "mean of exact-match is 0.6, expected ≥ 0.9",
        "details": {"scored": 5, "without_value": 0, "call_failed": 0},
    }


def result(check=None, outcome="pass", **fields):
    """A result of a comparison, with what a test is about."""
    known = {"metric": "ws/m", "score": "m", "observed": -0.02, "expected": "drop ≤ 0.01 (detect)", "count": 120}
    found = {"check": check or NoRegression("m"), "outcome": Outcome(outcome), "nan_count": 0, "reason": ""}
    return CheckResult(**{**known, **found, **fields})


COMPARED = {"rows": 125, "pairs": 120, "p_value": 0.4321, "margin": 0.01, "detectable_drop": 0.0214}


class TestReports:
    VERDICT = Verdict(
        results=(result(details={**COMPARED, "baseline_job": "night-2"}),),
        job="night-3",
        benchmark="ws/qa",
        workspace="team",
        baseline="night-1",
    )

    def test_they_name_the_jobs(self):
        subject = (
            'Benchmark job "night-3" of benchmark ws/qa in workspace "team", compared with "night-1" and "night-2".'
        )
        assert subject in self.VERDICT.to_markdown()
        assert "<dd>night-1, night-2</dd>" in self.VERDICT.to_html()

    @pytest.mark.parametrize("form", ["to_table", "to_markdown", "to_html"])
    def test_a_pass_says_what_it_could_have_seen(self, form):
        evidence = (
            "125 rows paired, of which 5 have no value, no significant drop beyond what is allowed (p 0.43), "
            "a drop of 0.0214 would be seen in 80 % of runs"
        )
        assert evidence in getattr(self.VERDICT, form)()

    def test_what_could_be_seen_when_less_is_better_is_a_rise(self):
        found = result(
            NoRegression("m", higher_is_better=False), outcome=Outcome.FAIL, details={**COMPARED, "p_value": 1e-9}
        )
        assert found.evidence == (
            "125 rows paired, of which 5 have no value, p < 0.0001, a rise of 0.0214 would be seen in 80 % of runs"
        )

    @pytest.mark.parametrize(
        ("details", "evidence"),
        [
            (
                {"n": 1200, "detectable_drop": math.inf, "p_value": 0.5},
                "1,200 rows, not paired, no significant drop beyond what is allowed (p 0.5)",
            ),
            (
                {**COMPARED, "clusters": 12, "p_value_adjusted": 0.8642, "comparisons": 2, "detectable_drop": None},
                (
                    "125 rows paired, of which 5 have no value, 12 clusters, no significant drop beyond what is "
                    "allowed (p 0.43; 0.86 after correction for 2 comparisons)"
                ),
            ),
            ({"median": 0.8, "deviation": 0.01, "jobs": 7}, "last 7 jobs: median 0.8, deviation 0.01"),
            (
                {"cusum": 1.234, "limit": 5.72, "reference_jobs": 10, "mean": 0.8, "spread": 0.0123},
                "CUSUM 1.23 of 5.72, reference of 10 jobs: mean 0.8, spread 0.012",
            ),
            ({}, ""),
        ],
    )
    def test_evidence_of_other_kinds(self, details, evidence):
        assert result(details=details).evidence == evidence

    @pytest.mark.parametrize("form", ["to_table", "to_markdown", "to_html"])
    def test_rows_that_got_worse_are_reported_with_their_metric_and_group(self, form):
        row = {"row_index": 7, "candidate": 0.0, "baseline": 1.0, "item": {"q": "why?"}}
        whole, part = (result(outcome="fail", group=group, worst=(row,)) for group in ("", "category = math"))
        verdict = Verdict(results=(whole, part, result(metric="ws/other", outcome="warn", worst=(row,))))
        assert [(each["metric"], each["group"]) for each in verdict.worst] == [
            ("ws/m", "category = math"),
            ("ws/other", ""),
        ]
        told = getattr(verdict, form)().split("worse most")[1]
        assert told.index("ws/m") < told.index("category = math") < told.index("ws/other")

    @pytest.mark.parametrize(
        ("check", "observed", "details", "shown"),
        [
            (Threshold("m", at_least=0.8), 0.7999999, {}, "0.7999999"),
            (Threshold("m", at_most=0.3), 0.1 + 0.2, {}, "0.30000000000000004"),
            (Threshold("m", at_least=0.8), 0.8, {}, "0.8"),
            (Threshold("m", at_least=0.5), 2 / 3, {}, "0.666667"),
            (WithinHistory("m"), 0.7499999999, {"low": 0.75}, "0.7499999999"),
            (NoRegression("m", margin=0.01), -0.010000001, {"margin": 0.01}, "-0.010000001"),
        ],
    )
    def test_an_observed_value_can_be_told_from_the_bar(self, check, observed, details, shown):
        verdict = Verdict(results=(result(check, observed=observed, details=details, interval=(0.1, 0.9)),))
        assert f"  {shown}  " in verdict.to_table()

    @pytest.mark.parametrize(
        ("bars", "bounds", "shown"),
        [
            ({"at_least": 0.8}, (0.7802, 0.87), "0.83 (0.7802 or more)"),
            ({"at_least": 0.8}, (0.79996, 0.87), "0.83 (0.79996 or more)"),
            ({"at_most": 0.9}, (0.78, 0.8712), "0.83 (0.8712 or less)"),
            ({"at_least": 0.8, "at_most": 0.9}, (0.78, 0.8712), "0.83 (0.78 or more, 0.8712 or less)"),
            ({"at_least": 0.8}, (-math.inf, 0.87), "0.83 (no lower bound)"),
        ],
    )
    def test_the_bound_that_decides_is_shown(self, bars, bounds, shown):
        check = Threshold("m", confidence=0.95, **bars)
        verdict = Verdict(
            results=(result(check, observed=0.83, interval=(0.77, 0.88), details={"bounds": list(bounds)}),)
        )
        for each in (verdict, Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))):
            table, page = each.to_table(), each.to_markdown()
            assert f"  {shown}  " in table
            assert shown in page
            assert "0.77" not in table + page
            assert "bound at 95 % confidence" in table


def test_what_passes_without_a_proof_is_counted_apart():
    proven, warning = result(), result(outcome="warn", reason="no")
    unproven = result(reason="there is no baseline yet to compare with")
    assert Verdict(results=(proven, unproven)).summary == "PASS: 1 of 2 checks hold, 1 passes unproven"
    assert (
        Verdict(results=(proven, unproven, unproven, warning), baseline="b").summary
        == "PASS: 1 of 4 checks hold, 2 pass unproven, 1 warns (baseline: b)"
    )


def test_a_baseline_that_is_not_there_has_its_own_sentence(recorded):
    scores = JobScores(AggregateScores.from_json(recorded(37)), job="run-1", benchmark="ws/qa")
    checks = [NoRegression("exact-match"), NoRegression("exact-match", baseline="released")]
    verdict = evaluate(checks, scores, no_baseline={"": "nothing is pinned"})
    assert [result.reason for result in verdict.results] == [
        "nothing is pinned",
        'there is no baseline "released" yet to compare with',
    ]
    assert verdict.benchmark == "ws/qa"


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(min_size=1, max_size=5)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
wheres = st.none() | st.dictionaries(names, numbers | names | st.lists(names, min_size=1), min_size=1, max_size=2)
checks = st.one_of(
    st.builds(Threshold, names, at_least=numbers, where=wheres, by=st.none() | names),
    st.builds(Threshold, names, at_most=numbers, confidence=st.floats(0.6, 0.99)),
    st.builds(
        NoRegression,
        names,
        margin=st.floats(0, 1),
        mode=st.sampled_from(["detect", "prove"]),
        baseline=st.none() | names,
        key=st.none() | names | st.lists(names, min_size=1),
    ),
    st.builds(WithinHistory, names, window=st.integers(5, 30), severity=st.sampled_from(["fail", "warn"])),
)
rows = st.fixed_dictionaries(
    {
        "row_index": st.integers(0, 9),
        "candidate": numbers,
        "baseline": numbers,
        "item": st.dictionaries(names, plain, max_size=2),
    }
)
ends = st.floats(allow_nan=False)
results = st.builds(
    CheckResult,
    check=checks,
    metric=names,
    score=st.none() | names,
    outcome=st.sampled_from(Outcome),
    observed=st.none() | numbers,
    expected=names,
    interval=st.none() | st.tuples(ends, ends).map(lambda pair: (min(pair[0], 1e9), max(pair[1], -1e9))),
    count=st.none() | st.integers(0),
    nan_count=st.none() | st.integers(0),
    reason=st.text(max_size=5),
    group=st.text(max_size=5),
    details=st.dictionaries(names, plain, max_size=3),
    worst=st.lists(rows, max_size=2).map(tuple),
)
verdicts = st.builds(
    Verdict,
    results=st.lists(results, min_size=1, max_size=3).map(tuple),
    job=st.text(max_size=5),
    benchmark=st.text(max_size=5),
    workspace=st.text(max_size=5),
    baseline=st.text(max_size=5),
)


@given(verdicts)
def test_a_verdict_comes_back_from_json_as_it_was(verdict):
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict(), allow_nan=False)))
    assert again == verdict
    assert (again.outcome, again.summary, again.worst) == (verdict.outcome, verdict.summary, verdict.worst)


def test_what_json_has_no_word_for_comes_back_as_none():
    verdict = Verdict(results=(result(observed=math.nan, details={"detectable_drop": math.inf}),))
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    assert again == replace(verdict, results=(result(observed=None, details={"detectable_drop": None}),))


FIGURES = {
    "compared": {
        **COMPARED, "baseline_runs": 2, "clusters": 9, "p_value_adjusted": 0.5, "comparisons": 2, "baseline_mean": 0.7
    },
    "proved": {
        "mode": "prove", "n": 9, "p_value": 0.2, "margin": 0.01, "largest_drop_not_excluded": 0.03, "confidence": 0.95,
        "equal_passes": 0.4, "baseline_mean": 0.7
    },
    "history": {"jobs": 9, "median": 0.8, "deviation": 0.01, "low": 0.7, "high": 0.9},
    "drift": {"cusum": 1.5, "limit": 5.0, "reference_jobs": 10, "mean": 0.8, "spread": 0.01, "low": 0.7},
}  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "name"), [(figures, name) for figures in FIGURES.values() for name in figures if name != "comparisons"]
)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_figure_that_is_no_number_breaks_no_report(figures, name, value):
    details = {**figures, name: value}
    verdict = Verdict(results=(result(NoRegression("m", relative=True), details=details, interval=(-math.inf, 0.5)),))
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    for each in (verdict, again):
        assert "-0.02" in each.to_markdown()
        assert "-0.02" in each.to_html()
