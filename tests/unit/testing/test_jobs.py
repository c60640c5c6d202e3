"""Looking at jobs, ending them, and their logs."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import Seeder
from tests.unit.testing.conftest import JOBS

QA = "my-workspace/qa-bench"


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "", "Job not found"),
        ("GET", "/status", "Job not found"),
        ("GET", "/results", "Job not found"),
        ("GET", "/results/row-scores", "Job result not found"),
        ("GET", "/results/aggregate-scores/download", "Job result not found"),
        ("GET", "/results/row-scores/download", "Job result not found"),
        ("GET", "/logs", "Job not found"),
        ("POST", "/cancel", "Job not found"),
        ("DELETE", "", "Job not found"),
    ],
)
@pytest.mark.parametrize("workspace", ["my-workspace", "none"])
def test_a_missing_job(http, method, path, detail, workspace):
    answer = http.request(method, JOBS.replace("my-workspace", workspace) + "/none" + path)
    assert (answer.status_code, answer.json()) == (404, {"detail": detail})


def test_unknown_paths_methods_and_trailing_slashes(service, http):
    assert http.get("/apis/evaluator/v2/workspaces/w/evaluate/jobs").json() == {"detail": "Not Found"}
    refused = http.patch(f"{JOBS}/job", json={})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert refused.json() == {"detail": "Method Not Allowed"}
    redirect = http.get(f"{JOBS}/", params={"page_size": 2})
    assert redirect.status_code == 307
    assert redirect.headers["location"] == f"{service.url}{JOBS}?page_size=2"


def test_the_platform_describes_itself(http):
    assert http.get("/health/ready").json() == {"status": "ready"}
    assert http.get("/health/live").json() == {"status": "live"}
    assert http.get("/cluster-info").json() == {"platform_version": "dev", "revision": "dev"}
    assert http.get("/status").json()["controllers"]["status"] == {"job_scheduler": True, "job_reconciler": True}


def test_a_deleted_job_is_gone_but_its_stored_result_stays_and_burns_the_name(http):
    http.submit("again")
    assert http.wait("again")["status"] == "completed"
    answer = http.delete(f"{JOBS}/again")
    assert (answer.status_code, answer.content) == (204, b"")
    assert http.get(f"{JOBS}/again").status_code == 404
    results = "/apis/evaluation/v2/workspaces/my-workspace/benchmark-job-results/again"
    assert http.get(results).status_code == 200
    assert http.submit("again").status_code == 201
    assert http.wait("again")["status"] == "error"
    assert http.get(f"{JOBS}/again/results").json() == {"data": []}
    assert [line["root_error"] for line in http.lines("again") if line["level"] == "error"] == [
        "Entity with name 'again' already exists in workspace 'my-workspace'"
    ]


def test_jobs_of_another_kind_share_the_names(service, http):
    service.add_metric_job("my-workspace", "metric-job-1")
    assert http.submit("metric-job-1").status_code == 409
    broken = http.get(f"{JOBS}/metric-job-1")
    assert (broken.status_code, broken.json()["detail"][:29]) == (500, "failed to render job config: ")
    assert http.status("metric-job-1")["status"] == "created"
    assert http.get(JOBS).json()["data"] == []


class TestFailures:
    """What a failed job shows."""

    def test_a_template_without_its_field(self, service, http):
        with Seeder(service.url) as seeder:
            reference = {"type": "exact-match", "reference": "{{item.nope}}", "candidate": "{{item.output}}"}
            metric = seeder.metric("my-workspace", "bad-template", reference)
            seeder.benchmark("my-workspace", "bad", metrics=[metric], dataset="my-workspace/qa")
        http.submit("job", benchmark="my-workspace/bad")
        status = http.wait("job")
        assert status["status"] == "error"
        assert status["error_details"] == {"message": "Job exited with code 1"}
        assert status["status_details"]["exit_code"] == 1
        task = status["steps"][1]["tasks"][0]
        assert "Dataset item has missing_key='nope'" in task["error_stack"]
        assert len(task["error_stack"]) == 2000
        assert http.get(f"{JOBS}/job/results").json() == {"data": []}
        errors = {line["message"]: line for line in http.lines("job") if line["level"] == "error"}
        assert list(errors) == [
            "Benchmark streaming pipeline failed",
            "Benchmark evaluation failed",
            "Error in evaluate_benchmark task",
        ]
        detail = errors["Benchmark evaluation failed"]
        assert (detail["phase"], detail["metric_key"], detail["row_index"]) == (
            "metric_scoring",
            "my-workspace/bad-template",
            0,
        )
        assert errors["Error in evaluate_benchmark task"]["root_error"].startswith(
            "Evaluation failed during metric scoring for metric 'my-workspace/bad-template' on row 0: "
        )

    def test_an_empty_dataset(self, service, http):
        with Seeder(service.url) as seeder:
            dataset = seeder.dataset("my-workspace", "empty", [])
            seeder.benchmark("my-workspace", "empty", metrics=["my-workspace/exact-match"], dataset=dataset)
        http.submit("job", benchmark="my-workspace/empty")
        assert http.wait("job")["status"] == "error"
        [error] = [line for line in http.lines("job") if line["level"] == "error"]
        assert error["root_error_type"] == "ValueError"
        assert error["root_error"].startswith("Failed to load benchmark dataset 'my-workspace/empty': No data could")

    def test_a_metric_that_needs_more_than_this_service_has(self, service, http):
        with Seeder(service.url) as seeder:
            metric = seeder.metric("my-workspace", "rouge", {"type": "rouge", "reference": "{{item.reference}}"})
            seeder.benchmark("my-workspace", "rouge", metrics=[metric], dataset="my-workspace/qa")
        http.submit("job", benchmark="my-workspace/rouge")
        assert http.wait("job")["status"] == "error"
        assert "EvaluationService.give_results()" in http.lines("job")[-1]["root_error"]

    def test_as_asked_with_logs(self, service, http):
        service.fail_jobs(QA, "Job exited with code 1", root_error="the model is gone")
        http.submit("job")
        status = http.wait("job")
        assert (status["status"], status["error_details"]) == ("error", {"message": "Job exited with code 1"})
        assert http.lines("job")[-1]["root_error"] == "the model is gone"
        service.evaluate_jobs(QA)
        http.submit("job-2")
        assert http.wait("job-2")["status"] == "completed"

    def test_as_asked_before_the_evaluation_starts(self, service, http):
        service.fail_jobs(QA, "failed to fetch secret my-workspace/model-key")
        http.submit("job")
        status = http.wait("job")
        details = status["error_details"]
        assert details["message"] == "failed to fetch secret my-workspace/model-key"
        assert details["error"].startswith("Traceback (most recent call last):")
        assert status["steps"][1]["tasks"] == []
        assert http.lines("job") == []  # only the download has left lines, and those are no JSON

    def test_all_scores_nan_is_an_error_with_results(self, service, http):
        score = {"name": "exact-match", "count": 0, "nan_count": 5}
        service.give_results(QA, aggregate={"results": [{"metric": "my-workspace/exact-match", "scores": [score]}]})
        http.submit("job")
        assert http.wait("job")["status"] == "error"
        assert http.lines("job")[-1]["root_error"] == (
            "Job job completed but no evaluation results detected. Job marked as failed."
        )
        aggregate = http.get(f"{JOBS}/job/results/aggregate-scores/download").json()
        assert aggregate["results"][0]["scores"][0]["mean"] is None


class TestLogs:
    @pytest.fixture
    def job(self, http):
        http.submit("job")
        http.wait("job")
        return f"{JOBS}/job/logs"

    def test_pages_follow_by_cursor(self, http, job):
        whole = http.get(job).json()
        assert whole["total"] == len(whole["data"]) == 8
        pages = [http.get(job, params={"limit": 3}).json()]
        while pages[-1]["next_page"]:
            cursor = {"limit": 3, "page_cursor": pages[-1]["next_page"]}
            pages.append(http.get(job, params=cursor).json())
        assert [line for page in pages for line in page["data"]] == whole["data"]
        assert [len(page["data"]) for page in pages] == [3, 3, 2]
        back = {"limit": 3, "page_cursor": pages[1]["prev_page"]}
        assert http.get(job, params=back).json()["data"] == pages[0]["data"]

    def test_lines_look_like_the_real_ones(self, http, job):
        first = http.get(job).json()["data"][0]
        assert (first["timestamp"], first["job"], first["job_step"]) == (
            "1970-01-01T00:00:00",
            "job",
            "dataset-download",
        )
        assert first["message"].startswith("[stderr] <frozen runpy>:128: RuntimeWarning")
        assert [line["message"] for line in http.lines("job")] == [
            "Starting benchmark evaluation",
            "Loaded 5 items from benchmark dataset 'my-workspace/qa'",
            "Metric evaluation completed",
            "Metric evaluation completed",
            "Benchmark evaluation completed",
            "Registering result entity",
        ]

    @pytest.mark.parametrize(
        ("query", "status"),
        [("limit=0", 422), ("limit=x", 422), ("limit=1000", 200), ("limit=1001", 500), ("page_cursor=zzz!", 500)],
    )
    def test_limits_and_cursors(self, http, job, query, status):
        answer = http.get(f"{job}?{query}")
        assert answer.status_code == status
        if status == 500:
            assert answer.json() == {"detail": "Failed to query job logs"}

    def test_a_new_job_has_none(self, timed, connect):
        fresh = connect(timed)
        fresh.submit("job")
        empty = {"data": [], "total": 0, "next_page": None, "prev_page": None}
        assert fresh.get(f"{JOBS}/job/logs").json() == empty
