"""Rows without a score on either side of a comparison: compared, bounded, or filled."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression
from airflow_provider_benchmarks.scores import JobScores
from tests.support.scored_jobs import job, judge

NAN = float("nan")
GOOD = [1.0] * 180 + [0.0] * 20


def sides(candidate, baseline, *, with_rows=True):
    both = job(candidate), job(baseline, name="baseline")
    return both if with_rows else tuple(JobScores(side.aggregate, job=side.job) for side in both)


class TestFailedCalls:
    @pytest.mark.parametrize(("lost", "outcome"), [(2, "pass"), (10, "fail")])
    def test_that_fail_more_often_than_the_baselines_may_fail_where_answers_are_wrong(self, lost, outcome):
        check = NoRegression("m", max_error_rate=0.1)
        result = judge(check, *sides([None] * lost + GOOD[lost:], GOOD))
        assert result.outcome == outcome
        if outcome == "fail":
            assert result.reason.startswith("significantly more failed calls of the model than in the baseline (10 of")

    def test_that_fail_as_often_are_left_out(self):
        check = NoRegression("m", max_error_rate=0.1)
        assert judge(check, *sides([None] * 10 + GOOD[10:], GOOD[:190] + [None] * 10)).outcome == "pass"

    def test_do_not_hide_a_drop(self):
        random = np.random.default_rng(1)
        baseline = (random.random(3000) < 0.9).astype(float)
        candidate = list(baseline)
        for place in np.flatnonzero(baseline)[:90]:
            candidate[place] = None
        check = NoRegression("m", margin=0.02, mode="prove", max_error_rate=0.05)
        assert judge(check, *sides(candidate, baseline)).outcome == "fail"


class TestWorst:
    @pytest.mark.parametrize("lost", [NAN, None], ids=["NaN", "failed call"])
    @pytest.mark.parametrize("with_rows", [True, False])
    def test_counts_the_candidates_as_the_worst_score_and_the_baselines_as_the_best(self, lost, with_rows):
        check = NoRegression("m", missing="worst")
        filled = judge(check, *sides([lost] * 10 + GOOD[10:], GOOD, with_rows=with_rows))
        same = judge(NoRegression("m"), *sides([0.0] * 10 + GOOD[10:], GOOD, with_rows=with_rows))
        assert filled.observed == pytest.approx(same.observed) == pytest.approx(-0.05)
        assert filled.details["p_value"] == pytest.approx(same.details["p_value"])
        better = judge(check, *sides(GOOD, GOOD[:190] + [lost] * 10, with_rows=with_rows))
        assert better.observed == pytest.approx(-0.05)

    def test_needs_no_limit(self):
        check = NoRegression("m", missing="worst", margin=0.9)
        assert judge(check, *sides([NAN] * 100 + GOOD[100:], GOOD)).outcome == "pass"

    @pytest.mark.parametrize(("higher_is_better", "change"), [(True, -0.5), (False, 4.5)])
    def test_the_worst_score_is_the_end_of_the_range(self, higher_is_better, change):
        values = [0.5] * 10 + list(np.linspace(0.3, 0.9, 90))
        check = NoRegression(
            "m", missing="worst", score_range=(0, 5), higher_is_better=higher_is_better, max_unpaired=0.0
        )
        result = judge(check, *sides([NAN] * 10 + values[10:], values))
        assert result.observed == pytest.approx(change * 10 / 100)

    def test_labels_are_no_missing_numbers(self):
        result = judge(NoRegression("m", missing="worst"), *sides(["high"] + GOOD[1:], GOOD))
        assert (result.outcome, "1 of 200 values are not numbers" in result.reason) == ("fail", True)

    def test_is_one_of_two_ways(self):
        with pytest.raises(ConfigurationError, match='missing must be "limit" or "worst"'):
            NoRegression("m", missing="best")


class TestScoreRange:
    @pytest.mark.parametrize("with_rows", [True, False])
    def test_a_score_outside_misses(self, with_rows):
        check = NoRegression("m", score_range=(0, 1))
        result = judge(check, *sides([1.5] + GOOD[1:], GOOD, with_rows=with_rows))
        assert (result.outcome, result.reason) == ("fail", "scores from 0 to 1.5 are not all in score_range 0 to 1")

    def test_a_known_range_proves_with_fewer_rows(self):
        base = np.linspace(0.2, 0.9, 60)
        wide = judge(NoRegression("m", mode="prove", margin=0.1), *sides(base, base))
        known = judge(NoRegression("m", mode="prove", margin=0.1, score_range=(0, 1)), *sides(base, base))
        none = judge(NoRegression("m", mode="prove", margin=0.1, rare_losses=False), *sides(base, base))
        drops = [found.details["largest_drop_not_excluded"] for found in (wide, known, none)]
        assert drops[0] > drops[1] > drops[2] == 0
        # The exact rule of three: each row may lose all.
        assert drops[1] == pytest.approx(1 - 0.05 ** (1 / 60))

    @pytest.mark.parametrize("wrong", [(1, 0), (0, 0), (0,), (0, 1, 2), (0, float("inf")), "01", {0, 1}, 1])
    def test_is_two_numbers(self, wrong):
        with pytest.raises(ConfigurationError, match="score_range must be the lowest and the highest score"):
            NoRegression("m", score_range=wrong)


class TestGroups:
    def test_take_only_half_of_the_error_budget_from_other_checks(self):
        from airflow_provider_benchmarks.gates import evaluate

        items = [{"q": f"q{i}", "part": i % 20} for i in range(400)]
        base = [1.0] * 400
        lost = [0.0] * 7 + [1.0] * 393
        jobs = job(lost, items=items), job(base, items=items, name="baseline")
        overall = evaluate([NoRegression("m"), NoRegression("m", by="part")], *jobs).results[0]
        alone = judge(NoRegression("m"), *jobs)
        assert overall.outcome == "fail"
        assert overall.details["p_value_adjusted"] == pytest.approx(2 * alone.details["p_value"])
        assert overall.details["comparisons"] == 21
