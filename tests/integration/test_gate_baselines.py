"""Gates that compare with a baseline: where it comes from, what is written, and what follows."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, NotFound, NotStored
from airflow_provider_benchmarks.gates import NoRegression, Threshold, WithinHistory
from airflow_provider_benchmarks.operators.gates import (
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    GateFailed,
    GateInconclusive,
    PinBaselineOperator,
)
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import Seeder
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context

ROWS = 120
WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}


def row(index: int, value: object, **sample: object) -> dict:
    item = {"question": f"question {index}", "category": "math" if index % 4 == 0 else "prose"}
    scores = [{"name": "accuracy", "value": value}]
    return {"row_index": index, "item": item, "sample": sample, "metrics": {f"{WORKSPACE}/m": scores}, "requests": []}


def of_values(values: list[float]) -> list[dict]:
    return [row(index, value) for index, value in enumerate(values)]


GOOD = of_values([float(i % 5 != 1) for i in range(ROWS)])
#: Worse in one category only: a quarter of the rows, of which half are lost.
BAD_AT_MATH = of_values([float(i % 5 != 1 and i % 8 != 0) for i in range(ROWS)])


@pytest.fixture
def run_job(service, monkeypatch):
    """Run a job that gives these rows."""
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())

    def run(name, rows=GOOD, benchmark=BENCHMARK):
        values = [r["metrics"][f"{WORKSPACE}/m"][0]["value"] for r in rows]
        known = [value for value in values if value != "NaN"]
        mean = sum(known) / len(known)
        variance = mean * (1 - mean)
        score = {"name": "accuracy", "score_type": "range", "count": len(known), "nan_count": len(values) - len(known)}
        score |= {"mean": mean, "variance": variance, "std_dev": variance**0.5, "min": 0, "max": 1, "sum": sum(known)}
        service.give_results(
            benchmark, aggregate={"results": [{"metric": f"{WORKSPACE}/m", "scores": [score]}]}, rows=rows
        )
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            client.submit_job({**SPEC, "benchmark": benchmark}, name=name)
            wait_until_finished(client, name)
        return name

    yield run
    service.evaluate_jobs(BENCHMARK)


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path / "store"))


def gate(*checks, context=None, **arguments):
    operator = BenchmarkGateOperator(**{"task_id": "gate", "checks": checks or None, **arguments})
    return operator.execute(context or task_context())


def outcomes(verdict):
    return [result["outcome"] for result in verdict["results"]]


class TestBaselines:
    def test_a_baseline_of_another_benchmark_is_no_baseline(self, service, run_job, store):
        with Seeder(service.url) as seeder:
            other = seeder.benchmark(
                WORKSPACE, "other-bench", metrics=[f"{WORKSPACE}/exact-match"], dataset="my-workspace/qa"
            )
        run_job("mine")
        run_job("theirs", benchmark=other)

        for place in ({}, {"store": store.root}):
            with pytest.raises(GateFailed) as caught:
                gate(NoRegression("m", margin=0.5), job_name="mine", baseline="theirs", **place)
            assert f"theirs: that is of benchmark {other}, the candidate of {BENCHMARK}" in str(caught.value)

    def test_a_job_on_the_service(self, run_job):
        run_job("old"), run_job("new")
        verdict = gate(NoRegression("m", margin=0.01), job_name="new", baseline="old")
        assert (verdict["outcome"], verdict["baseline"]) == ("pass", "old")
        assert verdict["results"][0]["count"] == ROWS

    def test_a_job_that_is_not_there_is_no_verdict(self, run_job):
        run_job("alone")
        context = task_context()
        with pytest.raises(NotFound, match="never"):
            gate(NoRegression("m"), job_name="alone", baseline="never", context=context)
        assert context["ti"].xcoms == []

    @pytest.mark.parametrize("baseline", [None, "pinned", "last_passed", "previous"])
    def test_the_first_run_has_none_and_says_so(self, run_job, store, baseline):
        run_job("first")
        verdict = gate(NoRegression("m"), job_name="first", baseline=baseline, store=store.root)
        assert (verdict["outcome"], outcomes(verdict)) == ("pass", ["warn"])
        assert verdict["results"][0]["reason"] == "there is no baseline yet to compare with"
        with pytest.raises(GateFailed, match="there is no baseline yet"):
            gate(NoRegression("m"), job_name="first", baseline=baseline, store=store.root, if_no_baseline="fail")

    def test_the_pinned_job_stays_until_another_is_promoted(self, run_job, store):
        pin = PinBaselineOperator(task_id="pin", job_name=run_job("release-1"), store=store.root)
        assert pin.execute(task_context()) == "release-1"
        run_job("release-2")
        assert gate(NoRegression("m"), job_name="release-2", store=store.root)["baseline"] == "release-1"
        run_job("release-3")
        assert gate(NoRegression("m"), job_name="release-3", store=store.root)["baseline"] == "release-1"

    def test_the_last_that_passed_and_the_previous(self, run_job, store):
        gate(Threshold("m", at_least=0.5), job_name=run_job("passes"), store=store.root)
        with pytest.raises(GateFailed):
            gate(Threshold("m", at_least=0.99), job_name=run_job("misses"), store=store.root)
        run_job("now")
        found = {
            baseline: gate(NoRegression("m"), job_name="now", store=store.root, baseline=baseline)["baseline"]
            for baseline in ("last_passed", "previous")
        }
        assert found == {"last_passed": "passes", "previous": "misses"}

    def test_a_folder(self, run_job, store):
        gate(Threshold("m", at_least=0.5), job_name=run_job("kept"), store=store.root)
        folder = f"{store.folder(**WHERE)}/kept"
        assert gate(NoRegression("m"), job_name=run_job("later"), baseline=folder)["baseline"] == "kept"
        with pytest.raises(NotStored, match=r"no folder of a job in a score store: it has no manifest.json"):
            gate(NoRegression("m"), job_name="later", baseline=f"{folder}-not")

    def test_a_stored_baseline_needs_a_store(self, run_job):
        with pytest.raises(ConfigurationError, match="set store=, or .benchmarks. score_store, or name a job"):
            gate(NoRegression("m"), job_name=run_job("no-store"), baseline="pinned")

    def test_checks_can_have_baselines_of_their_own(self, run_job):
        run_job("worse", BAD_AT_MATH), run_job("same")
        verdict = gate(
            NoRegression("m", mode="prove", margin=0.03),
            NoRegression("m", baseline="worse", mode="prove"),
            job_name="same",
            baseline="same",
        )
        assert outcomes(verdict) == ["pass", "pass"]
        assert verdict["results"][1]["observed"] == pytest.approx(0.1, abs=0.05)


class TestSlices:
    def test_a_slice_that_got_worse_stops_what_passes_as_a_whole(self, run_job):
        run_job("before"), run_job("after", BAD_AT_MATH)
        whole = NoRegression("m", margin=0.13)
        assert gate(whole, job_name="after", baseline="before")["outcome"] == "pass"
        with pytest.raises(GateFailed) as caught:
            gate(
                whole,
                NoRegression("m", margin=0.13, where={"category": "math"}),
                Threshold("m", at_least=0.6, by="category"),
                job_name="after",
                baseline="before",
            )
        text = str(caught.value)
        assert "accuracy [category = math]" in text
        assert "mean of accuracy where category = math is 0.4, expected ≥ 0.6" in text
        assert "question: question 0, category: math" in text  # a row that got worse, with its item

    def test_the_verdict_has_the_rows_that_got_worse(self, run_job):
        run_job("full"), run_job("less", BAD_AT_MATH)
        verdict = gate(NoRegression("m"), job_name="less", baseline="full", on_failure="continue")
        worst = verdict["results"][0]["worst"]
        assert worst[0] == {
            "row_index": 0,
            "candidate": 0.0,
            "baseline": 1.0,
            "item": {"question": "question 0", "category": "math"},
        }
        assert all(entry["row_index"] % 8 == 0 for entry in worst)

    def test_an_unknown_field_is_a_miss_with_a_reason(self, run_job):
        with pytest.raises(GateFailed, match='the rows have no field "nope"'):
            gate(Threshold("m", at_least=0.1, where={"nope": 1}), job_name=run_job("fields"))


class TestRowsWithoutAScore:
    def test_failed_calls_are_told_from_rows_without_a_value(self, run_job):
        rows = [*GOOD[:-10], *(row(i, "NaN", inference_error="503") for i in range(ROWS - 10, ROWS))]
        run_job("calls", rows)
        check = Threshold("m", at_least=0.5)
        with pytest.raises(GateFailed, match=r"the call of the model failed for 10 of 120 rows \(8.3%\), at most 0.0%"):
            gate(check, job_name="calls")
        assert gate(Threshold("m", at_least=0.5, max_error_rate=0.1), job_name="calls")["outcome"] == "pass"

    def test_they_are_left_out_on_both_sides(self, run_job):
        run_job("whole")
        run_job("gaps", [*GOOD[:-10], *(row(i, "NaN", inference_error="503") for i in range(ROWS - 10, ROWS))])
        check = NoRegression("m", max_error_rate=0.1)
        for candidate, baseline in (("gaps", "whole"), ("whole", "gaps")):
            (result,) = gate(check, job_name=candidate, baseline=baseline)["results"]
            assert (result["outcome"], result["count"]) == ("pass", ROWS - 10)
            assert result["details"]["candidate" if candidate == "gaps" else "baseline"]["call_failed"] == 10

    def test_other_gaps_are_a_miss(self, run_job):
        run_job("sound"), run_job("nans", [*GOOD[:-10], *(row(i, "NaN") for i in range(ROWS - 10, ROWS))])
        with pytest.raises(GateFailed, match="10 of 120 rows have no value"):
            gate(NoRegression("m"), job_name="nans", baseline="sound")
        with pytest.raises(GateFailed, match="10 rows have no value, 0 in the baseline"):
            gate(NoRegression("m", max_nan_fraction=0.5), job_name="nans", baseline="sound")


class TestOutcomes:
    def test_prove_with_few_rows_is_inconclusive_and_says_how_many_would_do(self, run_job):
        run_job("one"), run_job("two")
        check = NoRegression("m", margin=0.001, mode="prove")
        with pytest.raises(GateInconclusive, match=r"about [\d,]+ rows would decide it"):
            gate(check, job_name="two", baseline="one")
        assert gate(check, job_name="two", baseline="one", if_inconclusive="warn")["outcome"] == "pass"

    def test_history(self, run_job, store):
        for number in range(5):
            gate(Threshold("m", at_least=0.5), job_name=run_job(f"night-{number}"), store=store.root)
        check = WithinHistory("m")
        assert outcomes(gate(check, job_name=run_job("usual"), store=store.root)) == ["pass"]
        with pytest.raises(GateFailed, match=r"from the last \d jobs \(median 0.8, deviation"):
            gate(check, job_name=run_job("drifted", BAD_AT_MATH), store=store.root)

    def test_a_branch(self, run_job, service):
        run_job("branch")
        followed = []
        for bar in (0.5, 0.99):
            with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
                operator = BenchmarkGateBranchOperator(
                    task_id="gate",
                    job_name="branch",
                    checks=[Threshold("m", at_least=bar)],
                    follow_if_passed="ship",
                    follow_if_failed=["tell", "stop"],
                )
            operator.do_branch = lambda context, chosen: followed.append(chosen)
            context = task_context()
            operator.execute(context)
            assert context["ti"].xcoms[0][0] == "verdict"
        assert followed == ["ship", ["tell", "stop"]]


class TestWhatIsWritten:
    @pytest.mark.parametrize(
        ("suffix", "start"), [("md", "**FAIL: 0 of 1"), ("html", "<!doctype html>"), ("json", '{\n "outcome": "fail"')]
    )
    def test_a_report_before_the_task_fails(self, run_job, tmp_path, suffix, start):
        path = tmp_path / f"report.{suffix}"
        with pytest.raises(GateFailed):
            gate(Threshold("m", at_least=0.99), job_name=run_job(f"report-{suffix}"), report=str(path))
        assert path.read_text().startswith(start)

    def test_the_verdict_in_the_store(self, run_job, store):
        with pytest.raises(GateFailed):
            gate(Threshold("m", at_least=0.99), job_name=run_job("kept-verdict"), store=store.root)
        (found,) = store.history(**WHERE)
        assert (found.job, found.outcomes) == ("kept-verdict", {"nightly.gate": "fail"})

    def test_asset_events(self, run_job):
        from airflow.sdk import Asset

        asset = Asset("scores-passed")
        context = {**task_context(), "outlet_events": {asset: SimpleNamespace(extra=None)}}
        gate(Threshold("m", at_least=0.5), job_name=run_job("asset"), outlets=[asset], context=context)
        assert context["outlet_events"][asset].extra == {
            "job": "asset",
            "workspace": WORKSPACE,
            "benchmark": BENCHMARK,
            "means": {f"{WORKSPACE}/m:accuracy": 0.8},
            "outcome": "pass",
            "verdict": "PASS: 1 of 1 checks hold",
        }


POLICY = """
if_no_baseline: fail
checks:
  - metric: m
    at_least: 0.5
  - type: no_regression
    metric: m
    margin: 0.02
