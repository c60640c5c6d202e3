"""The score store on a local disk and on S3, filled by operators from the local service."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, JobError, NotStored
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import AggregateScores, low_scoring_rows
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "store")
    request.getfixturevalue("s3")
    return f"s3://aws_scores@{BUCKET}/{tmp_path.name}"


@pytest.fixture
def hook(service, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
    return BenchmarkHook()


@pytest.fixture
def run_job(service):
    def run(name):
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            client.submit_job(SPEC, name=name)
            wait_until_finished(client, name)
        return name

    return run


def files(root: str) -> set[str]:
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(root)
    path.fs.invalidate_cache()
    return {found.removeprefix(path.path).lstrip("/") for found in path.fs.find(path.path)}


def test_a_stored_job_is_a_folder_that_comes_back_whole(root, hook, run_job):
    run_job("stored-1")
    stored = hook.store_job(ScoreStore(root), "stored-1")
    folder = "my-workspace/qa-bench/stored-1"
    assert {path for path in files(root) if "_index" not in path} == {
        f"{folder}/{name}" for name in ("job.json", "aggregate-scores.json", "row-scores.parquet", "manifest.json")
    }
    scores = ScoreStore(root).scores(ScoreStore(root).get("stored-1", **WHERE))
    assert scores.aggregate == hook.get_aggregate_scores("stored-1") == stored.aggregate
    assert list(scores.rows["exact-match"]) == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert len(low_scoring_rows(scores.rows, 0.5)) > 0
    assert list(ScoreStore(root).scores(stored, columns=["exact-match"]).rows) == ["exact-match"]
    assert ScoreStore(root).scores(stored, columns=[]).rows is None


def test_a_job_is_stored_once(root, hook, run_job, service):
    run_job("once")
    first = hook.store_job(ScoreStore(root), "once")
    service.clear_requests()
    assert hook.store_job(ScoreStore(root), "once") == first
    assert not [r for r in service.requests if "/-/" in r.path or r.path.endswith("row-scores/download")]


def test_a_job_without_its_manifest_is_not_there(root, hook, run_job):
    run_job("half")
    store = ScoreStore(root)

    def killed(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add(hook.get_job("half"), hook.get_aggregate_scores("half"), store_rows=killed)
    assert store.history(**WHERE) == []
    with pytest.raises(NotStored, match='"half" of benchmark "my-workspace/qa-bench"'):
        store.get("half", **WHERE)
    hook.store_job(store, "half")
    assert [job.job for job in store.history(**WHERE)] == ["half"]


def test_a_job_that_has_not_completed_is_refused(root, hook, run_job, service):
    service.fail_jobs(BENCHMARK, "out of memory")
    try:
        run_job("failed")
    finally:
        service.evaluate_jobs(BENCHMARK)
    with pytest.raises(JobError, match='"failed" .* is "error": the score store takes completed jobs'):
        hook.store_job(ScoreStore(root), "failed")
    assert files(root) == set()


def test_another_job_of_the_same_name_is_not_taken_for_it(root, hook, run_job):
    from dataclasses import replace
    from datetime import timedelta

    run_job("namesake")
    store = ScoreStore(root)
    hook.store_job(store, "namesake")
    job = hook.get_job("namesake")
    other = replace(job, created_at=job.created_at + timedelta(seconds=1))
    with pytest.raises(DestinationExists, match="two services with one store"):
        store.add(other, hook.get_aggregate_scores("namesake"), store_rows=None)


def test_history_is_newest_first_with_the_last_verdict_of_each_gate(root, hook, run_job):
    store = ScoreStore(root)
    jobs = [hook.store_job(store, run_job(f"history-{n}")) for n in range(4)]
    store.add_verdict(jobs[1], "dag.gate", {"outcome": "fail"})
    store.add_verdict(jobs[1], "dag.gate", {"outcome": "pass"})
    store.add_verdict(jobs[1], "dag.other, gate", {"outcome": "pass"})
    store.add_verdict(jobs[3], "dag.gate", {"outcome": "fail"})
    found = store.history(**WHERE, limit=3)
    assert [job.job for job in found] == ["history-3", "history-2", "history-1"]
    assert [job.outcomes for job in found] == [
        {"dag.gate": "fail"},
        {},
        {"dag.gate": "pass", "dag.other, gate": "pass"},
    ]
    assert [job.passed for job in found] == [False, False, True]
    assert store.last_passed(**WHERE).job == "history-1"
    assert store.last_passed(**WHERE, but=["history-1"]) is None
    assert store.job_names(**WHERE) == [f"history-{n}" for n in (3, 2, 1, 0)]


def test_the_pinned_job(root, hook, run_job):
    store = ScoreStore(root)
    assert store.pinned(**WHERE) is None
    store.pin(hook.store_job(store, run_job("pin-1")), by="release 1")
    store.pin(hook.store_job(store, run_job("pin-2")), by="release 2")
    assert store.pinned(**WHERE).job == "pin-2"


def test_listing_thousands_of_jobs_takes_few_requests_and_opens_no_rows(s3, monkeypatch, hook, run_job):
    """Counted at the storage, by the filesystem that asks it."""
    store = ScoreStore(f"s3://aws_scores@{BUCKET}/many")
    last = hook.store_job(store, run_job("many"))
    folder = "many/my-workspace/qa-bench"
    for number in range(2500):
        s3.client.put_object(Bucket=BUCKET, Key=f"{folder}/_index/20200101T000000.{number:06d}Z,old-{number}", Body=b"")
    from s3fs import S3FileSystem

    calls: list[tuple[str, str]] = []
    call_s3 = S3FileSystem._call_s3

    async def counted(self, method, *args, **kwargs):
        calls.append((method, kwargs.get("Key") or kwargs.get("Prefix") or ""))
        return await call_s3(self, method, *args, **kwargs)

    monkeypatch.setattr(S3FileSystem, "_call_s3", counted)
    assert len(store.job_names(**WHERE)) == 2501
    assert [job.job for job in store.history(**WHERE, limit=1)] == [last.job]
    assert not [key for _, key in calls if "row-scores" in key]
    assert Counter(method for method, _ in calls)["get_object"] == 1
    assert len(calls) < 12, calls  # pages of a listing are not counted one by one: each is a thousand names


class TestOperators:
    def test_a_download_with_a_store_keeps_the_whole_job(self, root, hook, run_job, tmp_path):
        run_job("kept")
        arguments = {"task_id": "t", "job_name": "kept", "store": root}
        DownloadAggregateScoresOperator(**arguments).execute(task_context())
        stored = ScoreStore(root).get("kept", **WHERE)
        assert DownloadRowScoresOperator(**arguments).execute(task_context()) == stored.rows.to_dict()
        result = DownloadRowScoresOperator(**arguments, destination=str(tmp_path / "rows.jsonl")).execute(
            task_context()
        )
        assert result["path"] == str(tmp_path / "rows.jsonl")

    def test_the_configured_store_is_the_default(self, root, hook, run_job, monkeypatch):
        run_job("configured")
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", root)
        arguments = {"task_id": "t", "job_name": "configured"}
        DownloadAggregateScoresOperator(**arguments, store="").execute(task_context())
        assert ScoreStore(root).job_names(**WHERE) == []
        assert len(DownloadRowScoresOperator(**arguments).execute(task_context())) == 5
        assert ScoreStore(root).job_names(**WHERE) == ["configured"]

    def test_a_job_without_row_scores(self, root, hook, run_job, service):
        scores = [{"name": "m", "score_type": "range", "count": 2, "nan_count": 0, "mean": 0.5}]
        service.give_results(BENCHMARK, aggregate={"results": [{"metric": f"{WORKSPACE}/m", "scores": scores}]})
        try:
            run_job("no-rows")
        finally:
            service.evaluate_jobs(BENCHMARK)
        stored = hook.store_job(ScoreStore(root), "no-rows")
        assert stored.rows is None
        assert ScoreStore(root).scores(stored).rows is None


def test_names_that_are_no_folders(tmp_path):
    store = ScoreStore(str(tmp_path))
    assert store.folder("ws", "other/bench") == f"{tmp_path}/ws/other%2Fbench"
    assert store.folder("ws", "ws/../../etc") == f"{tmp_path}/ws/ws%2F..%2F..%2Fetc"
    with pytest.raises(ConfigurationError, match="score_store"):
        ScoreStore("")


def test_a_manifest_is_plain_json(tmp_path, hook, run_job):
    run_job("plain")
    hook.store_job(ScoreStore(str(tmp_path)), "plain")
    manifest = json.loads(Path(tmp_path, "my-workspace/qa-bench/plain/manifest.json").read_text())
    assert (manifest["job"], manifest["benchmark"], manifest["version"]) == ("plain", BENCHMARK, 1)
    assert {file["path"]: file["rows"] for file in manifest["files"]}["row-scores.parquet"] == 5
    assert AggregateScores.from_json(manifest["scores"]).get("exact-match").count == 5
