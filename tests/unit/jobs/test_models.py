from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, LogLine


def test_a_job_has_the_fields_of_the_answer(recorded):
    job = BenchmarkJob.from_json(recorded(32), workspace="elsewhere")
    assert (job.name, job.workspace, job.benchmark, job.status) == (
        "run-1",
        "my-workspace",
        "my-workspace/qa-bench",
        "completed",
    )
    assert (job.progress, job.samples_processed, job.error) == (100.0, 5, None)
    assert job.created_at == datetime(2026, 11, 23, 6, 22, 16, 805001, tzinfo=UTC)
    assert job.custom_fields == {"dag_id": "qa", "try": 1}
    assert job.extra == {"project": None, "ownership": None}
    assert job.is_finished


def test_a_status_answer_has_steps_and_progress(recorded):
    job = BenchmarkJob.from_json(recorded(147), workspace="my-workspace")
    assert [(step.name, step.status) for step in job.steps] == [
        ("dataset-download", "completed"),
        ("evaluation", "active"),
    ]
    assert (job.current_step, job.progress, job.samples_processed) == ("evaluation", 20.0, 1)
    assert not job.is_finished


def test_a_later_status_keeps_the_spec(recorded):
    job = BenchmarkJob.from_json({**recorded(32), "status": "active"}, workspace="w")
    later = job.with_status(BenchmarkJob.from_json(recorded(31), workspace="w"))
    assert later.status == "completed"
    assert later.benchmark == "my-workspace/qa-bench"
    assert later.steps


def test_an_unknown_status_word_is_not_finished():
    job = BenchmarkJob.from_json({"name": "a", "status": "archived"}, workspace="w")
    assert job.status == "archived"
    assert not job.is_finished


@pytest.mark.parametrize(
    "details", [None, {}, {"progress": "half"}, {"progress": None, "samples_processed": float("nan")}]
)
def test_progress_may_be_absent_or_odd(details):
    job = BenchmarkJob.from_json({"name": "a", "status": "active", "status_details": details}, workspace="w")
    assert (job.progress, job.samples_processed) == (None, None)


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"name": "a"}, {"status": "active"}])
def test_what_is_not_a_job_is_refused(payload):
    with pytest.raises(ValueError, match='expected a job object with "name" and "status"'):
        BenchmarkJob.from_json(payload, workspace="w")


def test_results_keep_unknown_fields(recorded):
    results = [JobResult.from_json(entry) for entry in recorded(33)["data"]]
    assert [result.name for result in results] == ["artifacts", "row-scores", "aggregate-scores"]
    assert results[1].artifact_url.startswith("my-workspace/job-fileset-run-1#results/")
    assert results[1].extra["artifact_storage_type"] == "fileset"


def test_a_log_line_is_taken_apart(recorded):
    lines = [LogLine.from_json(entry) for entry in recorded(53)["data"]]
    plain, _, scored = lines
    assert plain.message.startswith("<frozen runpy>")
    assert (plain.level, plain.at) == ("", "")  # the outer timestamp is 1970
    assert (scored.level, scored.message, scored.step) == ("info", "Metric evaluation completed", "evaluation")
    assert scored.fields["scores"] == {"exact-match": 0.6}
    assert scored.at == "2026-11-23T06:22:32.828976Z"
