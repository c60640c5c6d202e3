from __future__ import annotations

import pytest

from airflow_provider_benchmarks.gates import Threshold, evaluate
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
    assert {row.replace(r"\|", "").count("|") for row in rows} == {10}


def test_html_is_escaped(verdict):
    assert "<b>" not in verdict.to_html()
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
    }
