"""Benchmarks as objects: what they may hold, and what makes two of them the same."""

from __future__ import annotations

import math

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, RecordedBenchmark, differences
from airflow_provider_benchmarks.exceptions import ConfigurationError

EXACT = {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"}
ROWS = [{"output": "4", "reference": "4"}, {"output": "Blue", "reference": "blue"}]


def benchmark(**changed):
    return Benchmark(**{"name": "ws/qa", "dataset": "ws/rows", "metrics": {"ws/exact": EXACT}, **changed})


def of_rows(rows=ROWS, **changed):
    return benchmark(dataset=None, rows=rows, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "qa"}, "name must be the reference of a benchmark, \"workspace/name\", found 'qa'"),
        ({"name": "ws/qa\n"}, "name must be the reference"),
        ({"name": None}, "name must be the reference .* found None"),
        ({"dataset": None}, r"either a dataset \(a fileset\) or rows, found neither"),
        ({"rows": ROWS}, "found both"),
        ({"dataset": "rows"}, 'dataset must be a fileset, "workspace/name" or "workspace/name#file", found'),
        ({"dataset": "ws/rows#"}, "dataset must be a fileset"),
        ({"dataset": None, "rows": []}, "rows must be a list of one or more rows, found"),
        ({"dataset": None, "rows": "ab"}, "rows must be a list"),
        ({"dataset": None, "rows": [{}]}, "a row must be a mapping of its fields, found {}"),
        ({"dataset": None, "rows": [{"a": math.nan}]}, "rows.0.a must be a text, a finite number, .* found nan"),
        ({"dataset": None, "rows": [{1: "a"}]}, "rows.0 must be .* texts as keys"),
        ({"metrics": {}}, "metrics must be a mapping of one or more metrics"),
        ({"metrics": [EXACT]}, "metrics must be a mapping"),
        ({"metrics": {"exact": EXACT}}, "the key of a metric must be the reference of a metric, .* found 'exact'"),
        ({"metrics": {"ws/m": {}}}, 'metric ws/m must be a mapping with its "type" and further fields, found {}'),
        ({"metrics": {"ws/m": {"type": 1}}}, "metric ws/m must be a mapping"),
        ({"metrics": {"ws/m": {**EXACT, "x": object()}}}, "metrics.ws/m.x must be a text"),
        ({"metrics": {"ws/m": {**EXACT, "x": "\ud800"}}}, "metrics.ws/m.x holds half a surrogate pair"),
        ({"metrics": {"ws/m": {**EXACT, "\ud800": 1}}}, "metrics.ws/m holds half a surrogate pair"),
        ({"dataset": None, "rows": [{"a": "\ud800"}]}, "rows.0.a holds half a surrogate pair"),
        ({"dataset": None, "rows": [{"a": 10**5000}]}, "rows.0.a has too many digits"),
        ({"name": "ws/\ud800"}, "name must be the reference of a benchmark"),
        ({"name": "../qa"}, "name must be the reference of a benchmark"),
        ({"dataset": "ws/..#rows"}, "dataset must be a fileset"),
        ({"metrics": {"ws/..": EXACT}}, "the key of a metric must be the reference of a metric"),
        ({"metrics": {"./m": EXACT}}, "the key of a metric must be the reference of a metric"),
        ({"metrics": {"ws/m": {**EXACT, "outputs": []}}}, "outputs of metric ws/m must be a list of the names"),
        ({"metrics": {"ws/m": {**EXACT, "outputs": [""]}}}, "outputs of metric ws/m must be a list"),
        ({"metrics": {"ws/m": {**EXACT, "outputs": [{}]}}}, "outputs of metric ws/m must be a list"),
    ],
)
def test_a_part_that_is_wrong_is_named(changed, message):
    with pytest.raises(ConfigurationError, match=message):
        benchmark(**changed)


def test_a_value_that_holds_itself_is_refused():
    endless: dict = {"type": "t"}
    endless["more"] = [endless]
    with pytest.raises(ConfigurationError, match="nested more than 50 levels deep"):
        benchmark(metrics={"ws/m": endless})


def test_what_a_caller_changes_later_does_not_change_the_benchmark():
    metrics, rows = {"ws/exact": dict(EXACT)}, [dict(row) for row in ROWS]
    made = of_rows(rows, metrics=metrics)
    before = made.content_hash
    metrics["ws/exact"]["candidate"] = rows[0]["output"] = "other"
    assert made.content_hash == before
    assert made == of_rows()


@pytest.mark.parametrize(
    "changed",
    [
        {"dataset": "ws/other"},
        {"dataset": None, "rows": ROWS},
        {"metrics": {"ws/exact": {**EXACT, "candidate": "{{item.output | lower}}"}}},
        {"metrics": {"ws/other": EXACT}},
    ],
)
def test_what_decides_about_scores_is_in_the_hash(changed):
    assert benchmark(**changed).content_hash != benchmark().content_hash


