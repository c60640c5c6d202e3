"""Gates that compare with a baseline: where it comes from, what it says, and what follows."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Asset

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, JobError, NotFound, NotStored
from airflow_provider_benchmarks.gates import NoDrift, NoRegression, Threshold, WithinHistory
from airflow_provider_benchmarks.operators.gates import (
    BaselineRefused,
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    GateFailed,
    GateInconclusive,
    PinBaselineOperator,
)
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import Fault, Seeder
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support import gate_jobs
from tests.support.contexts import outlet_events, task_context
from tests.support.gate_jobs import BAD_AT_MATH, GOOD, ROWS, of_values, row

WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}


@pytest.fixture
def run_job(service):
    """Run a job with these rows."""
    return partial(gate_jobs.run_job, service)


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
            assert f'"theirs": that is of benchmark {other}, the candidate of {BENCHMARK}' in str(caught.value)

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
        assert context["ti"].values == []

    @pytest.mark.parametrize("stored", [True, False])
    def test_a_job_that_was_cancelled_is_no_baseline(self, service, run_job, store, stored):
        run_job("old"), run_job("new")
        service.pin_status(WORKSPACE, "old", "cancelled")
        with pytest.raises(JobError, match='"old" .* is "cancelled": .* takes completed jobs'):
            gate(NoRegression("m"), job_name="new", baseline="old", store=store.root if stored else "")

    @pytest.mark.parametrize(
        ("baseline", "missing"),
        [
            (None, "no job of benchmark {} is pinned in score store {}; pin one with PinBaselineOperator"),
            ("pinned", "no job of benchmark {} is pinned in score store {}; pin one with PinBaselineOperator"),
            ("last_passed", "no job of benchmark {} in score store {} is older than this one and has passed its gates"),
            ("previous", "no job of benchmark {} in score store {} is older than this one"),
        ],
    )
    def test_the_first_run_has_none_and_says_so(self, run_job, store, baseline, missing):
        run_job("first")
        verdict = gate(NoRegression("m"), job_name="first", baseline=baseline, store=store.root)
        assert (verdict["outcome"], outcomes(verdict)) == ("pass", ["warn"])
        reason = f"there is no baseline yet: {missing.format(BENCHMARK, store.root)}"
        assert verdict["results"][0]["reason"] == reason
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

    @pytest.mark.parametrize("if_no_baseline", [None, "pass", "warn", "fail"])
    @pytest.mark.parametrize("baseline", [None, "pinned", "last_passed", "{{ params.none }}"])
    def test_a_stored_baseline_needs_a_store(self, service, baseline, if_no_baseline):
        """Also one that is known only when the task runs, and whatever holds while a store has no baseline."""
        arguments = {"task_id": "gate", "job_name": "new", "baseline": baseline, "if_no_baseline": if_no_baseline}
        for check, told in (
            (
                NoRegression("m"),
                'there is none: set store=, or .benchmarks. score_store, or name a job with baseline="…"',
            ),
            (
                WithinHistory("m"),
                "the history of a score store, and there is none: set store=, or .benchmarks. score_store$",
            ),
            (
                NoDrift("m"),
                "the history of a score store, and there is none: set store=, or .benchmarks. score_store$",
            ),
        ):
            operator = BenchmarkGateOperator(checks=[check], store="{{ params.none }}", **arguments)
            operator.render_template_fields({"params": {"none": ""}})
            context = task_context()
            with pytest.raises(ConfigurationError, match=f'gate "gate": {check.kind} of m looks at .*{told}'):
                operator.execute(context)
            assert context["ti"].values == []
        assert service.requests == []

    def test_checks_can_have_baselines_of_their_own(self, run_job):
        run_job("worse", BAD_AT_MATH), run_job("good"), run_job("same")
        verdict = gate(
            NoRegression("m", mode="prove", margin=0.03),
            NoRegression("m", baseline="worse", mode="prove"),
            job_name="same",
            baseline="good",
        )
        assert outcomes(verdict) == ["pass", "pass"]
        assert verdict["results"][1]["observed"] == pytest.approx(0.1, abs=0.05)


class TestRunsOfOneModel:
    """``baseline_runs``: a comparison with the mean over several runs of the baseline's model."""

    CHECK = NoRegression("m", baseline_runs=4, margin=0.5)

    @pytest.fixture
    def night(self, run_job, store):
        """Run a job and judge it; returns the result of the check."""

        def run(name, ones, *, check=self.CHECK, params=None, **arguments):
            rows = of_values([1.0] * ones + [0.0] * (ROWS - ones))
            run_job(name, rows, params={"parallelism": ones + 1, **(params or {})})
            return gate(check, job_name=name, store=store.root, **arguments)["results"][0]

        return run

    def test_those_after_the_pinned_one_that_passed(self, night, store):
        night("before", 60)
        night("release", 120)
        PinBaselineOperator(task_id="pin", job_name="release", store=store.root).execute(task_context())
        found = night("night-1", 90)
        assert (found["details"]["baseline_runs"], found["details"]["baseline_mean"]) == (1, 1.0)
        with pytest.raises(GateFailed):
            night("collapsed", 0)
        night("another", 60, params={"limit_samples": 120})
        found = night("night-2", 90)
        assert (found["details"]["baseline_runs"], found["details"]["baseline_mean"]) == (2, 0.875)
        for number in range(3, 6):
            found = night(f"night-{number}", 90)
        # The release and the first three after it, also when there are more.
        assert (found["details"]["baseline_runs"], found["details"]["baseline_mean"]) == (4, 0.8125)
        assert (found["outcome"], found["count"]) == ("pass", ROWS)
        # An older job is compared with what there was before it.
        (found,) = gate(self.CHECK, job_name="night-2", store=store.root)["results"]
        assert found["details"]["baseline_runs"] == 2

    def test_with_keys_and_other_checks_beside_it(self, night, run_job, store):
        night("release", 120)
        PinBaselineOperator(task_id="pin", job_name="release", store=store.root).execute(task_context())
        night("night-1", 90)
        run_job("night-2", of_values([1.0] * ROWS), params={"parallelism": 1})
        checks = [self.CHECK, NoRegression("m", margin=0.5), NoRegression("m", key="question", baseline_runs=2)]
        results = gate(*checks, job_name="night-2", store=store.root)["results"]
        assert [result["details"]["baseline_mean"] for result in results] == [0.875, 1.0, 0.875]
        assert [result["details"].get("baseline_runs") for result in results] == [2, None, 2]

    @pytest.mark.parametrize("name", ["last_passed", "previous"])
    def test_those_before_a_baseline_that_moves(self, night, name):
        for number, ones in enumerate((60, 120, 90, 90)):
            night(f"night-{number}", ones)
        found = night("new", 90, baseline=name, check=NoRegression("m", baseline_runs=3, margin=0.5))
        assert (found["details"]["baseline_runs"], found["details"]["baseline_mean"]) == (3, pytest.approx(300 / 360))

    def test_a_run_whose_rows_are_lost_is_left_out(self, night, store, caplog):
        night("release", 120)
        PinBaselineOperator(task_id="pin", job_name="release", store=store.root).execute(task_context())
        night("night-1", 90), night("night-2", 90)
        Path(store.get("night-1", **WHERE).rows.path).unlink()
        found = night("night-3", 90)
        assert found["details"]["baseline_runs"] == 2
        assert "Left out a further run of the baseline's model" in caplog.text

    def test_a_job_of_the_service_without_a_store(self, run_job):
        run_job("old"), run_job("new")
        (found,) = gate(self.CHECK, job_name="new", baseline="old")["results"]
        assert (found["outcome"], found["details"]["baseline_runs"]) == ("pass", 1)


