from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import Outcome, Threshold, check_from_dict, evaluate
from airflow_provider_benchmarks.gates.statistics.proportions import exact_interval
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from tests.support.scored_jobs import job


def scores_of(**fields) -> JobScores:
    score = {"name": "s", "score_type": "range", "count": 10, "nan_count": 0, **fields}
    return JobScores(AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [score]}]}), job="j")


def judge(check: Threshold, scores: JobScores):
    (result,) = evaluate([check], scores).results
    return result


@pytest.mark.parametrize(
    ("bars", "mean", "outcome"),
    [
        ({"at_least": 0.7}, 0.7, "pass"),
        ({"at_least": 0.7}, 0.6999, "fail"),
        ({"at_most": 3}, 3.0, "pass"),
        ({"at_most": 3}, 3.1, "fail"),
        ({"at_least": 0.2, "at_most": 0.4}, 0.3, "pass"),
        ({"at_least": 0.2, "at_most": 0.4}, 0.1, "fail"),
        ({"at_least": 0.2, "at_most": 0.4}, 0.5, "fail"),
        ({"at_least": -1}, -0.5, "pass"),
    ],
)
def test_the_plain_comparison(bars, mean, outcome):
    assert judge(Threshold("m", **bars), scores_of(mean=mean)).outcome == outcome


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("mean", 0.6), ("std_dev", 0.49), ("variance", 0.24), ("min", 0.0), ("max", 1.0), ("sum", 3.0), ("p50", 1.0)]
    + [("count", 8.0), ("nan_count", 2.0), ("nan_fraction", 0.2)],
)
def test_every_statistic_can_be_asked_for(statistic, value):
    scores = scores_of(
        count=8, nan_count=2, mean=0.6, std_dev=0.49, variance=0.24, min=0, max=1, sum=3, percentiles={"p50": 1.0}
    )
    result = judge(Threshold("m", statistic=statistic, at_least=value, at_most=value, max_nan_fraction=0.5), scores)
    assert (result.outcome, result.observed) == ("pass", value)


@pytest.mark.parametrize(
    ("check", "fields", "reason"),
    [
        ({"metric": "other"}, {"mean": 1}, 'metric "other" is not in the results'),
        ({"metric": "m", "score": "other"}, {"mean": 1}, 'has no score "other"'),
        ({"metric": "m"}, {"mean": None}, "the mean of s is not a number"),
        ({"metric": "m"}, {"mean": "NaN"}, "the mean of s is not a number"),
        ({"metric": "m"}, {"mean": "Infinity"}, "the mean of s is not a number"),
        ({"metric": "m"}, {}, "the mean of s is not a number"),
        ({"metric": "m", "statistic": "p90"}, {"mean": 1}, "the p90 of s is not a number"),
        ({"metric": "m"}, {"mean": 1, "count": 0}, "only 0 rows have a value, at least 1 are needed"),
        ({"metric": "m", "min_count": 11}, {"mean": 1}, "only 10 rows have a value, at least 11 are needed"),
        ({"metric": "m"}, {"mean": 1, "count": None}, "does not say how many rows"),
        (
            {"metric": "m"},
            {"mean": 1, "nan_count": 1},
            "1 of 11 rows have no value (9.1%), at most 0.0% may be missing",
        ),
    ],
)
def test_what_is_no_evidence_misses(check, fields, reason):
    result = judge(Threshold(**{"at_least": 0, **check}), scores_of(**fields))
    assert result.outcome == "fail"
    assert reason in result.reason


def test_nans_may_be_allowed():
    assert judge(Threshold("m", at_least=0, max_nan_fraction=0.1), scores_of(mean=1, nan_count=1)).outcome == "pass"


def test_the_count_of_nans_can_be_the_check_itself():
    assert judge(Threshold("m", statistic="nan_count", at_most=0), scores_of(nan_count=3)).reason == (
        "nan_count of s is 3, expected ≤ 0"
    )


def test_a_job_whose_calls_failed_for_some_rows_does_not_pass_by_its_mean(recorded):
    scores = JobScores(AggregateScores.from_json(recorded(132)))
    (score,) = scores.aggregate.scores
    assert score.nan_count
    assert judge(Threshold(score.metric, at_least=0.0), scores).outcome == "fail"


def test_a_warning_reports_without_failing():
    verdict = evaluate(
        [Threshold("m", at_least=0.9, severity="warn"), Threshold("m", at_least=0.1)], scores_of(mean=0.5)
    )
    assert [result.outcome for result in verdict.results] == ["warn", "pass"]
    assert verdict.outcome == "pass"
    assert verdict.summary == "PASS: 1 of 2 checks hold, 1 warns"


