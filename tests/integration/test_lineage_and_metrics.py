"""What OpenLineage and a StatsD server are told of a DAG run: of every kind of task one ends well, and one fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS
from airflow.providers.openlineage.extractors.base import DefaultExtractor

from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.testing import EvaluationService
from tests.integration.conftest import BENCHMARK, BROKEN, SPEC, WORKSPACE, seed_broken
from tests.support.airflow_runs import EXAMPLE_DAGS, AirflowHome, RunOutcome
from tests.support.contexts import run_task, task_context
from tests.support.lineage_receiver import LineageReceiver
from tests.support.s3_server import BUCKET
from tests.support.statsd_receiver import StatsdReceiver

DAGS = EXAMPLE_DAGS.parent / "tests" / "integration" / "dags"
RESULTS = Path(__file__).parents[1] / "recorded" / "evaluators" / "lighteval" / "better"
#: As in the DAG.
HAS_OUTLETS = AIRFLOW_V_3_1_PLUS or not AIRFLOW_V_3_0_PLUS


QA = "my-workspace.my-workspace_qa-bench"
#: Marks a test of the run whose metrics are on.
with_metrics = pytest.mark.parametrize("told", ["local"], indirect=True)


class Told(NamedTuple):
    """A run, what the receivers got of it, and where the DAG has stored what it stores."""

    run: RunOutcome
    receiver: LineageReceiver
    metrics: dict[str, list[str]]
    service: str
    store: tuple[str, str]

    def of(self, task: str, kind: str = "COMPLETE") -> dict[str, Any]:
        """The event of the end of a task."""
        found = self.receiver.of(f"told.{task}", kind)
        assert len(found) == 1, (task, kind, found, self.run.log[-5000:])
        return found[0]

    def inputs(self, task: str, kind: str = "COMPLETE") -> dict[str, Any]:
        return self._named(self.of(task, kind).get("inputs", ()))

    def outputs(self, task: str, kind: str = "COMPLETE") -> dict[str, Any]:
        return self._named(self.of(task, kind).get("outputs", ()))

    def _named(self, datasets: Any) -> dict[str, Any]:
        named = {self.short(each): each for each in datasets}
        assert len(named) == len(datasets), "a dataset is there twice"
        return named

    def short(self, dataset: dict[str, Any]) -> str:
        """The name of a dataset, shorter where it is on the service or below the DAG's root."""
        namespace, root = self.store
        if dataset["namespace"] == self.service:
            return f"service {dataset['name']}"
        if dataset["namespace"] == namespace and dataset["name"].startswith(f"{root}/"):
            return dataset["name"].removeprefix(f"{root}/")
        return f"{dataset['namespace']} {dataset['name']}"

    def job(self, task: str) -> str:
        return self.run.xcoms[task, "return_value"]


@pytest.fixture(scope="module", params=["local", "s3"])
def told(request, tmp_path_factory, _s3_server):
    folder = tmp_path_factory.mktemp("told")
    home = AirflowHome(folder / "home", DAGS)
    home.prepare()
    is_local = request.param == "local"
    root = str(folder) if is_local else f"s3://aws_scores@{BUCKET}/{folder.name}"
    with EvaluationService() as service, LineageReceiver() as receiver, StatsdReceiver() as statsd:
        service.seed_question_answer_example()
        seed_broken(service)
        service.set_job_seconds(1)  # a job that has ended at the first poll is not deferred for
        settings = {**receiver.settings, **statsd.settings, "AIRFLOW_CONN_AWS_SCORES": _s3_server.connection}
        if is_local:
            settings["AIRFLOW__BENCHMARKS__METRICS"] = "True"
        run = home.test_dag("told", service.url, conf={"root": root, "results": str(RESULTS)}, **settings)
        found = statsd.finish()
        # Airflow's own have come, so that none of ours means that none was sent.
        assert statsd.metrics, run.log[-3000:]
        yield Told(
            run,
            receiver,
            found,
            f"nemo-evaluator://{service.url.removeprefix('http://')}",
            ("file", str(folder)) if is_local else (f"s3://{BUCKET}", folder.name),
        )


