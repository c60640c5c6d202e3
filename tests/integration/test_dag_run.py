"""One DAG run by Airflow itself, on the local service."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EXAMPLE_ROWS, EvaluationService, Seeder
from tests.integration.conftest import WORKSPACE
from tests.support.airflow_runs import AirflowHome
from tests.support.airflow_services import wait_for
from tests.support.page_dags import page_dags


def release_when_polled_twice(service):
    """Let the job fail only when its task waits for it: the operator's first poll has not seen its end."""

    def polls() -> int:
        """Number of polls of the job of the task ``run``; other tasks of the run poll theirs."""
        return sum(r.path.endswith("/status") and "/retries-run-" in r.path for r in service.requests)

    wait_for(lambda: polls() >= 2, 600, lambda: "the job was not polled twice")
    service.release_jobs()


RESUMES_A_RETRY_WITH_THE_EVENT_ALONE = AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_1_PLUS


@pytest.fixture(
    scope="module",
    params=[
        "inline",
        pytest.param(
            "deferred",
            marks=pytest.mark.skipif(
                RESUMES_A_RETRY_WITH_THE_EVENT_ALONE,
                reason="what `dags test` does on Airflow 3.0; a whole one is in crashes/test_deferral.py",
            ),
        ),
    ],
)
def outcome(request, tmp_path_factory):
    """What a run of the DAG left: in Airflow, and the jobs on the service."""
    deferrable = str(request.param == "deferred")
    airflow = AirflowHome(tmp_path_factory.mktemp("airflow"), Path(__file__).parent / "dags")
    with EvaluationService() as service:
        service.seed_question_answer_example()
        with Seeder(service.url) as seeder:
            rows = [{"input": row["input"], "reference": row["reference"]} for row in EXAMPLE_ROWS]
            dataset = seeder.dataset(WORKSPACE, "broken", rows)
            metric = f"{WORKSPACE}/exact-match"
            seeder.benchmark(WORKSPACE, "broken", metrics=[metric], dataset=dataset)
        airflow.prepare()
        service.hold_jobs("active", benchmark=f"{WORKSPACE}/broken")
        Thread(target=release_when_polled_twice, args=(service,), daemon=True).start()
        run = airflow.test_dag("retries", service.url, AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE=deferrable)
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            jobs = {job.name: client.get_job(job.name) for job in client.list_jobs()}
    return run, jobs


def of_task(jobs, task_id):
    """The jobs of a task, by the number of their name."""
    return sorted((job for job in jobs.values() if job.custom_fields["airflow"]["task_id"] == task_id), key=str)


def test_a_retry_after_a_failed_job_runs_the_next(outcome):
    run, jobs = outcome
    assert (run.tasks["run"], run.tries["run"]) == ("success", 2), run.log
    first, second = of_task(jobs, "run")
    assert (first.status, second.status) == ("error", "completed")
    assert second.name == f"{first.name}-2"
    assert run.xcoms["run", "return_value"] == second.name
    assert f'benchmark job "{first.name}" of benchmark my-workspace/broken' in run.log
    assert "could not render its 'candidate' template for this row" in run.log


def test_the_wait_is_where_it_was_asked_for(outcome, request):
    # Seen in the traceback of the try that failed.
    run, _ = outcome
    deferred = request.node.callspec.params["outcome"] == "deferred"
    assert ("in execute_complete" in run.log, "in wait_for_job" in run.log) == (deferred, not deferred)


def test_the_job_name_comes_out_of_xcom(outcome):
    run, _ = outcome
    assert run.tasks["download"] == "success", run.log
    (record,) = run.xcoms["download", "return_value"]
    assert (record["metric_ref"], record["mean"]) == ("my-workspace/exact-match", 0.6)


def test_a_missed_gate_is_not_tried_again(outcome):
    run, _ = outcome
    assert (run.tasks["gate"], run.tries["gate"], run.state) == ("failed", 1, "failed"), run.log
    verdict = run.xcoms["gate", "verdict"]
    assert (verdict["outcome"], verdict["results"][0]["observed"]) == ("fail", 0.6)


def test_every_mapped_task_runs_a_job_of_its_own(outcome):
    run, jobs = outcome
    assert run.tasks["mapped"] == "success", run.log
    mapped = {job.custom_fields["airflow"]["map_index"]: job for job in of_task(jobs, "mapped")}
    assert {index: job.spec["params"]["limit_samples"] for index, job in mapped.items()} == {0: 1, 1: 2}
    assert {job.status for job in mapped.values()} == {"completed"}


def test_a_spec_with_metrics_in_it_runs_as_it_was_written(tmp_path, monkeypatch):
    with EvaluationService(release="0.8") as service, page_dags(tmp_path / "dags", monkeypatch.setenv) as pages:
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        run = pages.run((Path(__file__).parent / "dags" / "inline_spec.py").read_text())
        assert run.tasks == {"fileset": "success", "rows": "success"}
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            means = [client.get_aggregate_scores(job.name).get("exact-match").mean for job in client.list_jobs()]
    assert means == [0.6, 0.6]
