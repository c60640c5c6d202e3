"""A task run has one job, whatever dies and whenever. All cases run in one Airflow, most of them at the same time."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from airflow_provider_benchmarks.jobs.identity import NAME_PATTERN
from airflow_provider_benchmarks.testing import EvaluationService, Fault
from tests.crashes.conftest import WORKSPACE, Crashes, started
from tests.crashes.dags.crashes import HELD, LONG

OTHERS = ["download", "failed", "cancelled", "cleared", "cleared-in-a-run", "mapped", "conf"]
#: Their jobs run until the worker or the triggerer is gone.
WAITING = ["inline", "deferred", "resumed"]
AROUND_THE_SUBMIT = ["before-submit", "after-submit", "after-submit-deferred"]


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    with EvaluationService() as service:
        home = tmp_path_factory.mktemp("crashes")
        for found in started(home, service, [*HELD, *OTHERS, "long"]):
            for case in [*WAITING, "cancelled"]:
                service.hold_jobs("active", benchmark=f"{WORKSPACE}/{case}")
            service.fail_jobs(f"{WORKSPACE}/failed", "Job exited with code 1", root_error="out of memory")
            # Rows come slowly enough for the worker to be killed among them, and not so slowly that it gives up.
            service.give_results(f"{WORKSPACE}/download", aggregate=many_rows()[0], rows=many_rows()[1])
            slow = Fault.slow_body(seconds_per_chunk=10, chunk_bytes=1_000)
            service.inject(slow.on("GET", "*/filesets/*/-/results/*", times=1))
            for case in [*HELD, *OTHERS]:
                found.airflow.api.trigger(case, **({"params": {"limit_samples": 2}} if case == "conf" else {}))
            found.airflow.api.trigger(LONG)
            yield found


def many_rows() -> tuple[dict, list[dict]]:
    rows = [
        {"row_index": n, "item": {"q": f"question {n}"}, "metrics": {"my-workspace/m": [{"name": "m", "value": 1.0}]}}
        for n in range(2000)
    ]
    score = {"name": "m", "count": len(rows), "nan_count": 0, "mean": 1.0, "sum": float(len(rows))}
    return {"results": [{"metric": "my-workspace/m", "scores": [score]}]}, rows


@pytest.fixture(scope="module")
def killed(crashes) -> dict[str, list[str]]:
    """Kill the workers of all cases, one after the other, since Airflow takes its time to notice that one is gone.

    Return the names of each case's jobs when its worker died.
    """
    crashes.process_of("download", "held")
    crashes.wait(lambda: any("/-/results/" in request.path for request in crashes.service.requests), "download")
    inline = crashes.running_job("inline")
    crashes.wait(lambda: polls(crashes, inline.name) > 2, "inline")
    crashes.service.finish_job(WORKSPACE, crashes.deferred("resumed"), "completed")

    found: dict[str, list[str]] = {}
    for case in (*AROUND_THE_SUBMIT, "download", "resumed", "inline"):
        what = "started" if case == "inline" else "held"
        crashes.process_of(case, what)
        found[case] = [job.name for job in crashes.jobs_of(case)]
        crashes.kill_worker(case, what)
    assert not (crashes.folder / "rows.jsonl").exists()
    crashes.service.finish_job(WORKSPACE, inline.name, "completed")
    return found


@pytest.mark.parametrize("case", AROUND_THE_SUBMIT)
def test_a_worker_dies_around_the_submit(crashes, killed, case):
    assert len(killed[case]) == (0 if case == "before-submit" else 1)
    tasks = crashes.succeeds(case)

    (job,) = crashes.jobs_of(case)
    assert killed[case] in ([], [job.name])
    assert tasks["run"]["try_number"] == 2


@pytest.mark.parametrize("case", ["inline", "resumed"])
def test_a_worker_dies_while_it_waits_or_before_it_has_resumed(crashes, killed, case):
    tasks = crashes.succeeds(case)

    assert [job.name for job in crashes.jobs_of(case)] == killed[case]
    assert tasks["run"]["try_number"] == 2


def test_a_worker_dies_among_the_rows(crashes, killed):
    tasks = crashes.succeeds("download")

    rows = [json.loads(line) for line in (crashes.folder / "rows.jsonl").read_bytes().splitlines()]
    assert [row["row_index"] for row in rows] == list(range(2000))
    assert [job.name for job in crashes.jobs_of("download")] == killed["download"]
    assert (tasks["run"]["try_number"], tasks["rows"]["try_number"]) == (1, 2)


def test_a_failed_job_is_followed_by_the_next(crashes):
    crashes.wait(lambda: [job.status for job in crashes.jobs_of("failed")] == ["error"], "failed")
    crashes.service.evaluate_jobs(f"{WORKSPACE}/failed")
    (crashes.folder / "failed.mended").touch()
    tasks = crashes.succeeds("failed")

    first, second = crashes.jobs_of("failed")
    assert second.name == f"{first.name}-2"
    assert (first.status, second.status, tasks["run"]["try_number"]) == ("error", "completed", 2)


def test_a_cancelled_job_is_followed_by_the_next(crashes):
    name = crashes.deferred("cancelled")
    crashes.client.cancel_job(name)
    crashes.wait(lambda: len(crashes.jobs_of("cancelled")) == 2, "cancelled")
    crashes.wait(lambda: crashes.states("cancelled") == ["deferred"], "cancelled")
    crashes.wait(lambda: crashes.airflow.has_heard_of_end("cancelled", try_number=2), "cancelled")
    crashes.service.finish_job(WORKSPACE, f"{name}-2", "completed")
    tasks = crashes.succeeds("cancelled")

    assert [found.name for found in crashes.jobs_of("cancelled")] == [name, f"{name}-2"]
    assert tasks["run"]["try_number"] == 2


def test_a_clear_starts_a_fresh_job(crashes):
    crashes.succeeds("cleared")
    (first,) = crashes.jobs_of("cleared")

    crashes.airflow.api.clear("cleared")
    crashes.wait(lambda: len(crashes.jobs_of("cleared")) == 2, "cleared")
    crashes.succeeds("cleared")

    _, second = crashes.jobs_of("cleared")
    assert not second.name.startswith(first.name)


def test_a_clear_while_other_tasks_of_the_run_go_on_starts_a_fresh_job(crashes):
    def ended() -> bool:
        return "success" in crashes.states("cleared-in-a-run")

    crashes.wait(ended, "cleared-in-a-run")
    (first,) = crashes.jobs_of("cleared-in-a-run")

    crashes.airflow.api.clear("cleared-in-a-run", "run")
    crashes.wait(lambda: len(crashes.jobs_of("cleared-in-a-run")) == 2, "cleared-in-a-run")
    (crashes.folder / "cleared-in-a-run.over").touch()
    tasks = crashes.succeeds("cleared-in-a-run")

    _, second = crashes.jobs_of("cleared-in-a-run")
    assert not second.name.startswith(first.name)
    assert {name: task["try_number"] for name, task in tasks.items()} == {"run": 2, "keep_the_run_going": 1}


def test_every_mapped_task_has_its_own_job(crashes):
    crashes.succeeds("mapped")
    jobs = [crashes.client.get_job(job.name) for job in crashes.jobs_of("mapped")]

    assert {job.custom_fields["airflow"]["map_index"]: job.spec["params"]["limit_samples"] for job in jobs} == {
        0: 1,
        1: 2,
        2: 3,
    }
    assert len(jobs) == 3


def test_a_run_with_manual_conf(crashes):
    crashes.succeeds("conf")
    (job,) = crashes.jobs_of("conf")

    assert crashes.client.get_job(job.name).spec["params"]["limit_samples"] == 2


def test_names_that_the_service_does_not_take(crashes):
    crashes.succeeds(LONG)
    (job,) = crashes.jobs_of("long")

    assert NAME_PATTERN.match(job.name)


def test_triggerer_and_scheduler_die_while_a_task_is_deferred(crashes):
    """The last test: the others need no triggerer any more."""
    name = crashes.deferred("deferred")

    for process in ("triggerer", "scheduler"):
        crashes.airflow.kill(process, signal.SIGKILL)
    for process in ("triggerer", "scheduler"):
        crashes.airflow.start(process)
    crashes.service.finish_job(WORKSPACE, name, "completed")
    tasks = crashes.succeeds("deferred")

    assert [found.name for found in crashes.jobs_of("deferred")] == [name]
    assert tasks["run"]["try_number"] == 1
    assert not any(request.path.endswith(f"{name}/cancel") for request in crashes.service.requests)


def polls(crashes: Crashes, job_name: str) -> int:
    return sum(request.path.endswith(f"/{job_name}/status") for request in crashes.service.requests)
