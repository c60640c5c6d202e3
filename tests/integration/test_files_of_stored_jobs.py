"""What is read of a stored job is what was stored: other files in its folder are refused, on a local disk and on S3."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults, NotStored
from airflow_provider_benchmarks.gates import NoRegression, Outcome, Threshold
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.scores.listed_files import END_BYTES
from airflow_provider_benchmarks.scores.value_statistics import value_statistics
from airflow_provider_benchmarks.store import Place, RowFormat, ScoreStore, read_stored_job, store_rows
from tests.support.contexts import task_context
from tests.support.stored_rows import line

WHERE = {"workspace": "ws", "benchmark": "ws/qa"}
ROWS, AGGREGATE, MANIFEST = "row-scores.parquet", "aggregate-scores.json", "manifest.json"


def add(root, name, values, texts=None):
    """Store a job with a score in each row.

    :param texts: of the items
    """
    statistics = value_statistics(np.array(values, dtype=float))
    aggregate = AggregateScores((AggregateScore(metric="ws/f1", name="f1", nan_count=0, **statistics),))
    texts = texts or [f"q{i}" for i in range(len(values))]
    scores = [{"ws/f1": {"f1": float(value)}} for value in values]
    lines = [line(i, {"q": text}, found) for i, (text, found) in enumerate(zip(texts, scores, strict=True))]

    def write(place):
        return store_rows(lines, place, row_format=RowFormat(name="parquet"), expected_rows=len(values))

    job = BenchmarkJob(name=name, status=JobStatus.COMPLETED, created_at=datetime(2026, 11, 2, tzinfo=UTC), **WHERE)
    return ScoreStore(root).add(job, aggregate, store_rows=write)


def folder(root, name):
    return f"{root}/ws/qa/{name}"


def path(root, name, file):
    return Place(f"{folder(root, name)}/{file}").object_path


@pytest.fixture
def jobs(root):
    """A job that is much worse than another, with files of the same sizes."""
    values = np.array([1.0] * 90 + [0.0] * 10)
    add(root, "good", values)
    add(root, "bad", 1 - values)
    return root


def gate(root, checks):
    source = FolderSource(checks=checks, candidate_path=folder(root, "bad"), baseline_paths={"": folder(root, "good")})
    return run_gate(checks, source)


def reads(root):
    """All that reads the rows of a stored job."""
    store = ScoreStore(root)
    checks = [NoRegression("f1", margin=0.01)]
    pin = PinBaselineOperator(task_id="pin", job_name=folder(root, "bad"), store=root)
    places = {"job_name": folder(root, "bad"), "baseline": folder(root, "good")}
    task = BenchmarkGateOperator(task_id="gate", checks=checks, **places)
    return [
        lambda: store.scores(store.get("bad", **WHERE)),
        lambda: store.scores(store.get("bad", **WHERE), columns=["f1"]),
        lambda: store.scores(read_stored_job(folder(root, "bad"))),
        lambda: gate(root, checks),
        lambda: pin.execute(task_context()),
        lambda: task.execute(task_context()),
    ]


def refused(root, match):
    for read in reads(root):
        with pytest.raises(Exception, match=match) as caught:
            read()
        assert isinstance(caught.value, IncompleteResults | NotStored) or "can't be a baseline" in str(caught.value)


def as_earlier_release(root, name):
    """Write a manifest without what this release has added."""
    file = path(root, name, MANIFEST)
    manifest = json.loads(file.read_bytes())
    for each in manifest["files"]:
        each.pop("end_sha256", None)
    file.write_bytes(json.dumps(manifest).encode())


def test_files_that_were_stored_are_read(jobs):
    for manifest in ("of this release", "of an earlier one"):
        assert list(ScoreStore(jobs).scores(ScoreStore(jobs).get("bad", **WHERE)).rows["f1"]) == [0.0] * 90 + [1.0] * 10
        assert gate(jobs, [NoRegression("f1", margin=0.01)]).outcome == Outcome.FAIL, manifest
        for name in ("good", "bad"):
            as_earlier_release(jobs, name)


@pytest.mark.parametrize("release", ["this", "earlier"])
def test_rows_of_another_job_are_refused(jobs, release):
    if release == "earlier":
        as_earlier_release(jobs, "bad")
    path(jobs, "bad", ROWS).write_bytes(path(jobs, "good", ROWS).read_bytes())
    refused(jobs, f"{folder(jobs, 'bad')}/{ROWS} is not the file that .*bad/{MANIFEST} lists: .*Delete the folder")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\n",
        lambda content: content * 2,
        lambda content: b"\0" * len(content),
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
    ],
)
def test_a_file_that_was_damaged_is_refused(jobs, change):
    file = path(jobs, "bad", ROWS)
    file.write_bytes(change(file.read_bytes()))
    refused(jobs, f"{folder(jobs, 'bad')}/{ROWS} is not the file that .* lists: it")


def test_rows_that_are_not_there_are_named(jobs):
    path(jobs, "bad", ROWS).unlink()
    refused(jobs, f"{folder(jobs, 'bad')}/{ROWS} is not *there")


@pytest.mark.parametrize("name", [ROWS, AGGREGATE, MANIFEST])
def test_links_in_a_circle_are_named(tmp_path, name):
    root = str(tmp_path)
    add(root, "good", [1.0] * 9)
    add(root, "bad", [0.0] * 9)
    place = Path(folder(root, "bad"), name)
    place.unlink()
    place.symlink_to(name)
    with pytest.raises(IncompleteResults, match=f"{place} can't be read .its links lead in a circle"):
        gate(root, [NoRegression("f1", margin=0.01)])


def test_another_number_of_rows_is_refused(jobs):
    file = path(jobs, "bad", MANIFEST)
    file.write_bytes(file.read_bytes().replace(b'"rows": 100', b'"rows": 99'))
    refused(jobs, f"{ROWS} is not the file that .* lists: it has 100 rows, and not 99")


@pytest.mark.parametrize("release", ["this", "earlier"])
def test_aggregate_scores_of_another_job_are_refused(jobs, release):
    if release == "earlier":
        as_earlier_release(jobs, "bad")
    path(jobs, "bad", AGGREGATE).write_bytes(path(jobs, "good", AGGREGATE).read_bytes())
    with pytest.raises(IncompleteResults, match=f"bad/{AGGREGATE} is not the file that .*bad/{MANIFEST} lists: it"):
        gate(jobs, [Threshold("f1", at_least=0.5)])


def test_aggregate_scores_that_are_not_there_are_named(jobs):
    path(jobs, "bad", AGGREGATE).unlink()
    with pytest.raises(IncompleteResults, match=f"bad/{AGGREGATE} is not there, which the folder's manifest lists"):
        gate(jobs, [Threshold("f1", at_least=0.5)])


def test_the_manifest_of_another_job_is_refused(jobs):
    path(jobs, "bad", MANIFEST).write_bytes(path(jobs, "good", MANIFEST).read_bytes())
    store = ScoreStore(jobs)
    with pytest.raises(IncompleteResults, match="bad/manifest.json can't be read .*it is of another job"):
        store.get("bad", **WHERE)
    with pytest.raises(IncompleteResults, match=f"bad/{ROWS} is not the file that"):
        store.scores(read_stored_job(folder(jobs, "bad")))
    with pytest.raises(IncompleteResults, match=f"bad/{AGGREGATE} is not the file that"):
        gate(jobs, [Threshold("f1", at_least=0.5)])


@pytest.mark.parametrize("name", ["row-scores.jsonl", ROWS])
def test_rows_that_the_manifest_does_not_list_are_refused(root, name):
    aggregate = AggregateScores((AggregateScore(metric="ws/f1", name="f1", count=1, nan_count=0, mean=0.5),))
    job = BenchmarkJob(name="bad", status=JobStatus.COMPLETED, created_at=datetime(2026, 11, 2, tzinfo=UTC), **WHERE)
    stored = ScoreStore(root).add(job, aggregate, store_rows=None)
    add(root, "good", [1.0])
    assert gate(root, [Threshold("f1", at_least=0.5)]).passed
    path(root, "bad", name).write_bytes(path(root, "good", ROWS).read_bytes())
    assert ScoreStore(root).scores(stored).rows is None
    with pytest.raises(IncompleteResults, match=f"bad/{name} is not among the files that .*bad/{MANIFEST} lists"):
        gate(root, [NoRegression("f1", margin=0.1)])


def test_a_large_file_is_known_by_its_end_and_its_pages(root):
    texts = [hashlib.shake_256(str(i).encode()).hexdigest(300) for i in range(5000)]
    values = np.arange(5000) % 2
    add(root, "good", 1 - values, texts)
    add(root, "bad", values, texts)
    store, file, content = ScoreStore(root), path(root, "bad", ROWS), path(root, "bad", ROWS).read_bytes()
    swapped = path(root, "good", ROWS).read_bytes()
    assert len(content) > END_BYTES
    assert list(store.scores(store.get("bad", **WHERE), columns=["f1"]).rows["f1"]) == list(values)
    for at in (len(content) // 5, len(content) - 20):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(IncompleteResults, match=f"bad/{ROWS}"):
            store.scores(store.get("bad", **WHERE))
    file.write_bytes(swapped)
    refused(root, f"bad/{ROWS} is not the file that .* lists: it has .* bytes")
    manifest = path(root, "bad", MANIFEST)
    size = f'"bytes": {len(content)}'.encode()
    assert size in manifest.read_bytes()
    manifest.write_bytes(manifest.read_bytes().replace(size, f'"bytes": {len(swapped)}'.encode()))
    refused(root, f"bad/{ROWS} is not the file that .* lists: its content has the SHA-256")
