"""Where a gate's verdict is kept, and what happens when it can't be."""

from __future__ import annotations

import json
import os
import traceback
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, Asset

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import CheckResult, NoRegression, Outcome, Threshold, Verdict
from airflow_provider_benchmarks.masking import register_secrets
from airflow_provider_benchmarks.operators._gate_record import xcom_of
from airflow_provider_benchmarks.operators.gates import (
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    GateFailed,
    GateInconclusive,
)
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support import gate_jobs
from tests.support.contexts import outlet_events, task_context
from tests.support.gate_jobs import BAD_AT_MATH, GOOD

WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}
HOLDS, MISSES = Threshold("m", at_least=0.5), Threshold("m", at_least=0.99)


@pytest.fixture
def run_job(service):
    return partial(gate_jobs.run_job, service)


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path / "store"))


def gate(*checks, context=None, kind=BenchmarkGateOperator, **arguments):
    operator = kind(**{"task_id": "gate", "checks": checks or None, **arguments})
    return operator.execute(context or task_context())


class NoEvents:
    """Events of no asset: Airflow has forgotten the task's outlets."""

    def __getitem__(self, asset):
        raise KeyError(asset)


class TestWhatIsWritten:
    @pytest.mark.parametrize(
        ("suffix", "start"),
        [
            ("md", "**FAIL: 0 of 1"),
            ("html", "<!doctype html>"),
            ("json", '{\n "outcome": "fail"'),
            ("xml", "<?xml version='1.0' encoding='utf-8'?>\n<testsuites>\n  <testsuite name=\"nightly.gate\""),
        ],
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
        asset = Asset("scores-passed")
        context = {**task_context(), "outlet_events": outlet_events()}
        gate(Threshold("m", at_least=0.5), job_name=run_job("asset"), outlets=[asset], context=context)
        assert context["outlet_events"][asset].extra == {
            "job": "asset",
            "workspace": WORKSPACE,
            "benchmark": BENCHMARK,
            "means": {f"{WORKSPACE}/m:accuracy": 0.8},
            "outcome": "pass",
            "verdict": "PASS: 1 of 1 checks hold",
        }

    def test_mapped_gates_of_one_task_have_a_verdict_each(self, run_job, store):
        run_job("mapped")
        for index, check in enumerate((MISSES, HOLDS)):
            context = task_context(map_index=index)
            gate(check, job_name="mapped", store=store.root, context=context, on_failure="continue")
        (found,) = store.history(**WHERE)
        assert found.outcomes == {"nightly.gate[0]": "fail", "nightly.gate[1]": "pass"}
        assert not found.passed
        assert store.last_passed(**WHERE) is None


NOWHERE = "/proc/nope"


class TestFaultsThatPass:
    """A task that fails for a miss has no retry, so what can't be written at first is written in the same try."""

    @pytest.fixture
    def refused(self, run_job, service, store):
        """Judge a miss while the service, whose results the store is to have, answers with a login page."""
        run_job("job-1")

        def judge(times):
            page = Fault.malformed(b"<!doctype html><p>Please log in</p>")
            service.inject(page.on("GET", "*/benchmark-jobs/job-1/results", times=times))
            with pytest.raises(GateFailed) as caught:
                gate(MISSES, job_name="job-1", store=store.root)
            return str(caught.value)

        return judge

    def test_the_store_has_the_miss(self, refused, store, task_log):
        assert "could not be written" not in refused(times=2)
        (job,) = store.history(**WHERE)
        assert job.outcomes == {"nightly.gate": "fail"}
        assert task_log().count(f"Writing the verdict to the score store {store.root} failed; trying again in") == 2

    def test_there_is_an_end(self, refused, store, monkeypatch):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "1")
        assert f"could not be written to the score store {store.root}: ProtocolError" in refused(times=None)

    @pytest.mark.parametrize("seconds", ["inf", "nan"])
    def test_a_time_without_an_end_is_refused(self, run_job, monkeypatch, seconds):
        run_job("job-1")
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", seconds)
        with pytest.raises(ConfigurationError, match="retry_seconds must be a finite number"):
            gate(MISSES, job_name="job-1")


