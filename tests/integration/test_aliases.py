"""Names of metrics that a task gives to results whose submitter has not kept the names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest
from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService, example_spec
from tests.integration.conftest import SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context

ALIASES = {"my-workspace/exact-match": "qa/correct"}
RIGHT = {"exact-match": "qa/correct", "exact-match_2": "qa/strict"}
SWAPPED = {"exact-match": "qa/strict", "exact-match_2": "qa/correct"}
#: Of five items none, by a metric that is as good as never right.
NEVER = {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "never"}


@pytest.fixture
def run_job(service):
    """Run a job to its end."""

    def run(name):
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            client.submit_job(SPEC, name=name)
            wait_until_finished(client, name)

    return run


def gate(*checks, **arguments):
    operator = BenchmarkGateOperator(task_id="gate", checks=checks, **{"job_name": "job-1", **arguments})
    return operator.execute(task_context())


def test_aggregate_scores(run_job):
    run_job("job-1")
    operator = DownloadAggregateScoresOperator(task_id="download", job_name="job-1", aliases=ALIASES)
    records = operator.execute(task_context())
    assert {record["metric_ref"] for record in records} == {"qa/correct", "my-workspace/string-check"}


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_rows(run_job, tmp_path, format):
    run_job("job-1")
    place = str(tmp_path / "rows")
    operator = DownloadRowScoresOperator(
        task_id="download", job_name="job-1", destination=place, format=format, aliases=ALIASES
    )
    assert operator.execute(task_context())["rows"] == 5
    assert read_row_scores(place)["exact-match"].tolist() == [0, 0, 1, 1, 1]
    if format == "jsonl":
        rows = [json.loads(line) for line in Path(place).read_text().splitlines()]
        assert {metric for row in rows for metric in row["metrics"]} == {"qa/correct", "my-workspace/string-check"}


def test_a_gate_and_its_baseline(run_job):
    run_job("job-1")
    run_job("job-2")
    checks = [Threshold("qa/correct", at_least=0.6), NoRegression("qa/correct", margin=0.9, min_count=5)]
    verdict = gate(*checks, job_name="job-2", baseline="job-1", aliases=ALIASES)
    floor, compared = verdict["results"]
    assert floor["outcome"] == "pass"
    assert (compared["observed"], compared["count"]) == (0, 5)
    with pytest.raises(GateFailed, match='metric "qa/correct" is not in the results'):
        gate(*checks, job_name="job-2", baseline="job-1")


def test_a_baseline_that_was_stored_under_the_other_name(run_job, tmp_path):
    run_job("job-1")
    run_job("job-2")
    store = str(tmp_path / "store")
    for name in ("job-1", "job-2"):  # without aliases
        gate(Threshold("exact-match", at_least=0), job_name=name, store=store)
    stored = ScoreStore(store).find("job-1", workspace=WORKSPACE)
    assert stored.aggregate.get("exact-match").metric == "my-workspace/exact-match"
    ScoreStore(store).pin(stored, by="test")
    check = NoRegression("qa/correct", margin=0.9, min_count=5)
    (result,) = gate(check, job_name="job-2", store=store, aliases=ALIASES)["results"]
    assert (result["metric"], result["observed"], result["count"]) == ("qa/correct", 0, 5)


@pytest.mark.parametrize("aliases", ["exact-match", ["a"], {"a": 5}, {"a": "ws/m", "b": "ws/m"}])
def test_wrong_ones_raise_when_the_dag_is_parsed(aliases):
    with pytest.raises(ConfigurationError, match='task "gate": aliases: '):
        BenchmarkGateOperator(
            task_id="gate", job_name="job-1", checks=[Threshold("m", at_least=0)], aliases=aliases, store=""
        )


def test_a_template_is_rendered_first(run_job):
    run_job("job-1")
    operator = BenchmarkGateOperator(
        task_id="gate",
        job_name="job-1",
        checks=[Threshold("qa/correct", at_least=0.6)],
        aliases={"my-workspace/exact-match": "{{ 'qa' }}/correct"},
    )
    operator.render_template_fields(task_context())
    assert operator.execute(task_context())["outcome"] == "pass"


@pytest.fixture
def newer(monkeypatch):
    """A client of a service of release 0.8, which names metrics by their type."""
    with EvaluationService(release="0.8", job_seconds=0) as service:
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            yield client


@pytest.fixture
def of_others(newer):
    """A job whose submitter has kept no names: of its items 60 % match by one metric, 0 % by another."""
    spec = example_spec("0.8")
    matching = spec["metrics"][0]
    never = {**matching, "payload": {"kind": "inline", "metric": NEVER}}
    newer.submit_job({**spec, "metrics": [matching, never]}, name="job-1")
    wait_until_finished(newer, "job-1")
    return newer


def strict(**arguments):
    """What a gate with a slice finds that reads the rows, and one that reads the aggregate scores alone."""
    sliced = Threshold("qa/strict", at_least=0.5, where={"reference": ["4", "blue", "Jupiter"]})
    checks = {"on_failure": "continue", "aliases": RIGHT, **arguments}
    (of_rows,), (of_aggregate,) = (
        gate(check, **checks)["results"] for check in (sliced, Threshold("qa/strict", at_least=0.5))
    )
    return (of_rows["outcome"], of_rows["observed"]), (of_aggregate["outcome"], of_aggregate["observed"])


@pytest.mark.parametrize("first", [None, RIGHT, SWAPPED], ids=["none", "the same", "the other way round"])
@pytest.mark.parametrize("is_purged", [False, True])
def test_the_aliases_that_a_job_was_stored_with_decide_nothing(of_others, tmp_path, first, is_purged):
    store = str(tmp_path / "store")
    name = "exact-match" if first is None else "qa/strict"
    gate(Threshold(name, at_least=0, where={"reference": "4"}), store=store, aliases=first)
    if is_purged:
        of_others.delete_job("job-1")
    assert strict(store=store) == (("fail", 0), ("fail", 0))
    assert strict(store=store, aliases=SWAPPED) == (("pass", pytest.approx(2 / 3)), ("pass", 0.6))


@pytest.mark.parametrize("is_purged", [False, True])
def test_downloads_of_a_job_that_was_stored_with_other_aliases(of_others, tmp_path, is_purged):
    store = str(tmp_path / "store")
    gate(Threshold("qa/strict", at_least=0), store=store, aliases=SWAPPED)
    if is_purged:
        of_others.delete_job("job-1")
    arguments = {"task_id": "download", "job_name": "job-1", "store": store, "aliases": RIGHT}
    records = DownloadAggregateScoresOperator(**arguments).execute(task_context())
    assert {r["metric_ref"]: r["mean"] for r in records} == {"qa/correct": 0.6, "qa/strict": 0}
    place = str(tmp_path / "rows.jsonl")
    DownloadRowScoresOperator(destination=place, **arguments).execute(task_context())
    rows = [json.loads(line) for line in Path(place).read_text().splitlines()]
    assert [row["metrics"]["qa/strict"][0]["value"] for row in rows] == [0, 0, 0, 0, 0]
    with pytest.raises(DestinationExists, match="other aliases were set when they were stored"):
        DownloadRowScoresOperator(**arguments).execute(task_context())
    same = DownloadRowScoresOperator(**{**arguments, "aliases": SWAPPED}).execute(task_context())
    assert read_row_scores(same["path"])["qa/correct:exact-match"].tolist() == [0, 0, 0, 0, 0]


def test_a_name_that_the_submitter_has_kept_can_have_an_alias(newer, tmp_path):
    matching = example_spec("0.8")["metrics"][0]["payload"]["metric"]
    benchmark = Benchmark(
        "my-workspace/qa-bench", dataset="my-workspace/qa", metrics={"my-workspace/exact-match": matching}
    )
    newer.submit_job(JobRequest(benchmark), name="job-1")
    wait_until_finished(newer, "job-1")
    checks = [Threshold("qa/correct", at_least=0.6), Threshold("qa/correct", at_least=0, where={"reference": "4"})]
    for store in ("", str(tmp_path / "store")):
        verdict = gate(*checks, store=store, aliases=ALIASES)
        assert [result["outcome"] for result in verdict["results"]] == ["pass", "pass"]
    # An alias of the key that results have is for jobs without the name.
    for store in ("", str(tmp_path / "store")):
        assert gate(Threshold("my-workspace/exact-match", at_least=0.6), store=store, aliases=RIGHT)
