from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from airflow_provider_benchmarks.client import GENERATIONS
from airflow_provider_benchmarks.exceptions import (
    JobError,
    JobTimeout,
    NotFound,
    ProtocolError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller, JobStep, progress_line
from airflow_provider_benchmarks.jobs.outcome import wait_failed


def job(status: str = "active", **more) -> BenchmarkJob:
    return BenchmarkJob(name="j", workspace="w", status=status, benchmark="w/b", **more)


def poller(deadline: float | None = None) -> JobPoller:
    return JobPoller("j", "w", interval=10, deadline=deadline)


@pytest.mark.parametrize("status", ["completed", "error", "cancelled"])
def test_a_finished_job_ends_the_wait_even_after_the_deadline(status):
    assert poller(deadline=100).on_job(job(status), 200) is None


def test_another_job_under_the_same_name_ends_the_wait():
    waiting = poller()
    for same in ("", "job-a", "", "job-a"):  # not every answer has an id
        assert waiting.on_job(job(id=same), 0) == 10
    with pytest.raises(JobError, match=r"is another job now: its id was job-a and is job-b\. .*then clear this task"):
        waiting.on_job(job("completed", id="job-b"), 0)


def test_a_running_job_is_polled_after_the_interval():
    assert poller().on_job(job(), 0) == 10
    assert poller().on_job(job("some-new-word"), 0) == 10


def test_there_is_one_last_poll_at_the_deadline():
    waiting = poller(deadline=100)
    assert waiting.on_job(job(), 97) == 3
    with pytest.raises(
        JobTimeout, match='"j" of benchmark w/b in workspace "w" did not end in time; last seen: active, 40 %'
    ):
        waiting.on_job(job(progress=40.0), 100)


def test_failed_polls_back_off_and_a_good_one_resets():
    waiting = poller()
    pauses = [waiting.on_error(ServiceUnavailable("down"), 0) for _ in range(8)]
    for before, after in pairwise(pauses[:4]):
        assert after > before
    assert all(pause <= 300 * 1.25 for pause in pauses)
    assert pauses[-1] >= 300 * 0.75
    waiting.on_job(job(), 0)
    assert waiting.on_error(ServiceUnavailable("down"), 0) <= 12.5


def test_the_service_says_how_long_to_wait():
    assert poller().on_error(ServiceUnavailable("busy", retry_after=77), 0) == 77
    assert poller(deadline=5).on_error(ServiceUnavailable("busy", retry_after=77), 0) == 5


def test_a_service_that_wants_a_day_is_asked_again_all_the_same():
    assert poller().on_error(ServiceUnavailable("busy", retry_after=86_400), 0) == 300


def test_a_definite_answer_ends_the_wait():
    with pytest.raises(NotFound):
        poller().on_error(NotFound("gone"), 0)


def test_refusals_are_taken_for_definite_when_they_go_on():
    waiting = poller()
    for _ in range(3):  # a gateway that restarts answers in many ways
        waiting.on_error(ServiceUnavailable("down"), 0)
        waiting.on_error(Unauthorized("no"), 0)
    waiting.on_job(job(), 0)
    for _ in range(4):
        waiting.on_error(Unauthorized("no"), 0)
    with pytest.raises(Unauthorized):
        waiting.on_error(Unauthorized("no"), 0)


def test_a_failing_service_is_waited_for_and_an_odd_one_only_for_a_while():
    down, odd = poller(), poller()
    for _ in range(50):
        down.on_error(ProtocolError("inside", status_code=500), 0)
    with pytest.raises(ProtocolError):
        for _ in range(50):
            odd.on_error(ProtocolError("a login page", status_code=200), 0)


def test_a_timeout_without_any_answer_says_so():
    with pytest.raises(JobTimeout, match='"j" in workspace "w" did not end in time; last seen: nothing'):
        poller(deadline=1).on_error(ServiceUnavailable("down"), 2)


def test_a_timeout_says_why_the_last_poll_failed():
    waiting = poller(deadline=10)
    waiting.on_job(job(progress=40.0), 0)
    waiting.on_error(ProtocolError("a login page", status_code=200), 1)
    seen = r"last seen: active, 40 %\. The last poll failed: the name of another job Set a longer timeout="
    with pytest.raises(JobTimeout, match=seen):
        waiting.on_error(ProtocolError("the name of another job", status_code=200), 11)


def test_an_error_before_a_poll_that_succeeded_is_not_in_the_timeout():
    waiting = poller(deadline=10)
    waiting.on_error(ServiceUnavailable("down"), 0)
    with pytest.raises(JobTimeout) as timeout:
        waiting.on_job(job(), 11)
    assert "down" not in str(timeout.value)


def test_a_long_error_is_cut_in_the_timeout():
    with pytest.raises(JobTimeout) as timeout:
        poller(deadline=1).on_error(ServiceUnavailable("x" * 100_000), 2)
    assert len(str(timeout.value)) < 2000


def test_the_progress_line_has_what_is_known(recorded):
    running = GENERATIONS["benchmark-jobs"].read_job(recorded(147), workspace="w")
    assert progress_line(running) == "active, step evaluation, 20 %, 1 samples"
    assert progress_line(job("pending")) == "pending"


def test_the_progress_line_says_when_it_does_not_know_a_status():
    assert progress_line(job("archiving", progress=3.0)).startswith('"archiving" (a word that this release does not')


def test_what_a_service_calls_a_job_stays_short_where_it_is_shown():
    long = "x" * 1_000_000
    job = BenchmarkJob(
        name="job-1", workspace="ws", status=long, benchmark=long, id="1", steps=(JobStep(name=long, status="active"),)
    )
    assert len(progress_line(job, 1e9)) < 500
    poller = JobPoller("job-1", "ws", interval=1, deadline=None)
    poller.on_job(job, 0.0)
    with pytest.raises(JobError, match="another job now") as caught:
        poller.on_job(replace(job, id=long), 1.0)
    assert len(str(caught.value)) < 1500
    event = wait_failed(caught.value)
    assert len(json.dumps(event)) < 10_000