def test_one_miss_fails_the_gate():
    verdict = evaluate([Threshold("m", at_least=0.1), Threshold("m", at_least=0.9)], scores_of(mean=0.5))
    assert verdict.outcome is Outcome.FAIL
    assert verdict.results[1].reason == "mean of s is 0.5, expected ≥ 0.9"


def test_a_gate_without_checks_is_refused():
    with pytest.raises(ConfigurationError, match="at least one check"):
        evaluate([], scores_of(mean=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give at_least, at_most, or both"),
        ({"at_least": math.nan}, "at_least must be a finite number"),
        ({"at_least": True}, "at_least must be a finite number"),
        ({"at_least": "0.7"}, "at_least must be a finite number"),
        ({"at_least": 2, "at_most": 1}, "nothing can pass"),
        ({"at_least": 1, "statistic": "median"}, "statistic must be one of mean, .* p1 … p100, .*, found 'median'"),
        ({"at_least": 1, "statistic": "p101"}, "statistic must be one of"),
        ({"at_least": 1, "statistic": "p0"}, "statistic must be one of"),
        ({"at_least": 1, "statistic": "share:"}, "statistic must be one of"),
        ({"at_least": 1, "confidence": 1}, "confidence must be between 0.5 and 1"),
        ({"at_least": 1, "confidence": 0.9, "statistic": "max"}, "confidence goes with mean, a percentile or a share"),
        ({"at_least": 1, "where": {}}, "where must name one or more fields"),
        (
            {"at_least": 1, "where": {"level": {"least": 1}}},
            "where level: unknown key .least.. Did you mean .at_least.{3}Known keys of a range: at_least",
        ),
        ({"at_least": 1, "where": {"level": []}}, "where level must be .* a list of one or more of these"),
        ({"at_least": 1, "by": ""}, "by must be a field"),
        ({"at_least": 1, "max_error_rate": 2}, "max_error_rate must be 0 to 1"),
        ({"at_least": 1, "min_count": 0}, "min_count must be a whole number, 1 or more"),
        ({"at_least": 1, "max_nan_fraction": 1.5}, "max_nan_fraction must be 0 to 1"),
        ({"at_least": 1, "severity": "info"}, 'severity must be "fail" or "warn"'),
        ({"at_least": 1, "metric": ""}, "metric must be the name of a metric"),
    ],
)
def test_a_wrong_check_fails_when_it_is_made(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Threshold(**{"metric": "m", **arguments})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"metric": "m", "at_leats": 1}, "unknown field .at_leats.. Did you mean .at_least.{3}Known .*: metric, score"),
        ({"at_least": 1}, "no metric"),
        ({"type": "thresholds", "metric": "m"}, 'unknown type of check "thresholds"'),
    ],
)
def test_wrong_plain_data_is_named(data, message):
    with pytest.raises(ConfigurationError, match=message):
        check_from_dict(data)


numbers = st.floats(-1e6, 1e6)
WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@given(
    low=st.none() | numbers,
    width=st.none() | st.floats(0, 1e6),
    statistic=st.sampled_from(["mean", "p90", "nan_fraction"]),
    min_count=st.integers(1, 10**6),
    nans=st.floats(0, 1),
    severity=st.sampled_from(["fail", "warn"]),
)
def test_a_check_survives_json(low, width, statistic, min_count, nans, severity):
    if low is None and width is None:
        width = 1.0
    check = Threshold(
        "w/m",
        score="s",
        statistic=statistic,
        at_least=low,
        at_most=None if width is None else (low or 0.0) + width,
        min_count=min_count,
        max_nan_fraction=nans,
        severity=severity,
    )
    assert check_from_dict(json.loads(json.dumps(check.to_dict()))) == check


@given(mean=st.none() | st.floats(), bars=st.lists(numbers, min_size=1, max_size=5))
def test_the_order_of_checks_does_not_matter_and_a_verdict_is_json(mean, bars):
    scores = scores_of(mean=mean if mean is None or math.isfinite(mean) else WORDS[str(mean)])
    checks = [Threshold("m", at_least=bar) for bar in bars]
    verdict = evaluate(checks, scores)
    assert verdict.outcome == evaluate(checks[::-1], scores).outcome
    assert (verdict.outcome == "pass") == (mean is not None and math.isfinite(mean) and mean >= max(bars))
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_a_share_of_aggregates_gets_the_interval_of_a_share():
    """Zeros and ones are known by their ends and variance; a graded score of the same ends is none."""
    zeros_and_ones = scores_of(count=100, mean=0.3, variance=0.21, std_dev=0.21**0.5, min=0, max=1)
    low, high = judge(Threshold("m", at_least=0.1, confidence=0.95), zeros_and_ones).interval
    assert (low, high) == pytest.approx(exact_interval(30, 100, confidence=0.95))
    graded = scores_of(count=100, mean=0.3, variance=0.05, std_dev=0.05**0.5, min=0, max=1)
    assert judge(Threshold("m", at_least=0.1, confidence=0.95), graded).interval != (low, high)


