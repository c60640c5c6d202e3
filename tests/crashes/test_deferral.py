"""A task that waits is deferred and resumed by a real scheduler and triggerer, on every Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.support.airflow_runs import EXAMPLE_DAGS, AirflowHome
from tests.support.airflow_services import AirflowServices, wait_for

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
    with EvaluationService(job_seconds=5) as service:
        service.seed_question_answer_example()
        with Seeder(service.url) as seeder:
            seeder.benchmark(WORKSPACE, "to-retry", metrics=[f"{WORKSPACE}/exact-match"], dataset=f"{WORKSPACE}/qa")
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


def test_a_job_is_waited_for_by_a_triggerer(airflow):
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
    benchmark = f"{WORKSPACE}/to-retry"
    service.fail_jobs(benchmark, "no")

    def mend() -> None:
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            wait_for(
                lambda: any(job.benchmark == benchmark and job.status == "error" for job in client.list_jobs()),
                900,
                lambda: airflow.task_logs("retry"),
            )
        service.evaluate_jobs(benchmark)

    Thread(target=mend, daemon=True).start()
    run = airflow.run_dag("retry", trigger=True)

    assert (run.tasks["run"], run.tries["run"]) == ("success", 2), run.log
    assert run.xcoms["run", "return_value"].endswith("-2")
