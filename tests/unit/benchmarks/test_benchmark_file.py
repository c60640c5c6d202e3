"""Benchmark files: YAML and JSON, errors with lines, and the published schema."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.benchmarks import Benchmark, benchmark_schema, parse_benchmark, read_benchmark
from airflow_provider_benchmarks.benchmarks.schema import schema_text
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.reviewed_text import MAX_BYTES

FILE = """
name: my-workspace/qa-bench
dataset: my-workspace/qa                  # a fileset
metrics:
  my-workspace/exact-match: {type: exact-match, reference: "{{item.reference}}", candidate: "{{item.output}}"}
  my-workspace/own: {type: own, outputs: [own-score]}
"""
BENCHMARK = Benchmark(
    "my-workspace/qa-bench",
    dataset="my-workspace/qa",
    metrics={
        "my-workspace/exact-match": {
            "type": "exact-match",
            "reference": "{{item.reference}}",
            "candidate": "{{item.output}}",
        },
        "my-workspace/own": {"type": "own", "outputs": ["own-score"]},
    },
)


def test_yaml_json_and_an_object_are_the_same_benchmark(tmp_path):
    (tmp_path / "b.yaml").write_text(FILE)
    (tmp_path / "b.json").write_text(json.dumps(yaml.safe_load(FILE)))
    assert read_benchmark(tmp_path / "b.yaml") == read_benchmark(str(tmp_path / "b.json")) == BENCHMARK


def test_metrics_have_the_order_of_the_file():
    assert list(parse_benchmark(FILE).metrics) == ["my-workspace/exact-match", "my-workspace/own"]


def test_rows_may_be_in_the_file():
    text = 'name: w/b\nrows:\n- {output: "4", reference: "4"}\nmetrics: {w/m: {type: exact-match, reference: x}}'
    assert parse_benchmark(text).rows == [{"output": "4", "reference": "4"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "b.yaml: expected a mapping with the keys name, dataset, rows, metrics"),
        ("- 1", "b.yaml, line 1: expected a mapping"),
        ("name: w/b\ndata: x", 'b.yaml, line 2: unknown key "data"; known: name, dataset, rows, metrics'),
        ("dataset: w/d\nmetrics: {w/m: {type: t}}", "b.yaml, line 1: name must be the reference of a benchmark"),
        ("dataset: w/d\nname: b\nmetrics: {w/m: {type: t}}", "line 2: name must be the reference .* found 'b'"),
        ("name: w/b\nmetrics: {w/m: {type: t}}", "line 1: a benchmark needs either a dataset .* found neither"),
        ("name: w/b\ndataset: d", "line 2: dataset must be a fileset"),
        ("name: w/b\ndataset: w/d", "line 1: metrics must be a mapping of one or more metrics"),
        ("name: w/b\ndataset: w/d\nmetrics:\n  m: {type: t}", "line 4: the key of a metric must be the reference"),
        ("name: w/b\ndataset: w/d\nmetrics:\n  w/m: {}", 'line 4: metric w/m must be a mapping with its "type"'),
        (
            "name: w/b\ndataset: w/d\nmetrics:\n  w/m:\n    type: t\n    outputs: x",
            "line 6: outputs of metric w/m must be a list",
        ),
        (
            "name: w/b\ndataset: w/d\nmetrics:\n  w/m: {type: exact_match, reference: x}",
            'line 4: metric w/m: unknown type "exact_match". Did you mean "exact-match"\\? Where the service has one',
        ),
        (
            "name: w/b\ndataset: w/d\nmetrics:\n  w/m: {type: exact-match, refrence: x, candidate: y}",
            'metric w/m: the type exact-match needs reference, and has "refrence". Did you mean "reference"\\?',
        ),
        (
            "name: w/b\ndataset: w/d\nmetrics:\n  w/m: {type: string-check, left_template: x}",
            "metric w/m: the type string-check needs operation, right_template$",
        ),
        ("name: w/b\nrows:\n- {a: 1}\n- 2\nmetrics: {w/m: {type: t}}", "line 4: a row must be a mapping"),
        ("name: w/b\nname: w/c", '"name" is there twice, in line 1 and in line 2; keep one'),
        ("name: &b w/b", "line 1: anchors and aliases .* are not taken: write each metric in full"),
        ("name: !!x w/b", "line 1: a benchmark file holds texts, .* found the tag x"),
        (f"metrics: {'[' * 30}", "nested too deeply. A benchmark has a dataset and metrics"),
        ("#" * (MAX_BYTES + 1), "larger than the 131,072 bytes that a benchmark file may have. Store its rows as a f"),
        ("name: [", "b.yaml, line 1, is not YAML"),
        (
            "name: w/b\nmetrics:\n  w/m:\n    type: t\n    reference: {{item.x}}",
            r'line 5: expected a name as key, found a mapping. Put a template such as "\{\{item.output\}\}" into',
        ),
        ("name: w/b\ndataset: w/d\nmetrics:\n  w/..: {type: t}", "line 4: the key of a metric must be the reference"),
    ],
)
def test_a_mistake_is_reported_with_its_line(text, message):
    with pytest.raises(ConfigurationError, match=f"(?s){message}"):
        parse_benchmark(text, name="b.yaml")


def test_types_that_are_not_known_here_are_taken():
    metrics = {"w/m": {"type": "of-tomorrow"}, "w/n": {"type": "exact_match", "outputs": ["score"]}}
    text = json.dumps({"name": "w/b", "dataset": "w/d", "metrics": metrics})
    assert parse_benchmark(text, name="b.json").metrics == metrics


def test_a_mistake_in_json_is_reported_with_its_line():
    with pytest.raises(ConfigurationError, match="b.json, line 3: rows.0.a must be .* finite number.* found nan"):
        parse_benchmark('{"name": "w/b",\n"rows": [\n{"a": NaN}], "metrics": {"w/m": {"type": "t"}}}', name="b.json")


def test_the_published_schema_is_that_of_the_files():
    published = files("airflow_provider_benchmarks.benchmarks").joinpath("benchmark.schema.json").read_text("utf-8")
    assert published == schema_text(), "run python -m airflow_provider_benchmarks.benchmarks.schema"
    jsonschema.Draft202012Validator.check_schema(benchmark_schema())


VALIDATOR = jsonschema.Draft202012Validator(benchmark_schema())
TEXTS = st.sampled_from(["", "x", "w/x", "w/x#f", "w/x/y", "w/ x", "#"])
PLAIN = st.none() | st.booleans() | st.integers(-2, 2) | TEXTS
METRIC = st.dictionaries(
    st.sampled_from(["type", "reference", "outputs"]),
    PLAIN
    | st.just("exact-match")
    | st.lists(TEXTS | st.dictionaries(st.sampled_from(["name", "description"]), PLAIN), max_size=2),
)
PARTS = {
    "name": TEXTS | PLAIN,
    "dataset": TEXTS | PLAIN,
    "rows": st.lists(st.dictionaries(st.sampled_from(["a", "b"]), PLAIN) | PLAIN, max_size=2) | PLAIN,
    "metrics": st.dictionaries(TEXTS, METRIC | PLAIN, max_size=2) | PLAIN,
}


@given(st.fixed_dictionaries({}, optional=PARTS))
def test_the_schema_and_the_reader_agree(data):
    assert VALIDATOR.is_valid(data) == is_read(data)


@pytest.mark.parametrize(
    ("parts", "is_good"),
    [
        ({"dataset": None, "rows": [{"a": 1}]}, True),
        ({"dataset": "w/d", "rows": None}, True),
        ({"dataset": None, "rows": None}, False),
        ({"dataset": None}, False),
        ({"rows": None}, False),
        ({"dataset": "w/d\n"}, False),
        ({"dataset": "w/d#f\n"}, False),
        ({"dataset": "w/d", "name": "w/b\n"}, False),
        ({"dataset": "w/d", "metrics": {"w/m\n": {"type": "exact-match", "reference": "x"}}}, False),
    ],
)
def test_the_schema_and_the_reader_agree_on_nulls_and_ends(parts, is_good):
    data = {"name": "w/b", "metrics": {"w/m": {"type": "exact-match", "reference": "x"}}, **parts}
    assert (VALIDATOR.is_valid(data), is_read(data)) == (is_good, is_good)


def is_read(data):
    try:
        parse_benchmark(json.dumps(data), name="b.json")
    except ConfigurationError:
        return False
    return True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "'dataset' is a required property"),
        ({"dataset": "w/d", "rows": [{"a": 1}]}, "'w/d' is not of type 'null'"),
        ({"dataset": "w"}, "'w' does not match"),
    ],
)
def test_an_editor_explains_a_mistake(change, words):
    metrics = {"w/m": {"type": "exact-match", "reference": "x"}}
    (error,) = VALIDATOR.iter_errors({"name": "w/b", "metrics": metrics, **change})
    assert words in error.message


def test_an_editor_shows_what_each_field_is_for():
    assert all(rule["description"] for rule in benchmark_schema()["properties"].values())
