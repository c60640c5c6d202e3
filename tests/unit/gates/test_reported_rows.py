"""What a service reports about the rows of a job counts against its scores, and never for them."""

from __future__ import annotations

import pandas as pd
import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.gates.stored_rows import should_read_rows
from airflow_provider_benchmarks.jobs import RowCounts
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.frames import SCORE_COLUMNS

BAR = Threshold("m", at_least=0.5)


def scores(reported=None, *, rows=None, more=(), job="new", **fields) -> JobScores:
    score = {"name": "s", "count": 20, "nan_count": 0, "mean": 1.0, "std_dev": 0.0, "variance": 0.0} | fields
    score = {key: value for key, value in score.items() if value != "left out"}
    results = [{"metric": "w/m", "scores": [score]}, *more]
    if rows is not None:
        rows = pd.DataFrame({"s": rows})
        rows.attrs[SCORE_COLUMNS] = ["s"]
    counts = None if reported is None else RowCounts.from_json({"unit": "rows", **reported})
    return JobScores(AggregateScores.from_json({"results": results}), rows, job=job, reported_rows=counts)


def judge(check, *args, **kwargs):
    (result,) = evaluate([check], *args, **kwargs).results
    return result.outcome, result.reason


@pytest.mark.parametrize(
    ("reported", "missing"),
    [
        ({"total": 20, "scored": 0, "errored": 20}, "20 of 20 rows"),
        ({"total": 40, "scored": 20, "errored": 20}, "20 of 40 rows"),
        ({"total": 100, "scored": 20, "errored": 0}, "80 of 100 rows"),
        ({"total": 20, "scored": 20, "errored": 3}, "3 of 20 rows"),
        ({"errored": 3}, "3 of 20 rows"),
        ({"scored": 15}, "5 of 20 rows"),
    ],
)
@pytest.mark.parametrize("statistic", ["mean", "nan_count"])
def test_rows_that_a_score_does_not_show_count_as_missing(reported, missing, statistic):
    check = Threshold("m", statistic=statistic, at_least=0, at_most=1)
    outcome, reason = judge(check, scores(reported))
    assert (outcome, missing in reason) == (Outcome.FAIL, True)


@pytest.mark.parametrize("failed", [True, 1, "true", "false", []])
@pytest.mark.parametrize("total", [20, None])
@pytest.mark.parametrize("fields", [{}, {"count": 1}, {"score_type": "scalar", "count": 1}])
def test_a_failed_evaluation_is_no_evidence_whatever_it_counts(failed, total, fields):
    reported = {"total": total, "scored": total, "errored": 0, "failed": failed, "message": "No usable scores"}
    check = Threshold("m", at_least=0.5, max_error_rate=1)
    assert judge(check, scores(reported, **fields)) == (
        Outcome.FAIL,
        'the service reports that the evaluation has failed: "No usable scores"',
    )


@pytest.mark.parametrize("unit", ["rows", None, "Rows", "row"])
def test_units_that_are_rows(unit):
    assert judge(BAR, scores({"unit": unit, "total": 20, "scored": 0, "errored": 20}))[0] is Outcome.FAIL


def test_a_score_without_counts_beside_it_explains_no_errors():
    other = {"metric": "w/bleu", "scores": [{"name": "corpus", "count": None, "nan_count": None, "mean": 0.3}]}
    reported = {"total": 20, "scored": 20, "errored": 18}
    assert judge(BAR, scores(reported, more=[other]))[0] is Outcome.FAIL


@pytest.mark.parametrize(
    "reported",
    [None, {}, {"unit": "trials", "total": 40}, {"total": 20, "scored": 20, "errored": 0}, {"total": "many"}],
)
def test_a_report_that_has_no_more_changes_nothing(reported):
    assert judge(BAR, scores(reported)) == (Outcome.PASS, "")


def test_the_limit_of_the_error_rate_holds_for_them():
    reported = {"total": 40, "scored": 20, "errored": 20}
    assert judge(Threshold("m", at_least=0.5, max_error_rate=0.5), scores(reported))[0] is Outcome.PASS
    assert judge(Threshold("m", at_least=0.5, max_error_rate=0.49), scores(reported))[0] is Outcome.FAIL


def test_errors_that_another_metric_shows_are_not_of_this_one():
    other = {"metric": "w/other", "scores": [{"name": "s", "count": 17, "nan_count": 3, "mean": 1.0}]}
    reported = {"total": 20, "scored": 20, "errored": 3}
    assert judge(BAR, scores(reported, more=[other]))[0] is Outcome.PASS
    assert judge(BAR, scores({**reported, "errored": 4}, more=[other]))[0] is Outcome.FAIL


def test_one_number_for_all_rows_counts_one_and_is_judged_by_the_rows_behind_it():
    corpus = {"count": 1, "nan_count": 0}
    assert judge(BAR, scores({"total": 20, "scored": 20, "errored": 0}, **corpus))[0] is Outcome.PASS
    assert judge(BAR, scores({"total": 20, "scored": 18, "errored": 2}, **corpus))[0] is Outcome.FAIL


def test_it_never_helps_a_score():
    """More rows than the score says can't make those without a value fewer."""
    half = {"count": 10, "nan_count": 10}
    assert judge(BAR, scores({"total": 20, "scored": 20, "errored": 0}, **half))[0] is Outcome.FAIL


@pytest.mark.parametrize("rows", [None, [1.0] * 20])
def test_a_comparison_fails_for_the_candidate_and_decides_nothing_for_the_baseline(rows):
    check = NoRegression("m")
    whole = scores(rows=rows, job="old")
    half = scores({"total": 40, "scored": 20, "errored": 20}, rows=rows)
    assert judge(check, half, whole)[0] is Outcome.FAIL
    outcome, reason = judge(check, whole, half)
    assert outcome is Outcome.INCONCLUSIVE
    assert "20 of 40 rows" in reason


@pytest.mark.parametrize("nan_count", [None, "left out"])
class TestAScoreThatDoesNotSayHowManyRowsHaveNoValue:
    def test_its_rows_are_read(self, nan_count):
        assert should_read_rows([BAR], scores(nan_count=nan_count).aggregate)
        assert not should_read_rows([BAR], scores().aggregate)

    def test_the_rows_decide(self, nan_count):
        half = scores(count=10, nan_count=nan_count, rows=[1.0] * 10 + [float("nan")] * 10)
        assert judge(BAR, half) == (
            Outcome.FAIL,
            "10 of 20 rows have no value (50.0%), at most 0.0% may be missing",
        )
        assert judge(BAR, scores(nan_count=nan_count, rows=[1.0] * 20))[0] is Outcome.PASS

    def test_else_the_number_of_rows_that_the_service_reports(self, nan_count):
        half = scores({"total": 20, "scored": 10, "errored": 10}, count=10, nan_count=nan_count)
        assert judge(BAR, half)[0] is Outcome.FAIL

    def test_else_it_is_no_evidence(self, nan_count):
        unknown = scores(nan_count=nan_count)
        outcome, reason = judge(BAR, unknown)
        assert (outcome, "does not say how many rows have no value" in reason) == (Outcome.FAIL, True)
        assert judge(Threshold("m", statistic="nan_count", at_most=3), unknown)[0] is Outcome.FAIL
        assert judge(Threshold("m", at_least=0.5, max_nan_fraction=1.0), unknown)[0] is Outcome.PASS
        assert judge(NoRegression("m"), unknown, scores(job="old"))[0] is Outcome.FAIL
        assert judge(NoRegression("m"), scores(), scores(nan_count=nan_count, job="old"))[0] is Outcome.INCONCLUSIVE
