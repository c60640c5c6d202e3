from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import example_spec
from tests.contract.conftest import STORES_BENCHMARKS, shape, submit

SPEC = example_spec("0.1")
pytestmark = STORES_BENCHMARKS


def test_the_job_comes_back(http, name):
    answer = submit(http, name, description="nightly", custom_fields={"dag_id": "qa", "n": [1, {"a": None}]}, unknown=1)
    assert answer.status_code == 201
    job = answer.json()
    assert shape(job) == {
        "id": "str",
        "name": "str",
        "description": "str",
        "project": "NoneType",
        "workspace": "str",
        "created_at": "str",
        "updated_at": "str",
        "spec": {"benchmark": "str", "params": {"parallelism": "int", "limit_samples": "NoneType"}},
        "status": "str",
        "status_details": {},
        "error_details": "NoneType",
        "ownership": "NoneType",
        "custom_fields": {"dag_id": "str", "n": ["int"]},
    }
    assert (job["name"], job["workspace"], job["status"]) == (name, "my-workspace", "created")
    assert job["custom_fields"] == {"dag_id": "qa", "n": [1, {"a": None}]}
    assert http.get(f"{http.jobs}/{name}").json() == job


def test_without_a_name_the_service_makes_one(http):
    assert http.post(http.jobs, json={"spec": SPEC}).json()["name"].startswith("evaluator-benchmarks-")


@pytest.mark.parametrize("form", ["{}", "a.{}", "a_{}", "a-{}"])
def test_names_that_it_takes(http, name, form):
    assert submit(http, form.format(f"x{name[-8:]}")).status_code == 201


def test_the_longest_name(http, name):
    assert submit(http, name.ljust(51, "a")).status_code == 201


@pytest.mark.parametrize("form", ["A{}", "a b{}", "a+{}", "a/{}", "é{}", "a--{}", "{}-", "a:{}"])
def test_names_that_it_does_not_take(http, name, form):
    answer = submit(http, form.format(name))
    assert answer.status_code == 422
    assert "should match pattern" in str(answer.json()["detail"])


def test_a_name_that_is_too_long(http, name):
    assert submit(http, name.ljust(52, "a")).status_code == 422


def test_an_empty_name_is_a_conflict(http):
    answer = submit(http, "")
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "Unable to create job: Expected a non-empty value for `name` but received ''",
    )


@pytest.mark.parametrize(("form", "code"), [("{}", 422), ("{}0", 201)])
def test_the_shortest_name(http, form, code):
    # One of the letters may be taken by an earlier run against the same service, but a name is never too short twice.
    letter = next(each for each in "abcdefghijk" if http.get(f"{http.jobs}/{each}0").status_code == 404)
    assert submit(http, form.format(letter)).status_code == code


@pytest.mark.parametrize("spec", [SPEC, {**SPEC, "params": {"limit_samples": 2}}])
def test_the_same_name_again_is_a_conflict_whatever_the_spec(http, job, name, spec):
    answer = submit(http, name, spec=spec)
    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json() == {
        "detail": f"Unable to create job: Job with name '{name}' already exists in workspace 'my-workspace'."
    }


def test_a_refused_name_can_burn_itself(http, name):
    burnt = f"1{name}"
    assert submit(http, burnt).status_code == 422
    answer = submit(http, burnt)
    assert answer.status_code == 409
    assert answer.json() == {"detail": f"Fileset 'my-workspace/job-fileset-{burnt}' already exists"}
    assert http.get(f"{http.jobs}/{burnt}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({}, 422, [("missing", ["body", "spec"])]),
        ({"spec": {"benchmark": "my-workspace/none"}}, 404, "Benchmark 'my-workspace/none' not found."),
        ({"spec": {"benchmark": "qa"}}, 422, [("string_pattern_mismatch", ["body", "spec", "offline", "benchmark"])]),
        ({"spec": {**SPEC, "foo": 1}}, 422, [("extra_forbidden", ["body", "spec", "offline", "foo"])]),
        (
            {"spec": {**SPEC, "params": {"parallelism": 0}}},
            422,
            [("greater_than_equal", ["body", "spec", "offline", "params", "parallelism"])],
        ),
        (
            {"spec": {**SPEC, "params": {"foo": 1}}},
            422,
            [("extra_forbidden", ["body", "spec", "offline", "params", "foo"])],
        ),
        (
            {"spec": SPEC, "project": "p1"},
            422,
            "Project 'p1' does not exist in workspace 'my-workspace'. Please create the project first.",
        ),
    ],
)
def test_wrong_bodies(http, name, body, status, detail):
    answer = http.post(http.jobs, json={"name": name, **body})
    assert answer.status_code == status
    found = answer.json()["detail"]
    assert found == detail if isinstance(detail, str) else [(e["type"], e["loc"]) for e in found] == detail


def test_what_is_not_json(http):
    answer = http.post(http.jobs, content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "json_invalid"


def test_a_workspace_that_is_not_there(http, name):
    answer = http.post(http.jobs.replace("my-workspace", "none"), json={"name": name, "spec": SPEC})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "Workspace 'none' does not exist. Please create the workspace first."}
