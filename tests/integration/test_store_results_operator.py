"""Results of other evaluators, stored by a task; the files are those of the real evaluators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, ResultsTooLarge
from airflow_provider_benchmarks.operators.results import StoreResultsOperator
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.scores.results_files import EVALUATORS
from airflow_provider_benchmarks.store import ScoreStore
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

RECORDED = Path(__file__).parents[1] / "recorded" / "evaluators"


def run(**arguments):
    return StoreResultsOperator(task_id="store", **arguments).execute(task_context())


def test_a_run_is_stored(tmp_path):
    stored = run(path=str(RECORDED / "nel" / "better"), store=str(tmp_path), benchmark="qa/trivia")
    (found,) = ScoreStore(str(tmp_path)).history(workspace="qa", benchmark="qa/trivia")
    assert stored == [
        {
            "job": found.job,
            "workspace": "qa",
            "benchmark": "qa/trivia",
            "path": f"{tmp_path}/qa/trivia/{found.job}",
            "rows": 18,
        }
    ]
    assert json.loads(json.dumps(stored)) == stored
    assert run(path=str(RECORDED / "nel" / "better"), store=str(tmp_path), benchmark="qa/trivia") == stored


@pytest.mark.parametrize("tool", EVALUATORS)
def test_results_and_store_may_be_in_object_storage(s3, tool):
    root = RECORDED / tool / "better"
    for file in (file for file in root.rglob("*") if file.is_file()):
        s3.client.put_object(Bucket=BUCKET, Key=f"runs/{tool}/{file.relative_to(root)}", Body=file.read_bytes())
    stored = run(path=f"s3://aws_scores@{BUCKET}/runs/{tool}", store=f"s3://aws_scores@{BUCKET}/store")
    assert {each["workspace"] for each in stored} == {tool}
    assert [each["rows"] for each in stored] == [18 if tool in ("nel", "inspect_ai") else 9] * len(stored)
    assert stored[0]["path"].startswith(f"s3://aws_scores@{BUCKET}/store/{tool}/")
    for each in stored:
        task = each["benchmark"].partition("/")[2]
        local = read_results(root, tool, task=task)
        there = read_results(f"s3://aws_scores@{BUCKET}/runs/{tool}", task=task)
        assert (there.job, there.aggregate) == (local.job, local.aggregate)


def test_files_that_were_written_anew_since_they_were_listed(s3):
    """As a filesystem of Airflow's lives as long as the process."""
    root = RECORDED / "lighteval"
    for each in ("better", "worse"):
        for file in (file for file in (root / each).rglob("*") if file.is_file()):
            key = f"anew/{file.relative_to(root / each)}"
            s3.client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
        (results,) = (root / each).rglob("results_*.json")
        path = f"s3://aws_scores@{BUCKET}/anew/results/listed/{results.name}"
        assert read_results(path).aggregate == read_results(results).aggregate
    (details,) = (root / "worse").rglob("*.parquet")
    s3.client.put_object(Bucket=BUCKET, Key=f"anew/{details.relative_to(root / 'worse')}", Body=b"damaged")
    with pytest.raises(IncompleteResults, match="parquet can't be read"):
        read_results(path)


def test_a_storage_that_can_t_be_reached(tmp_path, monkeypatch):
    extra = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": {"region_name": "us-east-1", **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_NOWHERE", json.dumps(connection))
    there, here = "s3://aws_nowhere@runs/a", {"path": str(RECORDED / "nel" / "better"), "store": str(tmp_path)}
    for arguments in (here | {"path": there}, here | {"store": there}):
        with pytest.raises(OSError, match=f"{there}.*: the storage can't be reached.*EndpointConnectionError"):
            run(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_one_benchmark_of_several(tmp_path):
    path = str(RECORDED / "lm-eval" / "better")
    assert [each["benchmark"] for each in run(path=path, store=str(tmp_path), task_name="trivia")] == ["lm-eval/trivia"]
    assert len(run(path=path, store=str(tmp_path), task_name="")) == 2


def test_no_store_is_an_error():
    with pytest.raises(ConfigurationError, match='task "store" has no score store: set store='):
        run(path=str(RECORDED / "nel" / "better"))


def test_what_is_damaged_is_not_stored(tmp_path):
    (tmp_path / "a.eval").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(IncompleteResults, match="a.eval can't be read"):
        run(path=str(tmp_path / "a.eval"), store=str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"format": "helm"}, 'unknown format "helm" of results; known: auto, lm-eval'), ({"path": " "}, "no results")],
)
def test_wrong_arguments_are_refused_while_the_dag_is_parsed(wrong, told):
    with pytest.raises(ConfigurationError, match=f'task "store": .*{told}'):
        StoreResultsOperator(task_id="store", **{"path": "p", **wrong})


def test_arguments_may_be_templates():
    operator = StoreResultsOperator(task_id="store", path="runs/{{ ds }}", format="{{ params.tool }}")
    assert {"path", "store", "benchmark", "task_name", "format"} <= set(operator.template_fields)


def test_an_xcom_has_its_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__MAX_XCOM_BYTES", "20")
    with pytest.raises(ResultsTooLarge, match="Store fewer benchmarks with task_name="):
        run(path=str(RECORDED / "nel" / "better"), store=str(tmp_path))
