"""Gates in a DAG run by Airflow itself, on the local service."""

from __future__ import annotations

import json
import shutil

import pytest

from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support.airflow_runs import EXAMPLE_DAGS, AirflowHome
from tests.support.page_dags import page_dags

DAGS = EXAMPLE_DAGS.parent / "tests" / "integration" / "dags"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    AirflowHome(home).prepare()
    return home


@pytest.fixture(scope="module")
def outcome(airflow, tmp_path_factory):
    """What a run of the DAG left: in Airflow, and in the folder of the score store."""
    folder, home = tmp_path_factory.mktemp("store"), AirflowHome(airflow, DAGS)
    with EvaluationService() as service:
        service.seed_question_answer_example()
        run = home.test_dag("gates", service.url, conf={"store": f"file://{folder}"})
    return run, folder


def test_a_task_that_runs_in_any_case_reads_the_verdict_of_a_failed_gate(outcome):
    run, _ = outcome
    assert (run.tasks["by_policy"], run.tries["by_policy"], run.tasks["tell"]) == ("failed", 1, "success"), run.log
    assert run.xcoms["tell", "return_value"] == ["fail", "", "mean of string-check is 0.8, expected ≥ 0.9"]


def test_a_templated_policy_and_report(outcome):
    run, folder = outcome
    assert [result["outcome"] for result in run.xcoms["by_policy", "verdict"]["results"]] == ["pass", "fail"]
    assert (folder / "report.md").read_text().startswith("**FAIL: 1 of 2 checks hold**")


def test_mapped_gates_have_a_verdict_each(outcome):
    run, folder = outcome
    (stored,) = ScoreStore(f"file://{folder}").history(workspace=WORKSPACE, benchmark=BENCHMARK)
    assert stored.outcomes == {"gates.by_policy": "fail", "gates.mapped[0]": "fail", "gates.mapped[1]": "pass"}, run.log


def test_a_miss_is_not_tried_again_when_its_report_can_not_be_written(outcome):
    run, _ = outcome
    assert (run.tasks["broken_miss"], run.tries["broken_miss"]) == ("failed", 1), run.log
    assert run.xcoms["broken_miss", "verdict"]["outcome"] == "fail"
    assert "The verdict could not be written to the report /proc/nope/broken_miss.md: " in run.log


def test_a_pass_is(outcome):
    run, _ = outcome
    assert (run.tasks["broken_pass"], run.tries["broken_pass"]) == ("failed", 2), run.log
    assert run.xcoms["broken_pass", "verdict"]["outcome"] == "pass"


def test_the_example_with_xcoms_in_object_storage(airflow, tmp_path):
    """As large deployments keep them."""
    xcoms = tmp_path / "xcoms"
    with EvaluationService() as service:
        service.seed_question_answer_example()
        run = AirflowHome(airflow).test_dag(
            "nightly_regression",
            service.url,
            conf={"store": f"file://{tmp_path}/scores"},
            AIRFLOW__CORE__XCOM_BACKEND="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
            AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=f"file://{xcoms}",
            AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD="0",
        )
    assert run.state == "success", run.log[-5000:]
    assert "my-workspace/exact-match: exact-match = 0.6" in run.log  # a task that reads the records back
    kept = [json.loads(path.read_text()) for path in xcoms.rglob("*") if path.is_file()]
    assert any(isinstance(value, dict) and value.get("outcome") == "pass" for value in kept), kept
    assert any(isinstance(value, list) and value[0].get("metric_ref") for value in kept), kept


@pytest.mark.parametrize("releases", [("0.1", "0.1"), ("0.1", "0.8")], ids=["same release", "moved to 0.8"])
def test_the_second_night_of_the_example_is_compared_with_the_first(tmp_path, monkeypatch, releases):
    nights = []
    with page_dags(tmp_path / "dags", monkeypatch.setenv) as pages:
        shutil.copytree(EXAMPLE_DAGS / "benchmarks", pages.folder / "benchmarks")
        for release in releases:
            with EvaluationService(release=release) as service:
                service.seed_question_answer_example()
                monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
                code = (EXAMPLE_DAGS / "nightly_regression.py").read_text()
                nights.append(pages.run(code, {"store": pages.store}))
    assert [run.state for run in nights] == ["success", "success"]
    verdicts = [run.xcoms["gate", "verdict"] for run in nights]
    assert verdicts[0]["results"][2]["reason"].startswith("there is no baseline yet")
    assert verdicts[1]["baseline"] == nights[0].xcoms["run_benchmark", "return_value"]
    # Five rows can't tell, and a nightly comparison warns then.
    assert [result["outcome"] for result in verdicts[1]["results"]] == ["pass", "pass", "warn"]
    assert verdicts[1]["results"][2]["reason"].startswith("inconclusive: ")
    assert [(result["metric"], result["count"]) for result in verdicts[1]["results"]] == [
        ("my-workspace/exact-match", 5),
        ("my-workspace/string-check", 5),
        ("my-workspace/exact-match", 5),
    ]
