"""What should be there and is not: no gate passes for lack of evidence."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.gates.stored_rows import add_item_hashes, read_rows
from airflow_provider_benchmarks.scores import AggregateScores, JobScores, row_scores_frame
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows
from tests.support.scored_jobs import flips, job, judge

NAN = float("nan")


class TestComparisons:
    @pytest.mark.parametrize(
        ("candidate", "baseline"),
        [
            (job([0.0] * 199), job([1.0] * 200)),
            (job([0.0] * 9), job([1.0] * 9)),
            (job([]), job([1.0] * 20)),
            (job([0.0] * 20, indices=[0, *range(19)]), job([1.0] * 20)),
            (job([0.0] * 20), job([NAN] * 20)),
            (job([0.0] * 20), job([True] * 20)),
            (job([None] * 20), job([1.0] * 20)),
        ],
        ids=["a row is missing", "few rows", "none", "a row twice", "baseline NaN", "baseline true", "calls failed"],
    )
    def test_nothing_to_compare_misses(self, candidate, baseline):
        verdict = evaluate([NoRegression("m")], candidate, replace(baseline, job="baseline"))
        assert verdict.outcome == "fail"
        assert verdict.results[0].reason

    @pytest.mark.parametrize(
        "wrong", [{"where": {"prat": "a"}}, {"by": "prat"}, {"key": "prat"}, {"cluster_by": "prat"}]
    )
    def test_a_field_that_no_item_has_misses(self, wrong):
        result = judge(NoRegression("m", **wrong), job([0.0] * 40), job([1.0] * 40, name="baseline"))
        assert result.outcome == "fail"
        assert 'no field "prat"; they have: q, part, text' in result.reason

    def test_items_with_other_fields_are_other_items(self):
        mine = job([1.0] * 50, items=[{"part": "a", "question": f"q{i}"} for i in range(50)])
        theirs = job([1.0] * 50, items=[{"part": "a", "prompt": f"q{i}"} for i in range(50)], name="baseline")
        result = judge(NoRegression("m"), mine, theirs)
        assert (result.outcome, result.reason[:21]) == ("fail", "50 of 50 rows have no")
        assert "differ in question, prompt" in result.reason
        assert judge(NoRegression("m", key=["part", "question"]), mine, theirs).outcome == "fail"

    def test_a_field_that_is_missing_on_one_side_is_as_one_that_is_null(self):
        mine = job([1.0] * 50, items=[{"q": i, "note": None} for i in range(50)])
        theirs = job([1.0] * 50, items=[{"q": i} for i in range(50)], name="baseline")
        assert judge(NoRegression("m"), mine, theirs).outcome == "pass"

    def test_another_score_is_not_compared(self):
        result = judge(NoRegression("m"), job([1.0] * 20), job([0.0] * 20, score="other", name="baseline"))
        assert result.outcome == "inconclusive"
        assert 'no score "s"' in result.reason
        warned = judge(NoRegression("m"), job([1.0]), job([0.0], score="other", name="b"), if_inconclusive="warn")
        assert (warned.outcome, warned.reason[:12]) == ("warn", "inconclusive")

    def test_a_baseline_that_lost_rows_is_no_base(self):
        baseline = job([NAN] * 340 + [1.0] * 60, name="baseline")
        result = judge(NoRegression("m", mode="prove", margin=0.2), job([1.0] * 400), baseline)
        # Whatever they were, the candidate has not lost: all of its rows are right.
        assert (result.outcome, result.count) == ("pass", 60)
        result = judge(NoRegression("m", mode="prove", margin=0.2), job([0.0] * 100 + [1.0] * 300), baseline)
        assert result.outcome == "inconclusive"
        assert result.reason.startswith("in the baseline 340 of 400 rows have no value")

    def test_more_nans_than_the_baseline_miss_without_rows_too(self):
        candidate, baseline = job([NAN] * 40 + [1.0] * 160), job([1.0] * 200, name="baseline")
        check = NoRegression("m", max_nan_fraction=0.3)
        for rows in ({}, {"rows": None}):
            result = judge(check, replace(candidate, **rows), replace(baseline, **rows))
            assert result.outcome == "fail"
            assert result.reason == (
                "significantly more rows without a value than in the baseline (40 of 200 against 0 of 200, p < 0.0001)"
                ": the means can't be compared"
            )

    def test_a_collapse_of_all_rows_is_seen(self):
        result = judge(NoRegression("m"), job([1.0] * 50), job([5.0] * 50, name="baseline"))
        assert (result.outcome, result.observed) == ("fail", -4.0)

    def test_every_row_is_in_a_bucket(self):
        candidate = job([1.0] * 80 + [NAN] * 10 + [None] * 5)
        check = NoRegression("m", max_nan_fraction=0.2, max_error_rate=0.1, max_unpaired=0.1)
        result = judge(check, candidate, job([1.0] * 100, name="baseline"))
        counted = {"scored": 80, "without_value": 10, "not_numbers": 0, "call_failed": 5}
        assert (result.details["candidate"], result.details["missing"]) == (counted, 5)
        assert (result.count, result.nan_count) == (80, 15)


class TestReports:
    def test_repeats_and_clusters_are_named(self):
        items = [{"q": i % 60, "text": i % 30} for i in range(300)]
        lost = job([0.0] * 60 + [1.0] * 240, items=items)
        result = judge(NoRegression("m", cluster_by="text"), lost, job([1.0] * 300, items=items, name="baseline"))
        assert "300 paired rows of 60 items in 30 clusters" in result.reason

    def test_few_items_of_many_rows_are_not_called_rows(self):
        items = [{"q": i % 3} for i in range(30)]
        result = judge(NoRegression("m"), job([1.0] * 30, items=items), job([1.0] * 30, items=items, name="baseline"))
        assert result.reason == "inconclusive: 3 items, 10 are needed"

    def test_the_detectable_drop_is_that_of_the_share_of_the_error_budget(self):
        candidate, baseline = flips(200, 6, gained=5)
        alone = judge(NoRegression("m"), candidate, baseline).details
        shared = evaluate([NoRegression("m")] * 10, candidate, baseline).results[0].details
        assert (alone["p_value_adjusted"], shared["comparisons"]) == (alone["p_value"], 10)
        assert shared["detectable_drop"] > 1.2 * alone["detectable_drop"]

    def test_an_inconclusive_one_says_how_many_rows_would_decide(self):
        values = [1.0, 2.0] * 15  # no difference, and too few rows to say that there is none
        result = judge(NoRegression("m", margin=0.01, mode="prove"), job(values), job(values, name="baseline"))
        assert result.details["rows_to_decide"] >= 59
        assert result.details["detectable_drop"] > 0
        found = judge(NoRegression("m", margin=0.01), job(values), job(values, name="baseline"))
        assert (found.outcome, found.details["detectable_drop"] > 0) == ("pass", True)

    def test_a_large_integer_stays_one_in_the_rows_that_got_worse(self):
        items = [{"id": 2**60 + i, "level": 0.5} for i in range(20)]
        result = judge(NoRegression("m"), job([0.0] * 20, items=items), job([1.0] * 20, items=items, name="baseline"))
        assert result.worst[0]["item"] == {"id": 2**60, "level": 0.5}

    @pytest.mark.parametrize(
        ("policy", "outcome"), [(None, "warn"), ("fail", "warn"), ("warn", "warn"), ("pass", "pass")]
    )
    def test_what_may_only_warn_and_can_not_tell_warns(self, policy, outcome):
        check = NoRegression("m", margin=0.01, mode="prove", severity="warn")
        result = judge(check, *flips(50, 0), if_inconclusive=policy)
        assert (result.outcome, result.reason[:13]) == (outcome, "inconclusive:")


class TestThresholds:
    def test_equal_values_are_no_proof(self):
        assert judge(Threshold("m", at_least=4.9), job([5.0, 5.0]), None).outcome == "pass"
        result = judge(Threshold("m", at_least=4.9, confidence=0.95), job([5.0, 5.0]), None)
        assert (result.outcome, result.observed) == ("fail", 5.0)
        assert judge(Threshold("m", at_least=4.9, confidence=0.95), job([5.0] * 200), None).outcome == "pass"

    def test_a_mean_without_a_deviation_has_no_bound(self):
        scores = job([0.8] * 10)
        (metric,) = scores.aggregate.to_json()["results"]
        del metric["scores"][0]["std_dev"], metric["scores"][0]["variance"]
        without = replace(scores, aggregate=AggregateScores.from_json({"results": [metric]}), rows=None)
        assert judge(Threshold("m", at_least=0.5), without, None).outcome == "pass"
        result = judge(Threshold("m", at_least=0.5, confidence=0.95), without, None)
        assert (result.outcome, "no std_dev of s" in result.reason) == ("fail", True)

    def test_a_value_just_under_the_bar_is_reported_in_full(self):
        result = judge(Threshold("m", at_least=0.7), job([0.69999996] * 5), None)
        assert result.reason == "mean of s is 0.69999996, expected ≥ 0.7"

    def test_failed_calls_count_alike_for_all_rows_and_for_a_slice(self):
        scores = job([1.0] * 18 + [None] * 2)
        for where in (None, {"part": ["a", "b"]}):
            result = judge(Threshold("m", at_least=1, where=where, max_error_rate=0.2), scores, None)
            assert (result.outcome, result.count, result.nan_count) == ("pass", 18, 2)
            assert (result.details["scored"], result.details["call_failed"]) == (18, 2)
            share = Threshold("m", statistic="nan_fraction", at_most=0, where=where)
            assert judge(share, scores, None).observed == pytest.approx(0.1)

    def test_a_share_of_a_slice_that_has_none_is_0(self):
        rows = [
            RowScore(
                row_index=i,
                item={"part": "ab"[i % 2]},
                sample={},
                metrics={
                    metric: {"s": 1.0, "s.label": "bad" if bad and i % 2 else "good"}
                    for metric, bad in (("w/m", True), ("w/other", False))
                },
            )
            for i in range(20)
        ]
        categories = [{"label": "good", "count": 10}, {"label": "bad", "count": 10}]
        scores = [{"name": "s", "score_type": "rubric", "count": 20, "mean": 1.0, "rubric_distribution": categories}]
        results = [{"metric": metric, "scores": scores} for metric in ("w/m", "w/other")]
        candidate = JobScores(AggregateScores.from_json({"results": results}), row_scores_frame(rows))
        found = evaluate([Threshold("m", statistic="share:bad", at_most=0.05, by="part")], candidate).results
        assert [(r.group, r.outcome, r.observed) for r in found] == [
            ("part = a", "pass", 0.0),
            ("part = b", "fail", 1.0),
        ]
        (unknown,) = evaluate(
            [Threshold("m", statistic="share:awful", at_most=1, where={"part": "a"})], candidate
        ).results
        assert unknown.outcome == "fail"


class TestStoredRows:
    def stored(self, path, values, items):
        lines = [
            json.dumps({"row_index": i, "item": item, "metrics": {"w/m": [{"name": "s", "value": value}]}}).encode()
            for i, (value, item) in enumerate(zip(values, items, strict=True))
        ]
        store_rows([b"\n".join(lines)], Place(str(path)), row_format=RowFormat(name="parquet"))
        return path

    def sides(self, folder, checks, items, lost):
        found = []
        for name, zeros in (("candidate", lost), ("baseline", 0)):
            values = [0.0] * zeros + [1.0] * (len(items) - zeros)
            path = self.stored(folder / f"{name}.parquet", values, items)
            aggregate = job(values).aggregate
            found.append((JobScores(aggregate, read_rows(checks, aggregate, path), job=name), path))
        add_item_hashes(found)
        return [scores for scores, _ in found]

    def test_rows_without_items_are_no_repeats_of_one(self, tmp_path):
        checks = [NoRegression("m")]
        (result,) = evaluate(checks, *self.sides(tmp_path, checks, [{}] * 60, lost=20)).results
        assert (result.outcome, result.count, result.details["items"]) == ("fail", 60, 60)

    def test_a_field_that_no_item_has_is_reported_with_those_that_there_are(self, tmp_path):
        checks = [NoRegression("m", where={"catgory": "math"})]
        items = [{"category": "math", "q": i} for i in range(60)]
        (result,) = evaluate(checks, *self.sides(tmp_path, checks, items, lost=20)).results
        assert result.outcome == "fail"
        assert result.reason.endswith(
            'the items have no field "catgory"; they have: category, q. Did you mean "category"?'
        )