class TestTimes:
    """A gate that is run again compares with what there was before its job."""

    def test_newer_jobs_are_no_baseline(self, run_job, store):
        nights = [run_job(f"night-{number}") for number in range(4)]
        for night in nights:
            gate(Threshold("m", at_least=0.5), job_name=night, store=store.root)
        for baseline in ("previous", "last_passed"):
            verdict = gate(NoRegression("m"), job_name="night-2", store=store.root, baseline=baseline)
            assert (outcomes(verdict), verdict["baseline"]) == (["pass"], "night-1")
            verdict = gate(NoRegression("m"), job_name="night-0", store=store.root, baseline=baseline)
            assert (outcomes(verdict), verdict.get("baseline")) == (["warn"], None)

    def test_newer_jobs_are_no_history(self, run_job, store):
        for number in range(6):
            gate(Threshold("m", at_least=0.5), job_name=run_job(f"night-{number}"), store=store.root)
        (result,) = gate(WithinHistory("m"), job_name="night-2", store=store.root)["results"]
        assert (result["outcome"], result["reason"]) == (
            "warn",
            "inconclusive: 2 earlier jobs have this score, 5 are needed",
        )
        (result,) = gate(WithinHistory("m"), job_name="night-5", store=store.root)["results"]
        assert (result["outcome"], result["details"]["jobs"]) == ("pass", 5)

    def test_a_drift_is_told_by_the_jobs_since_the_pinned_one(self, run_job, store):
        check = NoDrift("m", reference=5)

        def night(name, ones, **arguments):
            run_job(name, of_values([1.0] * ones + [0.0] * (ROWS - ones)))
            verdict = gate(check, job_name=name, store=store.root, on_failure="continue", **arguments)
            return verdict["results"][0]

        too_few = "jobs{} that passed have this score, 5 are needed for a reference"
        assert night("before", 110)["reason"] == f"inconclusive: 0 {too_few.format('')}"
        night("release", 90)
        PinBaselineOperator(task_id="pin", job_name="release", store=store.root).execute(task_context())
        since = ' since "release" was pinned, itself included,'
        for number, ones in enumerate((91, 89, 90, 91), 1):
            assert night(f"night-{number}", ones)["reason"] == f"inconclusive: {number} {too_few.format(since)}"
        found = [night(f"drifted-{number}", 90 - 3 * number) for number in range(1, 5)]
        assert [result["outcome"] for result in found] == ["pass", "fail", "fail", "fail"]
        details = found[-1]["details"]
        assert details["mean"] == pytest.approx(451 / 600)
        # Nights that missed are not added, and the sum is not forgotten.
        assert [each["job"] for each in details["path"]] == ["drifted-1"]
        assert (details["pin"], details["since"]) == ("release", "night-4")
        # An older job is judged by what there was before it, and the pinned job not by itself.
        again = gate(check, job_name="night-3", store=store.root)["results"][0]
        assert again["reason"] == f"inconclusive: 3 {too_few.format(since)}"
        for job in ("release", "before"):
            assert gate(check, job_name=job, store=store.root)["results"][0]["outcome"] == "warn"
        # Another pinned job begins anew.
        PinBaselineOperator(task_id="pin", job_name="drifted-4", store=store.root).execute(task_context())
        assert night("next", 78)["reason"].startswith('inconclusive: 1 jobs since "drifted-4" was pinned')
        # A job that the gate names is pinned for it.
        assert night("other", 78, baseline="release")["outcome"] == "fail"

    def test_of_many_jobs_since_the_pinned_one_the_first_and_the_latest_are_read(self, run_job, store, monkeypatch):
        for number in range(12):
            gate(Threshold("m", at_least=0.5), job_name=run_job(f"night-{number}"), store=store.root)
        PinBaselineOperator(task_id="pin", job_name="night-0", store=store.root).execute(task_context())
        oldest, latest = store.passed_since(**WHERE, first=3, latest=2, but=["night-0"])
        assert [job.job for job in oldest] == ["night-1", "night-2", "night-3"]
        assert [job.job for job in latest] == ["night-10", "night-11"]
        oldest, latest = store.passed_since(**WHERE, first=9, latest=2, since=oldest[0].created_at)
        assert ([job.job for job in oldest], latest) == ([f"night-{number}" for number in range(1, 12)], None)

        monkeypatch.setattr("airflow_provider_benchmarks.operators._service_source._LATEST_SINCE_PIN", 1)
        monkeypatch.setattr("airflow_provider_benchmarks.operators._service_source._JOBS_PER_REFERENCE", 1)
        (result,) = gate(NoDrift("m", reference=5), job_name=run_job("new"), store=store.root)["results"]
        assert (result["outcome"], result["details"]["jobs"]) == ("pass", 7)
        assert [each["job"] for each in result["details"]["path"]] == ["night-5", "night-11"]

    @pytest.mark.parametrize("if_no_baseline", ["fail", "warn", "pass"])
    @pytest.mark.parametrize("mode", ["prove", "detect"])
    @pytest.mark.parametrize("named", ["pinned", "release-1", "folder"])
    def test_a_job_compared_with_itself_proves_nothing(self, run_job, store, caplog, mode, named, if_no_baseline):
        run_job("release-1")
        PinBaselineOperator(task_id="pin", job_name="release-1", store=store.root).execute(task_context())
        verdict = gate(
            NoRegression("m", mode=mode),
            job_name="release-1",
            store=store.root,
            baseline=f"{store.folder(**WHERE)}/release-1" if named == "folder" else named,
            if_no_baseline=if_no_baseline,
        )
        assert (verdict["outcome"], outcomes(verdict)) == ("pass", ["warn"])
        reason = "the baseline is this very job: comparing it with itself proves nothing"
        assert verdict["results"][0]["reason"] == reason
        assert reason in caplog.text


