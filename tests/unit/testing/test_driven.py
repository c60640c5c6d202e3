"""A job's whole life by requests alone, the way workers move jobs on the real service."""

from __future__ import annotations

import json

import pytest

from tests.unit.testing.conftest import JOBS

JOB = "/apis/jobs/v2/workspaces/my-workspace/jobs/job"


@pytest.fixture
def http(driven, connect):
    client = connect(driven)
    client.submit("job").raise_for_status()
    return client


def move(http, step, *statuses, **details):
    for status in statuses:
        answer = http.patch(f"{JOB}/steps/{step}/status", json={"status": status, **details})
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == status
    return http.status("job")


def test_from_created_to_completed(http):
    assert http.get("/status").json()["controllers"]["status"] == {}
    assert http.status("job")["status"] == "created"
    assert move(http, "dataset-download", "pending")["status"] == "pending"
    assert move(http, "dataset-download", "active")["status"] == "active"
    status = move(http, "dataset-download", "completed")
    assert [(step["name"], step["status"]) for step in status["steps"]] == [
        ("dataset-download", "completed"),
        ("evaluation", "created"),
    ]
    assert move(http, "evaluation", "pending")["status"] == "active"
    move(http, "evaluation", "active")
    progress = http.patch(f"{JOB}/status-details", json={"progress": 50.0, "samples_processed": 2})
    assert (progress.status_code, progress.json()) == (200, None)
    assert http.status("job")["status_details"] == {"progress": 50.0, "samples_processed": 2}
    path = "results/attempt/aggregate-scores"
    files = f"/apis/files/v2/workspaces/my-workspace/filesets/job-fileset-job/-/{path}"
    http.put(files, content=json.dumps({"results": []}).encode()).raise_for_status()
    record = {"artifact_url": f"my-workspace/job-fileset-job#{path}", "artifact_storage_type": "fileset"}
    assert http.post(f"{JOB}/results/aggregate-scores", json=record).status_code == 201
    assert http.get(f"{JOBS}/job/results/aggregate-scores/download").json() == {"results": []}
    assert move(http, "evaluation", "completed")["status"] == "completed"


def test_an_error_reaches_the_job(http):
    move(http, "dataset-download", "pending", "active")
    details = {"message": "boom"}
    status = move(http, "dataset-download", "error", error_details=details, status_details=details)
    assert (status["status"], status["error_details"]) == ("error", details)
    assert status["steps"][0]["status_details"] == details


def test_cancelling_waits_for_the_worker(http):
    move(http, "dataset-download", "pending")
    assert http.post(f"{JOBS}/job/cancel").json()["status"] == "cancelling"
    assert http.status("job")["status"] == "cancelling"
    assert move(http, "dataset-download", "cancelled")["status"] == "cancelled"


def test_cancelling_what_is_being_paused_is_a_conflict(http):
    assert move(http, "dataset-download", "pending", "pausing")["status"] == "pausing"
    answer = http.post(f"{JOBS}/job/cancel")
    assert answer.status_code == 409
    assert "from PlatformJobStatus.PAUSING to PlatformJobStatus.CANCELLING" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("PATCH", "/steps/evaluation/status", {"status": "active"}, 404, "Job step not found"),
        (
            "PATCH",
            "/steps/dataset-download/status",
            {"status": "completed"},
            409,
            "Invalid status transition from PlatformJobStatus.CREATED to PlatformJobStatus.COMPLETED for step",
        ),
        ("POST", "/results/x", {"artifact_url": "a"}, 422, "Field required"),
        ("PATCH", "/steps/dataset-download/status", {"status": "bogus"}, 422, "Input should be 'created', 'pending'"),
        ("PATCH", "/status-details", [1], 422, "Input should be a valid dictionary"),
    ],
)
def test_moves_that_are_refused(http, method, path, body, status, detail):
    answer = http.request(method, JOB + path, json=body)
    assert answer.status_code == status
    found = answer.json()["detail"]
    assert (found if isinstance(found, str) else found[0]["msg"]).startswith(detail)


def test_a_missing_job(http):
    missing = JOB.replace("jobs/job", "jobs/none")
    assert http.patch(f"{missing}/status-details", json={}).json() == {
        "detail": "Entity 'none' not found in workspace 'my-workspace'"
    }
    assert http.patch(f"{missing}/steps/dataset-download/status", json={"status": "active"}).status_code == 404


def test_a_result_is_registered_once(http):
    record = {"artifact_url": "my-workspace/job-fileset-job#r/a", "artifact_storage_type": "fileset"}
    http.post(f"{JOB}/results/a", json=record).raise_for_status()
    again = http.post(f"{JOB}/results/a", json=record)
    assert again.json() == {"detail": "Entity with name 'a' already exists in workspace 'my-workspace'"}
    assert again.status_code == 409


def test_finish_job_works_without_controllers(driven, http):
    driven.finish_job("my-workspace", "job")
    assert http.status("job")["status"] == "completed"
    assert http.get(f"{JOBS}/job/results/aggregate-scores/download").json()["results"][0]["scores"][0]["mean"] == 0.6
