"""What a comparison can't judge by, it bounds: where even the widest bound shows a drop, it fails."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, Verdict, WithinHistory, evaluate
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from tests.support.scored_jobs import job, judge

NAN = float("nan")
GOOD = [1.0] * 180 + [0.0] * 20
#: What the baseline's rows may have in place of a score: NaN, a failed call of the model, and what is no number.
LOST = pytest.mark.parametrize("lost", [NAN, None, True, "high"], ids=["NaN", "failed call", "boolean", "label"])


def baseline(values, **options):
    return job(values, name="baseline", **options)


def fields(**columns):
    """Items with these fields, and one that identifies them."""
    values = zip(*columns.values(), strict=True)
    return [dict(zip(columns, of_row, strict=True)) | {"q": f"q{i}"} for i, of_row in enumerate(values)]


class TestLostRowsOfTheBaseline:
    @LOST
    def test_do_not_save_a_candidate_that_collapsed(self, lost):
        result = judge(NoRegression("m"), job([0.0] * 200), baseline([lost, *GOOD[1:]]))
        assert result.outcome == "fail"
        assert result.reason.startswith("s fell by 89.9 points")
        assert "It is significant although in the baseline" in result.reason
        assert (result.observed, result.count) == (pytest.approx(-179 / 199), 199)
        lost_rows = result.details["baseline"]
        assert lost_rows["without_value"] + lost_rows["call_failed"] + lost_rows["not_numbers"] == 1

    @LOST
    def test_do_not_matter_to_an_equal_candidate(self, lost):
        result = judge(NoRegression("m"), job(GOOD), baseline([lost, *GOOD[1:]]))
        assert (result.outcome, result.reason) == ("pass", "")
        assert "200 rows paired, of which 1 has no value" in result.evidence

    @LOST
    def test_are_named_where_nothing_is_proved(self, lost):
        result = judge(NoRegression("m", mode="prove"), job(GOOD), baseline([lost, *GOOD[1:]]))
        assert result.outcome == "inconclusive"
        assert "In the baseline " in result.reason
        assert "1 of 200" in result.reason

    @LOST
    def test_are_bounded_where_something_is_proved(self, lost):
        def sides(losses):
            return job([0.0] * losses + GOOD[losses:]), baseline([lost] * 2 + GOOD[2:])

        assert judge(NoRegression("m", mode="prove", margin=0.05), *sides(0)).outcome == "pass"
        # Two losses more, as the lost rows were losses at worst, are too many.
        within = judge(NoRegression("m", mode="prove", margin=0.05), *sides(6))
        assert within.outcome == "inconclusive"
        assert "with the best scores that they could have had, s would have fallen too far" in within.reason
        assert within.details["largest_drop_not_excluded"] > 0.05

    def test_decide_where_the_answer_hangs_on_them(self):
        # Ten rows of 200 were lost, and 20 of the others have got worse: 20 losses, 10 of which may be gains.
        base = [NAN] * 10 + [1.0] * 190
        result = judge(NoRegression("m", margin=0.04), job([1.0] * 180 + [0.0] * 20), baseline(base))
        assert result.outcome == "inconclusive"
        assert "in the baseline 10 of 200 rows have no value" in result.reason
        assert result.interval[0] < -0.15 < -0.05 < result.interval[1]
        assert (
            judge(NoRegression("m", margin=0.04), job([1.0] * 180 + [0.0] * 20), baseline([1.0] * 200)).outcome
            == "fail"
        )

    @pytest.mark.parametrize("higher_is_better", [True, False])
    def test_are_bounded_by_the_scores_of_both_jobs_and_zero(self, higher_is_better):
        sign = 1 if higher_is_better else -1
        base, candidate = np.full(200, 4.0), np.full(200, 2.0)
        base[0] = NAN
        # Of whole jobs; the lost one may have been 0, then the candidate has gained 2, or 4.
        result = judge(
            NoRegression("m", higher_is_better=higher_is_better), job(sign * candidate), baseline(sign * base)
        )
        assert result.outcome == "fail"
        assert result.observed == pytest.approx(-2 * sign)

    def test_within_the_limit_are_left_out(self):
        check = NoRegression("m", max_nan_fraction=0.01)
        assert judge(check, job(GOOD), baseline([NAN, *GOOD[1:]])).outcome == "pass"
        assert judge(check, job([0.0] * 200), baseline([NAN, *GOOD[1:]])).outcome == "fail"

    def test_are_bounded_in_clusters_and_repeats_too(self):
        items = fields(text=[i // 10 for i in range(200)])
        check = NoRegression("m", cluster_by="text")
        assert judge(check, job([0.0] * 200, items=items), baseline([NAN, *GOOD[1:]], items=items)).outcome == "fail"
        repeats = [{"q": f"q{i // 2}"} for i in range(200)]
        result = judge(NoRegression("m"), job([0.0] * 200, items=repeats), baseline([NAN, *GOOD[1:]], items=repeats))
        assert result.outcome == "fail"

    def test_count_where_there_are_only_aggregate_scores(self):
        mine, theirs, lost = (
            JobScores(side.aggregate, job=side.job)
            for side in (job([0.0] * 200), baseline(GOOD), baseline([NAN, *GOOD[1:]]))
        )
        result = judge(NoRegression("m"), mine, lost)
        assert result.outcome == "fail"
        assert "It is significant although in the baseline 1 of 200 rows have no value" in result.reason
        assert judge(NoRegression("m"), theirs, lost).outcome == "pass"
        many = JobScores(baseline([NAN] * 30 + GOOD[30:]).aggregate, job="baseline")
        assert judge(NoRegression("m"), mine, many).outcome == "fail"
        slightly_worse = JobScores(job([0.0] * 18 + GOOD[18:]).aggregate, job="candidate")
        assert judge(NoRegression("m"), slightly_worse, many).outcome == "inconclusive"
        assert judge(NoRegression("m", max_nan_fraction=0.01), theirs, lost).outcome == "pass"

    @pytest.mark.parametrize(("higher_is_better", "mean"), [(False, 300.0), (True, -300.0)])
    def test_are_bounded_by_the_moments_where_the_service_says_no_smallest_and_largest_score(
        self, higher_is_better, mean
    ):
        def side(name, lost):
            figures = {"name": "s", "count": 200 - lost, "nan_count": lost, "mean": mean, "std_dev": 20.0}
            payload = {"results": [{"metric": "w/m", "scores": [figures]}]}
            return JobScores(AggregateScores.from_json(payload), job=name)

        check = NoRegression("m", higher_is_better=higher_is_better)
        result = judge(check, side("candidate", 0), side("baseline", 10), if_inconclusive="fail")
        assert result.outcome == "inconclusive"
        assert result.interval[0] <= result.observed <= result.interval[1]

    @pytest.mark.parametrize("with_rows", [True, False])
    def test_may_have_made_a_relative_margin_larger(self, with_rows):
        # Without the lost rows 10 % of errors are allowed 5 more points; if these were errors, 45 points.
        base, candidate = [NAN] * 80 + [1.0] * 12 + [0.0] * 108, [1.0] * 40 + [0.0] * 160
        sides = job(candidate), baseline(base)
        if not with_rows:
            sides = (JobScores(side.aggregate, job=side.job) for side in sides)
        check = NoRegression("m", margin=0.5, relative=True, higher_is_better=False)
        assert judge(check, *sides).outcome == "inconclusive"


class TestTooLittleToJudgeBy:
    @pytest.mark.parametrize("missing", ["null", "absent"])
    def test_rows_without_the_field_of_their_cluster_are_one_cluster(self, missing):
        items = fields(text=[i // 10 for i in range(200)])
        for item in items[:15]:
            item["text"] = None
            if missing == "absent":
                del item["text"]
        check = NoRegression("m", cluster_by="text")
        sides = job([0.0] * 200, items=items), baseline(GOOD, items=items)
        result = judge(check, *sides)
        assert (result.outcome, result.details["clusters"]) == ("fail", 20)

    def test_clusters_are_told_apart_as_items_are(self):
        labels = [1, "1", True, {"a": 1, "b": 2}, {"b": 2, "a": 1.0}]
        items = fields(text=[labels[i % 5] for i in range(200)])
        result = judge(NoRegression("m", cluster_by="text"), job(GOOD, items=items), baseline(GOOD, items=items))
        assert result.details["clusters"] == 4

    @pytest.mark.parametrize("clusters", [2, 3, 4])
    def test_few_clusters_that_lost_nearly_all_fail(self, clusters):
        items = fields(text=[i % clusters for i in range(200)])
        sides = job([0.0] * 200, items=items), baseline(GOOD, items=items)
        result = judge(NoRegression("m", cluster_by="text"), *sides)
        assert result.outcome == "fail"
        assert f"although there are {clusters} clusters, 5 are needed" in result.reason
        assert judge(NoRegression("m", cluster_by="text"), sides[1], baseline(GOOD, items=items)).outcome == "warn"

    @pytest.mark.parametrize("errors", [1, 0])
    def test_a_relative_margin_of_hardly_anything_is_not_without_a_limit(self, errors):
        rates = np.zeros(200), np.zeros(200)
        rates[0][:88], rates[1][:errors] = 1, 1
        check = NoRegression("m", margin=0.05, relative=True, higher_is_better=False)
        result = judge(check, job(rates[0]), baseline(rates[1]))
        assert result.outcome == "fail"
        assert result.reason.endswith("; at most 5 % is allowed")
        assert judge(check, job(rates[1]), baseline(rates[1])).outcome == "pass"

    @pytest.mark.parametrize(("rows", "outcome"), [(9, "fail"), (6, "fail"), (5, "warn")])
    def test_a_small_group_that_lost_all_fails_where_any_exact_test_sees_it(self, rows, outcome):
        items = fields(part=["rare"] * rows + ["common"] * 100)
        sides = job([0.0] * rows + [1.0] * 100, items=items), baseline([1.0] * (rows + 100), items=items)
        common, rare = evaluate([NoRegression("m", by="part")], *sides).results
        assert (common.group, common.outcome) == ("part = common", "pass")
        # Two comparisons share the error budget: 1/64 is enough, 1/32 is not.
        assert (rare.group, rare.outcome) == ("part = rare", outcome)

    def test_small_groups_are_judged_together(self):
        parts = [f"part{i // 4}" for i in range(40)] + ["common"] * 100
        items = fields(part=parts)
        base = baseline([1.0] * 140, items=items)
        common, together, *small = evaluate([NoRegression("m", by="part")], job([1.0] * 140, items=items), base).results
        assert (together.group, together.count) == ("part: 10 small groups together", 40)
        assert (common.outcome, together.outcome) == ("pass", "pass")
        assert [r.outcome for r in small] == ["warn"] * 10
        lost = job([0.0] * 4 + [1.0] * 4 + [0.0] * 4 + [1.0] * 128, items=items)
        _, together, *small = evaluate([NoRegression("m", by="part")], lost, base).results
        assert together.outcome == "fail"
        assert {row["row_index"] for row in together.worst} == {0, 1, 2, 3, 8, 9, 10, 11}

    def test_a_small_group_of_the_candidate_has_values(self):
        items = fields(part=["rare"] * 5 + ["common"] * 100)
        sides = job([NAN] * 5 + [1.0] * 100, items=items), baseline([1.0] * 105, items=items)
        assert [r.outcome for r in evaluate([NoRegression("m", by="part")], *sides).results] == ["pass", "fail"]

    def test_a_small_group_whose_baseline_is_lost_only_warns(self):
        items = fields(part=["rare"] * 5 + ["common"] * 100)
        sides = job([1.0] * 105, items=items), baseline([NAN] * 5 + [1.0] * 100, items=items)
        check = NoRegression("m", by="part", mode="prove", margin=0.1)
        assert [r.outcome for r in evaluate([check], *sides).results] == ["pass", "warn"]


class TestHeadline:
    def test_does_not_say_pass_where_nothing_was_judged(self):
        sides = job([1.0] * 180 + [0.0] * 20), baseline([NAN] * 10 + [1.0] * 190)
        verdict = evaluate([NoRegression("m", margin=0.04)], *sides, if_inconclusive="warn")
        assert verdict.passed
        assert verdict.summary == "NOTHING JUDGED: 0 of 1 checks hold, 1 warns (baseline: baseline)"
        assert Verdict.from_dict(verdict.to_dict()).summary == verdict.summary

    @pytest.mark.parametrize("policy", ["warn", "pass"])
    def test_nor_without_a_baseline(self, policy):
        assert evaluate([NoRegression("m")], job(GOOD), if_no_baseline=policy).summary.startswith("NOTHING JUDGED: ")

    @pytest.mark.parametrize(
        "check",
        [
            Threshold("other", at_least=0.5, severity="warn"),
            Threshold("m", at_least=0.5, where={"part": "z"}, severity="warn"),
            NoRegression("other", severity="warn"),
            NoRegression("m", by="part", min_count=500, severity="warn"),
            WithinHistory("m", severity="warn"),
        ],
        ids=["no metric", "no rows", "no metric to compare", "small groups", "no history"],
    )
    def test_nor_where_a_check_that_may_only_warn_had_nothing_to_judge(self, check):
        verdict = evaluate([check], job(GOOD), baseline(GOOD))
        assert verdict.passed
        assert verdict.summary.startswith("NOTHING JUDGED: ")

    def test_is_the_same_of_a_verdict_that_was_cut(self):
        checks = [NoRegression("m") for _ in range(30)]
        whole = evaluate([*checks, Threshold("m", at_least=0.95, severity="warn")], job(GOOD)).to_dict()
        assert whole["summary"] == "PASS: 0 of 31 checks hold, 31 warn"
        for kept, left_out in (
            (whole["results"][:1], {"not_judged": 29, "warn": 1}),
            (whole["results"][30:], {"not_judged": 30}),
        ):
            cut = Verdict.from_dict({**whole, "results": kept, "left_out": left_out})
            assert cut.summary == whole["summary"]
        assert Verdict.from_dict({**whole, "results": whole["results"][:1]}).summary.startswith("NOTHING JUDGED")

    def test_says_it_where_another_check_holds(self):
        checks = [NoRegression("m"), Threshold("m", at_least=0.5)]
        assert evaluate(checks, job(GOOD)).summary == "PASS: 1 of 2 checks hold, 1 warns"

    def test_says_it_where_a_check_that_may_only_warn_missed(self):
        check = Threshold("m", at_least=0.95, severity="warn")
        assert evaluate([check], job(GOOD)).summary == "PASS: 0 of 1 checks hold, 1 warns"

    def test_says_fail_where_the_gate_fails(self):
        verdict = evaluate([NoRegression("m")], job(GOOD), if_no_baseline="fail")
        assert verdict.summary == "FAIL: 0 of 1 checks hold"