@pytest.mark.parametrize(
    "same",
    [
        {"name": "ws/renamed"},
        {"metrics": {"ws/exact": dict(reversed(EXACT.items()))}},
        {"metrics": {"ws/exact": {**EXACT, "outputs": ["exact-match"]}}},
    ],
)
def test_what_does_not_decide_about_scores_is_not_in_the_hash(same):
    assert benchmark(**same).content_hash == benchmark().content_hash


def test_rows_count_by_their_values_and_their_order():
    hashes = {of_rows(rows).content_hash for rows in (ROWS, ROWS[::-1], ROWS[:1], [{**ROWS[0], "id": 1}, ROWS[1]])}
    assert len(hashes) == 4
    assert of_rows(tuple(ROWS)).content_hash == of_rows().content_hash


MODEL = {"url": "http://model/v1", "name": "m"}


class TestJobRequest:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"benchmark": "qa"}, 'expected a Benchmark, or the reference "workspace/name" of a stored one, found'),
            ({"benchmark": {"name": "ws/qa"}}, "expected a Benchmark"),
            ({"prompt_template": "{{item.q}}"}, "ws/qa: a prompt_template needs a model"),
            ({"model": MODEL}, "ws/qa: a model needs a prompt_template"),
        ],
    )
    def test_what_can_not_be_run_is_refused(self, arguments, message):
        with pytest.raises(ConfigurationError, match=message):
            JobRequest(**{"benchmark": benchmark(), **arguments})

    def test_a_stored_benchmark_may_have_its_own_prompt_template(self):
        assert JobRequest("system/mmlu", model="ws/m").name == "system/mmlu"

    @pytest.mark.parametrize(
        "changed",
        [
            {"benchmark": benchmark(name="ws/renamed")},
            {"benchmark": of_rows()},
            {"benchmark": "ws/qa"},
            {"params": {"limit_samples": 5}},
            {"model": "ws/m", "prompt_template": "{{item.q}}"},
        ],
    )
    def test_another_job_has_another_identity(self, changed):
        assert JobRequest(**{"benchmark": benchmark(), **changed}).identity != JobRequest(benchmark()).identity


class TestRecordedBenchmark:
    @pytest.mark.parametrize("made", [benchmark(), of_rows()])
    def test_a_job_keeps_it(self, made):
        recorded = RecordedBenchmark.from_custom_fields({**JobRequest(made).custom_fields, "_others": {}})
        assert recorded == RecordedBenchmark(made.name, made.content)
        assert recorded.content_hash == made.content_hash

    def test_the_dataset_is_the_fileset_or_the_hash_of_the_rows(self):
        assert RecordedBenchmark.of(benchmark()).dataset == "ws/rows"
        assert RecordedBenchmark.of(of_rows()).dataset == f"2 rows, sha256 {of_rows().rows_hash}"

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"benchmark": "ws/qa"},
            {"benchmark_content": {"metrics": {}}},
            {"benchmark": 1, "benchmark_content": {"metrics": {}}},
            {"benchmark": "ws/qa", "benchmark_content": {"metrics": []}},
        ],
    )
    def test_a_job_of_others_keeps_none(self, fields):
        assert RecordedBenchmark.from_custom_fields(fields) is None
        assert JobRequest("ws/qa").custom_fields == {}


@pytest.mark.parametrize("name", ["ws/..a", "ws/a..", "ws/...", ".a/b"])
def test_dots_in_a_name_are_part_of_it(name):
    assert benchmark(name=name).name == name


def test_what_is_equal_as_json_has_one_hash():
    one, other = ({"ws/m": {"type": "number-check", "epsilon": n, "more": [{"a": n}]}} for n in (1, 1.0))
    assert benchmark(metrics=one).content_hash == benchmark(metrics=other).content_hash
    assert not differences(benchmark(metrics=one).content, benchmark(metrics=other).content)
    yes = {"ws/m": {"type": "number-check", "epsilon": True, "more": [{"a": 1}]}}
    assert benchmark(metrics=one).content_hash != benchmark(metrics=yes).content_hash
    assert differences(benchmark(metrics=one).content, benchmark(metrics=yes).content)


def test_what_is_written_for_people_is_not_measured():
    described = {"ws/m": {**EXACT, "description": "words", "labels": {"team": "a"}}}
    plainly = {"ws/m": EXACT}
    assert benchmark(metrics=described).content == benchmark(metrics=plainly).content
    assert benchmark(metrics=described).bodies["ws/m"]["description"] == "words"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"params": {"x": math.nan}}, "params.x must be a text, a finite number"),
        ({"params": {"x": {1}}}, "params.x must be a text"),
        ({"params": {"x": [10**5000]}}, "params.x.0 has too many digits"),
        ({"model": object()}, "model must be a text"),
        ({"model": {"url": "\ud800"}}, "model.url holds half a surrogate pair"),
        ({"model": "ws/m", "prompt_template": {"a": object()}}, "prompt_template.a must be a text"),
    ],
)
def test_what_a_benchmark_is_run_with_is_json(fields, message):
    with pytest.raises(ConfigurationError, match=message):
        JobRequest(benchmark(), **fields)
