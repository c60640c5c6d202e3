"""Names of metrics that a task gives to results whose submitter has not kept the names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context

ALIASES = {"my-workspace/exact-match": "qa/correct"}


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