class TestJobsThatTheServiceHasNoMore:
    @pytest.fixture
    def purged(self, service, run_job, store):
        """A job that passed its gate, and is in the score store only."""
        gate(Threshold("m", at_least=0.5), job_name=run_job("night-1"), store=store.root)
        with gate_jobs.client_of(service) as client:
            client.delete_job("night-1")
        return "night-1"

    def test_one_is_a_baseline_by_its_name(self, purged, run_job, store, caplog):
        verdict = gate(NoRegression("m"), job_name=run_job("night-2"), baseline=purged, store=store.root)
        assert (outcomes(verdict), verdict["baseline"], verdict["results"][0]["count"]) == (["pass"], "night-1", ROWS)
        assert 'The service has no benchmark job "night-1" any more' in caplog.text
        with pytest.raises(NotFound, match="night-1"):
            gate(NoRegression("m"), job_name="night-2", baseline=purged)

    def test_one_can_be_judged_again(self, purged, store):
        checks = [Threshold("m", at_least=0.99), Threshold("m", at_least=0.1, by="category")]
        with pytest.raises(GateFailed, match="FAIL: 2 of 3 checks hold"):
            gate(*checks, job_name=purged, store=store.root)
        assert store.get(purged, **WHERE).job == purged
        assert store.history(**WHERE)[0].outcomes == {"nightly.gate": "fail"}

    @pytest.mark.parametrize("kind", ["gate", "rows"])
    def test_the_events_of_its_outlets_are_reported(self, purged, store, kind):
        asset = Asset("scores")
        context = {**task_context(), "outlet_events": outlet_events()}
        arguments = {"task_id": kind, "job_name": purged, "store": store.root, "outlets": [asset]}
        if kind == "gate":
            BenchmarkGateOperator(checks=[Threshold("m", at_least=0.5)], **arguments).execute(context)
        else:
            DownloadRowScoresOperator(**arguments).execute(context)
        extra = context["outlet_events"][asset].extra
        assert (extra["benchmark"], extra["means"]) == (BENCHMARK, {f"{WORKSPACE}/m:accuracy": 0.8})

    def test_a_pinned_job_that_is_not_in_the_store_any_more_can_be_replaced(self, run_job, store, task_log):
        for job in ("gone", "next"):
            PinBaselineOperator(task_id="pin", job_name=run_job(job), store=store.root).execute(task_context())
            if job == "gone":
                shutil.rmtree(f"{store.folder(**WHERE)}/gone")
                gate = BenchmarkGateOperator(
                    task_id="gate", job_name=run_job("lonely"), checks=[NoRegression("m")], store=store.root
                )
                with pytest.raises(NotStored) as caught:
                    gate.execute(task_context())
                assert 'benchmark job "gone" is pinned as the baseline of benchmark' in str(caught.value)
                assert (
                    f"any more. Restore its folder from a backup, or pin another job (benchmarks pin {BENCHMARK} "
                    in (str(caught.value))
                )
        assert store.pinned(**WHERE).job == "next"
        log = task_log()
        assert "before: gone, which is not in the score store any more" in log
        assert "Restore" not in log

    @pytest.mark.parametrize(("name", "meant"), [("last-passed", "last_passed"), ("Pinned", "pinned"), ("other", "")])
    def test_one_that_is_no_job_may_be_a_word_for_one_of_the_store(self, run_job, store, name, meant):
        checks = [NoRegression("m", baseline=name)]
        gate = BenchmarkGateOperator(task_id="gate", job_name=run_job("lonely"), checks=checks, store=store.root)
        with pytest.raises(NotFound) as caught:
            gate.execute(task_context())
        assert str(caught.value).endswith(f'. Did you mean "{meant}"?') == bool(meant)

    def test_one_can_be_pinned(self, purged, run_job, store):
        pin = PinBaselineOperator(task_id="pin", job_name=purged, store=store.root)
        assert pin.execute(task_context()) == purged
        assert store.pinned(**WHERE).job == purged
        with pytest.raises(NotFound, match="never"):
            PinBaselineOperator(task_id="pin", job_name="never", store=store.root).execute(task_context())

    def test_a_job_that_missed_is_pinned_with_a_warning(self, run_job, store, task_log):
        gate(Threshold("m", at_least=0.99), job_name=run_job("missed"), store=store.root, on_failure="continue")
        gate(Threshold("m", at_least=0.5), job_name=run_job("passed"), store=store.root)
        for job in ("passed", "missed"):
            PinBaselineOperator(task_id="pin", job_name=job, store=store.root).execute(task_context())
        log = task_log()
        assert log.count("though it did not pass") == 1
        assert '"missed" becomes the baseline, though it did not pass nightly.gate (fail)' in log
        assert store.pinned(**WHERE).job == "missed"