def statistics(dataset: dict[str, Any]) -> dict[str, Any]:
    facets = {**dataset.get("inputFacets", {}), **dataset.get("outputFacets", {})}
    (found,) = (facets[name] for name in ("inputStatistics", "outputStatistics") if name in facets)
    return {name: value for name, value in found.items() if not name.startswith("_")}


def job_of(event: dict[str, Any]) -> str:
    return event["run"]["facets"]["externalQuery"]["externalQueryId"]


def test_the_receiver_takes_all_events(told):
    assert told.receiver.refused == []
    assert "Left out of OpenLineage's event" not in told.run.log
    assert "failed to extract" not in told.run.log.lower()


@pytest.mark.parametrize("task", ["run", "run_deferred"])
def test_a_job_is_from_its_benchmark_to_its_scores(told, task):
    # A DAG that is tested resumes a task with the trigger's event alone, which does not say which benchmark it was.
    assert list(told.inputs(task)) in ([f"service {BENCHMARK}"], [] if task == "run_deferred" else None)
    ((name, scores),) = told.outputs(task).items()
    assert name == f"service {WORKSPACE}/{told.job(task)}/scores"
    assert statistics(scores) == {"rowCount": 5}
    fields = [(field["name"], field["type"]) for field in scores["facets"]["schema"]["fields"]]
    assert fields == [
        ("my-workspace/exact-match:exact-match", "double"),
        ("my-workspace/string-check:string-check", "double"),
    ]
    assert job_of(told.of(task)) == f"{WORKSPACE}/{told.job(task)}"


@pytest.mark.parametrize("task", ["wait", "wait_deferred"])
def test_a_sensor_has_the_scores_that_it_waited_for(told, task):
    assert list(told.inputs(task)) == [f"service {WORKSPACE}/{told.job('run')}/scores"]
    assert told.outputs(task) == {}


def test_aggregate_scores_are_stored_in_a_file(told):
    ((name, scores),) = told.inputs("aggregate").items()
    assert name == f"service {WORKSPACE}/{told.job('run')}/scores"
    metrics = scores["inputFacets"]["dataQualityMetrics"]
    column = metrics["columnMetrics"]["my-workspace/exact-match:exact-match"]
    assert metrics["rowCount"] == 5
    assert (column["count"], column["nullCount"], column["sum"]) == (5, 0, 3.0)
    assert column["quantiles"]["1"] == column["max"] == 1.0
    outputs = told.outputs("aggregate")
    # What the DAG file declares is not lost.
    assert list(outputs) == ["aggregate.json", *(["s3://elsewhere scores.json"] if HAS_OUTLETS else [])]
    assert statistics(outputs["aggregate.json"]).keys() == {"size", "fileCount"}


def test_row_scores_are_stored_in_a_file_and_in_the_store(told):
    job = told.job("run")
    ((_, scores),) = told.inputs("rows").items()
    assert statistics(scores) == {"rowCount": 5}
    outputs = told.outputs("rows")
    folder = f"store/my-workspace/qa-bench/{job}"
    assert list(outputs) == [folder, "rows.parquet"]
    file = told.run.xcoms["rows", "return_value"]
    assert statistics(outputs["rows.parquet"]) == {"rowCount": 5, "size": file["bytes"], "fileCount": 1}
    stored = statistics(outputs[folder])
    assert (stored["rowCount"], stored["fileCount"], stored["size"] > 0) == (5, 3, True)


def test_rows_in_xcom_have_no_output(told):
    ((_, scores),) = told.inputs("rows_to_xcom").items()
    assert statistics(scores) == {"rowCount": 2}
    assert told.outputs("rows_to_xcom") == {}


def test_results_of_another_evaluator(told):
    ((name, _),) = told.inputs("store_results").items()
    assert name == f"file {RESULTS}"
    stored = told.run.xcoms["store_results", "return_value"]
    root = stored[0]["path"].partition("/store/")[0]
    outputs = told.outputs("store_results")
    assert list(outputs) == [each["path"].removeprefix(f"{root}/") for each in stored]
    assert [statistics(each)["rowCount"] for each in outputs.values()] == [each["rows"] for each in stored]


