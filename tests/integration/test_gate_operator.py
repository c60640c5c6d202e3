"""BenchmarkGateOperator on the local service."""

from __future__ import annotations

import json
import traceback

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, JobError, ServiceUnavailable
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context

HOLDS = Threshold("exact-match", at_least=0.5)
MISSES = Threshold("my-workspace/string-check", at_least=0.9)


@pytest.fixture
def run_job(service):
    """Run a job to its end."""

    def run():
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            client.submit_job(SPEC, name="job-1")
            wait_until_finished(client, "job-1")

    return run


def gate(*checks, **arguments):
    return BenchmarkGateOperator(**{"task_id": "gate", "job_name": "job-1", "checks": checks, **arguments})


def outcomes(verdict):
    return [result["outcome"] for result in verdict["results"]]


def test_scores_that_hold_give_the_verdict(run_job):
    run_job()
    context = task_context()
    verdict = gate(HOLDS, Threshold("string-check", at_least=0.8, at_most=0.8)).execute(context)
    assert (verdict["outcome"], verdict["job"]) == ("pass", "job-1")
    assert verdict["summary"] == "PASS: 2 of 2 checks hold"
    assert outcomes(verdict) == ["pass", "pass"]
    assert context["ti"].values == [("verdict", verdict)]
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict


def test_a_miss_fails_the_task_for_good_after_its_verdict_was_pushed(run_job):
    run_job()
    context = task_context()
    with pytest.raises(GateFailed) as caught:
        gate(HOLDS, MISSES).execute(context)
    assert isinstance(caught.value, AirflowFailException)
    assert isinstance(caught.value, exceptions.GateFailed)
    ((key, verdict),) = context["ti"].values
    assert (key, verdict["outcome"], outcomes(verdict)) == ("verdict", "fail", ["pass", "fail"])
    assert verdict["results"][1]["reason"] == "mean of string-check is 0.8, expected ≥ 0.9"


def test_the_message_has_what_keeps_the_gate_from_passing_and_no_frames_of_its_own(run_job):
    run_job()
    with pytest.raises(GateFailed) as caught:
        gate(HOLDS, MISSES).execute(task_context())
    assert str(caught.value).splitlines() == [
        'gate "gate" on benchmark job "job-1" in workspace "my-workspace": FAIL: 1 of 2 checks hold',
        "FAIL mean of string-check is 0.8, expected ≥ 0.9",
    ]
    places = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert sum("airflow_provider_benchmarks" in place for place in places) == 1
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_the_log_begins_with_the_verdict_and_has_a_record_for_each_check(run_job, task_log, tmp_path):
    run_job()
    report = str(tmp_path / "report.md")
    with pytest.raises(GateFailed):
        gate(HOLDS, MISSES, store=str(tmp_path / "store"), report=report).execute(task_context())
    log = task_log()
    wanted = [
        "FAIL: 1 of 2 checks hold",
        f'Benchmark job "job-1" of benchmark {BENCHMARK} in workspace "{WORKSPACE}".',
        "FAIL  string-check mean  0.8  ≥ 0.9  5 rows",
        "::group::1 that passed",
        "PASS  exact-match mean   0.6  ≥ 0.5  5 rows",
        "::endgroup::",
        f"Stored scores: {tmp_path}/store/{WORKSPACE}/",
    ]
    places = [log.index(text) for text in wanted]
    assert places == sorted(places)
    assert f"Report: {report}" in log


def test_a_miss_can_skip(run_job):
    run_job()
    context = task_context()
    with pytest.raises(AirflowSkipException, match="FAIL: 1 of 2 checks hold"):
        gate(HOLDS, MISSES, on_failure="skip").execute(context)
    assert [(key, verdict["outcome"]) for key, verdict in context["ti"].values] == [("verdict", "fail")]


def test_a_miss_can_go_on(run_job):
    run_job()
    context = task_context()
    verdict = gate(HOLDS, MISSES, on_failure="continue").execute(context)
    assert verdict["outcome"] == "fail"
    assert context["ti"].values == [("verdict", verdict)]


def test_a_warning_passes(run_job):
    run_job()
    verdict = gate(HOLDS, Threshold("string-check", at_least=0.9, severity="warn")).execute(task_context())
    assert (verdict["outcome"], outcomes(verdict)) == ("pass", ["pass", "warn"])


def test_checks_as_plain_dicts(run_job):
    run_job()
    plain = [
        {"metric": "exact-match", "at_least": 0.5},
        {"type": "threshold", "metric": "string-check", "at_most": 0.7},
    ]
    with pytest.raises(GateFailed, match=r"mean of string-check is 0\.8, expected ≤ 0\.7"):
        gate(*plain).execute(task_context())
    assert gate(*plain).checks == [HOLDS, Threshold("string-check", at_most=0.7)]


