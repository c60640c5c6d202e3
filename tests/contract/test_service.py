from __future__ import annotations

from tests.contract.conftest import JOBS


def test_health(http):
    assert http.get("/health/ready").json() == {"status": "ready"}
    status = http.get("/status").json()
    assert status["status"] == "healthy"
    assert {"entities", "files", "jobs", "evaluation"} <= set(status["services"]["ready"])


def test_version(http):
    assert isinstance(http.get("/cluster-info").json()["platform_version"], str)


def test_an_unknown_path(http):
    answer = http.get("/apis/evaluation/v3/workspaces/my-workspace/benchmark-jobs")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_a_method_that_is_not_allowed(http, job, name):
    answer = http.patch(f"{JOBS}/{name}", json={})
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


def test_a_trailing_slash_redirects(http, url):
    answer = http.get(f"{JOBS}/")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{url}{JOBS}"


def test_a_junk_token_is_refused_even_where_none_is_asked_for(http):
    answer = http.get(JOBS, headers={"Authorization": "Bearer junk"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid or expired token"})
    assert http.get(JOBS).status_code == 200


def test_the_benchmark(http):
    path = "/apis/evaluation/v2/workspaces/my-workspace/benchmarks/qa-bench"
    found = http.get(path).json()
    assert found["metrics"] == ["my-workspace/exact-match", "my-workspace/string-check"]
    assert found["dataset"] == "my-workspace/qa"
    assert http.get(f"{path}-none").status_code == 404


def test_creating_again_is_a_conflict(http):
    answer = http.post("/apis/entities/v2/workspaces", json={"name": "my-workspace"})
    assert answer.status_code == 409
