"""A baseline that is the mean over several runs of the same model, on plain data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoDrift, NoRegression, evaluate
from airflow_provider_benchmarks.gates.averaged_baseline import OtherRun, average_runs
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS
from tests.support.scored_jobs import job, judge

NAN = float("nan")


def averaged(first, *others, runs=10, keys=()):
    return average_runs(first, [OtherRun(scores=other) for other in others], runs=runs, keys=keys)


def values(found):
    return found.scores.rows["s"].tolist()


class TestMeans:
    def test_an_item_has_the_mean_of_all_runs(self):
        found = averaged(job([1.0, 0.0, 0.5]), job([0.0, 0.0, 1.0]), job([1.0, 0.0, 0.0]))
        assert values(found) == pytest.approx([2 / 3, 0.0, 0.5])
        assert found.runs == {("w/m", "s"): 3}

    def test_of_the_runs_that_have_a_value(self):
        found = averaged(job([1.0, NAN, NAN, None]), job([NAN, 0.5, NAN, 1.0]), job([0.0, None, NAN, None]))
        assert values(found)[:2] == [0.5, 0.5]
        assert np.isnan(values(found)[2])
        assert values(found)[3] == 1.0
        assert found.scores.rows.attrs[CALL_ERRORS] == [3]

    def test_no_more_runs_than_asked_for_are_loaded(self):
        def loaded():
            yield OtherRun(scores=job([0.0]))
            raise AssertionError("one too many")

        found = average_runs(job([1.0]), loaded(), runs=2)
        assert (values(found), found.runs) == ([0.5], {("w/m", "s"): 2})

    def test_items_pair_by_index_where_they_are_equal(self):
        first = job([1.0, 1.0, 1.0])
        other = job([0.0, 0.0, 0.0], items=[{"q": "q0"}, {"q": "other"}, {"q": "q2"}])
        first = replace(first, rows=first.rows.drop(columns=["part", "text"]))
        assert values(averaged(first, other)) == [0.5, 1.0, 0.5]

    def test_items_pair_by_key(self):
        first = job([1.0, 0.0], items=[{"id": 1, "out": "x"}, {"id": 2, "out": "y"}])
        other = job([1.0, 1.0, 1.0], items=[{"id": 3, "out": "a"}, {"id": 2, "out": "b"}, {"id": 1, "out": "c"}])
        assert values(averaged(first, other, keys=("id",))) == [1.0, 0.5]

    def test_the_baseline_itself_is_not_changed(self):
        first = job([1.0, 0.0])
        averaged(first, job([0.0, 1.0]))
        assert first.rows["s"].tolist() == [1.0, 0.0]

    def test_the_range_of_scores_is_that_of_all_runs(self):
        found = averaged(job([0.2, 0.4]), job([0.1, 0.9]))
        score = found.scores.aggregate.get("m")
        assert (score.min, score.max) == (0.1, 0.9)


class TestRunsThatAreLeftOut:
    @pytest.mark.parametrize(
        "other",
        [
            replace(job([0.0, 0.0]), rows=None),
            job([0.0, 0.0], score="other"),
            job(["good", "bad"]),
            job([0.0, 0.0], indices=[0, 0]),
            replace(job([0.0, 0.0]), benchmark="w/other"),
            replace(job([0.0, 0.0]), dataset="w/other"),
            replace(job([0.0, 0.0]), content={"metrics": {"w/m": {"type": "other"}}}),
        ],
        ids=["no rows", "another score", "labels", "a row twice", "another benchmark", "another dataset", "version"],
    )
    def test_they_do_not_count(self, other):
        first = replace(
            job([1.0, 0.0]), benchmark="w/b", dataset="w/d", content={"metrics": {"w/m": {"type": "exact-match"}}}
        )
        found = averaged(first, other, job([0.0, 0.0]))
        assert (values(found), found.runs) == ([0.5, 0.0], {("w/m", "s"): 2})

    def test_a_baseline_without_numbers_is_as_it_was(self):
        labels = job(["good", "bad"])
        assert values(averaged(labels, job([0.0, 0.0]))) == ["good", "bad"]
        bare = replace(job([1.0]), rows=None)
        assert averaged(bare, job([0.0])).scores is bare


def flaky(random, n=300):
    """Runs of one model that answers some items sometimes."""
    shares = random.beta(2, 1, n)
    return lambda name: job((random.random(n) < shares).astype(float), name=name)


class TestGates:
    def test_a_lucky_run_is_no_bar(self):
        """The pinned run was right by chance where others are half of the times."""
        half = [job([1.0] * 100 + [float((i + n) % 2) for i in range(100)], name=f"run-{n}") for n in range(10)]
        lucky, candidate = job([1.0] * 200, name="lucky"), half.pop()
        assert judge(NoRegression("m"), candidate, lucky).outcome == "fail"
        assert judge(NoRegression("m"), candidate, [lucky, *half]).outcome == "fail"
        result = judge(NoRegression("m", baseline_runs=10, margin=0.06), candidate, [lucky, *half])
        assert result.outcome == "pass"
        assert result.details["baseline_mean"] == pytest.approx((1 + 9 * 0.75) / 10)
        assert result.evidence.startswith("200 rows paired, baseline: mean of 10 runs, ")

    def test_a_drop_is_seen_better_than_against_one_run(self):
        random = np.random.default_rng(1)
        run = flaky(random)
        runs = [run(f"run-{n}") for n in range(11)]
        errors = [
            judge(NoRegression("m", baseline_runs=n), runs[0], runs[1:]).details["standard_error"] for n in (1, 10)
        ]
        assert errors[1] < 0.85 * errors[0]

    def test_fewer_runs_than_asked_for(self):
        result = judge(NoRegression("m", baseline_runs=10), job([1.0] * 20), [job([1.0] * 20)] * 7)
        assert (result.outcome, result.details["baseline_runs"]) == ("pass", 7)
        assert "baseline: mean of 7 runs, 10 asked for" in result.evidence
        result = judge(NoRegression("m", baseline_runs=10), job([1.0] * 20), job([1.0] * 20))
        assert "baseline: 1 run, 10 asked for" in result.evidence

    def test_what_one_run_lacks_another_has(self):
        lacking = job([NAN] * 5 + [1.0] * 195, name="baseline")
        candidate = job([0.0] * 40 + [1.0] * 160)
        result = judge(NoRegression("m", baseline_runs=2), candidate, [lacking, job([1.0] * 200)])
        assert (result.outcome, result.count) == ("fail", 200)
        assert result.details["baseline"]["without_value"] == 0

    def test_the_mode_prove_and_groups(self):
        runs = [job([1.0, 0.0] * 100, name=f"run-{n}") for n in range(5)]
        check = NoRegression("m", baseline_runs=5, mode="prove", margin=0.05, by="part")
        verdict = evaluate([check], job([1.0, 0.0] * 100), runs)
        assert [result.details["baseline_runs"] for result in verdict.results] == [5, 5]

    def test_without_rows_one_run_is_compared(self):
        candidate, baseline = (replace(job([1.0, 0.0] * 50, name=name), rows=None) for name in ("new", "old"))
        result = judge(NoRegression("m", baseline_runs=5), candidate, [baseline, baseline])
        assert (result.outcome, result.details["baseline_runs"]) == ("pass", 1)
        assert result.evidence.startswith("100 rows, not paired, baseline: 1 run, 5 asked for, ")
        assert judge(NoRegression("m", baseline_runs=5), candidate, [job([1.0, 0.0] * 50)] * 2).outcome == "pass"

    def test_other_checks_have_the_first_run(self):
        runs = [job([1.0] * 20, name="first"), job([0.0] * 20, name="second")]
        verdict = evaluate([NoRegression("m"), NoDrift("m")], job([1.0] * 20), runs)
        assert verdict.baseline == "first"
        assert verdict.results[0].outcome == "pass"
        assert "baseline_runs" not in verdict.results[0].details

    @pytest.mark.parametrize("key", [None, "q"])
    def test_each_repeat_of_an_item_is_averaged(self, key):
        items = [{"q": f"q{i // 2}", "seed": i % 2} for i in range(80)]
        runs = [job([1.0, 0.0] * 40, items=items), job([0.0, 0.0] * 40, items=items)]
        check = NoRegression("m", baseline_runs=2, repeat_by="seed", key=key, margin=0.01)
        result = judge(check, job([0.5, 0.0] * 40, items=items), runs)
        assert (result.outcome, result.count, result.details["baseline_runs"]) == ("pass", 40, 2)
        assert result.details["baseline_mean"] == 0.25

    @pytest.mark.parametrize("statistic", ["pass@2", "majority"])
    def test_a_statistic_of_zeros_and_ones_is_refused(self, statistic):
        with pytest.raises(ConfigurationError, match=f"{statistic} is of 0/1 scores, .* not go with baseline_runs 2"):
            NoRegression("m", baseline_runs=2, repeat_by="seed", statistic=statistic)

    def test_no_run_is_no_baseline(self):
        assert judge(NoRegression("m"), job([1.0] * 20), []).outcome == "warn"

    def test_a_number_that_is_none(self):
        with pytest.raises(ConfigurationError, match="baseline_runs must be a whole number, 1 or more"):
            NoRegression("m", baseline_runs=0)