def test_a_pin(told):
    job = told.job("run")
    assert list(told.inputs("pin")) == [f"service {WORKSPACE}/{job}/scores"]
    pin = "store/my-workspace/qa-bench/_pinned.json"
    assert list(told.outputs("pin")) == [f"store/my-workspace/qa-bench/{job}", pin]
    assert statistics(told.outputs("pin")[pin])["fileCount"] == 1


def assertions(told: Told, task: str, kind: str) -> list[tuple[str, bool]]:
    (found,) = (
        each["inputFacets"]["dataQualityAssertions"]["assertions"]
        for each in told.inputs(task, kind).values()
        if "dataQualityAssertions" in each["inputFacets"]
    )
    return [(each["assertion"], each["success"]) for each in found]


def test_a_gate_compares_with_the_stored_baseline(told):
    baseline, job = told.job("run"), told.job("run_deferred")
    folder = "store/my-workspace/qa-bench"
    assert list(told.inputs("passed")) == [f"service {WORKSPACE}/{job}/scores", f"{folder}/{baseline}"]
    assert list(told.outputs("passed")) == ["report.json", f"{folder}/{job}"]
    first, second = assertions(told, "passed", "COMPLETE")
    assert first == ("mean ≥ 0.5", True)
    assert second == ("difference drop ≤ 0.9 (detect)", False)


def test_a_missed_gate_has_what_each_check_found(told):
    assert told.run.tasks["missed"] == "failed"
    assert assertions(told, "missed", "FAIL") == [("mean ≥ 0.5", True), ("mean ≥ 0.9", False)]
    ((_, scores),) = told.inputs("missed", "FAIL").items()
    missed = scores["inputFacets"]["dataQualityAssertions"]["assertions"][1]
    assert (missed["severity"], missed["expected"], missed["actual"]) == ("error", "≥ 0.9", "0.6")
    assert missed["description"] == "mean of exact-match is 0.6, expected ≥ 0.9"
    assert list(told.outputs("missed", "FAIL")) == ["r.md"]


def test_a_branch(told):
    assert assertions(told, "branch", "COMPLETE") == [("mean ≥ 0.5", True)]


