"""Submitting: what is accepted, and how the real service words what is not (as measured)."""

from __future__ import annotations

import re

import pytest

from tests.unit.testing.conftest import JOBS

QA = "my-workspace/qa-bench"
FILES = "/apis/files/v2/workspaces/my-workspace/filesets"


def test_a_job_comes_back_with_defaults_and_custom_fields(http):
    body = {"name": "run-1", "description": "nightly", "custom_fields": {"a": [1]}, "unknown": 1}
    answer = http.post(JOBS, json={**body, "spec": {"benchmark": QA, "params": {"parallelism": "4"}}})
    assert answer.status_code == 201
    job = answer.json()
    assert list(job) == [
        "id",
        "name",
        "description",
        "project",
        "workspace",
        "created_at",
        "updated_at",
        "spec",
        "status",
        "status_details",
        "error_details",
        "ownership",
        "custom_fields",
    ]
    assert job["spec"] == {"benchmark": QA, "params": {"parallelism": 4, "limit_samples": None}}
    assert (job["status"], job["custom_fields"], job["description"]) == ("created", {"a": [1]}, "nightly")


def test_without_a_name_the_service_makes_one(http):
    assert re.fullmatch(r"evaluator-benchmarks-\w{8}", http.submit().json()["name"])


@pytest.mark.parametrize("name", ["ab", "a.b", "a_b", "a-1", "a" * 51])
def test_good_names(http, name):
    assert http.submit(name).status_code == 201


ENTITY = r"^[a-z](?!.*--)[a-z0-9\\-@.+_]{1,62}(?<!-)$"


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("Nightly-1", "job-fileset-Nightly-1"),
        ("a" * 52, "job-fileset-" + "a" * 52),
        ("a--b", "job-fileset-a--b"),
        ("ab-", "job-fileset-ab-"),
        ("1abc", "1abc"),
        ("_a", "_a"),
    ],
)
def test_names_that_the_entity_store_refuses(http, name, refused):
    answer = http.submit(name)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert isinstance(detail, str)  # the list arrives as text
    assert f"'input': '{refused}'" in detail
    assert "string_pattern_mismatch" in detail


@pytest.mark.parametrize("name", ["manual__2026-11-23T05:00:00+00:00", "a@b", "a b", "a/b"])
def test_names_that_the_files_service_refuses(http, name):
    answer = http.submit(name)
    assert answer.status_code == 422
    assert answer.json()["detail"] == [
        {
            "type": "string_pattern_mismatch",
            "loc": ["body", "name"],
            "msg": r"String should match pattern '^[\w\-.]+$'",
            "input": f"job-fileset-{name}",
            "ctx": {"pattern": r"^[\w\-.]+$"},
        }
    ]


def conflict(answer):
    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"
    return answer.json()["detail"]


def test_a_name_in_use_is_a_conflict_whatever_the_spec(http):
    http.submit("run-1")
    detail = conflict(http.submit("run-1", params={"limit_samples": 2}))
    assert detail == "Unable to create job: Job with name 'run-1' already exists in workspace 'my-workspace'."


def test_an_orphan_fileset_burns_the_name(http):
    http.post(FILES, json={"name": "job-fileset-orphan"})
    assert conflict(http.submit("orphan")) == "Fileset 'my-workspace/job-fileset-orphan' already exists"
    assert http.get(f"{JOBS}/orphan").json() == {"detail": "Job not found"}


@pytest.mark.parametrize(("name", "more"), [("1abc", {}), ("proj-1", {"project": "p1"})])
def test_a_refused_submit_can_burn_its_name(http, name, more):
    body = {"name": name, "spec": {"benchmark": QA}}
    assert http.post(JOBS, json={**body, **more}).status_code == 422
    assert conflict(http.post(JOBS, json=body)) == f"Fileset 'my-workspace/job-fileset-{name}' already exists"


def test_an_empty_name_is_a_conflict(http):
    assert conflict(http.submit("")) == ("Unable to create job: Expected a non-empty value for `name` but received ''")


def error(kind, loc, message, value, **ctx):
    entry = {"type": kind, "loc": ["body", *loc], "msg": message, "input": value}
    return [{**entry, "ctx": ctx} if ctx else entry]