class TestFitnessOfThePinned:
    """A job that can't serve as a baseline is not pinned; one that can in part is, with a warning."""

    @pytest.fixture
    def pin(self, store):
        def run(job):
            return PinBaselineOperator(task_id="pin", job_name=job, store=store.root).execute(task_context())

        return run

    def refused(self, pin, job, store):
        with pytest.raises(BaselineRefused) as caught:
            pin(job)
        assert isinstance(caught.value, AirflowFailException)  # no retry
        assert isinstance(caught.value, IncompleteResults)
        name = job.rpartition("/")[2]
        where = f'task "pin": benchmark job "{name}" of benchmark "{BENCHMARK}" in workspace "{WORKSPACE}"'
        assert str(caught.value).startswith(f"{where} can't be a baseline: ")
        assert "The pinned baseline stays as it is. Run the job again under another name" in str(caught.value)
        assert store.pinned(**WHERE).job == "release"
        return str(caught.value)

    def test_one_whose_rows_are_not_there_any_more(self, run_job, store, pin):
        pin(run_job("release"))
        gate(Threshold("m", at_least=0.5), job_name=run_job("next"), store=store.root)
        rows = Path(store.get("next", **WHERE).rows.path.removeprefix("file://"))
        content = rows.read_bytes()
        rows.unlink()
        assert "its row scores are not in the score store any more" in self.refused(pin, "next", store)
        rows.write_bytes(content[:-50])
        assert "its row scores can't be read" in self.refused(pin, "next", store)
        rows.write_bytes(content)
        assert pin("next") == "next"

    def test_one_without_a_value(self, run_job, store, pin):
        pin(run_job("release"))
        manifest = Path(store.folder(**WHERE).removeprefix("file://"), "next", "manifest.json")
        gate(Threshold("m", at_least=0.5), job_name=run_job("next"), store=store.root)
        content = json.loads(manifest.read_text())
        for score in content["scores"]["results"][0]["scores"]:
            score |= {"count": 0, "nan_count": ROWS, "mean": None}
        content["files"] = [file for file in content["files"] if file["path"] == "job.json"]
        manifest.write_text(json.dumps(content))
        assert "none of its scores has a value" in self.refused(pin, str(manifest.parent), store)

    def test_one_that_can_serve_in_part(self, run_job, store, pin, task_log):
        rows = [row(i, 1.0) for i in range(100)] + [row(i, "NaN") for i in range(100, 104)]
        rows += [row(i, "NaN", inference_error="503") for i in range(104, 107)]
        assert pin(run_job("release", rows)) == "release"
        assert store.pinned(**WHERE).job == "release"
        log = task_log()
        told = '"release" becomes the baseline, and can serve in part only: '
        assert log.count(told) == 2
        assert f"{told}accuracy of {WORKSPACE}/m: 4 of 107 rows have no value" in log
        assert f"{told}accuracy of {WORKSPACE}/m: the call of the model failed for 3 of 107 rows" in log

    def test_one_whose_rows_nothing_reads(self, run_job, store, pin, monkeypatch, task_log):
        gate(Threshold("m", at_least=0.5), job_name=run_job("release"), store=store.root)
        monkeypatch.setattr("airflow_provider_benchmarks.store.fitness.missing", lambda *modules: list(modules))
        assert pin(store.job_folder(store.get("release", **WHERE))) == "release"
        log = task_log()
        assert "its rows can't be read without airflow-provider-benchmarks[parquet]" in log

    def test_one_without_rows(self, run_job, store, pin, task_log):
        gate(Threshold("m", at_least=0.5), job_name=run_job("release"), store=store.root)
        folder = store.job_folder(store.get("release", **WHERE))
        manifest = Path(folder.removeprefix("file://"), "manifest.json")
        content = json.loads(manifest.read_text())
        content["files"] = [file for file in content["files"] if not file["path"].endswith(".parquet")]
        manifest.write_text(json.dumps(content))
        assert pin(folder) == "release"
        log = task_log()
        assert "in part only: it has no row scores: comparisons are not paired by row" in log

    def test_a_whole_one_is_pinned_without_a_warning(self, run_job, pin, task_log):
        pin(run_job("release"))
        assert "can serve in part only" not in task_log()


