"""The example DAGs on the real platform: inline, and deferred under a real scheduler and triggerer."""

from __future__ import annotations

import shutil

import pytest

from airflow_provider_benchmarks.benchmarks import JobRequest, read_benchmark
from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE
from tests.support.airflow_runs import EXAMPLE_DAGS, AirflowHome, RunOutcome
from tests.support.airflow_services import AirflowServices

pytestmark = pytest.mark.releases("0.1", "0.3", "0.6", "0.7", "0.8")

INLINE = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False"}
STOPPED = {"run_benchmark": "success", "gate": "failed", "ship": "upstream_failed", "pin_baseline": "upstream_failed"}
DEFERRED = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory) -> AirflowHome:
    home = AirflowHome(tmp_path_factory.mktemp("airflow"))
    home.prepare()
    return home


@pytest.fixture(scope="module")
def services(platform, tmp_path_factory):
    """A whole Airflow with the example DAGs, whose default store is its own: tests of other releases run meanwhile."""
    folder = tmp_path_factory.mktemp("airflow-services")
    # Bytecode that others write there comes and goes.
    shutil.copytree(EXAMPLE_DAGS, folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / "dags").glob("*.py"):
        file.write_text(file.read_text().replace("file:///tmp/benchmark-scores", f"file://{folder}/scores"))
    with AirflowServices(AirflowHome(folder / "airflow", folder / "dags"), platform.url, **DEFERRED) as running:
        yield running


def assert_nightly_passed(run: RunOutcome) -> None:
    assert run.state == "success", run.log
    assert set(run.tasks.values()) == {"success"}
    means = {record["metric_ref"]: record["mean"] for record in run.xcoms["download_scores", "return_value"]}
    assert means == {"my-workspace/exact-match": 0.6, "my-workspace/string-check": 0.8}
    assert run.xcoms["download_rows", "return_value"]["rows"] == 5
    assert run.xcoms["gate", "verdict"]["outcome"] == "pass"


def assert_release_stopped(run: RunOutcome) -> None:
    assert run.state == "failed", run.log
    assert run.tasks == STOPPED, run.log
    verdict = run.xcoms["gate", "verdict"]
    found = [(result["outcome"], result["observed"]) for result in verdict["results"]]
    assert found == [("fail", 0.6), ("pass", 0.8), ("warn", None)]  # no model has been released before
    assert "mean of exact-match is 0.6, expected ≥ 0.9" in run.log


def test_nightly_regression_inline(airflow, platform, tmp_path):
    run = airflow.test_dag("nightly_regression", platform.url, conf={"store": f"file://{tmp_path}"}, **INLINE)
    assert_nightly_passed(run)
    (stored,) = tmp_path.rglob("*.parquet")
    assert read_row_scores(stored)["exact-match"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_release_gate_inline(airflow, platform, tmp_path):
    conf = {"store": f"file://{tmp_path}"}
    assert_release_stopped(airflow.test_dag("model_release_gate", platform.url, conf=conf, **INLINE))


def test_release_gate_deferred(services):
    run = services.run_dag("model_release_gate", trigger=True)
    assert_release_stopped(run)
    assert "BenchmarkJobTrigger" in run.log
    assert "Pausing task as DEFERRED" in run.log


def test_nightly_regression_deferred(services):
    run = services.run_dag("nightly_regression", trigger=False)
    assert_nightly_passed(run)
    assert "Pausing task as DEFERRED" in run.log


def test_a_finished_job_is_judged_whoever_has_submitted_it(services, platform):
    dag_id, api = "gate_on_finished_job", services.api
    services.wait(lambda: api.has_dag(dag_id), lambda: services.log("dag-processor"))
    api.unpause(dag_id)
    # Jobs that had finished before the watcher's first poll make no event.
    services.wait(services.watcher_states, lambda: services.log("triggerer"))

    request = JobRequest(read_benchmark(EXAMPLE_DAGS / "benchmarks" / "qa-bench.yaml"))
    config = ClientConfig(base_url=platform.url, workspace=EXAMPLE_WORKSPACE, trust_env=False)
    with BenchmarkClient(config) as somebody_else:
        somebody_else.submit_job(request, name="of-somebody-else")
    services.wait(lambda: api.ended(dag_id), lambda: f"{api.runs(dag_id)}\n{services.log('triggerer')}")

    assert [run["state"] for run in api.runs(dag_id)] == ["success"], services.task_logs(dag_id)
    events = [event["extra"] for event in api.get("/assets/events?limit=100")["asset_events"]]
    (judged,) = [event for event in events if event.get("job") == "of-somebody-else"]
    assert (judged["benchmark"], judged["outcome"]) == ("my-workspace/qa-bench", "pass")
    assert judged["means"]["my-workspace/exact-match:exact-match"] == 0.6
