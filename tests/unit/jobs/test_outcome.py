from __future__ import annotations

import json
import pickle

import pytest

from airflow_provider_benchmarks.client import GENERATIONS
from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    ConfigurationError,
    JobCancelled,
    JobError,
    JobFailed,
    JobTimeout,
    NotFound,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus, LogSummary, finish
from airflow_provider_benchmarks.jobs.outcome import FAILED_TO_WAIT, TIMED_OUT, status_of_event, wait_failed

SERVICE = GENERATIONS["benchmark-jobs"]


def job(status: str) -> BenchmarkJob:
    return BenchmarkJob(name="nightly-1", workspace="qa", benchmark="qa/bench", status=status)


def log_of(payload) -> LogSummary:
    lines, _ = SERVICE.read_log_page(payload)
    return LogSummary(lines)


def test_only_completed_is_success():
    assert finish(job("completed")) is True
    for status in {*JobStatus, "archived"} - {"completed", "error", "cancelled"}:
        assert finish(job(status)) is False


def test_an_error_names_the_job_and_the_reason(recorded):
    failed = SERVICE.read_job(recorded(107), workspace="my-workspace")
    with pytest.raises(JobFailed) as caught:
        finish(failed, log=log_of(recorded(111)))
    message = str(caught.value)
    reason, _, names = message.partition("\nbenchmark job ")
    assert names.startswith('"bad-template-1" in workspace "my-workspace" ended in error. Last log lines:')
    assert reason.startswith("Evaluation failed")
    assert "missing_key='nope'" in message
    assert "Last log lines:" in message
    assert caught.value.status == "error"


def test_server_directories_are_not_shown(recorded):
    with pytest.raises(JobFailed) as caught:
        finish(SERVICE.read_job(recorded(126), workspace="w"))
    assert "failed to fetch secret my-workspace/model-key" in str(caught.value)
    assert "/opt/nemo" not in str(caught.value)
    assert "/var/lib" not in str(caught.value)


@pytest.mark.parametrize(
    ("status_file", "log_file", "reason"),
    [
        (101, 105, "all"),
        (107, 111, "could not render its 'reference' template"),
        (126, None, "failed to fetch secret"),
        (None, 141, "Unexpected error making completion request to err500"),
    ],
)
def test_the_reason_is_found_wherever_the_service_put_it(recorded, status_file, log_file, reason):
    failed = SERVICE.read_job(recorded(status_file), workspace="w") if status_file else job("error")
    with pytest.raises(JobFailed) as caught:
        finish(failed, log=log_of(recorded(log_file)) if log_file else None)
    first_line = str(caught.value).split("\nLast log lines:")[0]
    assert reason.lower() in first_line.lower()
    assert "exited with code" not in first_line


def test_cancelled_is_its_own_error():
    with pytest.raises(JobCancelled, match='"nightly-1" of benchmark qa/bench in workspace "qa" was cancelled'):
        finish(job("cancelled"))


def test_errors_survive_pickling():
    with pytest.raises(JobFailed) as caught:
        finish(job("error"))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.job, copy.status) == (str(caught.value), "nightly-1", "error")


@pytest.mark.parametrize("status", ["completed", "error", "cancelled"])
def test_an_event_with_a_final_status_is_read(status):
    assert status_of_event({"job_name": "a", "status": status}, job_name="a") == status


@pytest.mark.parametrize(
    "event",
    [None, {}, "completed", [], {"status": "completed"}, {"job_name": "b", "status": "completed"}]
    + [{"job_name": "a", "status": status} for status in (None, "", "active", "success", True, 1)],
)
def test_anything_else_is_an_error_not_a_success(event):
    with pytest.raises(JobError):
        status_of_event(event, job_name="a")


@pytest.mark.parametrize(
    "error",
    [
        JobTimeout("too late", job="a", workspace="w", benchmark="w/b", status="active"),
        NotFound("no such job", status_code=404, detail="Job a not found", workspace="w", job="a"),
        Unauthorized("no right", status_code=401, job="a"),
        ConfigurationError("no workspace"),
    ],
)
def test_an_error_that_ended_a_wait_comes_out_of_its_event_as_it_was(error):
    event = json.loads(json.dumps({"job_name": "a", **wait_failed(error)}))

    with pytest.raises(BenchmarkError) as caught:
        status_of_event(event, job_name="a")

    assert (type(caught.value), str(caught.value), vars(caught.value)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("status", [TIMED_OUT, FAILED_TO_WAIT])
@pytest.mark.parametrize("error", [None, "SystemExit", "Any", "annotations", "Exception", 7])
def test_an_event_names_no_class_but_ours(status, error):
    event = {"job_name": "a", "status": status, "error": error, "message": "no right", "fields": {"args": 1, "job": {}}}

    with pytest.raises(JobTimeout if status == TIMED_OUT else JobError, match="no right") as caught:
        status_of_event(event, job_name="a")

    assert caught.value.job == "a"