def test_mapped_gates_have_their_own(told):
    (passed,) = told.receiver.of("told.mapped", "COMPLETE")
    (missed,) = told.receiver.of("told.mapped", "FAIL")
    found = [
        each["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0]["success"]
        for each in (passed, missed)
    ]
    assert found == [True, False]


@pytest.mark.parametrize(("task", "job"), [("broken", "broken-job"), ("broken_deferred", "broken-deferred")])
def test_a_failed_job_says_which(told, task, job):
    event = told.of(task, "FAIL")
    assert list(told.inputs(task, "FAIL")) == [f"service {BROKEN}"]
    assert told.outputs(task, "FAIL") == {}
    assert job_of(event) == f"{WORKSPACE}/{job}"
    assert "no such model" in event["run"]["facets"]["errorMessage"]["message"]


def test_a_sensor_of_a_failed_job_says_which(told):
    event = told.of("broken_wait", "FAIL")
    # A poll of its status does not say which benchmark it runs.
    assert list(told.inputs("broken_wait", "FAIL")) == [f"service {WORKSPACE}/broken-job/scores"]
    assert job_of(event) == f"{WORKSPACE}/broken-job"


@pytest.mark.parametrize("task", ["broken_store", "broken_gate", "broken_pin"])
def test_what_takes_completed_jobs_says_which_it_did_not_get(told, task):
    assert f"service {BROKEN}" in told.inputs(task, "FAIL")
    assert told.outputs(task, "FAIL") == {}
    assert job_of(told.of(task, "FAIL")) == f"{WORKSPACE}/broken-job"


def test_half_a_download_has_no_output(told):
    assert list(told.inputs("half", "FAIL")) == [f"service {WORKSPACE}/{told.job('run')}/scores"]
    assert told.outputs("half", "FAIL") == {}


def test_results_that_are_not_there(told):
    assert list(told.inputs("broken_results", "FAIL")) == ["nothing"]
    assert told.outputs("broken_results", "FAIL") == {}


def test_no_metric_is_lost(told):
    assert "A metric was not sent" not in told.run.log


@pytest.mark.parametrize("told", ["s3"], indirect=True)
def test_no_metric_is_sent_unless_it_is_asked_for(told):
    assert told.metrics == {}


@with_metrics
def test_means(told):
    means = {
        name: set(values) for name, values in told.metrics.items() if name.startswith("benchmarks.score.mean.told.my-")
    }
    assert means == {
        f"benchmarks.score.mean.told.{QA}.my-workspace_exact-match.exact-match": {"0.6|g"},
        f"benchmarks.score.mean.told.{QA}.my-workspace_string-check.string-check": {"0.8|g"},
    }
    assert any(name.startswith("benchmarks.score.mean.told.lighteval.") for name in told.metrics)


@with_metrics
def test_verdicts(told):
    verdicts = "benchmarks.gate.verdicts.told"
    assert told.metrics[f"{verdicts}.passed.{QA}.pass"] == ["1|c"]
    assert told.metrics[f"{verdicts}.missed.{QA}.fail"] == ["1|c"]
    assert told.metrics[f"{verdicts}.mapped.{QA}.pass"] == told.metrics[f"{verdicts}.mapped.{QA}.fail"] == ["1|c"]
    checks = f"benchmarks.gate.checks.told.missed.{QA}"
    found = {outcome: told.metrics[f"{checks}.{outcome}"] for outcome in ("pass", "warn", "fail", "inconclusive")}
    assert found == {"pass": ["1|g"], "warn": ["0|g"], "fail": ["1|g"], "inconclusive": ["0|g"]}


@with_metrics
def test_durations(told):
    for name in (f"run.{QA}.completed", "broken.my-workspace.my-workspace_broken.error"):
        (value,) = told.metrics[f"benchmarks.job.duration.told.{name}"]
        milliseconds, _, kind = value.partition("|")
        assert (kind, 0 < float(milliseconds) < 600_000) == ("ms", True)


class Made:
    """Makes operators, and keeps the last one: that which the task ended with."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self) -> Any:
        self.last = self._make()
        return self.last


def test_a_task_that_was_deferred_has_the_same(service):
    service.set_job_seconds(1)
    run = Made(lambda: RunBenchmarkJobOperator(task_id="run", spec=SPEC, poll_interval=0.05, deferrable=True))
    job = run_task(run, task_context())
    lineage = DefaultExtractor(run.last).extract_on_complete(task_instance=None)
    assert [each.name for each in lineage.inputs] == [BENCHMARK]
    assert [each.name for each in lineage.outputs] == [f"{WORKSPACE}/{job}/scores"]
    assert lineage.run_facets["externalQuery"].externalQueryId == f"{WORKSPACE}/{job}"


def test_a_sensor_that_was_deferred_has_the_same(service):
    service.hold_jobs("active")
    make = RunBenchmarkJobOperator(task_id="run", spec=SPEC, wait_for_completion=False)
    job = make.execute(task_context())
    # What is submitted alone has scores to come.
    outputs = DefaultExtractor(make).extract_on_complete(task_instance=None).outputs
    assert [(each.name, each.outputFacets) for each in outputs] == [(f"{WORKSPACE}/{job}/scores", {})]
    wait = Made(lambda: BenchmarkJobSensor(task_id="wait", job_name=job, poke_interval=0.05, deferrable=True))
    with pytest.raises(TaskDeferred):
        wait().execute(task_context())
    wait().execute_complete(task_context(), {"job_name": job, "status": "completed"})
    lineage = DefaultExtractor(wait.last).extract_on_complete(task_instance=None)
    assert [each.name for each in lineage.inputs] == [f"{WORKSPACE}/{job}/scores"]