class TestWhatAStorageSays:
    """It comes from outside, as what the service says does."""

    HOSTILE = "denied nvapi-secret-token \x1b[2J\rINFO forged\n::group::gone\u202e"

    def said(self, run_job, tmp_path, monkeypatch):
        """The errors of a gate that misses, and of one that holds, where the report can't be written."""
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "1.5")
        register_secrets(["nvapi-secret-token"])
        run_job("job-1")

        def refuse(*arguments):
            raise OSError(5, self.HOSTILE)

        # A disk does not say such things.
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(GateFailed) as missed:
            gate(MISSES, job_name="job-1", report=str(tmp_path / "r.md"))
        with pytest.raises(OSError, match="could not write") as held:
            gate(HOLDS, job_name="job-1", report=str(tmp_path / "r.md"))
        return ["".join(traceback.format_exception(error.value)) for error in (missed, held)]

    def test_it_is_inert_and_has_no_secrets(self, run_job, tmp_path, monkeypatch, task_log):
        for shown in (*self.said(run_job, tmp_path, monkeypatch), task_log()):
            assert "denied ***" in shown
            assert "nvapi-secret-token" not in shown
            assert not {"\x1b", "\r", "\u202e"} & set(shown)
            assert "::group::gone" not in shown
            assert not any(line.startswith("INFO forged") for line in shown.splitlines())


