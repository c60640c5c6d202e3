"""Bars and margins that no score can miss, as they are in another unit than the score's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from tests.support.scored_jobs import flips, job, judge

COLLAPSE = [float(i % 20 == 0) for i in range(60)], [float(i % 3 > 0) for i in range(60)]


def pair(candidate, baseline, *, has_rows=True):
    sides = job(candidate), job(baseline, name="baseline")
    return sides if has_rows else tuple(replace(side, rows=None) for side in sides)


def rubric(values, count=60, mean=3.0):
    """A job without rows whose score is of categories with these values."""
    categories = [{"label": str(value), "value": value, "count": count // len(values)} for value in values]
    score = {"name": "s", "score_type": "rubric", "count": count, "nan_count": 0, "mean": mean, "std_dev": 1.0}
    scores = [{**score, "min": values[0], "max": values[-1], "rubric_distribution": categories}]
    return JobScores(AggregateScores.from_json({"results": [{"metric": "w/m", "scores": scores}]}), job="j")


class TestMargins:
    @pytest.mark.parametrize("mode", ["detect", "prove"])
    @pytest.mark.parametrize("has_rows", [True, False])
    @pytest.mark.parametrize(("margin", "meant"), [(2, "0.02"), (1, "0.01"), (5.0, "0.05")])
    def test_points_in_place_of_a_share_miss(self, mode, has_rows, margin, meant):
        result = judge(NoRegression("m", margin=margin, mode=mode), *pair(*COLLAPSE, has_rows=has_rows))
        assert result.outcome == "fail"
        assert result.reason == (
            f"can never miss: s is from 0 to 1, and a drop of {margin:g} is allowed; did you mean margin {meant}?; "
            "where it may be more, say so with score_range="
        )

    def test_a_group_of_a_graded_score_may_be_0_and_1_only(self):
        values = [float(i % 2) if i < 30 else float(i % 5) for i in range(60)]
        items = [{"q": i, "part": "a" if i < 30 else "b"} for i in range(60)]
        check = NoRegression("m", margin=1, by="part")
        found = evaluate([check], job(values, items=items), job(values, items=items, name="baseline")).results
        assert [result.outcome for result in found] == ["pass", "pass"]

    def test_scores_that_may_be_more_are_compared(self):
        check = NoRegression("m", margin=1, score_range=(0, 4))
        assert judge(check, *pair(*COLLAPSE)).outcome == "pass"

    @pytest.mark.parametrize(("margin", "outcome"), [(4, "fail"), (0.5, "pass")])
    def test_the_range_of_a_check_counts(self, margin, outcome):
        sides = pair([1.5 + i % 2 for i in range(60)], [1.5 + i % 2 for i in range(60)])
        check = NoRegression("m", margin=margin, score_range=(1, 5), higher_is_better=False)
        result = judge(check, *sides)
        assert (result.outcome, "can never miss" in result.reason) == (outcome, outcome == "fail")
        assert "did you mean" not in result.reason

    @pytest.mark.parametrize(("margin", "outcome"), [(4, "fail"), (0.9, "pass")])
    def test_the_range_of_a_rubric_counts(self, margin, outcome):
        result = judge(NoRegression("m", margin=margin), rubric([1, 2, 3, 4, 5]), rubric([1, 2, 3, 4, 5]))
        assert (result.outcome, "can never miss" in result.reason) == (outcome, outcome == "fail")

    def test_the_chance_of_one_of_several_is_a_share_whatever_is_better(self):
        items = [{"q": i // 3, "seed": i % 3} for i in range(60)]
        sides = job(COLLAPSE[0], items=items), job(COLLAPSE[1], items=items, name="baseline")
        check = NoRegression("m", repeat_by="seed", statistic="pass@2", margin=2, higher_is_better=False)
        assert "can never miss" in judge(check, *sides).reason

    @pytest.mark.parametrize(
        ("values", "words"),
        [(COLLAPSE, "all scores are 0 or 1"), (([0.25, 0.5] * 20, [0.5, 0.75] * 20), "from 0.25 to")],
    )
    def test_what_may_be_counts_or_seconds_passes_and_says_so(self, values, words):
        result = judge(NoRegression("m", margin=2, higher_is_better=False), *pair(*values))
        assert (result.outcome, result.reason) == ("pass", "")
        assert words in result.evidence
        assert "none such can miss that; did you mean margin 0.02?" in result.evidence

    @pytest.mark.parametrize("has_rows", [True, False])
    def test_a_baseline_that_can_fall_no_further_is_told(self, has_rows):
        values = [float(i % 30 == 0) for i in range(60)]
        result = judge(NoRegression("m", margin=0.05), *pair(values, values, has_rows=has_rows))
        assert "even a mean of 0 could not miss that" in result.evidence
        result = judge(NoRegression("m", margin=0.03), *pair(values, values, has_rows=has_rows))
        assert "could not miss" not in result.evidence

    def test_a_usual_margin_says_nothing(self):
        result = judge(NoRegression("m", margin=0.02), *flips(200, 2))
        assert ("but " in result.evidence, "cannot_miss" in result.details) == (False, False)

    @pytest.mark.parametrize(
        ("margin", "meant"), [(5, "; did you mean margin 0.05?"), (1, "margin 0.01?"), (200, "=)")]
    )
    def test_a_relative_one_of_more_than_all_is_refused(self, margin, meant):
        with pytest.raises(ConfigurationError, match="and no score of 0 or more falls further") as caught:
            NoRegression("m", margin=margin, relative=True)
        assert str(caught.value).endswith(meant)

    def test_a_relative_one_of_what_may_be_below_0_or_may_double_is_not(self):
        below = pair([-3.0 - i % 2 for i in range(60)], [-2.0 - i % 2 for i in range(60)])
        assert judge(NoRegression("m", margin=2, relative=True, score_range=(-9, 0)), *below).outcome == "pass"
        assert NoRegression("m", margin=1.5, relative=True, higher_is_better=False).margin == 1.5


class TestBars:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            (
                {"at_most": 5, "score_range": (0, 1)},
                "mean of s is from 0 to 1, expected ≤ 5; did you mean at_most 0.05?",
            ),
            ({"at_least": -1, "score_range": (0, 1)}, "mean of s is from 0 to 1, expected ≥ -1"),
            ({"at_most": 30, "score_range": (0, 10), "statistic": "p90"}, "p90 of s is from 0 to 10, expected ≤ 30"),
            ({"at_most": 10, "statistic": "nan_fraction"}, "expected ≤ 10; did you mean at_most 0.1?"),
            ({"at_most": 50, "by": "part", "score_range": (0, 1)}, "expected ≤ 50; did you mean at_most 0.5?"),
        ],
    )
    def test_one_beyond_the_range_misses(self, fields, reason):
        for result in evaluate([Threshold("m", **fields)], job(COLLAPSE[1])).results:
            assert result.outcome == "fail"
            assert result.reason.startswith("can never miss: ")
            assert result.reason.endswith(reason)

    def test_the_range_of_a_rubric_counts(self):
        assert judge(Threshold("m", at_most=50), rubric([1, 2, 3, 4, 5]), None).reason == (
            "can never miss: mean of s is from 1 to 5, expected ≤ 50"
        )
        share = Threshold("m", statistic="share:3", at_most=25)
        assert judge(share, rubric([1, 2, 3]), None).reason.endswith("did you mean at_most 0.25?")

    @pytest.mark.parametrize(
        ("fields", "scores"),
        [
            ({"at_most": 5}, COLLAPSE[1]),
            ({"at_most": 5, "statistic": "max"}, COLLAPSE[1]),
            ({"at_most": 1, "score_range": (0, 1)}, COLLAPSE[1]),
            ({"at_least": 0, "score_range": (0, 1)}, [0.5] * 20),
        ],
    )
    def test_any_score_that_is_meant_or_may_be_a_count_passes_and_says_so(self, fields, scores):
        result = judge(Threshold("m", **fields), job(scores), None)
        assert (result.outcome, result.reason) == ("pass", "")
        assert "can miss that" in result.evidence

    @pytest.mark.parametrize(
        ("fields", "scores"),
        [
            ({"at_most": 5}, [0.25, 0.75] * 10),
            ({"at_least": 0.2, "at_most": 5}, COLLAPSE[1]),
            ({"at_most": 40, "statistic": "std_dev"}, COLLAPSE[1]),
            ({"at_least": 0.2, "at_most": 5, "score_range": (0, 1)}, COLLAPSE[1]),
        ],
    )
    def test_one_that_a_score_may_miss_says_nothing(self, fields, scores):
        result = judge(Threshold("m", **fields), job(scores), None)
        assert (result.outcome, result.evidence) == ("pass", "")


def test_a_range_that_the_scores_leave_is_none():
    values = [float(i % 5 + 1) for i in range(60)]
    result = judge(Threshold("m", at_most=2, score_range=(0, 1)), *pair(values, values))
    assert result.outcome == "fail"
    assert "can never miss" not in result.reason
