"""Who may do what, as measured on a platform with and without authorisation."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import EvaluationService
from tests.unit.testing.conftest import JOBS

SUBMIT = {"name": "job", "spec": {"benchmark": "my-workspace/qa-bench"}}


@pytest.fixture
def guarded():
    with EvaluationService(token="t0p", read_only_token="look", job_seconds=0) as service:
        service.seed_question_answer_example()
        yield service


@pytest.mark.parametrize(
    ("header", "status", "detail"),
    [
        (None, 401, "Unauthorized"),
        ("Basic eDp5", 401, "Unauthorized"),
        ("Bearer wrong", 401, "Invalid or expired token"),
        ("Bearer t0p", 200, None),
        ("bearer t0p", 200, None),
        ("Bearer look", 200, None),
    ],
)
def test_reading_with_a_token(guarded, connect, header, status, detail):
    answer = connect(guarded, headers={"Authorization": header} if header else {}).get(JOBS)
    assert answer.status_code == status
    assert answer.json().get("detail") == detail


def test_a_read_only_token_may_not_submit(guarded, connect):
    reader = connect(guarded, headers={"Authorization": "Bearer look"})
    answer = reader.post(JOBS, json=SUBMIT)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"})
    writer = connect(guarded, headers={"Authorization": "Bearer t0p"})
    assert writer.post(JOBS, json=SUBMIT).status_code == 201
    assert reader.get(f"{JOBS}/job/status").status_code == 200


def test_a_workspace_without_a_role_is_forbidden_even_if_it_does_not_exist(guarded, connect):
    client = connect(guarded, headers={"Authorization": "Bearer t0p"})
    answer = client.get(JOBS.replace("my-workspace", "none"))
    assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"})


@pytest.mark.parametrize("path", ["/health/ready", "/status", "/apis/auth/discovery"])
def test_what_needs_no_token(guarded, connect, path):
    assert connect(guarded).get(path).status_code == 200


def test_discovery(guarded, service, connect):
    shown = connect(guarded).get("/apis/auth/discovery").json()
    assert shown == {"auth_enabled": True, "oidc": None}
    assert connect(service).get("/apis/auth/discovery").status_code == 404


@pytest.mark.parametrize(("header", "status"), [("Bearer junk", 401), ("Basic eDp5", 200), ("junk", 200), ("", 200)])
def test_without_a_token_a_bearer_is_refused_all_the_same(service, connect, header, status):
    client = connect(service, headers={"Authorization": header})
    assert client.get(JOBS).status_code == status
    assert client.get("/health/ready").status_code == 200


def test_principals_have_a_form(http):
    answer = http.get(JOBS, headers={"X-NMP-Principal-Id": "bad id!"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("X-NMP-Principal-Id contains invalid characters")
    assert http.get(JOBS, headers={"X-NMP-Principal-Id": "me@example.com"}).status_code == 200
