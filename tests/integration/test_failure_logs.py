"""What a task's log says of a job: its progress, and why it failed."""

from __future__ import annotations

import json
import logging
import re
import tracemalloc

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobFailed
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.hooks.failure_log import log_failure
from airflow_provider_benchmarks.jobs import BenchmarkJob, LogLine, LogSummary
from airflow_provider_benchmarks.jobs.models import JobStep
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE
from tests.support.contexts import run_task, task_context

LOG = "a task's log"


@pytest.fixture
def logged(monkeypatch, caplog):
    """Give what the hook has logged so far, through the standard library on every version of Airflow."""
    monkeypatch.setattr(BenchmarkHook, "log", logging.getLogger(LOG))
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if record.name == LOG]


def folded(lines):
    """The lines of the only group."""
    (start,) = [number for number, line in enumerate(lines) if line.startswith("::group::")]
    (end,) = [number for number, line in enumerate(lines) if line == "::endgroup::"]
    assert start < end
    return lines[start : end + 1]


def test_a_failed_job_shows_its_step_and_the_end_of_its_log(make, service, logged):
    service.fail_jobs(BENCHMARK, "Job exited with code 1", root_error="no such column")

    with pytest.raises(JobFailed, match=r"^no such column\n"):
        run_task(make(), task_context())

    title, *shown, _ = folded(logged())
    assert title.startswith("::group::What the service says of benchmark job ")
    assert "step evaluation: Job exited with code 1" in shown
    assert any("(root_error=no such column)" in line for line in shown)


def test_a_sensor_shows_it_too(service, logged):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
    service.hold_jobs("active")
    service.finish_job(WORKSPACE, "job-1", "error", root_error="no such column")

    with pytest.raises(JobFailed):
        BenchmarkJobSensor(task_id="wait", job_name="job-1").poke(task_context())

    assert any("no such column" in line for line in folded(logged()))


def test_a_job_that_has_failed_at_the_first_poll_shows_its_step_too(service, logged):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
    service.hold_jobs("active")
    service.finish_job(WORKSPACE, "job-1", "error", message="Job exited with code 1", root_error="no such column")

    with pytest.raises(JobFailed):
        BenchmarkHook().wait_for_job("job-1")

    assert "step evaluation: Job exited with code 1" in folded(logged())


def test_a_log_that_can_not_be_read_hides_no_failure(make, service, logged):
    service.fail_jobs(BENCHMARK, "the model is gone")
    service.inject(Fault.answer(404).on("GET", "*/logs", times=None))

    with pytest.raises(JobFailed, match=r"^the model is gone\n"):
        run_task(make(), task_context())

    assert any(line.startswith("The job's log can't be read to its end: ") for line in logged())


@pytest.fixture
def long_log(service, monkeypatch):
    """Let a failed job have a log of 40 MB, with its reason at the beginning."""
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
    service.hold_jobs("active")
    service.finish_job(WORKSPACE, "job-1", "error", message="Job exited with code 1", root_error="no such column")
    job = service._job(WORKSPACE, "job-1")
    pieces = ({"message": f"row {number} " + "x" * 4000, "level": "info"} for number in range(10_000))
    at = "2099-01-01T00:00:00"
    job.logs.extend({**job.logs[-1], "timestamp": at, "message": json.dumps(piece)} for piece in pieces)


def peak_of(call):
    """How much memory a call takes at most; what it was called before for is not counted."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_log_of_any_length_takes_the_memory_of_a_few_pages(service, long_log):
    hook = BenchmarkHook()
    hook.tail_logs("job-1")
    said = []

    def fail():
        with pytest.raises(JobFailed, match=r"^no such column\n") as caught:
            hook.poke("job-1")
        said.append(str(caught.value))

    assert peak_of(fail) < 30e6
    assert peak_of(lambda: said.extend(hook.tail_logs("job-1", lines=3))) < 30e6
    assert "row 9999 x" in said[0]
    assert [re.findall(r"row \d+", line) for line in said[1:]] == [[f"row {number}"] for number in (9997, 9998, 9999)]


def test_a_log_that_can_be_read_in_part_still_says_why(service, long_log, logged):
    service.inject(Fault.answer(404).on("GET", "*/logs", times=None, after=1))
    with pytest.raises(JobFailed, match=r"^no such column\n"):
        BenchmarkHook().poke("job-1")
    assert any(line.startswith("The job's log can't be read to its end: ") for line in logged())


def test_repeats_are_folded_and_long_texts_are_cut(logged):
    step = JobStep(name="evaluation", status="error", error="x" * 100_000)
    job = BenchmarkJob(name="job-1", workspace="w", status="error", steps=(step,))
    lines = [LogLine(message=f"line {number // 10}") for number in range(1000)]

    log_failure(job, LogSummary(lines), BenchmarkHook.log)

    _, step_line, *shown, _ = folded(logged())
    assert len(step_line) < 5000
    assert shown == [f"line {number} (10 times)" for number in range(50, 100)]
