"""Which jobs are news: each once, whatever the service's list and the restarts do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.jobs.finished import FinishedJobs, JobsPoll

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def job(name: str, status: str, minute: float, benchmark: str = "w/b") -> BenchmarkJob:
    return BenchmarkJob(name=name, workspace="w", status=status, benchmark=benchmark, created_at=at(minute))


def poll(*jobs: BenchmarkJob, since: float | None = None, requested: str = "", deleted: str = "") -> JobsPoll:
    return JobsPoll(
        jobs=jobs,
        since=None if since is None else at(since),
        requested=frozenset(requested.split()),
        deleted=frozenset(deleted.split()),
    )


def news(finished: FinishedJobs, *jobs: BenchmarkJob, requested: str = "", deleted: str = "") -> list[str]:
    return [job.name for job in finished.take(poll(*jobs, requested=requested, deleted=deleted))]


def restarted(finished: FinishedJobs) -> FinishedJobs:
    return FinishedJobs(benchmark="w/b", state=json.loads(json.dumps(finished.state())))


def test_what_had_finished_at_the_first_poll_is_no_news() -> None:
    finished = FinishedJobs(benchmark="w/b")
    assert finished.since is None

    assert news(finished, job("old", "completed", 0), job("running", "active", 1), job("late", "error", 2)) == []
    assert news(finished, job("running", "completed", 1), job("late", "error", 2)) == ["running"]
    assert news(finished, job("running", "completed", 1), job("late", "error", 2)) == []


def test_jobs_that_come_later_are_reported_when_they_have_finished() -> None:
    finished = FinishedJobs(benchmark="w/b")
    assert news(finished) == []

    assert news(finished, job("b", "cancelled", 5), job("a", "completed", 4), job("c", "pending", 6)) == ["a", "b"]
    assert news(finished, job("a", "completed", 4), job("b", "cancelled", 5), job("c", "error", 6)) == ["c"]


def test_what_must_be_polled_is_the_newest_and_what_runs() -> None:
    finished = FinishedJobs(benchmark="w/b")
    done = [job(f"j{n}", "completed", n) for n in range(1, 1000)]
    assert news(finished, job("old", "active", 0), *done) == []
    assert (finished.since, dict(finished.running)) == (at(999 - 2), {"old": START})

    assert news(finished, job("old", "completed", 0), *done[-3:]) == ["old"]
    assert not finished.running
    assert len(json.dumps(finished.state())) < 1000


def test_after_a_restart_only_what_has_finished_meanwhile_is_reported() -> None:
    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("done", "completed", 0), job("running", "active", 1))
    news(finished, job("running", "active", 1), job("told", "completed", 2))

    again = restarted(finished)

    later = [job("done", "completed", 0), job("running", "completed", 1), job("told", "completed", 2)]
    assert news(again, *later, job("new", "error", 3)) == ["running", "new"]
    assert news(restarted(again), *later, job("new", "error", 3)) == []


def test_news_that_were_not_reported_are_news_again_after_a_restart() -> None:
    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("old", "active", 0), job("first", "completed", 1))
    jobs = [job("old", "completed", 0), job("a", "completed", 2), job("b", "error", 3), job("c", "completed", 100)]
    _, *unreported = finished.take(poll(*jobs))

    again = FinishedJobs(benchmark="w/b", state=json.loads(json.dumps(finished.state(unreported=unreported))))
    assert set(again.running) == {"a", "b", "c"}
    assert news(again, *jobs) == ["a", "b", "c"]
    assert news(restarted(again), *jobs) == []


def test_a_job_that_gets_into_the_list_late_is_reported() -> None:
    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("first", "completed", 10))

    assert news(finished, job("slower", "completed", 9), job("first", "completed", 10)) == ["slower"]


def test_old_jobs_that_another_watcher_still_asks_for_are_no_news() -> None:
    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("now", "completed", 100))

    assert news(finished, job("ancient", "completed", 0), job("now", "completed", 100)) == []


def test_a_running_job_that_a_list_leaves_out_is_reported_later() -> None:
    """Pages shift while jobs are deleted."""
    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("running", "active", 0), job("other", "completed", 100))

    assert news(finished, job("other", "completed", 100), requested="running") == []
    assert news(restarted(finished), job("running", "completed", 0), job("other", "completed", 100)) == ["running"]


def test_a_job_that_is_deleted_is_forgotten() -> None:
    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("deleted", "active", 0), job("other", "completed", 100))

    assert news(finished, job("other", "completed", 100), requested="deleted", deleted="deleted") == []
    assert not finished.running


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("later", "is_news"),
    [
        ({"minute": 10, "id": "A"}, False),
        ({"minute": 10, "id": "B"}, True),  # deleted, and another one made
        ({"minute": 11, "id": "B"}, True),
        ({"minute": 100, "id": "B"}, True),
        ({"minute": 11, "id": ""}, True),
        ({"minute": 10, "id": ""}, False),
        ({"minute": 10, "id": "A", "status": "completed"}, True),  # run again under its name
    ],
)
def test_another_job_or_another_end_under_a_name_is_news(restart, later, is_news) -> None:
    def made(minute: float, id: str, status: str = "error") -> BenchmarkJob:
        return replace(job("n", status, minute), id=id)

    finished = FinishedJobs(benchmark="w/b")
    news(finished, job("first", "completed", 9))
    assert news(finished, job("first", "completed", 9), made(10, "A")) == ["n"]
    if restart:
        finished = restarted(finished)

    assert news(finished, made(**later)) == (["n"] if is_news else [])
    assert news(finished, made(**later)) == []


def test_a_job_that_had_failed_at_the_first_poll_is_news_when_a_rerun_completes_it() -> None:
    finished = FinishedJobs(benchmark="w/b")
    assert news(finished, job("n", "error", 10)) == []
    assert news(finished, job("n", "completed", 10)) == ["n"]


def test_a_state_of_an_earlier_release_is_read() -> None:
    """It had the creation times of the jobs alone."""
    state = {"newest": at(10).isoformat(), "running": {}, "reported": {"told": at(10).isoformat()}}
    finished = FinishedJobs(benchmark="w/b", state=state)
    told = replace(job("told", "completed", 10), id="A")
    assert news(finished, told) == []
    assert news(restarted(finished), replace(told, id="B", created_at=at(11))) == ["told"]


def test_benchmark_and_name_choose() -> None:
    finished = FinishedJobs(benchmark="w/b", name_pattern="nightly-*")
    news(finished)

    mine, others = job("nightly-1", "completed", 1), job("nightly-2", "completed", 3, "w/other")
    assert news(finished, mine, job("release-1", "completed", 2), others) == ["nightly-1"]


def test_a_job_without_a_time_is_reported_when_it_finishes() -> None:
    finished = FinishedJobs(benchmark="w/b")
    timeless = BenchmarkJob(name="timeless", workspace="w", status="active", benchmark="w/b")
    news(finished, timeless, job("other", "completed", 0))

    again = restarted(finished)
    ended = BenchmarkJob(name="timeless", workspace="w", status="completed", benchmark="w/b")
    assert news(again, ended, job("other", "completed", 0)) == ["timeless"]


@pytest.mark.parametrize(
    ("shown", "serves"),
    [
        (poll(), False),  # it does not show the running one: all jobs that there are, but was it deleted?
        (poll(job("running", "active", 0)), True),
        (poll(job("running", "active", 0), since=98), True),
        (poll(job("running", "active", 0), since=99), False),
        (poll(since=90, requested="running"), True),
        (poll(since=90), False),
    ],
)
def test_a_poll_that_was_made_for_others_serves_if_it_shows_all(shown: JobsPoll, serves: bool) -> None:
    finished = FinishedJobs(benchmark="w/b")
    assert finished.is_served_by(shown)
    news(finished, job("running", "active", 0), job("other", "completed", 100))

    assert finished.is_served_by(shown) == serves


def test_a_job_of_the_far_future_hides_no_later_one() -> None:
    finished = FinishedJobs(benchmark="w/b")
    future = replace(job("odd", "active", 0), created_at=datetime(5000, 1, 1, tzinfo=UTC))

    assert news(finished, job("old", "completed", 0), future) == []
    for known in (finished, restarted(finished)):
        assert known.since == at(-2)
        assert known.running.keys() == {"odd"}
        assert news(known, job("next", "completed", 5), replace(future, status="completed")) == ["next", "odd"]
        assert news(known, job("next", "completed", 5), job("more", "completed", 6)) == ["more"]


def test_a_state_with_a_time_of_the_far_future_is_as_good_as_none() -> None:
    state = {"newest": "5000-01-01T00:00:00+00:00", "running": {}, "reported": {}}
    finished = FinishedJobs(benchmark="w/b", state=state)
    assert finished.since is None
    assert news(finished, job("next", "completed", 5)) == ["next"]
