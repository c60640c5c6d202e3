"""Which jobs are news: each once, whatever the service's list and the restarts do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.jobs.finished import FinishedJobs

START = datetime(2026, 1, 1, tzinfo=UTC)


def job(name: str, status: str, minute: float, benchmark: str = "w/b") -> BenchmarkJob:
    return BenchmarkJob(
        name=name, workspace="w", status=status, benchmark=benchmark, created_at=START + timedelta(minutes=minute)
    )


def names(jobs: list[BenchmarkJob]) -> list[str]:
    return [job.name for job in jobs]


def restarted(finished: FinishedJobs) -> FinishedJobs:
    return FinishedJobs(benchmark="w/b", state=json.loads(json.dumps(finished.state())))


def test_what_had_finished_at_the_first_look_is_no_news() -> None:
    finished = FinishedJobs(benchmark="w/b")
    assert finished.since is None

    assert finished.take([job("old", "completed", 0), job("running", "active", 1), job("late", "error", 2)]) == []
    assert names(finished.take([job("running", "completed", 1), job("late", "error", 2)])) == ["running"]
    assert finished.take([job("running", "completed", 1), job("late", "error", 2)]) == []


def test_jobs_that_come_later_are_told_of_when_they_have_finished() -> None:
    finished = FinishedJobs(benchmark="w/b")
    assert finished.take([]) == []

    assert names(finished.take([job("b", "cancelled", 5), job("a", "completed", 4), job("c", "pending", 6)])) == [
        "a",
        "b",
    ]
    assert names(finished.take([job("a", "completed", 4), job("b", "cancelled", 5), job("c", "error", 6)])) == ["c"]


def test_a_look_goes_back_to_the_oldest_that_runs_and_no_further() -> None:
    finished = FinishedJobs(benchmark="w/b")
    finished.take([job("old", "active", 0), *(job(f"j{n}", "completed", n) for n in range(1, 1000))])
    assert finished.since == START

    finished.take([job("old", "completed", 0), *(job(f"j{n}", "completed", n) for n in range(1, 1000))])
    assert finished.since == START + timedelta(minutes=999 - 2)
    assert len(json.dumps(finished.state())) < 1000


def test_after_a_restart_only_what_has_finished_meanwhile_is_told_of() -> None:
    finished = FinishedJobs(benchmark="w/b")
    finished.take([job("done", "completed", 0), job("running", "active", 1)])
    finished.take([job("running", "active", 1), job("told", "completed", 2)])

    again = restarted(finished)

    assert again.since == START
    news = again.take(
        [
            job("done", "completed", 0),
            job("running", "completed", 1),
            job("told", "completed", 2),
            job("new", "error", 3),
        ]
    )
    assert names(news) == ["running", "new"]
    assert restarted(again).take([job("running", "completed", 1), job("new", "error", 3)]) == []


def test_a_job_that_gets_into_the_list_late_is_told_of() -> None:
    finished = FinishedJobs(benchmark="w/b")
    finished.take([job("first", "completed", 10)])

    assert names(finished.take([job("slower", "completed", 9), job("first", "completed", 10)])) == ["slower"]


def test_old_jobs_that_another_watcher_still_asks_for_are_no_news() -> None:
    finished = FinishedJobs(benchmark="w/b")
    finished.take([job("now", "completed", 100)])

    assert finished.take([job("ancient", "completed", 0), job("now", "completed", 100)]) == []


def test_a_job_that_is_deleted_holds_nothing_up() -> None:
    finished = FinishedJobs(benchmark="w/b")
    finished.take([job("deleted", "active", 0), job("other", "completed", 100)])

    assert finished.take([job("other", "completed", 100)]) == []
    assert finished.since == START + timedelta(minutes=98)


def test_benchmark_and_name_choose() -> None:
    finished = FinishedJobs(benchmark="w/b", name_pattern="nightly-*")
    finished.take([])

    jobs = [
        job("nightly-1", "completed", 1),
        job("release-1", "completed", 2),
        job("nightly-2", "completed", 3, "w/other"),
    ]
    assert names(finished.take(jobs)) == ["nightly-1"]