OBJECT = "Input should be a valid dictionary or object to extract fields from"
INTEGER = "Input should be a valid integer, "
SPEC = {"benchmark": QA}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, error("missing", ["spec"], "Field required", {})),
        (None, error("missing", [], "Field required", None)),
        ([], error("model_attributes_type", [], OBJECT, [])),
        ({"spec": None}, error("model_attributes_type", ["spec", "offline"], OBJECT, None)),
        ({"spec": {}}, error("missing", ["spec", "offline", "benchmark"], "Field required", {})),
        (
            {"spec": {"benchmark": "qa-bench"}},
            error(
                "string_pattern_mismatch",
                ["spec", "offline", "benchmark"],
                "String should match pattern '^[a-z0-9_-]+/[a-z0-9_-]+$'",
                "qa-bench",
                pattern="^[a-z0-9_-]+/[a-z0-9_-]+$",
            ),
        ),
        (
            {"spec": {**SPEC, "foo": 1}},
            error("extra_forbidden", ["spec", "offline", "foo"], "Extra inputs are not permitted", 1),
        ),
        (
            {"spec": {**SPEC, "params": {"parallelism": 0}}},
            error(
                "greater_than_equal",
                ["spec", "offline", "params", "parallelism"],
                "Input should be greater than or equal to 1",
                0,
                ge=1,
            ),
        ),
        (
            {"spec": {**SPEC, "params": {"parallelism": "x"}}},
            error(
                "int_parsing",
                ["spec", "offline", "params", "parallelism"],
                INTEGER + "unable to parse string as an integer",
                "x",
            ),
        ),
        (
            {"spec": {**SPEC, "params": {"parallelism": 4.5}}},
            error(
                "int_from_float",
                ["spec", "offline", "params", "parallelism"],
                INTEGER + "got a number with a fractional part",
                4.5,
            ),
        ),
        ({"name": 5, "spec": SPEC}, error("string_type", ["name"], "Input should be a valid string", 5)),
        (
            {"spec": SPEC, "custom_fields": "x"},
            error("dict_type", ["custom_fields"], "Input should be a valid dictionary", "x"),
        ),
        (
            {"spec": {"benchmark": "system/x"}},
            error("missing", ["spec", "system-offline", "dataset"], "Field required", {"benchmark": "system/x"}),
        ),
    ],
)
def test_bad_bodies(http, body, detail):
    answer = http.post(JOBS, json=body)
    assert (answer.status_code, answer.json()) == (422, {"detail": detail})


def test_a_body_that_is_not_json(http):
    answer = http.post(JOBS, content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == error(
        "json_invalid", [1], "JSON decode error", {}, error="Expecting property name enclosed in double quotes"
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        (JOBS, {"spec": {"benchmark": "my-workspace/none"}}, 404, "Benchmark 'my-workspace/none' not found."),
        (
            JOBS.replace("my-workspace", "none"),
            {"spec": SPEC},
            422,
            "Workspace 'none' does not exist. Please create the workspace first.",
        ),
        (
            JOBS,
            {"name": "proj-1", "project": "p1", "spec": SPEC},
            422,
            "Project 'p1' does not exist in workspace 'my-workspace'. Please create the project first.",
        ),
        (
            JOBS,
            {"spec": {**SPEC, "model": "my-workspace/nope", "prompt_template": "x"}},
            422,
            (
                "Model reference 'my-workspace/nope' not found. Ensure the model entity 'nope' exists in workspace "
                "'my-workspace', or use an inline model definition instead."
            ),
        ),
    ],
)
def test_what_is_named_must_exist(http, path, body, status, detail):
    answer = http.post(path, json=body)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_an_online_spec_comes_back_with_its_defaults(http):
    model = {"url": "http://model.example:8000/v1/chat/completions", "name": "fake", "format": "openai"}
    job = http.submit("online", model=model, prompt_template="{{item.input}}").json()
    assert job["spec"] == {
        "benchmark": QA,
        "model": {**model, "host_url": None, "api_key_secret": None},
        "params": {
            "parallelism": 8,
            "limit_samples": None,
            "ignore_request_failure": False,
            "request_timeout": None,
            "max_retries": 3,
            "inference": None,
            "system_prompt": None,
            "reasoning": None,
            "structured_output": None,
        },
        "prompt_template": "{{item.input}}",
        "optional_fields": [],
    }


def test_models_secrets_and_industry_benchmarks_can_be_made_known(service, http):
    service.add_model("my-workspace/llama")
    assert http.submit("m1", model="my-workspace/llama", prompt_template="x").status_code == 201
    model = {"url": "http://m.example/v1", "name": "m", "api_key_secret": "key"}
    refused = http.submit("m2", model=model, prompt_template="x")
    assert (refused.status_code, "Secret my-workspace/key not found" in refused.text) == (422, True)
    secret = {"name": "key", "value": "v"}
    assert http.post("/apis/secrets/v2/workspaces/my-workspace/secrets", json=secret).status_code == 201
    assert http.submit("m2", model=model, prompt_template="x").status_code == 201
    industry = service.add_system_benchmark("mmlu")
    service.give_results(industry, aggregate={"metrics": []})
    answer = http.post(JOBS, json={"name": "m3", "spec": {"benchmark": industry, "model": "my-workspace/llama"}})
    assert answer.status_code == 201
    assert http.wait("m3")["status"] == "completed"