class TestDatasets:
    """The service says what a job ran on beside its stored scores only."""

    def entity(self, service, job, dataset):
        body = json.dumps({"name": job, "dataset": dataset}).encode()
        service.inject(Fault.malformed(body).on("GET", f"*/benchmark-job-results/{job}"))

    @pytest.mark.parametrize("stored", [True, False])
    def test_jobs_on_two_datasets_are_not_compared(self, service, run_job, store, stored):
        run_job("old"), run_job("new")
        self.entity(service, "new", "my-workspace/other")
        with pytest.raises(GateFailed, match=r"is of dataset my-workspace/qa, the candidate of my-workspace/other"):
            gate(NoRegression("m"), job_name="new", baseline="old", store=store.root if stored else "")

    def test_a_service_that_does_not_say_is_no_obstacle(self, service, run_job):
        run_job("old"), run_job("new")
        service.inject(Fault.answer(404).on("GET", "*/benchmark-job-results/new"))
        assert gate(NoRegression("m"), job_name="new", baseline="old")["outcome"] == "pass"

    def test_the_score_store_keeps_it(self, run_job, store):
        gate(Threshold("m", at_least=0.5), job_name=run_job("kept"), store=store.root)
        assert store.get("kept", **WHERE).dataset == "my-workspace/qa"


