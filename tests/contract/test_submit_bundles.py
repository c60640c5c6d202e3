"""Submits of jobs that bring their metrics along."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_ROWS, EXAMPLE_WORKSPACE
from tests.contract.conftest import TAKES_BUNDLES, shape, submit

pytestmark = TAKES_BUNDLES

MODEL = {"url": "http://127.0.0.1:9/v1/chat/completions", "name": "nobody-answers"}


def test_the_job_comes_back(http, name):
    answer = submit(http, name, description="nightly", custom_fields={"dag_id": "qa", "n": [1, {"a": None}]}, unknown=1)
    assert answer.status_code == 201
    job = answer.json()
    publication = {} if http.target.release == "0.3" else {"publication": "NoneType"}
    found = shape(job["spec"])
    metrics, sent = job["spec"].pop("metrics"), http.target.spec["metrics"]
    assert found == {
        "dataset": "str",
        "params": {"parallelism": "int", "limit_samples": "NoneType"},
        "target": "NoneType",
        "prompt_template": "NoneType",
        "field_mapping": "NoneType",
        **publication,
        "metrics": [shape(metrics[0])],
    }
    for stored, bundle in zip(metrics, sent, strict=True):
        assert stored.pop("metadata") == {"description": None, "labels": {}}
        assert stored.pop("secrets") == {}
        assert len(stored["payload"].pop("digest")) == 64
        assert stored == bundle
    own = job["custom_fields"]
    telemetry = own.pop("_nemo_telemetry", None)
    assert own == {"dag_id": "qa", "n": [1, {"a": None}]}
    assert telemetry == (None if http.target.release == "0.3" else {"plugins": [http.target.prefix]})
    assert (job["name"], job["workspace"], job["status"]) == (name, EXAMPLE_WORKSPACE, "created")


def test_without_a_name_the_service_makes_one(http):
    made = http.post(http.jobs, json={"spec": http.target.spec}).json()["name"]
    assert made.startswith(f"nemo-{http.target.prefix}-")


@pytest.mark.parametrize("form", ["{}", "a.{}", "a_{}", "a-{}"])
def test_names_that_it_takes(http, name, form):
    assert submit(http, form.format(f"x{name[-8:]}")).status_code == 201


def test_the_longest_name(http, name):
    assert submit(http, name.ljust(51, "a")).status_code == 201


def test_a_name_that_is_too_long(http, name):
    answer = submit(http, name.ljust(52, "a"))
    if http.target.release == "0.8":
        assert answer.status_code == 422
        assert [(error["type"], error["loc"]) for error in answer.json()["detail"]] == [("value_error", ["body"])]
    else:
        assert_not_taken(http, answer)
    assert http.get(f"{http.jobs}/{name.ljust(52, 'a')}").status_code == 404


@pytest.mark.parametrize("form", ["A{}", "a--{}", "{}-", "é{}"])
def test_names_that_it_does_not_take(http, name, form):
    assert_not_taken(http, submit(http, form.format(name)))


def assert_not_taken(http, answer):
    if http.target.release in ("0.6", "0.7"):
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("Unable to create job because the request conflicts")
    else:
        assert answer.status_code == 422
        assert "String should match pattern" in str(answer.json()["detail"])


@pytest.mark.parametrize("form", ["a b{}", "a:{}"])
def test_names_that_the_files_service_does_not_take(http, name, form):
    answer = submit(http, form.format(name))
    assert answer.status_code == (422 if http.target.release == "0.8" else 409)


@pytest.mark.releases("0.3", "0.6", "0.7")
def test_a_refused_name_can_burn_itself(http, name):
    burnt = f"1{name}"
    assert submit(http, burnt).status_code == 422
    answer = submit(http, burnt)
    assert answer.status_code == 409
    assert answer.json() == {"detail": f"Fileset 'my-workspace/job-fileset-{burnt}' already exists"}
    assert http.get(f"{http.jobs}/{burnt}").status_code == 404


def test_an_empty_name(http):
    assert submit(http, "").status_code == {"0.3": 409, "0.8": 422}.get(http.target.release, 500)


def test_a_name_that_is_too_short(http):
    assert submit(http, "x").status_code == 422


@pytest.mark.parametrize("change", [{}, {"params": {"limit_samples": 2}}])
def test_the_same_name_again_is_a_conflict_whatever_the_spec(http, job, name, change):
    answer = submit(http, name, spec={**http.target.spec, **change})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert answer.json() == {
        "detail": f"Job '{name}' already exists in workspace '{EXAMPLE_WORKSPACE}'. Choose a different job name or "
        f"delete the existing job before creating a new one."
    }


def test_rows_in_the_spec(http, name):
    rows = [dict(row) for row in EXAMPLE_ROWS]
    answer = submit(http, name, spec={**http.target.spec, "dataset": rows})
    assert (answer.status_code, answer.json()["spec"]["dataset"]) == (201, rows)


@pytest.mark.parametrize(
    ("model", "params", "status"),
    [
        (MODEL, {"ignore_request_failure": False}, 201),
        (MODEL, {"system_prompt": "Answer in one word.", "parallelism": 1}, 201),
        (MODEL, {"parallelism": 1}, 500),
        (MODEL, None, 500),
        (None, {"max_retries": 1}, 500),
    ],
)
def test_an_online_job_has_an_online_jobs_params(http, name, model, params, status):
    spec = {**http.target.spec, "target": model, "params": params}
    if model is not None:
        spec["prompt_template"] = "{{item.input}}"
    assert submit(http, name, spec=spec).status_code == status


@pytest.mark.parametrize("reference", ["my-workspace/exact-match", "exact-match"])
def test_a_stored_metric_loses_its_name(http, name, reference):
    answer = submit(http, name, spec={**http.target.spec, "metrics": [reference]})
    assert answer.status_code == 201
    (metric,) = answer.json()["spec"]["metrics"]
    assert metric["payload"]["metric"] == http.target.spec["metrics"][0]["payload"]["metric"]
    assert "name" not in metric


def test_a_stored_metric_that_is_not_there(http, name):
    answer = submit(http, name, spec={**http.target.spec, "metrics": ["my-workspace/none"]})
    assert answer.status_code == 422
    assert "Metric reference 'my-workspace/none' not found." in answer.json()["detail"]


def test_a_fileset_that_is_not_there_is_taken(http, name):
    assert submit(http, name, spec={**http.target.spec, "dataset": "my-workspace/none"}).status_code == 201


def test_the_spec_of_a_stored_benchmark_is_refused(http, name):
    answer = submit(http, name, spec={"benchmark": "my-workspace/qa-bench"})
    assert answer.status_code == 422
    assert [(error["type"], error["loc"][2:]) for error in answer.json()["detail"]] == [
        ("missing", ["dataset"]),
        ("missing", ["metrics"]),
        ("extra_forbidden", ["benchmark"]),
    ]


@pytest.mark.parametrize(
    ("change", "type_", "field"),
    [
        ({"zzz": 1}, "extra_forbidden", "zzz"),
        ({"params": {"parallelism": "many"}}, "int_parsing", "params"),
        ({"metrics": [{"type": "exact-match"}]}, "missing", "metrics"),
    ],
)
def test_wrong_specs(http, name, change, type_, field):
    answer = submit(http, name, spec={**http.target.spec, **change})
    first = answer.json()["detail"][0]
    assert (answer.status_code, first["type"], first["loc"][:3]) == (422, type_, ["body", "spec", field])


def test_a_workspace_that_is_not_there(http, name):
    elsewhere = http.jobs.replace("my-workspace", "none")
    answer = http.post(elsewhere, json={"name": name, "spec": http.target.spec})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "Workspace 'none' does not exist. Please create the workspace first."}


def test_a_stored_metric_again_is_a_conflict(http):
    answer = http.post(f"{http.target.api}/metrics/exact-match", json=http.target.spec["metrics"][0])
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    named = "Metric with workspace 'my-workspace' and name 'exact-match' already exists"
    assert answer.json() == {"detail": named}


def test_a_stored_result_that_is_not_there(http):
    answer = http.get(f"{http.target.api}/eval-results/none")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Result not found: my-workspace/none"})
