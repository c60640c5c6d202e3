"""Scores and verdicts in a notebook and in a debugger."""

from __future__ import annotations

import pandas as pd
import pytest

from airflow_provider_benchmarks.gates import Threshold, evaluate
from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores, JobScores

EVIL = '<script>alert("x")</script>\x1b[31m\n'


def scores(number: int, metric: str = "w/m") -> AggregateScores:
    found = [AggregateScore(metric=metric, name=f"s{i}", mean=i / 7, count=10, nan_count=0) for i in range(number)]
    return AggregateScores(tuple(found))


def test_a_line_says_what_there_is():
    aggregate = scores(2)
    rows = pd.DataFrame({"s0": range(1000)})
    assert repr(aggregate) == "<AggregateScores 2 scores: w/m/s0 0, w/m/s1 0.1429>"
    job = JobScores(aggregate, rows, job="nightly-1", benchmark="w/qa")
    assert repr(job) == '<JobScores "nightly-1" of w/qa: 2 scores, 1,000 rows>'
    assert repr(JobScores(scores(1))) == '<JobScores "": 1 score, no rows>'
    verdict = evaluate([Threshold("m", score="s1", at_least=0.1)], JobScores(aggregate, job="nightly-1"))
    assert repr(verdict) == '<Verdict PASS: 1 of 1 checks hold, job "nightly-1">'


@pytest.mark.parametrize("name", [EVIL, "x" * 5000])
def test_a_line_is_short_and_inert_whatever_it_shows(name):
    aggregate = scores(5000, metric=name)
    job = JobScores(aggregate, job=name, benchmark=name)
    verdict = evaluate([Threshold(name, score="s1", at_least=0.1)], job)
    for shown in map(repr, (aggregate, job, verdict)):
        assert len(shown) <= 120
        assert shown.isprintable()


def test_a_table_is_small_and_escaped():
    aggregate = scores(60, metric=EVIL)
    for shown in (aggregate._repr_html_(), JobScores(aggregate, job=EVIL)._repr_html_()):
        assert "<script>" not in shown
        assert "&lt;script&gt;" in shown
        assert "\x1b" not in shown
        assert shown.count("<tr>") == 51
        assert shown.endswith("<p>and 10 more scores</p>")


def test_a_table_has_the_scores():
    row = "<tr><td>w/m</td><td>s1</td><td>0.1429</td><td>–</td><td>–</td><td>–</td><td>10</td><td>0</td></tr>"
    assert row in scores(2)._repr_html_()
