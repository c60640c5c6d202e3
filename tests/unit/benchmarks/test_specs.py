"""The job specs that the generations of the service take, compared with what the real ones were sent and took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, bundle_spec, stored_benchmark_spec
from airflow_provider_benchmarks.benchmarks.specs import metric_keys
from airflow_provider_benchmarks.exceptions import ConfigurationError
from tests.unit.benchmarks.test_benchmark import EXACT, ROWS

#: What releases 0.2.0, 0.3.0, 0.6.0, 0.7.3 and 0.8.1 demand; the judge's has a rubric "quality" and a range "range".
MEASURED = json.loads((Path(__file__).parents[2] / "recorded/metric-outputs.json").read_text())
JUDGE_SCORES = [
    {"name": "quality", "description": "q", "rubric": [{"label": "a", "value": 1}, {"label": "b", "value": 0}]},
    {"name": "range", "minimum": 0, "maximum": 1},
]
MODEL = {"url": "http://model/v1/chat/completions", "name": "m", "format": "openai"}
TEMPLATE = {"messages": [{"role": "user", "content": "{{item.input}}"}]}


def benchmark(metrics=None, **arguments):
    arguments = arguments or {"dataset": "ws/rows"}
    return Benchmark("ws/qa", metrics=metrics or {"ws/exact": EXACT}, **arguments)


def outputs(metric):
    (bundle,) = bundle_spec(JobRequest(benchmark({"ws/m": metric}))).spec["metrics"]
    return bundle["outputs"]


@pytest.mark.parametrize("kind", MEASURED)
def test_the_outputs_equal_what_the_real_service_demands(kind):
    assert outputs({"type": kind, "scores": JUDGE_SCORES}) == MEASURED[kind]


def test_a_spec_has_metrics_as_bundles_and_the_dataset():
    made = bundle_spec(JobRequest(benchmark(), params={"parallelism": 4}))
    assert made.spec == {
        "metrics": [
            {
                "bundle_kind": "metric-bundle",
                "bundle_format_version": "v1",
                "metric_type": "exact-match",
                "outputs": MEASURED["exact-match"],
                "payload": {"kind": "inline", "metric": EXACT},
            }
        ],
        "dataset": "ws/rows",
        "params": {"parallelism": 4},
    }
    assert made.metric_names == {"exact-match": "ws/exact"}
    json.dumps(made.spec)


def test_rows_go_inline():
    assert bundle_spec(JobRequest(benchmark(rows=ROWS))).spec["dataset"] == ROWS


def test_an_online_job_has_a_target_and_a_template():
    request = JobRequest(benchmark(), model=MODEL, prompt_template=TEMPLATE)
    spec = bundle_spec(request).spec
    assert (spec["target"], spec["prompt_template"]) == (MODEL, TEMPLATE)
    assert set(spec) == {"metrics", "dataset", "target", "prompt_template", "params"}


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        (None, {"ignore_request_failure": False}),
        ({"parallelism": 1}, {"ignore_request_failure": False, "parallelism": 1}),
        ({"ignore_request_failure": True}, {"ignore_request_failure": True}),
    ],
)
def test_the_params_of_an_online_job_say_that_it_is_one(params, sent):
    request = JobRequest(benchmark(), model=MODEL, prompt_template=TEMPLATE, params=params)
    assert bundle_spec(request).spec["params"] == sent
    assert stored_benchmark_spec(request).spec.get("params") == params


def test_metrics_of_one_type_are_named_by_their_place():
    metrics = {"ws/exact": EXACT, "ws/contains": {"type": "string-check"}, "ws/strict": EXACT}
    made = bundle_spec(JobRequest(benchmark(metrics)))
    assert made.metric_names == {
        "exact-match": "ws/exact",
        "string-check": "ws/contains",
        "exact-match_2": "ws/strict",
    }
    assert metric_keys(["a", "b", "a", "a"]) == ["a", "b", "a_2", "a_3"]


def test_two_metrics_of_one_key_are_refused():
    """Release 0.8 calls the third foo_2_2, earlier ones foo_2 like the second."""
    metrics = {
        f"w/{name}": {"type": kind, "outputs": ["s"]} for name, kind in (("a", "foo"), ("b", "foo"), ("c", "foo_2"))
    }
    with pytest.raises(ConfigurationError, match="one key for two metrics"):
        bundle_spec(JobRequest(Benchmark("w/b", metrics=metrics, dataset="w/d")))
    del metrics["w/b"]
    names = bundle_spec(JobRequest(Benchmark("w/b", metrics=metrics, dataset="w/d"))).metric_names
    assert names == {"foo": "w/a", "foo_2": "w/c"}


def test_outputs_in_the_benchmark_come_first_and_are_not_sent_as_part_of_the_metric():
    own = {"name": "label", "value_json_schema": {"type": "string"}}
    metric = {"type": "own", "field": 1, "outputs": ["score", own]}
    (bundle,) = bundle_spec(JobRequest(benchmark({"ws/m": metric}))).spec["metrics"]
    assert bundle["payload"]["metric"] == {"type": "own", "field": 1}
    assert bundle["outputs"] == [
        {**MEASURED["exact-match"][0], "name": "score"},
        {"name": "label", "description": None, "value_json_schema": {"type": "string"}},
    ]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"type": "faithfulness"}, 'metric ws/m has the type "faithfulness".* Add outputs to the metric'),
        ({"type": "llm-judge"}, "metric ws/m: a judge needs scores"),
        ({"type": "llm-judge", "scores": [{}]}, "metric ws/m: a judge needs scores"),
    ],
)
def test_a_metric_whose_scores_are_not_known_is_refused_with_what_to_do(metric, message):
    with pytest.raises(ConfigurationError, match=message):
        outputs(metric)


def test_a_reference_alone_says_nothing_to_a_service_without_stored_benchmarks():
    with pytest.raises(ConfigurationError, match='stores no benchmarks, so "ws/qa" alone .* benchmark file'):
        bundle_spec(JobRequest("ws/qa"))


@pytest.mark.parametrize("named", ["ws/qa", benchmark()])
def test_a_service_with_stored_benchmarks_gets_the_reference(named):
    assert stored_benchmark_spec(JobRequest(named)).spec == {"benchmark": "ws/qa"}
    made = stored_benchmark_spec(JobRequest(named, model=MODEL, prompt_template=TEMPLATE, params={"limit_samples": 5}))
    assert made.spec == {
        "benchmark": "ws/qa",
        "params": {"limit_samples": 5},
        "model": MODEL,
        "prompt_template": TEMPLATE,
    }
    assert made.metric_names == {}
