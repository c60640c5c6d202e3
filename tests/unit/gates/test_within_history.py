"""A score beside its own recent history, on plain data."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import WithinHistory
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from tests.support.scored_jobs import job, judge


def test_a_history_that_is_too_short_can_not_tell():
    result = judge(WithinHistory("m"), job([1.0] * 20), None, history=[job([1.0] * 20)] * 4)
    assert (result.outcome, result.reason) == ("warn", "inconclusive: 4 earlier jobs have this score, 5 are needed")


def test_an_outlier_is_caught_by_the_history():
    usual = [job([1.0] * (80 + n % 3) + [0.0] * (20 - n % 3)) for n in range(10)]
    drifted = job([1.0] * 70 + [0.0] * 30)
    assert judge(WithinHistory("m"), drifted, None, history=usual).outcome == "fail"
    assert judge(WithinHistory("m"), usual[0], None, history=usual).outcome == "pass"
    assert judge(WithinHistory("m", higher_is_better=False), drifted, None, history=usual).outcome == "pass"


def test_one_row_may_change_where_none_has_yet():
    usual = [job([1.0] * 200)] * 8
    assert judge(WithinHistory("m"), job([1.0] * 199 + [0.0]), None, history=usual).outcome == "pass"
    assert judge(WithinHistory("m"), job([1.0] * 198 + [0.0] * 2), None, history=usual).outcome == "fail"


def test_what_rounding_leaves_is_no_fall():
    usual = [job([0.7] * 20)] * 8
    assert judge(WithinHistory("m"), job([0.7 - 1e-16] * 20), None, history=usual).outcome == "pass"


def test_a_percentile_that_stored_jobs_do_not_have_is_refused():
    assert WithinHistory("m", statistic="p90").statistic == "p90"
    with pytest.raises(ConfigurationError, match=r"p10, p20 … p100"):
        WithinHistory("m", statistic="p95")


def test_the_reason_says_what_is_usual():
    usual = [job([1.0] * (80 + n % 3) + [0.0] * (20 - n % 3)) for n in range(9)]
    result = judge(WithinHistory("m"), job([1.0] * 70 + [0.0] * 30), None, history=usual)
    assert result.reason == (
        "mean of s is 0.7, expected ≥ 0.765522 from the last 9 jobs (median 0.81, deviation 0.015)"
    )


@pytest.mark.parametrize(
    ("value", "higher_is_better", "expected"),
    [(0.0, None, "unchanged (0)"), (0.7, None, "unchanged (0.7)"), (0.0, True, "≥ 0"), (0.0, False, "≤ 0")],
)
def test_of_jobs_that_are_all_the_same_the_bar_has_no_rounding(value, higher_is_better, expected):
    check = WithinHistory("m", higher_is_better=higher_is_better)
    usual = [job([value] * 20)] * 8
    same = judge(check, job([value] * 20), None, history=usual)
    assert (same.outcome, same.expected) == ("pass", expected)
    moved = job([value + (0.2 if higher_is_better is False else -0.2)] * 20)
    other = judge(check, moved, None, history=usual)
    assert other.outcome == "fail"
    assert f", expected {expected} from the last 8 jobs" in other.reason


def test_of_a_metric_with_two_scores_the_named_one_is_compared():
    def with_two(mean: float) -> JobScores:
        scores = [
            {"name": name, "count": 100, "nan_count": 0, "mean": value} for name, value in (("a", mean), ("b", 5))
        ]
        return JobScores(AggregateScores.from_json({"results": [{"metric": "w/m", "scores": scores}]}), job="j")

    usual = [with_two(0.8 + n / 100) for n in range(6)]
    assert judge(WithinHistory("m", "a"), with_two(0.8), None, history=usual).outcome == "pass"
    assert judge(WithinHistory("m", "a"), with_two(0.2), None, history=usual).outcome == "fail"
