"""The essential crashes once more, with the real platform: one job for each task run, and none left running."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, Seeder
from tests.crashes.conftest import Crashes, started

pytestmark = pytest.mark.releases("0.1", "0.8")

#: Datasets by case; one job has to be long enough to be cancelled in its middle.
DATASETS = {
    "inline": f"{EXAMPLE_WORKSPACE}/qa",
    "restarted": f"{EXAMPLE_WORKSPACE}/qa",
    "marked-failed": f"{EXAMPLE_WORKSPACE}/many",
}


@pytest.fixture(scope="module")
def crashes(platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    with Seeder(platform.url, release=platform.release) as seeder:
        rows = [{"input": f"{n}?", "output": f"{n}", "reference": f"{n}"} for n in range(300_000)]
        seeder.dataset(EXAMPLE_WORKSPACE, "many", rows)
    yield from started(tmp_path_factory.mktemp("crashes"), platform, CRASH_DATASETS=json.dumps(DATASETS))


def test_a_worker_dies_while_it_waits(crashes) -> None:
    crashes.airflow.api.trigger("inline")
    job = crashes.running_job("inline")

    crashes.kill_worker("inline", "started")
    tasks = crashes.succeeds("inline")

    assert [found.name for found in crashes.jobs_of("inline")] == [job.name]
    assert tasks["run"]["try_number"] == 2


def test_a_triggerer_dies_while_a_task_is_deferred(crashes) -> None:
    crashes.airflow.api.trigger("restarted")
    name = crashes.running_job("restarted").name
    crashes.wait(lambda: crashes.states("restarted") == ["deferred"], "restarted")
    crashes.wait(lambda: " starting" in crashes.airflow.task_logs("restarted"), "restarted")

    # A job of five rows can end before a busy scheduler has heard that the task's first process has ended, and Airflow
    # takes a task that resumes before that for failed. So the triggerer dies first, and comes back after it.
    crashes.airflow.kill("triggerer")
    crashes.wait(lambda: crashes.airflow.has_heard_of_end("restarted", try_number=1), "restarted")
    crashes.airflow.start("triggerer")
    tasks = crashes.succeeds("restarted")

    assert [found.name for found in crashes.jobs_of("restarted")] == [name]
    assert tasks["run"]["try_number"] == 1


def test_who_ends_a_deferred_task_ends_its_job(crashes) -> None:
    crashes.airflow.api.trigger("marked-failed")
    name = crashes.deferred("marked-failed")

    crashes.airflow.api.mark("marked-failed", "run", "failed")

    crashes.wait(lambda: crashes.client.get_job(name).is_finished, "marked-failed")
    assert crashes.client.get_job(name).status == "cancelled"
