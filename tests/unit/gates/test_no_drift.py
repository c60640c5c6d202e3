"""A score against a fixed reference, on plain data."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import (
    NoDrift,
    NoRegression,
    Threshold,
    Verdict,
    WithinHistory,
    check_from_dict,
    evaluate,
)
from airflow_provider_benchmarks.gates.evidence import JobsSincePin
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from tests.support.scored_jobs import job, judge


def night(mean, name="", *, count=400, nan_count=0, ends=(0.0, 1.0), **fields):
    score = {"name": "s", "count": count, "nan_count": nan_count, "mean": mean, "min": ends[0], "max": ends[1]}
    aggregate = AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [score]}]})
    return JobScores(aggregate, job=name, **fields)


def nights(*means, start=0):
    """Jobs, oldest first."""
    return [night(mean, f"night-{start + number}") for number, mean in enumerate(means)]


#: Ten jobs with a mean of 0.8 and a spread of 0.0105.
USUAL = (0.79, 0.81) * 5


def judge_last(check, *means, baseline=None):
    *history, candidate = nights(*means)
    return judge(check, candidate, baseline, history=history[::-1])


def months(check, *, runs, drift, spread=0.01, seed=1):
    """Number of runs with an alarm in 30 nights after the reference; a job that misses is no history."""
    random = np.random.default_rng(seed)
    alarms = 0
    for _ in range(runs):
        history = nights(*(0.8 + spread * random.standard_normal(10)))[::-1]
        for number in range(1, 31):
            candidate = night(0.8 + spread * (random.standard_normal() - drift * number), f"later-{number}")
            if judge(check, candidate, None, history=history).outcome == "fail":
                alarms += 1
                break
            history.insert(0, candidate)
    return alarms


def test_a_slow_drift_is_found_that_the_window_of_the_history_follows():
    assert months(NoDrift("m"), runs=40, drift=0.1) >= 38
    assert months(NoDrift("m"), runs=40, drift=0.0) <= 6
    # Its window follows the drift: it finds no more than single odd jobs.
    assert months(WithinHistory("m"), runs=40, drift=0.1) < 30


class TestReference:
    def test_too_few_jobs_can_not_tell(self):
        result = judge_last(NoDrift("m"), *USUAL[:9], 0.1)
        assert (result.outcome, result.judged) == ("warn", False)
        assert result.reason == ("inconclusive: 9 jobs that passed have this score, 10 are needed for a reference")
        assert judge_last(NoDrift("m"), *USUAL, 0.1).outcome == "fail"

    def test_it_stays_however_far_later_jobs_have_moved(self):
        result = judge_last(NoDrift("m"), *USUAL, *(0.8 - 0.004 * n for n in range(1, 8)), 0.77)
        assert result.details["mean"] == pytest.approx(0.8)
        assert result.details["jobs"] == 17

    def test_it_begins_with_the_baseline_that_is_among_the_history(self):
        history = nights(*(0.9,) * 5, *USUAL, 0.8)
        candidate = night(0.8, "new")
        for pin in (history[5], replace(history[5])):
            result = judge(NoDrift("m"), candidate, pin, history=history[::-1])
            assert (result.outcome, result.details["pin"]) == ("pass", "night-5")
            assert result.details["mean"] == pytest.approx(0.8)
        assert judge(NoDrift("m"), candidate, None, history=history[::-1]).details["mean"] == pytest.approx(0.849)

    def test_a_baseline_that_is_not_among_the_history_is_older_than_all(self):
        result = judge(NoDrift("m"), night(0.8), night(0.79, "release"), history=nights(*USUAL[1:])[::-1])
        assert (result.outcome, result.details["jobs"], result.details["pin"]) == ("pass", 10, "release")
        result = judge(NoDrift("m"), night(0.8), night(0.79, "release"), history=nights(*USUAL[2:])[::-1])
        assert result.reason == (
            'inconclusive: 9 jobs since "release" was pinned, itself included, that passed have this score, 10 are '
            "needed for a reference"
        )

    def test_another_pinned_job_begins_anew(self):
        history = nights(*USUAL, *(0.75, 0.77) * 5)
        candidate = night(0.76)
        assert judge(NoDrift("m"), candidate, history[0], history=history[::-1]).outcome == "fail"
        assert judge(NoDrift("m"), candidate, history[10], history=history[::-1]).outcome == "pass"
        assert judge(NoDrift("m"), candidate, history[11], history=history[::-1]).outcome == "warn"

    def test_jobs_between_that_were_not_read_are_no_reference(self):
        jobs = nights(*USUAL, *USUAL)
        candidate = night(0.8)

        def judged(unbroken):
            since = JobsSincePin(jobs=jobs, pin="night-0", unbroken=unbroken)
            (result,) = evaluate([NoDrift("m")], candidate, since_pin=since).results
            return result

        assert (judged(None).outcome, judged(10).outcome) == ("pass", "pass")
        assert judged(9).reason == (
            'inconclusive: 9 of the first jobs since "night-0" was pinned, itself included, that passed have this '
            "score, 10 are needed for a reference; pin a newer job"
        )


@pytest.mark.parametrize("check", [NoDrift("m"), WithinHistory("m")])
def test_the_history_may_be_any_iterable(check):
    verdict = evaluate([check, check], night(0.1), night(0.8, "release"), history=iter(nights(*USUAL)[::-1]))
    assert [result.outcome for result in verdict.results] == ["fail", "fail"]


class TestCandidateWithoutEvidence:
    """It misses, however short the history is."""

    @pytest.mark.parametrize("check", [NoDrift("typo"), NoDrift("m", "typo"), WithinHistory("typo")])
    @pytest.mark.parametrize("past", [(), USUAL])
    def test_a_score_that_is_not_there(self, check, past):
        candidate = night(0.8, "new")
        result = judge(check, candidate, None, history=nights(*past)[::-1])
        threshold = judge(Threshold(check.metric, check.score, at_least=0), candidate, None)
        assert (result.outcome, result.reason) == ("fail", threshold.reason)
        assert "typo" in result.reason
        assert result.check == check
        assert judge(replace(check, severity="warn"), candidate, None).outcome == "warn"

    @pytest.mark.parametrize("kind", [NoDrift, WithinHistory])
    @pytest.mark.parametrize("higher_is_better", [True, False, None])
    @pytest.mark.parametrize("mean", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("past", [(), USUAL])
    def test_a_mean_that_is_no_number(self, kind, higher_is_better, mean, past):
        check = kind("m", higher_is_better=higher_is_better)
        result = judge(check, night(mean, "new"), None, history=nights(*past)[::-1])
        assert result.outcome == "fail"
        assert result.reason.startswith("the mean of s is not a number")

    def test_rows_without_a_value(self):
        result = judge(NoDrift("m"), night(0.8, nan_count=40), None)
        assert (result.outcome, "40 of 440 rows have no value" in result.reason) == ("fail", True)


class TestWhatIsLeftOut:
    def test_a_job_without_a_number_is_no_evidence(self):
        other = job([1.0] * 20, score="other")
        for missing in (night(None), night(math.nan), night(math.inf), other):
            history = [*nights(*USUAL[1:]), missing]
            result = judge(NoDrift("m", "s"), night(0.8), None, history=history[::-1])
            assert (result.outcome, result.reason) == (
                "warn",
                (
                    "inconclusive: 9 jobs that passed have this score, 10 are needed for a reference; left out as they "
                    "have no mean of this score: 1"
                ),
            )
            later = [*nights(*USUAL), missing, *nights(0.75, 0.75)]
            result = judge(NoDrift("m", "s"), night(0.75), None, history=later[::-1])
            assert result.details["left_out"] == {"they have no mean of this score": 1}
            assert result.outcome == "fail"

    def test_a_job_with_too_many_rows_without_a_value_is_no_evidence(self):
        history = [*nights(*USUAL[1:]), night(0.1, nan_count=40)]
        assert judge(NoDrift("m"), night(0.8), None, history=history[::-1]).reason.endswith(
            "left out as too many of their rows have no value: 1"
        )
        assert judge(NoDrift("m", max_nan_fraction=0.1), night(0.8), None, history=history[::-1]).outcome == "pass"

    def test_rows_without_a_value_do_not_help_the_candidate(self):
        result = judge(NoDrift("m"), night(0.8, nan_count=40), None, history=nights(*USUAL))
        assert (result.outcome, result.reason[:32]) == ("fail", "40 of 440 rows have no value (9.")
        assert judge(NoDrift("m"), night(None), None, history=nights(*USUAL)).outcome == "fail"
        missing = judge(NoDrift("other"), night(0.8), None, history=nights(*USUAL))
        assert missing.outcome != "pass"

    def test_a_job_of_another_version_is_no_evidence(self):
        old, new = ({"metrics": {"w/m": {"type": "exact-match", "n": n}}} for n in (1, 2))
        history = [night(0.8 + n % 2 / 100, f"j{n}", content=old if n < 10 else new) for n in range(19)]
        candidate = night(0.8, content=new)
        result = judge(NoDrift("m"), candidate, None, history=history[::-1])
        assert result.reason == (
            "inconclusive: 9 jobs that passed have this score, 10 are needed for a reference; left out as they "
            "measured another version of the benchmark: 10"
        )
        assert judge(NoDrift("m", reference=9), candidate, None, history=history[::-1]).outcome == "pass"


class TestSpread:
    def test_one_row_may_change_for_ever_where_jobs_are_equal(self):
        usual = [job([1.0] * 200)] * 12
        changed = job([1.0] * 199 + [0.0])
        for later in (0, 5, 30):
            history = [*[changed] * min(later, 11), *usual]
            assert judge(NoDrift("m"), changed, None, history=history).outcome == "pass"
        two = job([1.0] * 198 + [0.0] * 2)
        assert judge(NoDrift("m"), two, None, history=usual).outcome == "pass"
        assert judge(NoDrift("m"), two, None, history=[*[two] * 8, *usual]).outcome == "fail"
        assert judge(NoDrift("m"), job([0.0] * 200), None, history=usual).outcome == "fail"

    def test_what_rounding_leaves_is_no_drift(self):
        usual = [job([0.7] * 20)] * 12
        assert judge(NoDrift("m"), job([0.7 - 1e-16] * 20), None, history=usual).outcome == "pass"

    def test_scores_that_vary_by_less_than_a_row_are_seen(self):
        result = judge(
            NoDrift("m"), night(0.7995, count=50), None, history=nights(*(0.8 + n * 1e-5 for n in range(10)))
        )
        assert result.outcome == "fail"

    @pytest.mark.parametrize("scale", [1e-300, 1e50])
    def test_very_small_and_very_large_scores(self, scale):
        values = [n % 2 * scale for n in range(10)]
        history = [night(value, ends=(0.0, scale)) for value in values]
        assert judge(NoDrift("m"), night(0.5 * scale), None, history=history).outcome == "pass"
        json.dumps(judge(NoDrift("m"), night(-1e308), None, history=history).to_dict(), allow_nan=False)

    def test_scores_that_floats_hardly_hold_are_no_history(self):
        history = [night(n % 2 * 1e300, ends=(0.0, 1e300)) for n in range(12)]
        assert judge(NoDrift("m"), night(0.5), None, history=history).outcome in ("warn", "inconclusive")


class TestSides:
    @pytest.mark.parametrize(
        ("higher_is_better", "value", "outcome"),
        [(True, 0.7, "fail"), (True, 0.9, "pass"), (False, 0.7, "pass"), (False, 0.9, "fail"), (None, 0.7, "fail"),
         (None, 0.9, "fail"), (None, 0.8, "pass")],
    )  # fmt: skip
    def test_what_counts(self, higher_is_better, value, outcome):
        result = judge_last(NoDrift("m", higher_is_better=higher_is_better), *USUAL, value)
        assert result.outcome == outcome
        if outcome == "fail":
            assert result.details["direction"] == ("fall" if value < 0.8 else "rise")

    def test_severity(self):
        result = judge_last(NoDrift("m", severity="warn"), *USUAL, 0.1)
        assert (result.outcome, result.judged) == ("warn", True)

    def test_a_job_that_only_warned_is_added_and_a_model_that_recovers_passes(self):
        check = NoDrift("m", severity="warn")
        assert judge_last(check, *USUAL, *(0.5,) * 5, 0.8).outcome == "pass"
        assert judge_last(check, *USUAL, *(0.5,) * 5, 0.75).outcome == "warn"

    def test_an_odd_job_that_only_warned_hides_nothing(self):
        check = NoDrift("m", severity="warn")
        still = judge_last(check, *USUAL, *USUAL, 0.8).details["spread"]
        assert judge_last(check, *USUAL, 0.0, *USUAL, 0.8).details["spread"] < 2 * still


class TestWords:
    def test_an_alarm_says_since_when_and_how_far(self):
        result = judge_last(NoDrift("m"), *USUAL, 0.80, 0.77, 0.77, 0.77)
        spread = result.details["spread"]
        assert result.outcome == "fail"
        assert result.reason == (
            'mean of s has fallen since "night-10": the 3 jobs after it are on average '
            f"{0.03 / spread:.3g} spreads (0.03) below the mean 0.8 of the reference (10 jobs, spread {spread:.2g}); "
            f"CUSUM {result.details['cusum']:.3g}, limit {result.details['limit']:.3g}"
        )
        assert result.evidence == (
            f"CUSUM {result.details['cusum']:.3g} of 5.75, reference of 10 jobs: mean 0.8, spread {spread:.2g}"
        )
        assert result.expected == f"≥ {result.details['low']:.6g}"

    @pytest.mark.parametrize(("higher_is_better", "expected"), [(None, "unchanged (0)"), (True, "≥ 0"), (False, "≤ 0")])
    def test_of_jobs_that_are_all_the_same_the_bar_has_no_rounding(self, higher_is_better, expected):
        check = NoDrift("m", higher_is_better=higher_is_better)
        same = [night(0.0, f"night-{number}", ends=(0.0, 0.0)) for number in range(12)]
        result = judge(check, night(0.0, ends=(0.0, 0.0)), None, history=same)
        assert (result.outcome, result.expected) == ("pass", expected)

    def test_of_one_night(self):
        *history, candidate = [night(mean) for mean in (*USUAL, 0.9)]
        result = judge(NoDrift("m", higher_is_better=False), candidate, None, history=history[::-1])
        assert result.reason.startswith(
            "mean of s has risen in the last 1 jobs: the candidate is 9.49 spreads (0.1) above the mean 0.8 of the ref"
        )

    def test_the_pinned_job_is_named(self):
        *history, candidate = nights(*USUAL, 0.5)
        result = judge(NoDrift("m"), candidate, history[0], history=history[::-1])
        assert 'of the reference (10 jobs from "night-0" on, spread' in result.reason

    def test_the_path_is_bounded(self):
        result = judge_last(NoDrift("m"), *USUAL * 12, 0.8)
        assert len(result.details["path"]) == 60
        assert result.details["path"][-1] == {"job": "night-119", "value": 0.81, "cusum": 0.0}
        verdict = Verdict(results=(result,))
        assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_it_is_plain_data():
    check = NoDrift("m", reference=20, higher_is_better=None)
    assert check.to_dict() == {"type": "no_drift", "metric": "m", "reference": 20, "higher_is_better": None}
    assert check_from_dict(check.to_dict()) == check
    with pytest.raises(ConfigurationError, match=r"p10, p20 … p100"):
        NoDrift("m", statistic="p95")


def test_it_does_not_make_a_comparison_of_the_gate():
    """It has no baseline of its own, and comparisons beside it keep theirs."""
    history = nights(*USUAL)
    verdict = evaluate([NoDrift("m"), NoRegression("m")], night(0.8), history=history[::-1])
    assert [result.outcome for result in verdict.results] == ["pass", "warn"]
