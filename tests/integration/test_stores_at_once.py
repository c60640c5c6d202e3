"""Tasks that store jobs of one name at the same time: a job that is there keeps its files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from airflow_provider_benchmarks.exceptions import BenchmarkError, DestinationExists, IncompleteResults
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.store import (
    Place,
    RowFormat,
    ScoreStore,
    StoredFile,
    StoredJob,
    job_writer,
    store_rows,
)

CREATED = datetime(2026, 11, 1, tzinfo=UTC)
WHERE = {"workspace": "w", "benchmark": "w/b"}
A, B = [1.0] * 20, [0.0, 1.0, 0.0, 0.0] * 5
NAMES = ("job.json", "aggregate-scores.json", "row-scores.parquet", "manifest.json")


def write(values, place, compression=None) -> StoredFile:
    lines = [
        json.dumps({"row_index": i, "item": {}, "metrics": {"w/m": [{"name": "s", "value": value}]}}).encode() + b"\n"
        for i, value in enumerate(values)
    ]
    return store_rows(lines, place, row_format=RowFormat(name="parquet", compression=compression))


def add(store, id, values, *, meanwhile=lambda: None, hours=0, name="nightly", compression=None) -> StoredJob:
    """Store a job whose download takes as long as what is done meanwhile."""
    score = AggregateScore(metric="w/m", name="s", count=len(values), nan_count=0, mean=sum(values) / len(values))
    job = BenchmarkJob(
        name=name, id=id, status=JobStatus.COMPLETED, created_at=CREATED + timedelta(hours=hours), **WHERE
    )

    def rows(place: Place) -> StoredFile:
        meanwhile()
        return write(values, place, compression)

    return store.add(job, AggregateScores((score,)), store_rows=rows)


def content(store, name="nightly"):
    return {each: Place(f"{store.folder('w', 'w/b')}/{name}/{each}").read_bytes() for each in NAMES}


def require_whole(store, values, name="nightly"):
    stored = store.get(name, **WHERE)
    assert list(store.scores(stored).rows["s"]) == values
    assert stored.aggregate.get("w/m").mean == sum(values) / len(values)


@pytest.fixture
def store(root):
    return ScoreStore(root)


@pytest.mark.parametrize("hours", [0, 1])
def test_a_job_that_was_stored_during_a_download_keeps_its_files_its_verdict_and_its_pin(store, hours):
    files = {}

    def store_another():
        stored = add(store, "id-a", A)
        store.add_verdict(stored, "dag.gate", {"outcome": "pass"})
        store.pin(stored)
        files.update(content(store))

    with pytest.raises(DestinationExists, match="holds another benchmark job"):
        add(store, "id-b", B, hours=hours, meanwhile=store_another)
    assert content(store) == files
    assert store.pinned(**WHERE).id == store.last_passed(**WHERE).id == "id-a"
    require_whole(store, A)


def test_scores_of_another_run_are_noticed_where_no_id_tells_them_apart(store):
    with pytest.raises(DestinationExists, match="with other scores"):
        add(store, "", B, meanwhile=lambda: add(store, "", A))
    require_whole(store, A)


def test_the_same_job_is_written_once(store):
    files = {}

    def store_it():
        add(store, "id-a", A)
        files.update(content(store))

    assert add(store, "id-a", A, meanwhile=store_it, compression="snappy").rows.rows == len(A)
    assert content(store) == files
    require_whole(store, A)


class Killed(BaseException):
    pass


@pytest.mark.parametrize(("id", "values"), [("id-b", B), ("id-b", A), ("", B)])
def test_the_task_that_has_begun_last_goes_on_and_the_other_gives_way(store, id, values):
    def kill():
        raise Killed

    def begin_second():
        with pytest.raises(Killed):
            add(store, id, values, meanwhile=kill)

    with pytest.raises(DestinationExists, match="storing another .* gives way"):
        add(store, "id-a" if id else "", A, meanwhile=begin_second)
    assert store.history(**WHERE) == []
    add(store, "id-a", A)
    require_whole(store, A)


def test_what_comes_between_the_rows_and_the_manifest_is_noticed(store, monkeypatch):
    """Of the requests themselves: another task's rows, of other settings, or its manifest, right after this one's."""
    place, real = Place(f"{store.folder('w', 'w/b')}/nightly/row-scores.parquet"), job_writer.store_json

    def rows_after_manifest(path, data):
        file = real(path, data)
        if path.endswith("manifest.json"):
            write(A, place, "snappy")
        return file

    monkeypatch.setattr(job_writer, "store_json", rows_after_manifest)
    with pytest.raises(IncompleteResults, match="another task has written .*row-scores.parquet while .* Run this one"):
        add(store, "id-a", A)
    monkeypatch.undo()

    def manifest_after_manifest(path, data):
        file = real(path, data)
        return real(path, data | {"id": "id-b"}) if path.endswith("manifest.json") else file

    monkeypatch.setattr(job_writer, "store_json", manifest_after_manifest)
    with pytest.raises(DestinationExists, match="with the id id-b and not id-c"):
        add(store, "id-c", A, name="other")


def test_tasks_that_store_two_jobs_of_one_name_at_once_leave_one_or_none_of_them(root, store):
    rounds = 12 if "://" not in root else 3
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            name, barrier = f"job-{number}", Barrier(2, timeout=60)

            def task(id, values, name=name, barrier=barrier):
                try:
                    add(ScoreStore(root), id, values, name=name, meanwhile=barrier.wait)
                except BenchmarkError as error:
                    return error
                return values

            stored = [each for each in pool.map(task, ("id-a", "id-b"), (A, B)) if not isinstance(each, BenchmarkError)]
            assert len(stored) <= 1
            for values in stored:
                require_whole(store, values, name)
