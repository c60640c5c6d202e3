"""What a job can't serve for as a baseline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_benchmarks.gates.baseline_fitness import shortcomings, why_unfit
from airflow_provider_benchmarks.jobs import RowCounts
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from tests.support.scored_jobs import job

SOUND = {"name": "s", "score_type": "range", "count": 50, "nan_count": 0, "mean": 0.5, "std_dev": 0.5}
NAN = float("nan")


def of_scores(*scores):
    """A job without rows."""
    return JobScores(AggregateScores.from_json({"results": [{"metric": "w/m", "scores": list(scores)}]}))


def test_a_whole_job_serves_for_everything():
    whole = job([0.0, 1.0] * 20)
    assert why_unfit(whole) is None
    assert shortcomings(whole) == []
    counted = replace(whole, reported_rows=RowCounts(total=40, scored=40, errored=0))
    assert (why_unfit(counted), shortcomings(counted)) == (None, [])


class TestUnfit:
    def test_a_job_without_a_score(self):
        assert why_unfit(JobScores(AggregateScores(()))) == "it has no scores"

    @pytest.mark.parametrize(
        "scores",
        [
            job([NAN] * 20),
            job([None] * 20),
            of_scores({**SOUND, "count": 0, "nan_count": 50, "mean": None}),
            of_scores({**SOUND, "count": 0, "nan_count": 50, "mean": 0.0}),
            of_scores({"name": "s"}),
        ],
        ids=["NaN", "failed calls", "count 0", "count 0, mean 0", "no figures"],
    )
    def test_no_score_has_a_value(self, scores):
        assert why_unfit(scores) == "none of its scores has a value"

    def test_rows_without_a_value_whatever_the_aggregate_scores_say(self):
        claimed = replace(job([NAN] * 50), aggregate=of_scores(SOUND).aggregate)
        assert why_unfit(claimed) == "none of its scores has a value"

    def test_a_failed_evaluation(self):
        failed = RowCounts(total=40, scored=2, is_failure=True, message="too many errors")
        assert why_unfit(replace(job([0.0, 1.0] * 20), reported_rows=failed)) == (
            'the service reports that the evaluation has failed: "too many errors"'
        )

    def test_missing_rows(self):
        whole = job([0.0, 1.0] * 600)
        assert why_unfit(replace(whole, rows=whole.rows.iloc[:1100])) == "it has 1,100 of its 1,200 rows"
        reported = replace(whole, reported_rows=RowCounts(total=1300, scored=1200))
        assert why_unfit(reported) == "it has 1,200 of its 1,300 rows"

    def test_one_value_is_enough(self):
        assert why_unfit(of_scores({**SOUND, "count": 0, "mean": None}, {**SOUND, "name": "t"})) is None


class TestShortcomings:
    def test_no_rows(self):
        assert shortcomings(of_scores(SOUND)) == [
            "it has no row scores: comparisons are not paired by row, and show large drops only"
        ]

    def test_rows_that_nothing_reads(self):
        (found,) = shortcomings(replace(of_scores(SOUND), rows_unread=True))
        assert "can't be read without airflow-provider-benchmarks[parquet]" in found

    def test_rows_without_a_number_by_reason(self):
        assert shortcomings(job([1.0] * 30 + [NAN] * 2 + [None] * 3 + ["good"])) == [
            "s of w/m: 2 of 36 rows have no value",
            "s of w/m: the call of the model failed for 3 of 36 rows",
            "s of w/m: 1 of 36 values are not numbers",
        ]

    def test_without_rows_their_number_is_the_aggregate_scores(self):
        _, lost = shortcomings(of_scores({**SOUND, "nan_count": 12}))
        assert lost == "s of w/m: 12 of 62 rows have no value"
        _, unknown = shortcomings(of_scores({**SOUND, "nan_count": None}))
        assert unknown == "s of w/m: the service does not say how many rows have no value"

    def test_a_score_without_a_value_beside_others(self):
        without = {**SOUND, "name": "t", "count": 0, "nan_count": 50, "mean": None}
        _, found = shortcomings(of_scores(SOUND, without))
        assert found == "t of w/m: it has no value, so no check of it can compare"

    def test_few_rows(self):
        assert shortcomings(job([0.0, 1.0] * 5)) == []
        assert shortcomings(job([0.0, 1.0, 1.0] * 3)) == [
            "s of w/m: 9 rows have a number, and comparisons need 10 unless min_count= says otherwise"
        ]

    def test_a_mean_that_is_no_number(self):
        _, found = shortcomings(of_scores({**SOUND, "mean": None}))
        assert found.startswith("s of w/m: the mean of s is not a number: the score has none; it has: std_dev")

    @pytest.mark.parametrize(
        "score", [{"name": "bleu", "score_type": "scalar", "value": 31.0}, {**SOUND, "name": "bleu", "count": 1}]
    )
    def test_one_number_for_the_whole_job(self, score):
        whole = job([0.0, 1.0] * 20)
        scores = of_scores(score).aggregate.scores
        found = shortcomings(replace(whole, aggregate=AggregateScores((*whole.aggregate.scores, *scores))))
        assert found == ["bleu of w/m: it is one number for the whole job, of which a comparison can't know the spread"]

    def test_rows_without_the_score(self):
        whole = job([0.0, 1.0] * 20)
        more = of_scores({**SOUND, "name": "t", "count": 40}).aggregate.scores
        found = shortcomings(replace(whole, aggregate=AggregateScores((*whole.aggregate.scores, *more))))
        assert found == ["t of w/m: the row scores have no column of it: comparisons are not paired by row"]

    def test_rows_that_the_service_lost(self):
        lost = replace(job([0.0, 1.0] * 20), reported_rows=RowCounts(total=40, scored=35, errored=5))
        (found,) = shortcomings(lost)
        assert "5 of 40 rows (12.5%) are not in the score" in found