"""


class TestPolicyFiles:
    def test_a_policy_is_read_and_judged_by(self, run_job, tmp_path):
        (tmp_path / "release.yaml").write_text(POLICY)
        run_job("by-policy")
        policy = str(tmp_path / "release.yaml")
        verdict = gate(job_name="by-policy", policy=policy, baseline="by-policy")
        assert outcomes(verdict) == ["pass", "pass"]
        with pytest.raises(GateFailed, match="no baseline"):
            gate(job_name="by-policy", policy=policy)
        assert gate(job_name="by-policy", policy=policy, if_no_baseline="pass")["outcome"] == "pass"

    def test_one_in_object_storage(self, run_job, s3):
        from tests.support.s3_server import BUCKET

        s3.client.put_object(
            Bucket=BUCKET, Key="policies/p.json", Body=json.dumps({"checks": [{"metric": "m", "at_least": 0.5}]})
        )
        policy = f"s3://aws_scores@{BUCKET}/policies/p.json"
        assert gate(job_name=run_job("far-policy"), policy=policy)["outcome"] == "pass"

    def test_a_wrong_one_fails_when_the_dag_is_parsed(self, tmp_path):
        (tmp_path / "wrong.yaml").write_text(POLICY.replace("margin", "margn"))
        with pytest.raises(
            ConfigurationError, match=r"wrong.yaml, line 8: no_regression .* has unknown fields \['margn'\]"
        ):
            BenchmarkGateOperator(task_id="g", job_name="j", policy=str(tmp_path / "wrong.yaml"))

    def test_one_that_is_nowhere_is_named(self, run_job):
        with pytest.raises(
            ConfigurationError, match='there is no policy file "nowhere.yaml", neither beside the DAG file'
        ):
            gate(job_name=run_job("nowhere"), policy="nowhere.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "has no checks"),
        ({"checks": [Threshold("m", at_least=1)], "policy": "p.yaml"}, "give checks or a policy file, not both"),
        ({"checks": [Threshold("m", at_least=1)], "report": "x.pdf"}, "the report must end in .md, .html, .json"),
        ({"checks": [Threshold("m", at_least=1)], "if_inconclusive": "no"}, "must be fail, warn or pass"),
    ],
)
def test_a_wrong_gate_fails_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BenchmarkGateOperator(task_id="gate", job_name="j", **arguments)
