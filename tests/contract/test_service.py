from __future__ import annotations

from tests.contract.conftest import STORES_BENCHMARKS, TAKES_BUNDLES


def test_health(http):
    assert http.get("/health/ready").json() == {"status": "ready"}
    status = http.get("/status").json()
    assert status["status"] == "healthy"
    assert {"entities", "files", "jobs", http.target.prefix} <= set(status["services"]["ready"])


def test_version(http):
    version = http.get("/cluster-info").json()["platform_version"]
    assert isinstance(version, str)
    if not http.target.stores_benchmarks:
        assert version.startswith(f"{http.target.release}.")


def test_only_its_own_prefix_has_jobs(http):
    kinds = {"evaluation": "benchmark-jobs", "evaluator": "evaluate/jobs", "evals": "evaluate/jobs"}
    answers = {prefix: http.get(f"/apis/{prefix}/v2/workspaces/my-workspace/{kind}") for prefix, kind in kinds.items()}
    assert {prefix: answer.status_code for prefix, answer in answers.items()} == {
        prefix: 200 if prefix == http.target.prefix else 404 for prefix in kinds
    }
    wrong = [answer.json() for prefix, answer in answers.items() if prefix != http.target.prefix]
    assert wrong == [{"detail": "Not Found"}] * 2


def test_an_unknown_path(http):
    answer = http.get(http.jobs.replace("/v2/", "/v3/"))
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_a_method_that_is_not_allowed(http, job, name):
    answer = http.patch(f"{http.jobs}/{name}", json={})
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


def test_a_trailing_slash_redirects(http):
    answer = http.get(f"{http.jobs}/")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{http.target.url}{http.jobs}"


@STORES_BENCHMARKS
def test_a_junk_token_is_refused_even_where_none_is_asked_for(http):
    answer = http.get(http.jobs, headers={"Authorization": "Bearer junk"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid or expired token"})
    assert http.get(http.jobs).status_code == 200


@TAKES_BUNDLES
def test_a_token_is_not_read_where_none_is_asked_for(http):
    assert http.get(http.jobs, headers={"Authorization": "Bearer junk"}).status_code == 200


@STORES_BENCHMARKS
def test_the_benchmark(http):
    path = "/apis/evaluation/v2/workspaces/my-workspace/benchmarks/qa-bench"
    found = http.get(path).json()
    assert found["metrics"] == ["my-workspace/exact-match", "my-workspace/string-check"]
    assert found["dataset"] == "my-workspace/qa"
    assert http.get(f"{path}-none").status_code == 404


def test_creating_again_is_a_conflict(http):
    answer = http.post("/apis/entities/v2/workspaces", json={"name": "my-workspace"})
    assert answer.status_code == 409
