"""Jobs of two versions of a benchmark are not compared, and what differs is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, WithinHistory
from tests.support.scored_jobs import job, judge

SAME = job([1.0] * 40)
(METRIC,) = {score.metric for score in SAME.aggregate.scores}


def of_version(candidate="{{item.output}}", dataset="w/d", **others):
    metrics = {METRIC: {"type": "exact-match", "candidate": candidate}, **others}
    return replace(SAME, content={"dataset": dataset, "metrics": metrics})


def test_another_definition_of_the_metric_is_a_miss_that_says_what_differs():
    result = judge(NoRegression("m", margin=0.5), of_version("{{item.output | lower}}"), of_version())
    assert result.outcome == "fail"
    assert "another version of the benchmark was measured: metrics." in result.reason
    assert '.candidate is "{{item.output | lower}}" and was "{{item.output}}"' in result.reason


def test_another_dataset_is_a_miss_too():
    result = judge(NoRegression("m", margin=0.5), of_version(dataset="w/new"), of_version())
    assert (result.outcome, 'dataset is "w/new" and was "w/d"' in result.reason) == ("fail", True)


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [
        (of_version(), of_version()),
        (of_version(**{"w/other": {"type": "f1"}}), of_version()),
        (of_version(**{"w/other": {"type": "f1"}}), of_version(**{"w/other": {"type": "bleu"}})),
        (of_version(), SAME),
        (SAME, of_version()),
    ],
    ids=["same", "metric added", "other metric changed", "baseline unknown", "candidate unknown"],
)
def test_what_does_not_change_the_score_or_is_not_known_is_compared(candidate, baseline):
    assert judge(NoRegression("m", margin=0.5), candidate, baseline).outcome == "pass"


def test_a_threshold_does_not_compare():
    assert judge(Threshold("m", at_least=0.5), of_version("{{item.new}}"), None).outcome == "pass"


def test_a_history_of_another_version_is_left_out():
    history = [of_version()] * 2 + [of_version("{{item.old}}")] * 8
    result = judge(WithinHistory("m"), of_version(), None, history=history)
    assert result.reason == (
        "inconclusive: 2 earlier jobs have this score, 5 are needed; left out as they measured another version of the "
        "benchmark: 8"
    )
    assert judge(WithinHistory("m"), of_version(), None, history=[of_version()] * 8).outcome == "pass"
