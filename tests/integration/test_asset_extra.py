"""What downloads write into the events of their outlets, so that the DAG that they start need not ask the service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.lineage.entities import File
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from tests.integration.conftest import BENCHMARK, WORKSPACE, completed_job
from tests.support.contexts import outlet_events, task_context

SCORES = Asset("stored-scores")
KNOWN = {
    "job": "job-1",
    "workspace": WORKSPACE,
    "benchmark": BENCHMARK,
    "means": {f"{WORKSPACE}/exact-match:exact-match": 0.6, f"{WORKSPACE}/string-check:string-check": 0.8},
}


@pytest.fixture(autouse=True)
def job(service) -> None:
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        completed_job(client)


def extra_of(kind: Any, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    """What a download returns, and the extra of its event."""
    events = outlet_events()
    operator = kind(task_id="store", job_name="job-1", outlets=[SCORES], **arguments)
    result = operator.execute({**task_context(), "outlet_events": events})
    extra: dict[str, Any] = json.loads(json.dumps(events[SCORES].extra, allow_nan=False))
    return result, extra


def test_aggregate_scores(tmp_path) -> None:
    path = str(tmp_path / "scores.json")
    assert extra_of(DownloadAggregateScoresOperator)[1] == KNOWN
    assert extra_of(DownloadAggregateScoresOperator, destination=path)[1] == {**KNOWN, "path": path}


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
def test_row_scores(tmp_path, format) -> None:
    stored, extra = extra_of(DownloadRowScoresOperator, destination=str(tmp_path / f"rows.{format}"), format=format)
    assert extra == {**KNOWN, "path": stored["path"], "rows": stored["rows"]}
    assert stored["rows"] == 5


def test_rows_that_go_into_xcom(tmp_path) -> None:
    rows, extra = extra_of(DownloadRowScoresOperator)
    assert extra == {**KNOWN, "rows": len(rows)}


def test_rows_in_a_score_store(tmp_path) -> None:
    stored, extra = extra_of(DownloadRowScoresOperator, store=str(tmp_path))
    assert extra == {**KNOWN, "path": stored["path"], "rows": stored["rows"]}


def test_outlets_that_are_no_assets_are_passed_over() -> None:
    events = outlet_events()
    alias = AssetAlias("all-scores")
    DownloadAggregateScoresOperator(
        task_id="store", job_name="job-1", outlets=[File(url="s3://scores/job-1"), SCORES, alias]
    ).execute({**task_context(), "outlet_events": events})
    assert (events[SCORES].extra, events[alias].extra, len(events)) == (KNOWN, KNOWN, 2)


def test_without_outlets_nothing_more_is_asked(service, tmp_path) -> None:
    service.clear_requests()
    DownloadAggregateScoresOperator(task_id="store", job_name="job-1").execute(task_context())
    assert [request.path.rpartition("/")[2] for request in service.requests] == ["job-1", "download"]