class TestNoEvidence:
    """What is not known does not pass."""

    def test_a_metric_that_is_not_in_the_results(self, run_job):
        run_job()
        context = task_context()
        with pytest.raises(GateFailed, match=r"exact-match.*string-check"):
            gate(HOLDS, Threshold("faithfulness", at_least=0.0)).execute(context)
        assert outcomes(context["ti"].values[0][1]) == ["pass", "fail"]

    @pytest.mark.parametrize("on_failure", ["fail", "skip"])
    @pytest.mark.parametrize(
        ("score", "reason"),
        [
            ({"count": 8, "nan_count": 2, "mean": 0.9}, r"2 of 10 rows have no value \(20\.0%\)"),
            ({"count": 0, "nan_count": 10, "mean": "NaN"}, "only 0 rows have a value"),
            ({"count": 8, "nan_count": 0, "mean": "NaN"}, "is not a number"),
            ({"count": 8, "nan_count": 0, "mean": None}, "is not a number"),
            ({"count": None, "nan_count": None, "mean": 0.9}, "does not say how many rows"),
        ],
    )
    def test_scores_that_are_no_evidence(self, service, run_job, score, reason, on_failure):
        # A second metric, since a job without any value ends in error.
        results = [
            {"metric": "my-workspace/m", "scores": [{"name": "m", **score}]},
            {"metric": "my-workspace/n", "scores": [{"name": "n", "count": 10, "nan_count": 0, "mean": 1.0}]},
        ]
        service.give_results(BENCHMARK, aggregate={"results": results})
        run_job()
        expected = GateFailed if on_failure == "fail" else AirflowSkipException
        with pytest.raises(expected, match=reason):
            gate(Threshold("m", at_least=0.0), on_failure=on_failure).execute(task_context())

    def test_rows_without_a_value_may_be_allowed(self, service, run_job):
        scores = [{"name": "m", "count": 8, "nan_count": 2, "mean": 0.9}]
        results = [{"metric": "my-workspace/m", "scores": scores}]
        service.give_results(BENCHMARK, aggregate={"results": results})
        run_job()
        check = Threshold("m", at_least=0.5, max_nan_fraction=0.2)
        (result,) = gate(check).execute(task_context())["results"]
        assert (result["count"], result["nan_count"]) == (8, 2)

    def test_an_empty_result(self, service, run_job):
        service.give_results(BENCHMARK, aggregate={"results": []})
        run_job()
        with pytest.raises(JobError, match='is "error"'):  # as which the service ends it
            gate(HOLDS).execute(task_context())


class TestNoAnswer:
    """Scores that can't be fetched are no miss: Airflow tries the task again."""

    @pytest.mark.parametrize("on_failure", ["fail", "skip", "continue"])
    def test_a_service_that_is_down(self, service, run_job, monkeypatch, on_failure):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")
        run_job()
        service.inject(Fault.answer(503).on("GET", "*/aggregate-scores/download"))
        context = task_context()
        with pytest.raises(ServiceUnavailable) as caught:
            gate(HOLDS, on_failure=on_failure).execute(context)
        assert not isinstance(caught.value, AirflowFailException)
        assert context["ti"].values == []
        assert gate(HOLDS).execute(task_context(try_number=2))["outcome"] == "pass"

    @pytest.mark.parametrize("on_failure", ["fail", "skip", "continue"])
    def test_a_job_that_failed_has_no_scores_and_lets_nothing_through(self, service, run_job, on_failure):
        service.fail_jobs(BENCHMARK, "no")
        run_job()
        with pytest.raises(JobError, match='"job-1" .* is "error": gate "gate" takes completed jobs'):
            gate(HOLDS, on_failure=on_failure).execute(task_context())

    @pytest.mark.parametrize("status", ["active", "error", "cancelled"])
    def test_a_job_that_has_not_completed_is_not_judged(self, service, run_job, status):
        run_job()
        service.pin_status(WORKSPACE, "job-1", status)  # the service has scores of it all the same
        context = task_context()
        with pytest.raises(JobError, match=f'"job-1" .* is "{status}": gate "gate" takes completed jobs') as caught:
            gate(HOLDS, on_failure="continue").execute(context)
        assert not isinstance(caught.value, AirflowFailException)
        assert context["ti"].values == []

    @pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b"<html>"])
    def test_an_answer_that_is_no_scores(self, service, run_job, body):
        run_job()
        service.inject(Fault.malformed(body).on("GET", "*/aggregate-scores/download"))
        context = task_context()
        with pytest.raises(exceptions.BenchmarkError) as caught:
            gate(HOLDS, on_failure="continue").execute(context)
        assert not isinstance(caught.value, AirflowFailException | AirflowSkipException)
        assert context["ti"].values == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checks": []}, 'gate "gate" has no checks: it would let everything through'),
        ({"checks": ()}, "has no checks"),
        ({"on_failure": "ignore"}, 'on_failure must be one of fail, skip, continue, found "ignore"'),
        ({"checks": [{"metric": "m"}]}, "give at_least, at_most, or both"),
        ({"checks": [{"metric": "m", "atleast": 1}]}, "unknown field"),
        ({"checks": [{"at_least": 1}]}, "no metric"),
    ],
)
def test_wrong_arguments_are_reported_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BenchmarkGateOperator(**{"task_id": "gate", "job_name": "job-1", "checks": [HOLDS], **arguments})