class TestSlices:
    def test_a_slice_that_got_worse_stops_what_passes_as_a_whole(self, run_job, task_log):
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
        assert "FAIL m/accuracy difference [category = math]: accuracy fell by" in text
        assert "FAIL mean of m/accuracy where category = math is 0.4, expected ≥ 0.6" in text
        # A row that got worse, with its item.
        assert "m/accuracy [category = math] 1 → 0  question: question 0, category: math" in task_log()

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
        with pytest.raises(GateFailed, match='the items have no field "nope"; they have: question, category'):
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
        for lost in (4, 10):
            gaps = (row(i, "NaN", inference_error="503") for i in range(ROWS - lost, ROWS))
            run_job(f"gaps-{lost}", [*GOOD[:-lost], *gaps])
        check = NoRegression("m", max_error_rate=0.1)
        for candidate, baseline, lost in (("gaps-4", "whole", 4), ("whole", "gaps-4", 4), ("whole", "gaps-10", 10)):
            (result,) = gate(check, job_name=candidate, baseline=baseline)["results"]
            assert (result["outcome"], result["count"]) == ("pass", ROWS - lost)
            assert result["details"]["baseline" if candidate == "whole" else "candidate"]["call_failed"] == lost
        # Calls that fail more often than the baseline's may fail where the answers would be wrong.
        with pytest.raises(GateFailed, match="significantly more failed calls of the model than in the baseline"):
            gate(check, job_name="gaps-10", baseline="whole")

    def test_other_gaps_are_a_miss(self, run_job):
        run_job("sound"), run_job("nans", [*GOOD[:-10], *(row(i, "NaN") for i in range(ROWS - 10, ROWS))])
        with pytest.raises(GateFailed, match="10 of 120 rows have no value"):
            gate(NoRegression("m"), job_name="nans", baseline="sound")
        with pytest.raises(
            GateFailed, match="significantly more rows without a value than in the baseline .10 of 120 against 0"
        ):
            gate(NoRegression("m", max_nan_fraction=0.5), job_name="nans", baseline="sound")


class TestOutcomes:
    def test_prove_with_few_rows_is_inconclusive_and_says_how_many_would_do(self, run_job):
        run_job("one"), run_job("two")
        check = NoRegression("m", margin=0.001, mode="prove")
        with pytest.raises(GateInconclusive, match=r"About [\d,]+ rows would decide it"):
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
            assert context["ti"].values[0][0] == "verdict"
        assert followed == ["ship", ["tell", "stop"]]