class TestWhatCannotBeWritten:
    """The verdict stands: a miss is not tried again, and each place is written that can be."""

    @pytest.fixture(autouse=True)
    def _at_once(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")

    @pytest.fixture(params=["report", "store", "outlets", "XCom"])
    def broken(self, request, run_job, store, tmp_path):
        """A gate of which one place can't be written; what it says of it, and what is there afterwards."""
        run_job("job-1")
        arguments = {"report": str(tmp_path / "report.md"), "store": store.root}
        context = {**task_context(), "outlet_events": outlet_events()}
        said = {
            "report": f"the report {NOWHERE}/report.md: ",
            "store": f"the score store {NOWHERE}: ",
            "outlets": "asset events: ",
            "XCom": "XCom: OSError: the backend is down",
        }
        if request.param == "report":
            arguments["report"] = f"{NOWHERE}/report.md"
        elif request.param == "store":
            arguments["store"] = NOWHERE
        elif request.param == "outlets":
            arguments["outlets"], context["outlet_events"] = [Asset("accepted")], NoEvents()
        else:

            def refuse(key):
                raise OSError("the backend is down")

            context["ti"].on_push = refuse
        written = {
            "report": (tmp_path / "report.md").exists,
            "store": lambda: any(job.outcomes for job in store.history(**WHERE)),
            "XCom": lambda: [key for key, _ in context["ti"].values] == ["verdict"],
        }
        written.pop(request.param, None)
        yield {"job_name": "job-1", "context": context, **arguments}, said[request.param]
        assert [place for place, is_there in written.items() if not is_there()] == []

    @pytest.mark.parametrize(
        ("check", "on_failure", "error"),
        [
            (MISSES, "fail", GateFailed),
            (MISSES, "skip", AirflowSkipException),
            (NoRegression("m", mode="prove"), "fail", GateInconclusive),
        ],
    )
    def test_a_miss_is_a_miss(self, broken, run_job, check, on_failure, error, task_log):
        arguments, said = broken
        with pytest.raises(error) as caught:
            gate(check, baseline=run_job("job-0"), on_failure=on_failure, **arguments)
        assert f"\nThe verdict could not be written to {said}" in str(caught.value)
        log = task_log()
        assert log.index('Benchmark job "job-1"') < log.index("The verdict could not be written to")

    @pytest.mark.parametrize(("check", "on_failure"), [(HOLDS, "fail"), (HOLDS, "skip"), (MISSES, "continue")])
    def test_a_pass_is_tried_again(self, broken, check, on_failure):
        arguments, _ = broken
        with pytest.raises((OSError, KeyError)) as caught:
            gate(check, on_failure=on_failure, **arguments)
        assert not isinstance(caught.value, AirflowFailException | AirflowSkipException)

    def test_a_branch_is_tried_again(self, broken):
        arguments, _ = broken
        with pytest.raises((OSError, KeyError)) as caught:
            gate(MISSES, kind=BenchmarkGateBranchOperator, follow_if_passed="a", follow_if_failed="b", **arguments)
        assert not isinstance(caught.value, AirflowFailException | AirflowSkipException)

    def test_several_are_all_reported(self, run_job):
        with pytest.raises(GateFailed) as caught:
            gate(MISSES, job_name=run_job("several"), report=f"{NOWHERE}/r.md", store=NOWHERE)
        assert str(caught.value).count("could not be written") == 2

    def test_rows_are_judged_though_the_store_can_not_have_them(self, run_job):
        run_job("old"), run_job("new", BAD_AT_MATH)
        with pytest.raises(GateFailed, match="accuracy fell by"):
            gate(NoRegression("m"), job_name="new", baseline="old", store=NOWHERE)


def test_a_report_of_an_unknown_format_is_refused_before_anything_is_judged(run_job, service):
    run_job("job-1")
    operator = BenchmarkGateOperator(task_id="gate", job_name="job-1", checks=[MISSES], report="{{ params.report }}")
    operator.render_template_fields({"params": {"report": "r.pdf"}})
    service.clear_requests()
    with pytest.raises(ConfigurationError, match="the report must end in .md, .html, .json, .xml, found 'r.pdf'"):
        operator.execute(task_context())
    assert service.requests == []


class TestLargeVerdicts:
    """What XCom has no room for is whole in the score store and in the report."""

    @pytest.fixture
    def judged(self, run_job, store, tmp_path, monkeypatch):
        """Judge with a limit for XComs; return what was pushed, and what was kept in the report and the store."""
        for name, rows in (("before", GOOD), ("after", BAD_AT_MATH)):
            run_job(name, [{**each, "item": {**each["item"], "text": "long " * 2000}} for each in rows])

        def judge(limit):
            monkeypatch.setenv("AIRFLOW__BENCHMARKS__MAX_XCOM_BYTES", str(limit))
            context, report = task_context(), tmp_path / "report.json"
            arguments = {"baseline": "before", "store": store.root, "report": str(report), "on_failure": "continue"}
            returned = gate(NoRegression("m"), job_name="after", context=context, **arguments)
            ((_, pushed),) = context["ti"].values
            assert pushed == returned
            kept = tmp_path / "store" / WORKSPACE / "qa-bench" / "after" / "verdict-nightly.gate.json"
            whole = json.loads(report.read_text())
            assert json.loads(kept.read_text()) == {**whole, "gate": "nightly.gate"}
            assert len(whole["results"][0]["worst"][0]["item"]["text"]) == 10_000
            assert Verdict.from_dict(whole).summary == pushed["summary"]
            return pushed, whole

        return judge

    def test_one_that_fits_is_whole(self, judged):
        pushed, whole = judged(1024 * 1024)
        assert pushed == whole

    def test_long_items_are_cut(self, judged):
        pushed, whole = judged(20_000)
        (cut,), (kept,) = pushed["results"], whole["results"]
        assert cut["worst"][0]["item"] == {**kept["worst"][0]["item"], "text": f"{('long ' * 2000)[:200]}…"}
        assert {**cut, "worst": None} == {**kept, "worst": None}
        assert "cut to 200 characters" in pushed["note"]
        assert len(json.dumps(pushed)) <= 20_000

    def test_rows_are_left_out(self, judged):
        pushed, _ = judged(100)
        assert pushed["results"][0]["worst"] == []
        assert "left out" in pushed["note"]
        assert (Verdict.from_dict(pushed).outcome, pushed["outcome"]) == ("fail", "fail")


class TestVerdictsOfManyGroups:
    """Results that an XCom has no room for are counted there, and are in the log, the report and the store."""

    @pytest.fixture
    def judged(self, run_job, store, tmp_path, monkeypatch):
        """Judge 120 groups of a row each, of which 24 miss, with a limit for XComs."""
        run_job("job-1")
        report = str(tmp_path / "report.json")

        def judge(limit, kind=BenchmarkGateOperator, **arguments):
            monkeypatch.setenv("AIRFLOW__BENCHMARKS__MAX_XCOM_BYTES", str(limit))
            check = Threshold("m", at_least=0.5, by="question", **arguments.pop("check", {}))
            context = task_context()
            known = {"job_name": "job-1", "store": store.root, "report": report, "context": context}
            if kind is BenchmarkGateOperator:
                known["on_failure"] = "continue"
            returned = gate(check, kind=kind, **{**known, **arguments})
            ((_, pushed),) = context["ti"].values
            assert kind is not BenchmarkGateOperator or returned == pushed
            whole = json.loads((tmp_path / "report.json").read_text())
            assert (len(whole["results"]), whole["summary"]) == (120, pushed["summary"])
            cut = Verdict.from_dict(pushed)
            assert (cut.outcome, cut.summary) == (whole["outcome"], whole["summary"])
            assert Verdict.from_dict(json.loads(json.dumps(cut.to_dict()))) == cut
            return pushed, whole

        return judge

    def test_what_did_not_pass_comes_first(self, judged, store, tmp_path):
        pushed, whole = judged(20_000)
        assert len(json.dumps(pushed)) <= 20_000
        assert len(json.dumps(pushed)) > 19_000
        kept = [result["outcome"] for result in pushed["results"]]
        assert (kept.count("fail"), kept.count("pass"), pushed["left_out"]) == (
            24,
            kept.count("pass"),
            {"pass": 120 - len(kept)},
        )
        assert len(kept) > 24
        assert pushed["results"] == [result for result in whole["results"] if result in pushed["results"]]
        gone = 120 - len(kept)
        assert pushed["note"] == (
            f"{gone} of 120 results ({gone} pass), and the rows that got worse most, are left out: they are "
            "too large for an "
            f"XCom. All are in the task's log, the report {tmp_path}/report.json, the score store {store.root}."
        )

    def test_as_many_misses_as_there_is_room_for(self, judged):
        pushed, _ = judged(5_000)
        assert len(json.dumps(pushed)) <= 5_000
        kept = len(pushed["results"])
        assert 1 < kept < 24
        assert {result["outcome"] for result in pushed["results"]} == {"fail"}
        assert pushed["left_out"] == {"fail": 24 - kept, "pass": 96}
        assert pushed["summary"] == "FAIL: 96 of 120 checks hold"

    def test_one_is_kept_in_any_case(self, judged):
        pushed, _ = judged(1)
        assert [result["outcome"] for result in pushed["results"]] == ["fail"]
        assert pushed["summary"] == "FAIL: 96 of 120 checks hold"

    def test_warnings_come_before_passes(self, judged):
        pushed, _ = judged(5_000, check={"severity": "warn"})
        assert {result["outcome"] for result in pushed["results"]} == {"warn"}
        assert pushed["summary"] == "PASS: 96 of 120 checks hold, 24 warn"

    def test_a_branch_and_a_gate_without_a_store(self, judged, monkeypatch):
        monkeypatch.setattr(BenchmarkGateBranchOperator, "do_branch", lambda *_: None)
        branch = {"follow_if_passed": "a", "follow_if_failed": "b"}
        pushed, _ = judged(5_000, kind=BenchmarkGateBranchOperator, store="", **branch)
        assert pushed["note"].endswith("/report.json.")

    def test_unproven_passes_are_still_told_apart(self, monkeypatch):
        check = NoRegression("m", by="question")
        known = {
            "check": check,
            "metric": "m",
            "score": "s",
            "observed": 0.0,
            "expected": "",
            "count": 1,
            "nan_count": 0,
        }
        of = [("pass", ""), ("pass", "inconclusive: few"), ("inconclusive", "few"), ("warn", "small")] * 50
        results = tuple(CheckResult(outcome=Outcome(outcome), reason=reason, **known) for outcome, reason in of)
        verdict = Verdict(results=results, job="j")
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__MAX_XCOM_BYTES", "3000")
        cut = xcom_of(verdict, whole="the log")
        assert {result["outcome"] for result in cut["results"]} == {"inconclusive"}
        told = "INCONCLUSIVE: 50 of 200 checks hold, 50 pass unproven, 50 warn"
        assert cut["summary"] == Verdict.from_dict(cut).summary == verdict.summary == told
        assert sum(cut["left_out"].values()) + len(cut["results"]) == 200
