"""A task that waits is deferred and resumed by a real scheduler and triggerer, on every Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.support.airflow_runs import EXAMPLE_DAGS, AirflowHome
from tests.support.airflow_services import AirflowServices

WORKSPACE = "my-workspace"
RETRY_DAG = """
from datetime import datetime, timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator

with DAG("retry", schedule=None, start_date=datetime(2026, 1, 1)):
    RunBenchmarkJobOperator(
        task_id="run",
        spec={"benchmark": "my-workspace/to-retry"},
        poll_interval=1,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
"""


@pytest.fixture(scope="module")
def service() -> Iterator[EvaluationService]:
    with EvaluationService() as service:
        service.seed_question_answer_example()
        with Seeder(service.url) as seeder:
            seeder.benchmark(WORKSPACE, "to-retry", metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa")
        service.hold_jobs("active")
        yield service


@pytest.fixture(scope="module")
def airflow(service: EvaluationService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServices]:
    """A whole Airflow with the example DAGs, whose store is the test's own, and one of a task that is retried."""
    folder = tmp_path_factory.mktemp("deferral")
    (folder / "dags").mkdir()
    for source in EXAMPLE_DAGS.rglob("*.*"):
        if source.suffix not in (".py", ".yaml"):
            continue
        copy = folder / "dags" / source.relative_to(EXAMPLE_DAGS)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(source.read_text().replace("file:///tmp/benchmark-scores", f"file://{folder}/scores"))
    (folder / "dags" / "retry.py").write_text(RETRY_DAG)
    settings = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}
    home = AirflowHome(folder / "airflow", folder / "dags")
    with AirflowServices(home, service.url, **settings) as running:
        yield running


@contextmanager
def each_try(airflow: AirflowServices, dag_id: str, *ends: Callable[[], None], task_id: str = "run") -> Iterator[None]:
    """End the job of each try of a DAG's task in its way, when Airflow knows that the task's first process is over."""

    def end_each() -> None:
        for number, end in enumerate(ends, start=1):
            airflow.wait(
                lambda number=number: airflow.has_heard_of_end(dag_id, try_number=number, task_id=task_id),
                lambda: f"{airflow.log('scheduler')}\n{airflow.task_logs(dag_id)}",
            )
            end()

    thread = Thread(target=end_each, daemon=True)
    thread.start()
    yield
    thread.join(timeout=60)


def test_a_job_is_waited_for_by_a_triggerer(airflow, service):
    with each_try(airflow, "model_release_gate", service.release_jobs, task_id="run_benchmark"):
        run = airflow.run_dag("model_release_gate", trigger=True)

    assert run.tasks["run_benchmark"] == "success", run.log
    assert run.tries["run_benchmark"] == 1, run.log
    assert list((airflow.airflow.home / "logs").glob("dag_id=model_release_gate/**/*run_benchmark/*.trigger.*")), (
        run.log
    )
    assert (run.tasks["gate"], run.tasks["ship"]) == ("failed", "upstream_failed"), run.log
    assert run.xcoms["gate", "verdict"]["outcome"] == "fail"


def test_a_retry_of_a_deferred_task_runs_the_next_job(airflow, service):
    """Airflow 3.0 resumes the retry with the event of the try before."""
    service.hold_jobs("active")

    def fail_first() -> None:
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            (job,) = [job for job in client.list_jobs() if job.benchmark == f"{WORKSPACE}/to-retry"]
        service.finish_job(WORKSPACE, job.name, "error", message="no")

    with each_try(airflow, "retry", fail_first, service.release_jobs):
        run = airflow.run_dag("retry", trigger=True)

    assert (run.tasks["run"], run.tries["run"]) == ("success", 2), run.log
    assert run.xcoms["run", "return_value"].endswith("-2")


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="tasks wait for people from Airflow 3.1 on")
def test_a_model_is_promoted_when_a_person_who_sees_the_verdict_approves(airflow, service):
    service.release_jobs()
    dag_id = "release_with_approval"
    airflow.api.trigger(dag_id)
    airflow.api.unpause(dag_id)
    what = lambda: airflow.task_logs(dag_id)
    run_id = quote(airflow.api.runs(dag_id)[0]["dag_run_id"])
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approval/-1/hitlDetails"
    airflow.wait(lambda: airflow.api.request("GET", path).status_code == 200, what)
    # Before Airflow 3.3 its triggerer waits for the person.
    waits = ("awaiting_input", "deferred")
    states = lambda: {task["task_id"]: task["state"] for task in airflow.api.task_instances(dag_id)}
    airflow.wait(lambda: states()["approval"] in waits, what)
    airflow.wait(lambda: airflow.has_heard_of_end(dag_id, try_number=1, task_id="approval"), what)
    assert airflow.api.get(path)["body"].startswith("**PASS: 2 of 3 checks hold, 1 warns**")
    assert states()["pin_baseline"] is None

    approved = {"chosen_options": ["Approve"], "params_input": {}}
    airflow.api.request("PATCH", path, json=approved).raise_for_status()
    assert airflow.wait(lambda: airflow.api.ended(dag_id), what) == "success", what()
    assert set(states().values()) == {"success"}
