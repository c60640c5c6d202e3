"""What the adapter of release 0.1 makes of that release's recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_benchmarks.client import GENERATIONS, ClientConfig
from airflow_provider_benchmarks.jobs import JobResult, ResultName

SERVICE = GENERATIONS["benchmark-jobs"]


def test_a_job_has_the_fields_of_the_answer(recorded):
    job = SERVICE.read_job(recorded(32), workspace="elsewhere")
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
    job = SERVICE.read_job(recorded(147), workspace="my-workspace")
    assert [(step.name, step.status) for step in job.steps] == [
        ("dataset-download", "completed"),
        ("evaluation", "active"),
    ]
    assert (job.current_step, job.progress, job.samples_processed) == ("evaluation", 20.0, 1)
    assert not job.is_finished


@pytest.mark.parametrize(
    "details", [None, {}, {"progress": "half"}, {"progress": None, "samples_processed": float("nan")}]
)
def test_progress_may_be_absent_or_odd(details):
    job = SERVICE.read_job({"name": "a", "status": "active", "status_details": details}, workspace="w")
    assert (job.progress, job.samples_processed) == (None, None)


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"name": "a"}, {"status": "active"}])
def test_what_is_not_a_job_is_refused(payload):
    with pytest.raises(ValueError, match='expected a job object with "name" and "status"'):
        SERVICE.read_job(payload, workspace="w")


def test_a_benchmark_that_is_no_text_is_refused():
    with pytest.raises(ValueError, match='expected a text as "benchmark", found'):
        SERVICE.read_job({"name": "a", "status": "active", "spec": {"benchmark": {"a": 1}}}, workspace="w")


@pytest.mark.parametrize(
    ("spec", "dataset"),
    [({}, ""), ({"dataset": "ws/qa"}, "ws/qa"), ({"dataset": {"b": 1, "a": 2}}, '{"a": 2, "b": 1}')],
)
def test_the_dataset_is_that_of_the_spec(spec, dataset):
    assert SERVICE.read_job({"name": "a", "status": "active", "spec": spec}, workspace="w").dataset == dataset


def test_results_keep_unknown_fields(recorded):
    results = SERVICE.read_results(recorded(33))
    assert [result.name for result in results] == ["artifacts", "row-scores", "aggregate-scores"]
    assert results[1].artifact_url.startswith("my-workspace/job-fileset-run-1#results/")
    assert results[1].extra["artifact_storage_type"] == "fileset"


RUN_1 = {"job": "run-1", "workspace": "my-workspace"}


def test_the_file_of_a_result_is_in_the_files_service(recorded):
    _, rows, _ = SERVICE.read_results(recorded(33))
    place = rows.artifact_url.partition("#")[2]
    assert rows.name == ResultName.ROW_SCORES
    assert SERVICE.file_path(rows, **RUN_1) == (
        f"/apis/files/v2/workspaces/my-workspace/filesets/job-fileset-run-1/-/{place}"
    )


@pytest.mark.parametrize(
    "url",
    [
        *("", "ws", "ws#a", "/files#a", "my-workspace/files", "#a", "my-workspace#a", "my-workspace/#a"),
        *("my-workspace/..#a", "my-workspace/.#a", "my-workspace/a/b#c", "my-workspace/a b#c", "my-workspace/a?b#c"),
        *("my-workspace/files#a//b", "my-workspace/files#../a", "my-workspace/files#a/..", "my-workspace/files#./a"),
        *("my-workspace/files#a\\..\\b", "my-workspace/files#a\0b", "my-workspace/files#a\r\nb"),
        *("../files#a", "./files#a", "other/files#a", "MY-WORKSPACE/files#a", " my-workspace/files#a"),
        "my-workspace/job-fileset-run-2#results/a/row-scores",
    ],
)
def test_an_address_that_leads_elsewhere_is_no_file(url):
    assert SERVICE.file_path(JobResult(name="row-scores", artifact_url=url), **RUN_1) is None


def test_a_log_line_is_taken_apart(recorded):
    lines, cursor = SERVICE.read_log_page(recorded(53))
    plain, _, scored = lines
    assert plain.message.startswith("<frozen runpy>")
    assert (plain.level, plain.at) == ("", "")  # the outer timestamp is 1970
    assert (scored.level, scored.message, scored.step) == ("info", "Metric evaluation completed", "evaluation")
    assert scored.fields["scores"] == {"exact-match": 0.6}
    assert scored.details == {"metric_ref": "my-workspace/exact-match", "scores": {"exact-match": 0.6}}
    assert (scored.root_error, scored.error) == ("", "")
    assert scored.at == "2026-11-23T06:22:32.828976Z"
    assert cursor == recorded(53)["next_page"]


def test_the_reasons_of_a_failure_are_taken_out_of_a_log_line(recorded):
    lines, _ = SERVICE.read_log_page(recorded(111))
    failed = [line for line in lines if line.root_error]
    assert {line.level for line in failed} == {"error"}
    assert all("could not render its 'reference' template" in line.root_error for line in failed)
    assert [line.root_error for line in failed] == [line.fields["root_error"] for line in failed]


@pytest.mark.parametrize("api", ["benchmark-jobs", "evaluation-v2"])  # the last is what it was called before
def test_names_of_the_generation(api):
    assert ClientConfig(base_url="http://evaluator.invalid", api=api).generations == (SERVICE,)
