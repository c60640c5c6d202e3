"""Workspaces, metrics, benchmarks: what the seeder needs, and the errors in the service's words."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import EvaluationService, Seeder

EVALUATION = "/apis/evaluation/v2/workspaces/my-workspace"
WORKSPACES = "/apis/entities/v2/workspaces"
QA_FILE = "/apis/files/v2/workspaces/my-workspace/filesets/qa/-/qa.jsonl"
#: What differs between two services.
VARYING = ("id", "entity_id", "created_at", "updated_at")
BENCHMARK = {"description": "d", "metrics": ["my-workspace/exact-match"], "dataset": "my-workspace/qa"}


def test_everything_is_created_once(service, http):
    before = http.get(f"{EVALUATION}/benchmarks/qa-bench").json()
    assert service.seed_question_answer_example() == "my-workspace/qa-bench"
    assert http.get(f"{EVALUATION}/benchmarks/qa-bench").json() == before


def test_seeding_over_http_creates_the_same(service, connect):
    assert service.requests == []  # the service's own seeding needs no request
    with EvaluationService() as other:
        with Seeder(other.url) as seeder:
            assert seeder.question_answer_example() == seeder.question_answer_example() == "my-workspace/qa-bench"
        clients = connect(service), connect(other)
        for path in ("metrics/exact-match", "metrics/string-check", "benchmarks/qa-bench"):
            own, seeded = (client.get(f"{EVALUATION}/{path}").raise_for_status().json() for client in clients)
            assert own | dict.fromkeys(VARYING) == seeded | dict.fromkeys(VARYING)
        own, seeded = (client.get(QA_FILE).raise_for_status().content for client in clients)
        assert own == seeded
        assert len(own.splitlines()) == 5


def test_seeding_says_what_the_service_refused(service):
    with Seeder(service.url) as seeder, pytest.raises(RuntimeError, match=r"POST .*/metrics/-bad answered 422"):
        seeder.metric("my-workspace", "-bad", {"type": "exact-match", "reference": "r"})


def test_seeding_has_the_services_token(connect):
    with EvaluationService(token="t0p") as service:
        assert service.seed_question_answer_example() == "my-workspace/qa-bench"
        headers = {"Authorization": "Bearer t0p"}
        assert connect(service, headers=headers).get(f"{EVALUATION}/benchmarks/qa-bench").status_code == 200


def test_a_benchmark(http):
    shown = http.get(f"{EVALUATION}/benchmarks/qa-bench").json()
    assert list(shown) == [
        "name",
        "workspace",
        "description",
        "metrics",
        "dataset",
        "labels",
        "id",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
        "entity_id",
    ]
    listed = http.get(f"{EVALUATION}/benchmarks").json()
    assert listed["data"] == [shown]
    assert listed["pagination"]["page_size"] == 100


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"name": "qa-bench", **BENCHMARK}, 409, "Benchmark 'my-workspace/qa-bench' already exists."),
        ({"name": "b2", **BENCHMARK, "metrics": ["my-workspace/no"]}, 404, "Metric 'my-workspace/no' not found."),
        (
            {"name": "b2", **BENCHMARK, "metrics": []},
            422,
            "Benchmark metrics have no compatible job types. The supported_job_types intersection is empty.",
        ),
        (
            {"name": "b2", **BENCHMARK, "dataset": "my-workspace/none"},
            422,
            (
                "Invalid dataset schema metadata: Error code: 404 - {'detail': \"Fileset 'none' not found in workspace "
                "'my-workspace'\"}"
            ),
        ),
        (
            {"name": "b2", **BENCHMARK, "dataset": "qa"},
            422,
            "Invalid dataset schema metadata: FilesetRef must use 'workspace/fileset-name' format",
        ),
    ],
)
def test_benchmarks_that_can_not_be_made(http, body, status, detail):
    answer = http.post(f"{EVALUATION}/benchmarks", json=body)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("change", "kind", "loc"),
    [
        ({"description": ...}, "missing", ["body", "description"]),
        ({"name": ...}, "missing", ["body", "name"]),
        ({"foo": 1}, "extra_forbidden", ["body", "foo"]),
        ({"metrics": ["exact-match"]}, "string_pattern_mismatch", ["body", "metrics", 0]),
    ],
)
def test_benchmark_bodies(http, change, kind, loc):
    body = {name: value for name, value in {"name": "b2", **BENCHMARK, **change}.items() if value is not ...}
    answer = http.post(f"{EVALUATION}/benchmarks", json=body)
    assert answer.status_code == 422
    [error] = answer.json()["detail"]
    assert (error["type"], error["loc"]) == (kind, loc)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "union_tag_not_found"),
        ({"type": "exact-match"}, "missing"),
        (
            {"type": "string-check", "operation": "bogus", "left_template": "a", "right_template": "b"},
            "literal_error",
        ),
    ],
)
def test_metric_bodies(http, body, kind):
    answer = http.post(f"{EVALUATION}/metrics/new", json=body)
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, kind)


def test_a_metric(http):
    shown = http.get(f"{EVALUATION}/metrics/exact-match").json()
    assert shown["supported_job_types"] == ["online", "offline"]
    again = http.post(f"{EVALUATION}/metrics/exact-match", json={"type": "exact-match", "reference": "x"})
    assert again.json() == {"detail": "Entity with name 'exact-match' already exists in workspace 'my-workspace'"}
    assert http.get(f"{EVALUATION}/metrics/none").json() == {"detail": "Metric 'my-workspace/none' not found."}


def test_workspaces(http):
    assert http.post(WORKSPACES, json={"name": "other"}).status_code == 201
    assert http.post(WORKSPACES, json={"name": "other"}).json() == {"detail": "Workspace 'other' already exists"}
    assert http.get(f"{WORKSPACES}/other").json()["name"] == "other"
    assert http.get(f"{WORKSPACES}/none").json() == {"detail": "Workspace 'none' not found"}
    assert http.post(WORKSPACES, json={"name": "Bad"}).status_code == 422
