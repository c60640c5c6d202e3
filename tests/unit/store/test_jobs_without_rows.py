"""A job that is stored without rows: what an interrupted task has left of some, and rows that come later."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.store import RowFormat, ScoreStore, job_writer, store_rows

JOB = BenchmarkJob(
    name="nightly",
    workspace="ws",
    benchmark="ws/qa",
    status=JobStatus.COMPLETED,
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
)
SCORES = AggregateScores((AggregateScore(metric="ws/m", name="s", count=1, nan_count=0, mean=1.0),))
CHECK = Threshold("m", at_least=0.5, where={"part": "a"})


class Killed(BaseException):
    """A worker that dies."""


def rows(place):
    line = {"row_index": 0, "item": {"part": "a"}, "metrics": {"ws/m": [{"name": "s", "value": 1.0}]}}
    return store_rows([json.dumps(line).encode()], place, row_format=RowFormat(name="parquet"))


def killed_after_the_rows(place):
    rows(place)
    raise Killed


def gate(folder):
    (result,) = run_gate([CHECK], FolderSource(checks=[CHECK], candidate_path=folder)).results
    return result


@pytest.fixture
def interrupted(tmp_path):
    store = ScoreStore(str(tmp_path))
    with pytest.raises(Killed):
        store.add(JOB, SCORES, store_rows=killed_after_the_rows)
    (file,) = tmp_path.rglob("row-scores.parquet")
    return store, file


def test_rows_that_an_interrupted_task_has_left_are_removed(interrupted):
    store, file = interrupted
    store.add(JOB, SCORES, store_rows=None)
    assert not file.exists()
    assert gate(str(file.parent)).reason == "the row scores are needed for this check, and the job has none"


def test_where_nobody_may_delete_them_it_is_logged(interrupted, monkeypatch, caplog):
    store, file = interrupted
    remove = os.remove

    def refuse(path, **options):
        if Path(path) == file:
            raise PermissionError(13, "Permission denied", str(path))
        remove(path, **options)

    monkeypatch.setattr(os, "remove", refuse)
    with caplog.at_level(logging.WARNING, logger=job_writer.__name__):
        assert store.add(JOB, SCORES, store_rows=None).rows is None
    assert f"{file} is left from an interrupted task, and could not be removed" in caplog.text


def test_that_rows_came_later_is_logged(tmp_path, caplog):
    store = ScoreStore(str(tmp_path))
    store.add(JOB, SCORES, store_rows=None)
    store.add(JOB, SCORES, store_rows=None)
    assert not caplog.records
    assert store.add(JOB, SCORES, store_rows=rows).rows is None
    (record,) = caplog.records
    assert "was stored without row scores, and stays so" in record.getMessage()
    assert f"delete {tmp_path}/ws/qa/nightly" in record.getMessage()


def test_of_a_job_with_rows_nothing_is_logged(tmp_path, caplog):
    store = ScoreStore(str(tmp_path))
    store.add(JOB, SCORES, store_rows=rows)
    assert store.add(JOB, SCORES, store_rows=rows).rows is not None
    assert not caplog.records
