"""Comparisons with a baseline, on plain data."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import (
    NoRegression,
    Threshold,
    Verdict,
    WithinHistory,
    check_from_dict,
    evaluate,
)
from airflow_provider_benchmarks.scores import JobScores
from tests.support.scored_jobs import flips, job, judge


class TestDetect:
    def test_a_significant_drop_is_a_miss_in_a_plain_sentence(self):
        result = judge(NoRegression("m", margin=0.01), *flips(2000, 62))
        assert result.outcome == "fail"
        assert result.observed == pytest.approx(-0.031)
        assert result.reason == (
            f"s fell by 3.1 points, by at least {result.details['smallest_drop_not_excluded'] * 100:.3g} points "
            "at 95 % (one-sided p < 0.0001, 2,000 paired rows); at most 1 point is allowed"
        )
        # Clopper and Pearson's bound of 62 losses in 2,000: the exact one with gains that might have been is near it.
        assert result.details["smallest_drop_not_excluded"] == pytest.approx(0.0248, abs=0.0005)

    def test_noise_is_none(self):
        result = judge(NoRegression("m"), *flips(200, 6, gained=5))
        assert (result.outcome, result.reason) == ("pass", "")
        assert result.details["detectable_drop"] > 0.02

    def test_identical_metrics_share_one_error_budget(self):
        candidate, baseline = flips(100, 6)
        one = NoRegression("m")
        assert judge(one, candidate, baseline).outcome == "fail"
        p_value = judge(one, candidate, baseline).details["p_value"]
        assert 0.05 / 20 < p_value < 0.05
        assert evaluate([one] * 20, candidate, baseline).outcome == "pass"

    def test_checks_that_only_warn_take_nothing_from_the_budget(self):
        candidate, baseline = flips(100, 6)
        checks = [NoRegression("m"), *[NoRegression("m", severity="warn")] * 19]
        assert evaluate(checks, candidate, baseline).outcome == "fail"

    def test_lower_can_be_better(self):
        candidate, baseline = flips(500, 40)
        assert judge(NoRegression("m", higher_is_better=False), candidate, baseline).outcome == "pass"
        result = judge(NoRegression("m", higher_is_better=False), baseline, candidate)
        assert (result.outcome, result.expected) == ("fail", "rise ≤ 0 points (detect)")
        assert result.reason.startswith("s rose by 8 points, by at least 6.")
        assert result.worst[0]["candidate"] > result.worst[0]["baseline"]


class TestProve:
    def test_what_is_shown_to_hold_passes(self):
        assert judge(NoRegression("m", margin=0.02, mode="prove"), *flips(1000, 2)).outcome == "pass"

    def test_what_is_shown_not_to_hold_misses(self):
        assert judge(NoRegression("m", margin=0.02, mode="prove"), *flips(1000, 60)).outcome == "fail"

    def test_no_difference_at_all_is_no_proof_with_few_rows(self):
        """A plain interval of equal scores is [0, 0], which would prove anything."""
        result = judge(NoRegression("m", margin=0.01, mode="prove"), *flips(50, 0))
        assert result.outcome == "inconclusive"
        assert "not excluded" in result.reason
        assert "rows would decide it" in result.reason

    def test_equal_scores_that_are_not_0_or_1_are_no_proof_either(self):
        base = job([0.5] * 40, name="baseline")
        result = judge(NoRegression("m", margin=0.01, mode="prove"), job([0.5] * 40), base)
        assert result.outcome == "inconclusive"
        # The exact rule of three, for scores from 0 to half as much again as the largest: 0.75 · (1 − 0.05^(1/n)).
        assert result.reason == (
            "all 40 differences are equal (0); at 95 % a drop of up to 0.05412 is not excluded, and at most 0.01 is "
            "allowed. Losses too rare to be among these rows decide: without them any drop would be "
            "excluded (score_range= narrows what a row can lose, rare_losses=False says that there are none). About "
            "224 rows can show it"
        )
        assert judge(NoRegression("m"), job([0.5] * 40), base).outcome == "pass"

    @pytest.mark.parametrize(("policy", "outcome"), [(None, "inconclusive"), ("warn", "pass"), ("pass", "pass")])
    def test_inconclusive_is_what_the_policy_makes_of_it(self, policy, outcome):
        check = NoRegression("m", margin=0.01, mode="prove")
        verdict = evaluate([check], *flips(50, 0), if_inconclusive=policy)
        assert verdict.outcome == outcome
        assert verdict.passed == (outcome == "pass")
        assert "not excluded" in verdict.results[0].reason


class TestPairs:
    def test_reordered_rows_pair_by_key(self):
        values = [float(i % 3 > 0) for i in range(60)]
        items = [{"id": i} for i in range(60)]
        other = job(values[::-1], items=items[::-1], name="baseline")
        unpaired = judge(NoRegression("m"), job(values, items=items), other)
        assert unpaired.outcome == "fail"
        assert "items that differ in id" in unpaired.reason
        assert "with key=" in unpaired.reason
        paired = judge(NoRegression("m", key="id"), job(values, items=items), other)
        assert (paired.outcome, paired.observed, paired.count) == ("pass", 0.0, 60)

    def test_what_is_known_of_rows_without_a_pair_is_told(self):
        items = [{"id": i} for i in range(40)]
        check = NoRegression("m", key="id")
        other = job([1.0] * 40, items=[{"id": i + 5} for i in range(40)], name="baseline")
        reason = judge(check, job([1.0] * 40, items=items), other).reason
        assert ": the candidate has 40, the baseline 40. Compare with, or pin, a job that measured" in reason
        others = job([1.0] * 60, items=[{"id": i, "n": 1} for i in range(60)], name="baseline")
        reason = judge(NoRegression("m"), job([1.0] * 40, items=items), others).reason
        assert "the candidate has 40, the baseline 60, and 40 rows with the same index have items that differ" in reason

    def test_a_key_that_comes_twice_is_an_error(self):
        items = [{"id": i // 2} for i in range(60)]
        result = judge(NoRegression("m", key="id"), job([1.0] * 60, items=items), job([1.0] * 60, items=items))
        assert result.outcome == "fail"
        assert "id 0 comes twice in the rows of the candidate" in result.reason

    def test_rows_without_a_pair_must_stay_under_a_limit(self):
        candidate, baseline = job([1.0] * 90), job([1.0] * 100, name="baseline")
        result = judge(NoRegression("m"), candidate, baseline)
        assert result.outcome == "fail"
        assert result.reason == (
            "10 of 100 rows have no pair in the other job, at most 0.0% may be left: the candidate has 90, the "
            "baseline 100. Was one limited to a sample (limit_samples)? Compare with, or pin, a job that measured the "
            "same rows, or accept the difference with max_unpaired="
        )
        result = judge(NoRegression("m", max_unpaired=0.1), candidate, baseline)
        assert (result.count, result.details["missing"]) == (90, 10)

    def test_repeats_of_an_item_count_once(self):
        items = [{"q": i % 20} for i in range(100)]
        values = [float(i % 2) for i in range(100)]
        result = judge(NoRegression("m"), job(values, items=items), job(values, items=items))
        assert (result.details["items"], result.details["n"], result.count) == (20, 20, 100)

    def test_clusters(self):
        candidate, baseline = flips(100, 9)
        result = judge(NoRegression("m", cluster_by="text"), candidate, baseline)
        assert result.details["clusters"] == 20
        few = judge(NoRegression("m", cluster_by="part", mode="prove"), candidate, baseline)
        assert (few.outcome, few.reason) == ("inconclusive", "2 clusters, 5 are needed")

    def test_groups(self):
        candidate, baseline = flips(200, 30)
        results = evaluate([NoRegression("m", by="part", min_count=50)], candidate, baseline).results
        assert [(r.group, r.count, r.outcome) for r in results] == [
            ("part = a", 100, "fail"),
            ("part = b", 100, "fail"),
        ]

    def test_small_groups_are_reported_and_not_judged(self):
        items = [{"part": "rare" if i < 3 else "common"} for i in range(80)]
        base = job([1.0] * 80, items=items, name="baseline")
        results = evaluate([NoRegression("m", by="part", key=None)], job([1.0] * 80, items=items), base).results
        assert [(r.group, r.outcome) for r in results] == [("part = common", "warn"), ("part = rare", "warn")]
        assert "3 rows, 10 are needed: not judged" in results[1].reason


class TestAggregatesOnly:
    def test_they_are_compared_unpaired_and_the_verdict_says_so(self):
        candidate, baseline = (replace(side, rows=None) for side in flips(2000, 200))
        result = judge(NoRegression("m", margin=0.01), candidate, baseline)
        assert result.outcome == "fail"
        assert "rows, not paired" in result.reason

    def test_a_slice_can_not_be_compared(self):
        candidate, baseline = (replace(side, rows=None) for side in flips(100, 0))
        result = judge(NoRegression("m", where={"part": "a"}), candidate, baseline)
        assert (result.outcome, result.reason) == (
            "fail",
            "the row scores of both jobs are needed for this check, and one has none",
        )


class TestNoEvidence:
    def test_a_candidate_of_nans_does_not_pass(self):
        """Elsewhere a NaN passes, as it compares as not smaller."""
        candidate = job([float("nan")] * 50 + [1.0])
        result = judge(NoRegression("m"), candidate, job([1.0] * 51, name="baseline"))
        assert (result.outcome, result.reason) == (
            "fail",
            "50 of 51 rows have no value (98.0%), at most 0.0% may be missing",
        )

    def test_labels_are_no_numbers(self):
        result = judge(NoRegression("m"), job(["good"] * 20), job([1.0] * 20, name="baseline"))
        assert (result.outcome, result.reason) == ("fail", "20 of 20 values are not numbers")

    def test_too_few_pairs(self):
        result = judge(NoRegression("m"), job([1.0] * 9), job([1.0] * 9, name="baseline"))
        assert (result.outcome, result.reason) == ("fail", "9 pairs of rows with a score, 10 are needed")

    def test_a_metric_that_only_the_baseline_has_is_a_miss(self):
        result = judge(NoRegression("m", score="s"), job([1.0] * 20, score="other"), job([1.0] * 20))
        assert result.outcome == "fail"
        assert 'no score "s"' in result.reason

    def test_a_metric_that_only_the_candidate_has_can_not_be_compared(self):
        result = judge(
            NoRegression("m", score="s", mode="prove"), job([1.0] * 20), job([1.0] * 20, score="other", name="b")
        )
        assert result.outcome == "inconclusive"
        assert result.reason.startswith('can\'t be compared with the baseline "b":')

    def test_a_relative_margin_needs_a_baseline_away_from_0(self):
        candidate, baseline = flips(100, 0, ones=0.01)
        result = judge(NoRegression("m", margin=0.1, relative=True, mode="prove"), candidate, baseline)
        assert result.outcome == "inconclusive"
        assert "and at most 10 % is allowed" in result.reason

    def test_a_relative_margin(self):
        result = judge(NoRegression("m", margin=0.05, relative=True), *flips(1000, 100))
        assert result.details["margin"] == pytest.approx(0.05 * 0.7)
        assert result.reason.startswith("s fell by 14.3 % (0.1 on 0.7), by at least 12 % at 95 %")
        assert result.reason.endswith("; at most 5 % is allowed")


class TestThresholdsOnRows:
    def test_the_bound_must_clear_the_bar_and_not_the_point(self):
        scores = job([1.0] * 18 + [0.0] * 2)
        assert judge(Threshold("m", at_least=0.85), scores, None).outcome == "pass"
        result = judge(Threshold("m", at_least=0.85, confidence=0.95), scores, None)
        assert result.outcome == "fail"
        assert result.reason.endswith("with 95 % confidence it is only known to be 0.7174 or more")  # Clopper–Pearson
        result = judge(Threshold("m", at_most=0.95, confidence=0.975), scores, None)
        assert result.reason.endswith("with 97.5 % confidence it is only known to be 0.9877 or less")

    def test_percentiles_that_the_service_does_not_give(self):
        scores = job([float(i) for i in range(200)])
        result = judge(Threshold("m", statistic="p95", at_most=195), scores, None)
        assert (result.outcome, result.observed) == (
            "pass",
            pytest.approx(np.percentile(range(200), 95, method="weibull")),
        )
        assert judge(Threshold("m", statistic="p95", at_most=195, confidence=0.99), scores, None).outcome == "fail"

    def test_ranges_and_sets(self):
        scores = job([float(i < 30) for i in range(60)])
        inside = Threshold("m", at_least=1, where={"text": {"at_least": 0, "below": 6}, "part": ["a", "b"]})
        assert judge(inside, scores, None).count == 30
        assert judge(replace(inside, where={"text": {"above": 5}}), scores, None).outcome == "fail"
        assert "no rows match" not in judge(inside, scores, None).reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": -1}, "margin must be 0 or more"),
        ({"mode": "show"}, 'mode must be "detect" or "prove"'),
        ({"confidence": 95}, "confidence must be between 0.5 and 1"),
        ({"key": []}, "key must be a field, or a list of fields"),
        ({"key": [""]}, "key must be a field"),
        ({"by": 3}, "by must be a field"),
        ({"max_unpaired": 2}, "max_unpaired must be 0 to 1"),
        ({"metric": ""}, "metric must be the name of a metric"),
    ],
)
def test_a_wrong_check_fails_when_it_is_made(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        NoRegression(**{"metric": "m", **arguments})


SHARES = st.floats(0, 1)
CHECKS = st.one_of(
    st.builds(
        Threshold,
        st.just("m"),
        at_least=st.floats(-5, 5),
        confidence=st.none() | st.floats(0.6, 0.99),
        where=st.none() | st.just({"part": "a", "text": {"at_least": 1}}) | st.just({"text": [1, 2]}),
        by=st.none() | st.just("part"),
        max_nan_fraction=SHARES,
        severity=st.sampled_from(["fail", "warn"]),
    ),
    st.builds(
        NoRegression,
        st.just("m"),
        margin=st.floats(0, 1, exclude_max=True),
        relative=st.booleans(),
        mode=st.sampled_from(["detect", "prove"]),
        key=st.none() | st.just("q") | st.just(["q", "part"]),
        cluster_by=st.none() | st.just("text"),
        higher_is_better=st.booleans(),
    ),
    st.builds(WithinHistory, st.just("m"), window=st.integers(5, 50), spread=st.floats(0.1, 9)),
)


@given(CHECKS)
def test_a_check_comes_back_from_json(check):
    assert check_from_dict(json.loads(json.dumps(check.to_dict()))) == check


VALUES = st.lists(st.sampled_from([0.0, 0.5, 1.0, float("nan"), None]), min_size=12, max_size=40)


@settings(max_examples=60)
@given(st.lists(CHECKS, min_size=1, max_size=4), VALUES, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_that_of_checks_matters(checks, values, random):
    candidate, baseline = job(values), job([1.0] * len(values), name="baseline")
    order = list(range(len(values)))
    random.shuffle(order)
    turned = JobScores(candidate.aggregate, candidate.rows.iloc[order], job="candidate")
    turned.rows.attrs = candidate.rows.attrs
    there = evaluate(checks, candidate, baseline)
    back = evaluate(checks[::-1], turned, baseline)

    def sorted_results(verdict: Verdict):
        return sorted((json.dumps(r.check.to_dict()), r.group, str(r.outcome)) for r in verdict.results)

    assert sorted_results(there) == sorted_results(back)
    json.dumps(there.to_dict(), allow_nan=False)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=30), st.floats(0.1, 0.9))
def test_one_more_passing_row_never_turns_a_passing_mean_into_a_miss(values, bar):
    check = Threshold("m", at_least=bar)
    before, after = judge(check, job(values), None), judge(check, job([*values, 1.0]), None)
    assert not (before.outcome == "pass" and after.outcome == "fail")


@pytest.mark.parametrize("what", ["benchmark", "dataset"])
@pytest.mark.parametrize("mode", ["detect", "prove"])
def test_jobs_of_different_work_are_not_compared(what, mode):
    candidate, baseline = flips(200, 0)
    theirs = replace(baseline, **{what: "w/other"})

    result = judge(NoRegression("m", margin=0.05, mode=mode), replace(candidate, **{what: "w/this"}), theirs)

    assert (result.outcome, result.reason) == (
        "fail",
        f'can\'t be compared with the baseline "baseline": that is of {what} w/other, the candidate of w/this',
    )
    assert judge(NoRegression("m", margin=0.05), candidate, theirs).outcome == "pass"  # one does not say


class TestGroupsOfValues:
    """Values of fields are the same, or not, as JSON has it."""

    def test_a_group_is_of_equal_values_and_named_in_one_way(self):
        values = [1, 1.0, True, "1", ["a"], None] * 12
        items = [{"q": f"q{i}", "kind": value} for i, value in enumerate(values)]
        jobs = job([1.0] * 72, items=items), job([1.0] * 72, items=items, name="baseline")
        found = evaluate([NoRegression("m", by="kind")], *jobs).results
        assert sorted((r.group, r.count) for r in found) == sorted(
            [("kind = 1", 24), ("kind = True", 12), ('kind = "1"', 12), ("kind = ['a']", 12), ("kind = None", 12)]
        )
        one = evaluate([NoRegression("m", where={"kind": 1})], *jobs).results
        assert [r.count for r in one] == [24]
        at_least = evaluate([NoRegression("m", where={"kind": {"at_least": 1}})], *jobs).results
        assert [r.count for r in at_least] == [36]

    def test_row_indices_that_come_twice_do_not_matter_with_a_key(self):
        items = [{"q": f"q{i}", "part": "ab"[i % 2]} for i in range(40)]
        indices = [0, 0, *range(2, 40)]
        worse = [0.0, 1.0] * 20
        jobs = job(worse, items=items, indices=indices), job([1.0] * 40, items=items, indices=indices, name="b")
        for where in (None, {"part": "a"}):
            found = evaluate([NoRegression("m", by="part", key="q", where=where)], *jobs).results
            assert found[0].outcome == "fail"
            assert (found[0].count, found[0].observed) == (20, -1.0)
