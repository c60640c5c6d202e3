"""A job of a score store that can't be read: it is not stored, and one that is there does not hide the others."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.store import ScoreStore, read_stored_job

SCORE = AggregateScore(metric="f1", name="f1", count=9, nan_count=0, mean=0.5)
BENCHMARK = {"workspace": "ws", "benchmark": "ws/qa"}


def job(number):
    created = datetime(2026, 11, number, tzinfo=UTC)
    return BenchmarkJob(name=f"job-{number}", status=JobStatus.COMPLETED, created_at=created, **BENCHMARK)


def twice(manifest):
    scores = manifest["scores"]["results"][0]["scores"]
    return {**manifest, "scores": {"results": [{"metric": "f1", "scores": scores * 2}]}}


@pytest.fixture
def store(tmp_path):
    """A store with three jobs, each of which a gate has passed."""
    store = ScoreStore(str(tmp_path))
    for number in (1, 2, 3):
        stored = store.add(job(number), AggregateScores((SCORE,)), store_rows=None)
        store.add_verdict(stored, "dag.gate", {"outcome": "pass"})
    return store


def damage(store, change):
    path = Path(store.root, "ws", "qa", "job-3", "manifest.json")
    changed = change(json.loads(path.read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))


def test_scores_that_can_not_be_read_again_are_not_stored(tmp_path):
    store = ScoreStore(str(tmp_path))
    with pytest.raises(IncompleteResults, match='score "f1" of metric f1 stands in the results twice'):
        store.add(job(1), AggregateScores((SCORE, SCORE)), store_rows=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        twice,
        lambda manifest: json.dumps(manifest)[:-20],
        lambda manifest: "[]",
        lambda manifest: "\x00",
        lambda manifest: {key: value for key, value in manifest.items() if key != "created_at"},
        lambda manifest: manifest | {"created_at": 5},
        lambda manifest: manifest | {"scores": {}},
    ],
)
def test_one_that_is_there_is_left_out_with_a_warning(store, change, caplog):
    damage(store, change)
    with caplog.at_level(logging.WARNING):
        assert [found.job for found in store.history(**BENCHMARK)] == ["job-2", "job-1"]
    told = "Left out a job of the score store: .*/ws/qa/job-3/manifest.json can't be read .*Delete the folder"
    (record,) = caplog.records
    assert re.search(told, record.getMessage())
    assert store.last_passed(**BENCHMARK).job == "job-2"
    assert store.find("job-3", workspace="ws") is None
    assert store.find("job-1", workspace="ws").job == "job-1"


def test_who_asks_for_it_is_told_what_to_do(store):
    damage(store, twice)
    told = (
        "job-3/manifest.json can't be read .*stands in the results twice.* Delete the folder, and store the job again"
    )
    for read in (
        lambda: store.get("job-3", **BENCHMARK),
        lambda: read_stored_job(f"{store.root}/ws/qa/job-3"),
        lambda: store.add(job(3), AggregateScores((SCORE,)), store_rows=None),
    ):
        with pytest.raises(IncompleteResults, match=told):
            read()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", "5"])
def test_a_pin_that_can_not_be_read_is_an_error_that_names_it(store, content):
    store.pin(store.get("job-1", **BENCHMARK))
    assert store.pinned(**BENCHMARK).job == "job-1"
    path = Path(store.root, "ws", "qa", "_pinned.json")
    path.write_text(content)
    with pytest.raises(IncompleteResults, match=f"{path} can't be read .* Pin the job again with PinBaselineOperator"):
        store.pinned(**BENCHMARK)
