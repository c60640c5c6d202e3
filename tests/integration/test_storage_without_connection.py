"""Object storage that a URL without a connection names: a process sees what others write there, and remove."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults, ResultsChanged
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource, load_scores
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.scores import AggregateScores, read_row_scores, selected_rows
from airflow_provider_benchmarks.scores.stored_files import filesystem_of
from airflow_provider_benchmarks.store import Place, RowFormat, ScoreStore, read_stored_job, store_rows
from tests.support.s3_server import BUCKET

WHERE = {"workspace": "w", "benchmark": "w/b"}
FOLDER = "w/b/job-1"


@pytest.fixture(params=["s3://", "s3a://", "s3://aws_scores@"])
def root(request, s3, monkeypatch, tmp_path):
    for name, value in (("ENDPOINT_URL", s3.url), ("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return f"{request.param}{BUCKET}/{tmp_path.name}"


def lines(values, tag="q"):
    return [
        json.dumps(
            {"row_index": i, "item": {"q": f"{tag}{i}"}, "sample": {}, "metrics": {"w/m": [{"name": "s", "value": v}]}}
        ).encode()
        + b"\n"
        for i, v in enumerate(values)
    ]


def aggregate(values):
    mean = sum(values) / len(values)
    score = {"name": "s", "count": len(values), "nan_count": 0, "mean": mean, "variance": mean * (1 - mean)}
    return {"results": [{"metric": "w/m", "scores": [{**score, "min": 0, "max": 1}]}]}


def write_rows(place, values, tag="q"):
    return store_rows(lines(values, tag), Place(place), row_format=RowFormat(name="parquet"))


def add(root, values):
    job = BenchmarkJob(name="job-1", status=JobStatus.COMPLETED, created_at=datetime(2026, 11, 1, tzinfo=UTC), **WHERE)
    ScoreStore(root).add(
        job, AggregateScores.from_json(aggregate(values)), store_rows=lambda place: write_rows(place.url, values)
    )


def key(root, name=""):
    return f"{root.rpartition('/')[2]}/{FOLDER}/{name}"


def objects(s3, root):
    """The objects of the job as another process would see, write and remove them."""
    return {
        found["Key"]: s3.read(found["Key"])
        for found in s3.client.list_objects_v2(Bucket=BUCKET, Prefix=key(root)).get("Contents", ())
    }


def observed(root):
    checks = [Threshold("w/m", at_least=0, by="q", min_count=1)]
    verdict = run_gate(checks, FolderSource(checks=checks, candidate_path=f"{root}/{FOLDER}"))
    return sum(result.observed for result in verdict.results)


def test_a_job_that_others_complete_is_seen(s3, root):
    add(root, [1, 0, 1])
    manifest = s3.read(key(root, "manifest.json"))
    s3.client.delete_object(Bucket=BUCKET, Key=key(root, "manifest.json"))
    for _ in range(2):
        with pytest.raises(IncompleteResults, match="has no manifest.json"):
            observed(root)
    assert ScoreStore(root).history(**WHERE) == []
    s3.client.put_object(Bucket=BUCKET, Key=key(root, "manifest.json"), Body=manifest)
    assert [job.job for job in ScoreStore(root).history(**WHERE)] == ["job-1"]
    assert observed(root) == 2
    assert read_stored_job(f"{root}/{FOLDER}").job == "job-1"


def test_a_job_that_others_store_again_is_read_as_it_is(s3, root):
    add(root, [1, 1, 1])
    late = objects(s3, root)
    s3.client.delete_object(Bucket=BUCKET, Key=key(root, "manifest.json"))
    for name in late:
        s3.client.delete_object(Bucket=BUCKET, Key=name)
    add(root, [1, 0])
    assert observed(root) == 1
    for name, content in late.items():
        s3.client.put_object(Bucket=BUCKET, Key=name, Body=content)
    assert [len(ScoreStore(root).scores(job).rows) for job in ScoreStore(root).history(**WHERE)] == [3]
    assert len(read_row_scores(f"{root}/{FOLDER}/row-scores.parquet")) == 3
    assert observed(root) == 3


def test_rows_that_others_add_later_are_seen(s3, root):
    folder = f"{root}/{FOLDER}"
    s3.client.put_object(
        Bucket=BUCKET, Key=key(root, "aggregate-scores.json"), Body=json.dumps(aggregate([1, 0])).encode()
    )
    checks = [Threshold("w/m", at_least=0, by="q", min_count=1)]
    assert load_scores(folder, checks).scores.rows is None
    write_rows(f"{folder}/other.parquet", [1, 0])
    s3.client.copy_object(
        Bucket=BUCKET, Key=key(root, "row-scores.parquet"), CopySource=f"{BUCKET}/{key(root, 'other.parquet')}"
    )
    assert len(load_scores(folder, checks).scores.rows) == 2


def bare(s3, root):
    """Two folders without a manifest."""
    for name, values in (("candidate", [1, 0] * 20), ("baseline", [1] * 40)):
        write_rows(f"{root}/{name}/row-scores.parquet", values)
        body = json.dumps(aggregate(values)).encode()
        s3.client.put_object(Bucket=BUCKET, Key=f"{root.rpartition('/')[2]}/{name}/aggregate-scores.json", Body=body)
    checks = [NoRegression("w/m")]
    return checks, FolderSource(
        checks=checks, candidate_path=f"{root}/candidate", baseline_paths={"": f"{root}/baseline"}
    )


def test_an_object_that_is_replaced_between_two_reads_of_a_gate(s3, root, monkeypatch):
    checks, source = bare(s3, root)
    number_items = selected_rows.number_items

    def replaced(paths, **options):
        write_rows(f"{root}/candidate/row-scores.parquet", [1, 0] * 20, "z")
        return number_items(paths, **options)

    monkeypatch.setattr(selected_rows, "number_items", replaced)
    with pytest.raises(ResultsChanged, match=f"^{root}/candidate/row-scores.parquet changed while it was read"):
        run_gate(checks, source)


def test_an_object_that_is_replaced_while_it_is_open(s3, root, monkeypatch):
    path = f"{root}/rows.parquet"
    values = [i % 7 / 7 for i in range(60_000)]
    write_rows(path, values)
    filesystem, place = filesystem_of(path)
    opened = type(filesystem).open

    def replaced(self, name, *args, **kwargs):
        file = opened(self, name, *args, **kwargs)
        if name == place:
            s3.client.put_object(Bucket=BUCKET, Key=place.partition("/")[2], Body=b"PAR1" * 9)
        return file

    monkeypatch.setattr(type(filesystem), "open", replaced)
    with pytest.raises(ResultsChanged, match=f"^{path} was written anew while it was read. Read it again"):
        read_row_scores(path)


def test_the_name_of_a_folder_may_have_two_colons(s3, root):
    add(f"{root}/a::b", [1, 0, 1])
    assert {name.split("/")[1] for name in s3.list_keys() if name.startswith(root.rpartition("/")[2])} == {"a::b"}
    assert observed(f"{root}/a::b") == 2
