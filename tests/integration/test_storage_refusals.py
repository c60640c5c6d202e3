"""A storage that is gone, has no such bucket, or refuses is an error that says so, and never an empty score store."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, NewerFormat
from airflow_provider_benchmarks.gates import NoRegression, WithinHistory
from airflow_provider_benchmarks.gates.sources import load_scores
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import AggregateScores, read_results, read_row_scores
from airflow_provider_benchmarks.scores.selected_rows import read_items
from airflow_provider_benchmarks.store import Place, ScoreStore, read_stored_job
from tests.integration.conftest import BENCHMARK, WORKSPACE, completed_job, only_sync
from tests.support.airflow_services import free_port
from tests.support.contexts import task_context
from tests.support.faulty_s3 import FaultyS3
from tests.support.s3_server import BUCKET

WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}
pytestmark = only_sync
CHECKS = [NoRegression("exact-match", baseline="pinned")]


def gate(root, **arguments):
    arguments = {"checks": [WithinHistory("exact-match")], "job_name": "job-1", "store": root, **arguments}
    return BenchmarkGateOperator(task_id="gate", on_failure="continue", **arguments).execute(task_context())


def download(root, **arguments):
    return DownloadRowScoresOperator(task_id="rows", job_name="job-1", **arguments).execute(task_context())


READS = {
    "history": lambda root: ScoreStore(root).history(**WHERE),
    "names": lambda root: ScoreStore(root).job_names(**WHERE),
    "last passed": lambda root: ScoreStore(root).last_passed(**WHERE),
    "passed since": lambda root: ScoreStore(root).passed_since(**WHERE, first=1, latest=1),
    "pin": lambda root: ScoreStore(root).pinned(**WHERE),
    "job": lambda root: ScoreStore(root).get("job-1", **WHERE),
    "job of any benchmark": lambda root: ScoreStore(root).find("job-1", workspace=WORKSPACE),
    "folder of a job": lambda root: read_stored_job(f"{root}/{WORKSPACE}/qa-bench/job-1"),
    "is there": lambda root: Place(f"{root}/rows.jsonl").is_file(),
    "a gate": gate,
    "a gate with a baseline": lambda root: gate(root, checks=CHECKS),
    "to pin": lambda root: PinBaselineOperator(task_id="pin", job_name="job-1", store=root).execute(task_context()),
    "a download into the store": lambda root: download(root, store=root),
    "a download that may skip": lambda root: download(root, destination=f"{root}/rows.jsonl", if_exists="skip"),
    "a download that may fail": lambda root: download(root, destination=f"{root}/rows.jsonl", if_exists="fail"),
    "a download of partitions": lambda root: download(
        root, destination=f"{root}/rows", if_exists="skip", partition_by="reference", format="parquet"
    ),
}
#: Which name what they were asked for, and raise what the storage says of it.
FILES = {
    "rows": lambda root: read_row_scores(f"{root}/rows.jsonl"),
    "a folder of scores": lambda root: load_scores(f"{root}/{WORKSPACE}/qa-bench/job-1", CHECKS),
    "results of evaluators": lambda root: read_results(f"{root}/results"),
    "a download": lambda root: download(root, destination=f"{root}/rows.jsonl"),
}
#: Of a folder of results only names are listed, so there is nothing at its path.
OF_BUCKETS = {name: read for name, read in (READS | FILES).items() if name != "results of evaluators"}


@pytest.fixture
def root_at(client, monkeypatch):
    """The root of a store at a storage, by a connection of its own: Airflow keeps a filesystem for each."""
    completed_job(client)

    def root(connection: str, bucket: str = BUCKET) -> str:
        conn_id = f"aws_{random.getrandbits(48)}"
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
        return f"s3://{conn_id}@{bucket}/store"

    return root


@pytest.mark.parametrize("read", (READS | FILES).values(), ids=READS | FILES)
def test_a_storage_that_can_not_be_reached(s3, root_at, read):
    connection = json.loads(s3.connection)
    connection["extra"]["endpoint_url"] = f"http://127.0.0.1:{free_port()}"
    connection["extra"]["config_kwargs"] = {"retries": {"max_attempts": 0}}
    root = root_at(json.dumps(connection))
    with pytest.raises(OSError, match="Could not connect to the endpoint") as caught:
        read(root)
    assert root in str(caught.value)


@pytest.mark.parametrize("read", OF_BUCKETS.values(), ids=OF_BUCKETS)
def test_a_bucket_that_is_not_there(s3, root_at, read):
    root = root_at(s3.connection, bucket="no-such-bucket")
    with pytest.raises((ConfigurationError, OSError)) as caught:
        read(root)
    assert root in str(caught.value)
    assert any(said in str(caught.value) for said in ('there is no bucket "no-such-bucket"', "bucket does not exist"))


@pytest.mark.parametrize(("status", "reason"), [(403, "denies access"), (500, "refused|Internal Server")])
@pytest.mark.parametrize("read", (READS | FILES).values(), ids=READS | FILES)
def test_a_storage_that_refuses(s3, root_at, read, status, reason):
    with FaultyS3(s3.url) as proxy:
        proxy.refuse("*", status)
        root = root_at(proxy.connection)
        with pytest.raises(OSError, match=f"{reason}|could not write") as caught:
            read(root)
    assert root in str(caught.value)


def test_a_folder_in_place_of_a_manifest_of_an_object_storage_hides_no_other_job(s3, root_at):
    root = root_at(s3.connection)
    store = ScoreStore(root)
    for number in (1, 2):
        run = BenchmarkJob(
            name=f"run-{number}",
            status=JobStatus.COMPLETED,
            created_at=datetime(2026, 11, number, tzinfo=UTC),
            workspace="folders",
            benchmark="folders/qa",
        )
        store.add(run, AggregateScores.from_json({"results": []}), store_rows=None)
    key = "store/folders/qa/run-2/manifest.json"
    s3.client.delete_object(Bucket=BUCKET, Key=key)
    s3.client.put_object(Bucket=BUCKET, Key=f"{key}/part", Body=b"{}")
    where = {"workspace": "folders", "benchmark": "folders/qa"}
    assert [found.job for found in store.history(**where)] == ["run-1"]
    s3.client.put_object(Bucket=BUCKET, Key="store/folders/qa/_pinned.json/part", Body=b"{}")
    for read, name in (
        (lambda: store.get("run-2", **where), "run-2/manifest.json"),
        (lambda: read_stored_job(f"{root}/folders/qa/run-2"), "run-2/manifest.json"),
        (lambda: store.pinned(**where), "_pinned.json"),
    ):
        with pytest.raises(IncompleteResults, match=f"{root}/folders/qa/{name} can't be read"):
            read()


def test_a_missing_object_is_named_with_its_url(s3, root_at):
    root = root_at(s3.connection)
    for read in (read_row_scores, lambda path: read_items(path, [0])):
        with pytest.raises(FileNotFoundError, match=f"No such file or directory: '{root}/none.parquet'"):
            read(f"{root}/none.parquet")
    with pytest.raises(ConfigurationError, match=f"^there are no scores at {root}/none.parquet .* Correct the path"):
        load_scores(f"{root}/none.parquet", CHECKS)


def test_a_missing_bucket_is_named_where_files_are_read(s3, root_at):
    root = root_at(s3.connection, "no-such-bucket")
    with pytest.raises(FileNotFoundError, match=f"bucket does not exist; create it, or correct the URL.*'{root}/rows'"):
        read_row_scores(f"{root}/rows")
    with pytest.raises(ConfigurationError, match=f"^there are no scores at {root}/job .*bucket does not exist; create"):
        load_scores(f"{root}/job", CHECKS)


def test_a_bucket_that_is_there_is_asked_for_once(s3, root_at):
    with FaultyS3(s3.url) as proxy:
        store = ScoreStore(root_at(proxy.connection))
        assert store.pinned(**WHERE) is None
        before = len(proxy.requests)
        assert store.pinned(**WHERE) is None
        assert len(proxy.requests) - before < before


def test_an_empty_store_in_a_bucket_that_only_its_objects_may_be_read_of_is_empty(s3, root_at):
    with FaultyS3(s3.url) as proxy:
        store = ScoreStore(root_at(proxy.connection))
        proxy.refuse("HeadObject", 403, first=2)  # the bucket's own, after that of the pin
        assert store.pinned(**WHERE) is None


def test_a_pin_that_is_damaged_can_be_pinned_again(tmp_path, client, service):
    completed_job(client)
    root = str(tmp_path / "store")
    assert READS["to pin"](root) == "job-1"
    (path,) = Path(root).rglob("_pinned.json")
    pinned = json.loads(path.read_text())
    path.write_text("")
    with pytest.raises(IncompleteResults, match=f"{path} can't be read .* Pin the job again"):
        gate(root, checks=CHECKS)
    assert READS["to pin"](root) == "job-1"
    assert gate(root, checks=CHECKS)["outcome"] == "pass"
    path.write_text(json.dumps({**pinned, "version": 2}))
    for use in (READS["to pin"], READS["a gate with a baseline"]):
        with pytest.raises(NewerFormat, match=f"{path} has the format version 2"):
            use(root)


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', "[" * 100_000])
def test_a_gate_that_needs_a_damaged_job_fails(tmp_path, client, service, content):
    completed_job(client)
    completed_job(client, "job-2")
    root = str(tmp_path / "store")
    assert READS["to pin"](root) == "job-1"
    (path,) = Path(root).rglob("job-1/manifest.json")
    path.write_text(content)
    assert gate(root, job_name="job-2")["outcome"] != "fail"
    client.delete_job("job-1")
    for arguments in ({"checks": CHECKS}, {"checks": [NoRegression("exact-match")], "baseline": "job-1"}):
        with pytest.raises(IncompleteResults, match=str(path)):
            gate(root, job_name="job-2", **arguments)
    with pytest.raises(IncompleteResults, match=str(path)):
        gate(root)
    with pytest.raises(IncompleteResults, match=str(path)):
        load_scores(str(path.parent), CHECKS)
