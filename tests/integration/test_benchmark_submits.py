"""Benchmarks as code on a service that runs stored ones: it gets what it has not, and what it has stays."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, RecordedBenchmark
from airflow_provider_benchmarks.exceptions import ConfigurationError, Conflict, InvalidRequest, Unauthorized
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS, EXAMPLE_ROWS
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished

METRICS = {f"{WORKSPACE}/{name}": body for name, body in EXAMPLE_METRICS.items()}
STORED = Benchmark(BENCHMARK, dataset=f"{WORKSPACE}/qa", metrics=METRICS)
#: Nothing of it is on the service yet but its dataset.
NEW = Benchmark(
    f"{WORKSPACE}/new",
    dataset=f"{WORKSPACE}/qa",
    metrics={f"{WORKSPACE}/new-{name}": body for name, body in EXAMPLE_METRICS.items()},
)
OF_ROWS = replace(NEW, name=f"{WORKSPACE}/of-rows", dataset=None, rows=EXAMPLE_ROWS)


@pytest.fixture
def hook(service):
    return BenchmarkHook()


@pytest.fixture
def posts(service):
    """Paths of what was stored since, without the jobs."""
    return lambda: [
        request.path.rpartition("/workspaces/")[2]
        for request in service.requests
        if request.method in ("POST", "PUT") and "/benchmark-jobs" not in request.path
    ]


def means(hook, job):
    assert wait_until_finished(hook.client, job.name).status == "completed"
    return {score.metric: score.mean for score in hook.get_aggregate_scores(job.name).scores}


@pytest.mark.parametrize("benchmark", [STORED, NEW, OF_ROWS])
def test_a_benchmark_runs_whether_it_is_stored_or_not(hook, benchmark):
    job = hook.submit_job(benchmark=benchmark)
    exact, contains = benchmark.metrics
    assert means(hook, job) == {exact: 0.6, contains: 0.8}
    assert job.benchmark == benchmark.name


def test_a_stored_benchmark_that_is_the_same_is_left_alone(hook, posts):
    hook.submit_job(benchmark=STORED)
    assert posts() == []


def test_a_new_benchmark_is_stored_once(hook, posts):
    hook.submit_job(benchmark=NEW)
    assert posts() == [*(f"{WORKSPACE}/metrics/new-{name}" for name in EXAMPLE_METRICS), f"{WORKSPACE}/benchmarks"]
    hook.submit_job(benchmark=NEW)
    assert len(posts()) == 3


def test_rows_are_stored_as_a_fileset_that_is_named_after_them(hook, posts):
    hook.submit_job(benchmark=OF_ROWS)
    fileset = f"of-rows-rows-{OF_ROWS.rows_hash[:12]}"
    assert f"{WORKSPACE}/filesets/{fileset}/-/rows.jsonl" in posts()
    stored = len(posts())
    hook.submit_job(benchmark=OF_ROWS)
    assert len(posts()) == stored


def test_rows_whose_submit_was_interrupted_are_stored_again(hook, service, posts):
    service.inject(Fault.answer(403).on("POST", "*/benchmarks"))
    with pytest.raises(Unauthorized):
        hook.submit_job(benchmark=OF_ROWS)
    assert means(hook, hook.submit_job(benchmark=OF_ROWS))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"metrics": {**METRICS, f"{WORKSPACE}/exact-match": {"type": "exact-match", "reference": "{{item.x}}"}}},
            'exact-match is stored .* reference is "{{item.x}}" and on the service .*candidate is missing and on the s',
        ),
        (
            {"metrics": dict(list(METRICS.items())[:1])},
            f"benchmark {BENCHMARK} is stored .*: metrics.1 is missing and on the service '{WORKSPACE}/string-check'",
        ),
        ({"dataset": f"{WORKSPACE}/other"}, f'dataset is "{WORKSPACE}/other" and on the service "{WORKSPACE}/qa"'),
        ({"dataset": None, "rows": EXAMPLE_ROWS}, f'dataset is "{WORKSPACE}/qa-bench-rows-.*" and on the service'),
    ],
)
def test_a_stored_benchmark_that_differs_is_an_error_that_shows_the_difference(hook, posts, changed, message):
    with pytest.raises(ConfigurationError, match=message):
        hook.submit_job(benchmark=replace(STORED, **changed))
    assert posts() == []


def test_a_benchmark_of_this_package_that_has_changed_is_an_error_too(hook):
    hook.submit_job(benchmark=NEW)
    exact = f"{WORKSPACE}/new-exact-match"
    changed = {**NEW.metrics, exact: {**NEW.metrics[exact], "candidate": "{{item.output | lower}}"}}
    with pytest.raises(ConfigurationError, match='candidate is "{{item.output . lower}}" and on the service'):
        hook.submit_job(benchmark=replace(NEW, metrics=changed))


@pytest.fixture
def stored_metric(hook, service):
    """Store a metric, and let the service return one with a further field, and without what the test leaves out."""

    def store(*left_out, ignore_case=True):
        hook.submit_job(benchmark=NEW)
        path = f"/apis/evaluation/v2/workspaces/{WORKSPACE}/metrics/new-exact-match"
        stored = {**hook.client._http.get(service.url + path).json(), "ignore_case": ignore_case}
        body = json.dumps({key: value for key, value in stored.items() if key not in left_out}).encode()
        service.inject(Fault.answer(200, body=body).on("GET", path, times=None))

    return store


def test_defaults_that_the_service_adds_are_no_difference(hook, stored_metric):
    stored_metric()
    hook.submit_job(benchmark=NEW)


def test_what_is_null_is_no_difference(hook):
    exact = f"{WORKSPACE}/new-exact-match"
    nulls = replace(NEW, metrics={**NEW.metrics, exact: {**NEW.metrics[exact], "description": None}})
    for benchmark in (nulls, nulls, NEW):
        hook.submit_job(benchmark=benchmark)


def test_words_for_people_are_no_difference(hook):
    hook.submit_job(benchmark=NEW)
    exact = f"{WORKSPACE}/new-exact-match"
    described = {**NEW.metrics, exact: {**NEW.metrics[exact], "description": "words", "labels": {"team": "a"}}}
    hook.submit_job(benchmark=replace(NEW, metrics=described))


def test_a_metric_that_differs_is_described_without_flags_that_the_service_has_added(hook, stored_metric):
    stored_metric("labels", ignore_case=False)
    exact = f"{WORKSPACE}/new-exact-match"
    changed = {**NEW.metrics, exact: {**NEW.metrics[exact], "candidate": "{{item.other}}"}}
    with pytest.raises(ConfigurationError, match="candidate is .* and on the service") as caught:
        hook.submit_job(benchmark=replace(NEW, metrics=changed))
    assert "ignore_case" not in str(caught.value)


@pytest.mark.parametrize(("value", "is_default"), [(False, True), (True, False)])
@pytest.mark.parametrize("left_out", [(), ("labels",)])
def test_a_field_whose_default_is_known_is_compared_with_that(hook, service, left_out, value, is_default):
    hook.submit_job(benchmark=NEW)
    path = f"/apis/evaluation/v2/workspaces/{WORKSPACE}/metrics/new-exact-match"
    stored = {**hook.client._http.get(service.url + path).json(), "ignore_request_failure": value}
    body = json.dumps({key: each for key, each in stored.items() if key not in left_out}).encode()
    service.inject(Fault.answer(200, body=body).on("GET", path, times=None))
    if is_default:
        hook.submit_job(benchmark=NEW)
    else:
        with pytest.raises(ConfigurationError, match="ignore_request_failure is missing and on the service True"):
            hook.submit_job(benchmark=NEW)


def test_a_further_field_of_a_metric_that_others_have_stored_is_a_difference(hook, stored_metric):
    stored_metric("labels")
    with pytest.raises(ConfigurationError, match="ignore_case is missing and on the service True"):
        hook.submit_job(benchmark=NEW)


@pytest.mark.parametrize("path", ["*/metrics/new-exact-match", "*/benchmarks"])
def test_a_token_that_may_not_store_is_told_what_is_missing(hook, service, path):
    service.inject(Fault.answer(403).on("POST", path))
    with pytest.raises(Unauthorized, match="does not have the (metric|benchmark) .*new.* yet, and the token may not"):
        hook.submit_job(benchmark=NEW)


@pytest.mark.parametrize("path", ["*/metrics/new-exact-match", "*/benchmarks/new"])
def test_another_task_may_store_the_same_meanwhile(hook, service, path):
    hook.submit_job(benchmark=NEW)
    service.inject(Fault.answer(404, body=b'{"detail": "it is not there yet"}').on("GET", path))
    assert means(hook, hook.submit_job(benchmark=NEW))


def test_a_dataset_that_is_missing_has_the_services_own_message(hook):
    with pytest.raises(InvalidRequest, match="Fileset 'nowhere' not found"):
        hook.submit_job(benchmark=replace(NEW, dataset=f"{WORKSPACE}/nowhere"))


@pytest.mark.parametrize("benchmark", [NEW, OF_ROWS])
def test_the_job_keeps_what_it_has_measured(hook, benchmark):
    name = hook.submit_job(benchmark=benchmark, custom_fields={"mine": 1}).name
    job = hook.get_job(name)
    recorded = RecordedBenchmark.of(benchmark)
    assert RecordedBenchmark.from_custom_fields(job.custom_fields) == recorded
    assert job.custom_fields["mine"] == 1
    assert job.dataset == recorded.dataset


def test_with_the_same_name_again_the_job_is_found_unless_it_runs_something_else(hook):
    job = hook.submit_job(benchmark=NEW, name="same")
    assert hook.submit_job(benchmark=NEW, name="same").id == job.id
    with pytest.raises(Conflict, match='"same".* is taken'):
        hook.submit_job(benchmark=NEW, name="same", params={"limit_samples": 2})


def test_params_reach_the_service(hook):
    job = hook.submit_job(benchmark=STORED, params={"limit_samples": 2})
    assert job.spec["params"]["limit_samples"] == 2


def test_a_file_and_a_reference_are_the_same_benchmark(hook, tmp_path):
    path = tmp_path / "qa.yaml"
    metrics = "".join(f"  {name}: {body}\n" for name, body in METRICS.items())
    path.write_text(f"name: {BENCHMARK}\ndataset: {WORKSPACE}/qa\nmetrics:\n{metrics}")
    jobs = [hook.submit_job(benchmark=named) for named in (str(path), BENCHMARK)]
    assert [job.spec["benchmark"] for job in jobs] == [BENCHMARK, BENCHMARK]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a spec or a benchmark"),
        ({"spec": SPEC, "benchmark": STORED}, "a spec has a benchmark"),
        ({"spec": SPEC, "params": {"limit_samples": 1}}, "a spec has .* params of its own"),
        ({"spec": "ws/qa"}, "spec must be a mapping, found 'ws/qa'"),
        ({"spec": [1]}, r"spec must be a mapping, found \[1\]"),
        ({"benchmark": "foo://x/y.yaml"}, "foo://x/y.yaml: nothing here opens such a URL"),
        ({"benchmark": {"name": BENCHMARK}}, "expected a Benchmark, the path .* found {'name'"),
        ({"benchmark": ""}, "expected a Benchmark, the path .* found ''"),
        ({"benchmark": 5}, "expected a Benchmark, the path .* found 5"),
        ({"benchmark": STORED, "params": [1]}, r"params must be a mapping of the job's parameters, found \[1\]"),
        ({"benchmark": STORED, "model": ["ws/m"], "prompt_template": "x"}, "model must be a reference"),
        ({"benchmark": STORED, "model": "ws/m", "prompt_template": 5}, "prompt_template must be a text or a mapping"),
        ({"benchmark": STORED, "custom_fields": [1]}, r"custom_fields must be a mapping, found \[1\]"),
        ({"benchmark": STORED, "name": 5}, "5 can't be the name of a benchmark job: it must be a text"),
        ({"benchmark": STORED, "model": "ws/m"}, "a model needs a prompt_template"),
    ],
)
def test_what_is_not_clear_is_refused(hook, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        hook.submit_job(**arguments)


def test_storage_that_refuses_is_an_error_of_the_storage(hook, monkeypatch, tmp_path):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(OSError, match="s3://nobodys/qa.yaml: the storage can't be reached, or refuses .NoCredentials"):
        hook.submit_job(benchmark="s3://nobodys/qa.yaml")
