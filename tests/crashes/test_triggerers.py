"""Jobs of waiting tasks, on real triggerers and workers: what ends a task ends its job, what moves it does not."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from airflow_provider_benchmarks.testing import EvaluationService
from tests.crashes.conftest import WORKSPACE, Crashes, started

CASES = [
    "restarted",
    "handed-over",
    "marked-failed",
    "marked-success",
    "cleared-deferred",
    "timed-out",
    "kept",
    "survivor",
    "mapped-deferred",
    "inline-failed",
    "inline-success",
    "inline-cleared",
]

#: What Airflow 3.3 writes when it calls a trigger's on_kill.
KILLED = "Trigger cancelled by user action, invoking on_kill"


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    with EvaluationService() as service:
        for found in started(tmp_path_factory.mktemp("triggerers"), service, CASES):
            service.hold_jobs("active")
            for case in CASES:
                found.airflow.api.trigger(case)
            yield found


def triggerer_of(crashes: Crashes, case: str) -> int | None:
    """Number of the triggerer that a case's trigger has been given to."""
    (task,) = crashes.airflow.api.task_instances(case)
    return (task.get("trigger") or {}).get("triggerer_id")


def stopped_without_the_lock(crashes: Crashes) -> bool:
    """Stop the first triggerer, but not in the middle of a transaction, for nobody else could write then."""
    crashes.airflow.signal("triggerer", signal.SIGSTOP)
    path = crashes.airflow.airflow.home / "airflow.db"
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            crashes.airflow.signal("triggerer", signal.SIGCONT)
            return False
        database.execute("ROLLBACK")
    return True


def cancels(crashes: Crashes, job_name: str) -> int:
    return sum(request.path.endswith(f"/{job_name}/cancel") for request in crashes.service.requests)


@pytest.mark.parametrize("case", ["marked-failed", "marked-success", "cleared-deferred"])
def test_who_ends_a_deferred_task_ends_its_job(crashes, case):
    name = crashes.deferred(case)

    if case == "cleared-deferred":
        crashes.airflow.api.clear(case)
    else:
        crashes.airflow.api.mark(case, "run", case.removeprefix("marked-"))

    crashes.wait(lambda: crashes.client.get_job(name).status == "cancelled", case)
    if case != "cleared-deferred":
        assert cancels(crashes, name) == 1
    else:  # the clear's own job runs; its try may have cancelled the old one, too
        assert cancels(crashes, name) in (1, 2)
        crashes.wait(lambda: len(crashes.jobs_of(case)) == 2, case)
        assert crashes.jobs_of(case)[1].status != "cancelled"


def test_who_ends_one_map_index_ends_its_job_alone(crashes):
    case = "mapped-deferred"
    crashes.wait(lambda: crashes.states(case) == ["deferred"] * 2, case)
    crashes.wait(lambda: crashes.airflow.task_logs(case).count(" starting") >= 2, case)
    jobs = {job.spec["params"]["limit_samples"] - 1: job.name for job in crashes.jobs_of(case)}

    crashes.airflow.api.mark(case, "run", "failed", map_index=1)
    crashes.wait(lambda: crashes.client.get_job(jobs[1]).status == "cancelled", case)

    assert (cancels(crashes, jobs[1]), cancels(crashes, jobs[0])) == (1, 0)
    assert sorted(crashes.states(case)) == ["deferred", "failed"]


@pytest.mark.parametrize("case", ["inline-failed", "inline-success", "inline-cleared"])
def test_who_ends_a_task_that_waits_on_a_worker_ends_its_job(crashes, case):
    job = crashes.running_job(case)
    poll = f"/{job.name}/status"
    crashes.wait(lambda: any(request.path.endswith(poll) for request in crashes.service.requests), case)

    if case == "inline-cleared":
        crashes.airflow.api.clear(case)
    else:
        crashes.airflow.api.mark(case, "run", case.removeprefix("inline-"))

    crashes.wait(lambda: crashes.client.get_job(job.name).status == "cancelled", case)
    if case == "inline-cleared":
        crashes.wait(lambda: len(crashes.jobs_of(case)) == 2, case)
        _, fresh = crashes.jobs_of(case)
        assert not fresh.name.startswith(job.name)
        crashes.service.finish_job(WORKSPACE, fresh.name, "completed")
        crashes.succeeds(case)
    else:
        assert crashes.wait(lambda: crashes.airflow.api.ended(case), case) == case.removeprefix("inline-")
        assert len(crashes.jobs_of(case)) == 1


def test_a_deferral_that_airflow_times_out_ends_its_job(crashes):
    job = crashes.running_job("timed-out")

    crashes.wait(lambda: crashes.client.get_job(job.name).status == "cancelled", "timed-out")
    assert crashes.wait(lambda: crashes.airflow.api.ended("timed-out"), "timed-out") == "failed"


def test_a_job_that_is_to_be_kept_is_kept(crashes):
    name = crashes.deferred("kept")

    crashes.airflow.api.mark("kept", "run", "failed")
    crashes.wait(lambda: KILLED in crashes.airflow.task_logs("kept"), "kept")

    assert cancels(crashes, name) == 0


def test_a_job_lives_through_a_restart_of_the_triggerer(crashes):
    name = crashes.deferred("restarted")
    before = triggerer_of(crashes, "restarted")

    crashes.airflow.stop_process("triggerer")
    crashes.airflow.start("triggerer")
    crashes.wait(lambda: triggerer_of(crashes, "restarted") not in (None, before), "restarted")
    crashes.service.finish_job(WORKSPACE, name, "completed")
    crashes.succeeds("restarted")

    assert (cancels(crashes, name), len(crashes.jobs_of("restarted"))) == (0, 1)


def test_a_job_lives_when_another_triggerer_takes_it_over(crashes):
    """One of two triggerers hangs for so long that the other takes its triggers, wakes up, and lets them go."""
    name = crashes.deferred("handed-over")
    before = triggerer_of(crashes, "handed-over")

    crashes.airflow.start("triggerer", "second", AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT="0")
    crashes.wait(lambda: stopped_without_the_lock(crashes), "handed-over")
    crashes.wait(lambda: triggerer_of(crashes, "handed-over") not in (None, before), "handed-over")
    crashes.airflow.signal("triggerer", signal.SIGCONT)
    crashes.wait(lambda: KILLED in crashes.airflow.task_logs("handed-over"), "handed-over")  # so it believes
    crashes.service.finish_job(WORKSPACE, name, "completed")
    crashes.succeeds("handed-over")

    assert (cancels(crashes, name), len(crashes.jobs_of("handed-over"))) == (0, 1)


def test_one_of_two_triggerers_dies(crashes):
    """The second one, which has all triggers since the first was held up."""
    name = crashes.deferred("survivor")
    before = triggerer_of(crashes, "survivor")

    crashes.airflow.kill("second")
    crashes.wait(lambda: triggerer_of(crashes, "survivor") not in (None, before), "survivor")
    crashes.service.finish_job(WORKSPACE, name, "completed")
    crashes.succeeds("survivor")

    assert (cancels(crashes, name), len(crashes.jobs_of("survivor"))) == (0, 1)
