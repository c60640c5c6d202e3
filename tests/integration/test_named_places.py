"""Places that tasks name: what can't be opened, or would be another file on each worker, is refused at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import (
    DownloadAggregateScoresOperator,
    DownloadRowScoresOperator,
    StoreResultsOperator,
)
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import Place, ScoreStore
from tests.integration.conftest import WORKSPACE
from tests.support.contexts import task_context

CHECKS = [Threshold("m", at_least=0.5)]
GS = r"needs gcsfs and apache-airflow-providers-google: install airflow-provider-benchmarks\[gcs\]"
#: The library alone reads these.
GS_LIBRARY = r"gs:// needs gcsfs: install airflow-provider-benchmarks\[gcs\]"


@pytest.fixture(autouse=True)
def without_other_storages(monkeypatch):
    for module in ("gcsfs", "airflow.providers.google", "adlfs", "airflow.providers.microsoft.azure"):
        monkeypatch.setitem(sys.modules, module, None)


def gate(**arguments):
    return BenchmarkGateOperator(**{"task_id": "t", "job_name": "j", "checks": CHECKS, **arguments})


def rows(**arguments):
    return DownloadRowScoresOperator(task_id="t", job_name="j", **arguments)


def run(**arguments):
    return RunBenchmarkJobOperator(task_id="t", **arguments)


def pin(**arguments):
    return PinBaselineOperator(**{"task_id": "t", "job_name": "j", **arguments})


def results(**arguments):
    return StoreResultsOperator(**{"task_id": "t", "path": "/runs", "store": "/s", **arguments})


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (gate, {"store": "gs://b/scores"}, rf'gate "t": store: "gs://b/scores": gs:// {GS}'),
        (gate, {"report": "gs://b/{{ ds }}.md"}, rf'gate "t": report: gs:// {GS}'),
        (gate, {"checks": None, "policy": "gs://b/p.yaml"}, rf'gate "t": policy: "gs://b/p.yaml": gs:// {GS}'),
        (gate, {"baseline": "gs://b/j"}, f'gate "t": baseline: "gs://b/j": {GS_LIBRARY}'),
        (gate, {"job_name": "gs://b/j"}, f'gate "t": job_name: "gs://b/j": {GS_LIBRARY}'),
        (gate, {"checks": [NoRegression("m", margin=0.1, baseline="gs://b/j")]}, f'gate "t": baseline: .*{GS_LIBRARY}'),
        (rows, {"destination": "gs://b/x.jsonl"}, rf'task "t": destination: "gs://b/x.jsonl": gs:// {GS}'),
        (rows, {"destination": "abfs://c/x.jsonl"}, r"abfs:// needs adlfs and .*azure: install .*\[azure\]"),
        (rows, {"destination": "https://h/x.jsonl"}, "Airflow's object storage opens no web addresses"),
        (run, {"benchmark": "gs://b/qa.yaml"}, rf'task "t": benchmark: "gs://b/qa.yaml": gs:// {GS}'),
        (pin, {"store": "gs://b/scores"}, GS),
        (pin, {"job_name": "gs://b/j"}, GS_LIBRARY),
        (results, {"path": "gs://b/run"}, GS_LIBRARY),
        (gate, {"store": "s3:/b/scores"}, r'store: "s3:/b/scores" is no URL: did you mean "s3://b/scores"\?'),
        (rows, {"destination": Path("s3://b/x.jsonl")}, r'did you mean "s3://b/x.jsonl"\?'),
        (run, {"benchmark": "s3:/b/qa.yaml"}, r'did you mean "s3://b/qa.yaml"\?'),
        (gate, {"baseline": "gs:/b/j"}, r'did you mean "gs://b/j"\?'),
        (results, {"path": "S3:b/run"}, r'did you mean "s3://b/run"\?'),
    ],
)
def test_a_storage_that_can_not_be_opened_is_told_while_the_dag_is_parsed(make, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (gate, "store", "scores"),
        (gate, "report", "./reports/gate.md"),
        (rows, "destination", "rows.jsonl"),
        (rows, "destination", "file:rows.jsonl"),
        (results, "store", "scores/a"),
        (pin, "store", "file://scores"),
    ],
)
def test_a_relative_place_to_write_to_is_warned_of_with_what_it_is(make, name, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=rf'"t": {name}: "{value}" is relative to the folder .* {tmp_path}/\w.*s3://'):
        make(**{name: value})


def test_what_a_template_gives_is_checked_before_anything_is_judged(service, task_log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = gate(store="{{ params.store }}")
    task.store = "s3:/b/scores"
    with pytest.raises(ConfigurationError, match=r'did you mean "s3://b/scores".* \(the template .* gives it\)'):
        task.execute(task_context())
    assert service.requests == []
    task.store = "scores"
    with pytest.raises(BenchmarkError):  # there is no such job
        task.execute(task_context())
    assert f'store: "scores" is relative to the folder that a worker runs in, here {tmp_path}/scores.' in task_log()


def test_the_store_of_the_configuration_is_checked_where_a_task_takes_it(monkeypatch):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", "gs://b/scores")
    assert conf.get("benchmarks", "score_store") == "gs://b/scores"
    with pytest.raises(ConfigurationError, match=rf'gate "t": \[benchmarks\] score_store: "gs://b/scores": gs:// {GS}'):
        gate()
    gate(store="")
    run(spec={"benchmark": f"{WORKSPACE}/b"})


@pytest.mark.filterwarnings("error::UserWarning")
def test_absolute_places_and_those_that_are_read_are_taken(tmp_path):
    (tmp_path / "qa.json").write_text(
        json.dumps({"name": "w/b", "dataset": "w/d", "metrics": {"w/m": {"type": "exact-match", "reference": "x"}}})
    )
    gate(store=str(tmp_path), report="~/gate.md", baseline="s3://aws@b/j")
    rows(destination=f"file://{tmp_path}/x.jsonl")
    results(path="runs/latest", store="s3://b/scores")
    run(benchmark=str(tmp_path / "qa.json"))
    DownloadAggregateScoresOperator(task_id="t", job_name="j", destination=f"file:{tmp_path}/x.json", store="")


@pytest.mark.parametrize(
    "use",
    [lambda url: Place(url).object_path, lambda url: ScoreStore(url).root and Place(url).location, read_row_scores],
)
def test_one_slash_is_no_local_path_elsewhere_either(use):
    with pytest.raises(ConfigurationError, match=r'"s3:/b/scores" is no URL: did you mean "s3://b/scores"\?'):
        use("s3:/b/scores")


@pytest.mark.parametrize(
    "task",
    [
        lambda: gate(store="s3://us:pa55word-xyz@{{ params.bucket }}/x"),
        lambda: gate(job_name="s3://us:pa55word-xyz@bucket/{{ run_id }}"),
        lambda: gate(checks=[NoRegression("w/m", baseline="s3://us:pa55word-xyz@bucket/x")]),
        lambda: gate(checks=[NoRegression("w/m", baseline="s3://us:pa55word-xyz@bucket/{{ ds }}")]),
        lambda: rows(destination="s3://us:pa55word-xyz@bucket/{{ ds }}.jsonl"),
    ],
)
def test_a_password_is_refused_wherever_a_place_is_named(task):
    with pytest.raises(ConfigurationError, match="a password does not belong into the URL of a storage") as caught:
        task()
    assert "pa55word" not in str(caught.value)


def test_one_slash_before_a_template_is_refused():
    with pytest.raises(ConfigurationError, match="is no URL: did you mean"):
        rows(destination="s3:/b/{{ ds }}.jsonl")