def test_a_share_of_a_category_gets_the_interval_of_all_its_answers():
    distribution = [{"label": "good", "value": 1, "count": 80}, {"label": "bad", "value": 0, "count": 20}]
    scores = scores_of(count=100, mean=0.8, score_type="rubric", rubric_distribution=distribution)
    result = judge(Threshold("m", statistic="share:good", at_least=0.5, confidence=0.95), scores)
    assert tuple(result.interval) == pytest.approx(exact_interval(80, 100, confidence=0.95))


class TestBounds:
    """Those of comparisons: with room for what is too rare to be seen, over clusters, in a known range."""

    RANDOM = np.random.default_rng(9)
    SCORES = RANDOM.normal(0.95, 0.02, 50).clip(0, 1)

    def test_a_known_range_narrows_a_bound_of_a_mean(self):
        wide, known = (
            judge_rows(Threshold("m", at_least=0.5, confidence=0.95, score_range=ends), self.SCORES)
            for ends in (None, (0, 1))
        )
        assert wide.interval[0] < known.interval[0] < self.SCORES.mean() - 0.02
        assert known.interval[1] <= 1 < wide.interval[1]

    def test_a_score_outside_of_it_misses(self):
        result = judge_rows(Threshold("m", at_least=0.5, score_range=(0, 0.9)), self.SCORES)
        assert (result.outcome, "are not all in score_range 0 to 0.9" in result.reason) == ("fail", True)

    def test_the_range_of_a_rubric_is_that_of_its_categories(self):
        distribution = [{"label": str(value), "value": value, "count": 20} for value in (3, 4)]
        distribution += [{"label": str(value), "value": value, "count": 0} for value in (1, 2, 5)]
        figures = {"count": 40, "mean": 3.5, "std_dev": 0.5, "variance": 0.25, "min": 3, "max": 4}
        scores = scores_of(score_type="rubric", rubric_distribution=distribution, **figures)
        rubric = judge(Threshold("m", at_least=1, confidence=0.95), scores).interval
        given = judge(Threshold("m", at_least=1, confidence=0.95, score_range=(1, 5)), scores_of(**figures)).interval
        assert rubric == given
        assert judge(Threshold("m", at_least=1, confidence=0.95), scores_of(**figures)).interval[0] < rubric[0]

    def test_rows_of_a_cluster_count_as_one(self):
        texts = [{"q": i, "text": i // 10} for i in range(200)]
        values = [1.0] * 180 + [0.0] * 20
        rows = judge_rows(Threshold("m", at_least=0.8, confidence=0.95), values, texts)
        clusters = judge_rows(Threshold("m", at_least=0.8, confidence=0.95, cluster_by="text"), values, texts)
        assert (rows.outcome, clusters.outcome) == ("pass", "fail")
        share = Threshold("m", statistic="p50", at_most=1, confidence=0.95, cluster_by="text")
        assert judge_rows(share, values, texts).outcome == "pass"

    def test_clusters_need_confidence(self):
        with pytest.raises(ConfigurationError, match="cluster_by goes with confidence"):
            Threshold("m", at_least=0.5, cluster_by="text")

    @pytest.mark.parametrize(("n", "needed"), [(40, "; 59 are needed"), (10, "; 59 are needed")])
    def test_too_few_rows_for_a_percentile_say_how_many_are_needed(self, n, needed):
        result = judge_rows(Threshold("m", statistic="p95", at_most=1, confidence=0.95), np.linspace(0, 1, n))
        assert result.reason.endswith(f"{n} rows give no upper bound for the p95 at 95 %{needed}")
        enough = judge_rows(Threshold("m", statistic="p95", at_most=1, confidence=0.95), np.linspace(0, 1, 59))
        assert enough.outcome == "pass"


def judge_rows(check, values, items=None):
    (result,) = evaluate([check], job(list(values), items=items)).results
    return result
