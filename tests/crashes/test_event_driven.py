"""A job that somebody else submits starts the example DAG: once, whatever becomes of the triggerer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from airflow_provider_benchmarks.testing import EvaluationService
from tests.crashes.conftest import Crashes, started
from tests.support.airflow_runs import EXAMPLE_DAGS

DAG_ID = "gate_on_finished_job"
SPEC = {"benchmark": "my-workspace/qa-bench", "params": {"parallelism": 4}}


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    home = tmp_path_factory.mktemp("events")
    (home / "dags").mkdir()
    shutil.copy(EXAMPLE_DAGS / f"{DAG_ID}.py", home / "dags")
    with EvaluationService() as service:
        service.seed_question_answer_example()
        yield from started(home, service, dags=home / "dags")


def polls(crashes: Crashes) -> int:
    return sum(r.method == "GET" and r.path.endswith("/benchmark-jobs") for r in crashes.service.requests)


def watched(crashes: Crashes, more: int = 2) -> None:
    """Wait until the trigger has polled some more times."""
    seen = polls(crashes)
    crashes.wait(lambda: polls(crashes) >= seen + more, DAG_ID)


def judged(crashes: Crashes, count: int) -> list[str]:
    """Wait for a number of ended runs; return the job of each, oldest first."""
    crashes.wait(lambda: [run["state"] for run in crashes.airflow.api.runs(DAG_ID)] == ["success"] * count, DAG_ID)
    events = crashes.airflow.api.get("/assets/events?order_by=timestamp&limit=100")["asset_events"]
    return [event["extra"]["payload"]["job_name"] for event in events if event["extra"].get("from_trigger")]


def is_kept(crashes: Crashes, job_name: str) -> bool:
    """Whether Airflow's database has that the trigger has reported a job."""
    return any(job_name in state["reported"] for state in crashes.airflow.watcher_states())


def test_a_finished_job_starts_the_gate_once_over_restarts_of_the_triggerer(crashes) -> None:
    crashes.wait(lambda: crashes.airflow.api.has_dag(DAG_ID), DAG_ID)
    watched(crashes)

    crashes.client.submit_job(SPEC, name="job-1")
    assert judged(crashes, 1) == ["job-1"]
    (accepted,) = [
        event["extra"]
        for event in crashes.airflow.api.get("/assets/events?limit=100")["asset_events"]
        if not event["extra"].get("from_trigger")
    ]
    assert (accepted["job"], accepted["outcome"]) == ("job-1", "pass")
    assert accepted["means"]["my-workspace/exact-match:exact-match"] == 0.6

    crashes.wait(lambda: is_kept(crashes, "job-1"), DAG_ID)
    crashes.airflow.stop_process("triggerer")
    crashes.client.submit_job(SPEC, name="job-2")
    crashes.wait(lambda: crashes.client.get_job("job-2").is_finished, DAG_ID)
    crashes.airflow.start("triggerer")
    assert judged(crashes, 2) == ["job-1", "job-2"]

    crashes.wait(lambda: is_kept(crashes, "job-2"), DAG_ID)
    crashes.airflow.kill("triggerer")
    crashes.airflow.start("triggerer")
    watched(crashes)
    crashes.client.submit_job(SPEC, name="job-3")
    assert judged(crashes, 3) == ["job-1", "job-2", "job-3"]
