"""The score store on a local disk and on S3, filled by operators from the local service."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, JobError, NotFound, NotStored
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.jobs import RowCounts
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import AggregateScores, low_scoring_rows
from airflow_provider_benchmarks.store import Place, ScoreStore, store_bytes
from airflow_provider_benchmarks.store.folder_names import gate_name
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}


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
    from airflow.providers.common.compat.sdk import ObjectStoragePath

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


class TestARerunUnderTheSameName:
    @pytest.fixture
    def stored(self, root, hook, run_job):
        run_job("rerun")
        store = ScoreStore(root)
        hook.store_job(store, "rerun")
        return store

    def add(self, store, hook, *, mean=None, **changes):
        """Store the job again, as the service would have it after a rerun."""
        scores = hook.get_aggregate_scores("rerun")
        if mean is not None:
            scores = AggregateScores(tuple(replace(score, mean=mean) for score in scores.scores))
        return store.add(replace(hook.get_job("rerun"), **changes), scores, store_rows=None)

    def test_its_id_is_stored_and_another_one_is_noticed(self, stored, hook):
        job = hook.get_job("rerun")
        assert job.id
        assert stored.get("rerun", **WHERE).id == job.id
        with pytest.raises(DestinationExists, match=f"with the id {job.id} and not other-id.*run it again"):
            self.add(stored, hook, id="other-id")

    def test_other_scores_under_the_same_id_are_noticed(self, stored, hook):
        with pytest.raises(DestinationExists, match=r"with other scores: mean of \S+ is 0.125 and was .*run it again"):
            self.add(stored, hook, mean=0.125)

    def test_other_counts_of_rows_under_the_same_id_are_noticed(self, root, hook, run_job):
        run_job("rerun")
        store = ScoreStore(root)
        whole, partly = (RowCounts(total=5, scored=5, errored=errored) for errored in (0, 2))
        self.add(store, hook, row_counts=whole)
        assert self.add(store, hook, row_counts=None).reported_rows == whole
        assert self.add(store, hook, row_counts=replace(whole, errored=None)).reported_rows == whole
        with pytest.raises(DestinationExists, match="reports 2 rows as errored, and reported 0.*run it again"):
            self.add(store, hook, row_counts=partly)

    def test_the_same_job_is_stored_once_whoever_reads_it(self, stored, hook):
        scores = hook.get_aggregate_scores("rerun")
        names = {score.metric: f"other/{score.metric.replace('/', '-')}" for score in scores.scores}
        again = stored.add(hook.get_job("rerun"), scores.renamed(names), store_rows=None)
        assert again.aggregate == scores

    def test_a_manifest_without_an_id_is_compared_by_what_it_has(self, stored, root, hook):
        path = Place(f"{stored.job_folder(stored.get('rerun', **WHERE))}/manifest.json")
        manifest = json.loads(path.read_bytes())
        del manifest["id"]
        store_bytes([json.dumps(manifest).encode()], path, format="json")
        assert self.add(stored, hook, id="other-id").id == ""
        with pytest.raises(DestinationExists, match="other scores"):
            self.add(stored, hook, id="other-id", mean=0.125)


def test_another_job_of_the_same_name_is_not_taken_for_it(root, hook, run_job):
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


def test_jobs_from_before_a_time(root, hook, run_job):
    """A gate of an older job that is run again must not see the newer ones."""
    store = ScoreStore(root)
    jobs = [hook.store_job(store, run_job(f"night-{n}")) for n in range(3)]
    for job in jobs:
        store.add_verdict(job, "dag.gate", {"outcome": "pass"})
    for place, job in enumerate(jobs):
        earlier = [each.job for each in jobs[:place]][::-1]
        assert [each.job for each in store.history(**WHERE, before=job.created_at)] == earlier
        found = store.last_passed(**WHERE, before=job.created_at)
        assert (found and found.job) == (earlier[0] if earlier else None)


def test_a_job_is_found_without_its_benchmark(root, hook, run_job, service):
    store = ScoreStore(root)
    assert store.find("found", workspace=WORKSPACE) is None
    stored = hook.store_job(store, run_job("found"))
    assert store.find("found", workspace=WORKSPACE) == stored
    assert store.find("found", workspace="other") is None
    assert store.find("other", workspace=WORKSPACE) is None


def test_a_name_that_was_used_for_two_benchmarks_is_ambiguous(root, hook, run_job):
    store, job, scores = ScoreStore(root), hook.get_job(run_job("nightly")), hook.get_aggregate_scores("nightly")
    folders = []
    for benchmark in ("my-workspace/a", "my-workspace/b"):
        folders.append(store.job_folder(store.add(replace(job, benchmark=benchmark), scores, store_rows=None)))
    with pytest.raises(ConfigurationError, match=f"has 2 benchmark jobs .*{folders[0]}, {folders[1]}. Name the folder"):
        store.find("nightly", workspace=WORKSPACE)


def test_a_job_that_the_service_has_no_more_is_taken_from_the_store(root, hook, run_job):
    store = ScoreStore(root)
    stored = hook.store_job(store, run_job("purged"))
    hook.client.delete_job("purged")
    assert hook.store_job(store, "purged") == stored
    with pytest.raises(NotFound, match="never"):
        hook.store_job(store, "never")


def test_outcomes_of_a_job(root, hook, run_job):
    store = ScoreStore(root)
    stored = hook.store_job(store, run_job("judged"))
    assert store.outcomes(stored) == {}
    store.add_verdict(stored, "dag.gate[0]", {"outcome": "fail"})
    store.add_verdict(stored, "dag.gate[1]", {"outcome": "pass"})
    assert store.outcomes(stored) == {"dag.gate[0]": "fail", "dag.gate[1]": "pass"}


class TestLongNames:
    """Airflow takes ids of 250 characters, for DAGs and for tasks; a local disk names of 255 bytes."""

    DAG = "d" * 250
    JOB = "j" * 51  # the service takes no longer one

    def test_gates_of_one_beginning_have_a_verdict_each(self, root, hook, run_job):
        store = ScoreStore(root)
        job = hook.store_job(store, run_job(self.JOB))
        gates = [f"{self.DAG}.{'t' * 249}{end}" for end in ("a", "b", "b[0]", "b[1]")]
        for gate in gates:
            store.add_verdict(job, gate, {"outcome": "inconclusive"})
            store.add_verdict(job, gate, {"outcome": "fail" if gate.endswith("b") else "pass"})
        outcomes = store.outcomes(job)
        assert outcomes == {gate_name(gate): "fail" if gate.endswith("b") else "pass" for gate in gates}
        assert len(outcomes) == len(gates)
        assert all(name.startswith("d" * 100) for name in outcomes)
        assert store.last_passed(**WHERE) is None
        assert store.history(**WHERE)[0].outcomes == outcomes

        store.add_verdict(job, gates[1], {"outcome": "pass"})
        assert store.last_passed(**WHERE).job == self.JOB
        names = {path.rpartition("/")[2] for path in files(root)}
        assert max(len(name) for name in names) + len(".") + len(f".{'0' * 32}.part") <= 255
        folder = f"{root}/my-workspace/qa-bench/{self.JOB}"
        verdicts = [name for name in names if name.startswith("verdict-")]
        kept = [json.loads(Place(f"{folder}/{name}").read_bytes()) for name in verdicts]
        assert sorted(verdict["gate"] for verdict in kept) == sorted(gates)

    @pytest.mark.parametrize("gate", ["dag.task", "d" * 113, "dag.ärger[7]"])
    def test_short_ones_stay_as_they_are(self, gate):
        assert gate_name(gate) == gate

    @pytest.mark.parametrize("gate", ["d" * 114, "ä" * 30, "[" * 40, "評価" * 100])
    def test_long_ones_are_cut_once_and_between_characters(self, gate):
        name = gate_name(gate)
        start, _, end = name.rpartition("~")
        assert (gate.startswith(start), len(end), len(quote(name, safe="")) <= 113) == (True, 12, True)
        assert gate_name(name) == name

    def test_a_verdict_that_was_kept_under_its_whole_name_is_replaced(self, root, hook, run_job):
        store, gate = ScoreStore(root), "d" * 114
        job = hook.store_job(store, run_job("old"))
        marker = f"20250101T000000.000000Z,old,{gate},fail"
        Place(f"{root}/my-workspace/qa-bench/_verdicts/{marker}").object_path.parent.mkdir(parents=True, exist_ok=True)
        Place(f"{root}/my-workspace/qa-bench/_verdicts/{marker}").object_path.write_bytes(b"\n")
        assert store.outcomes(job) == {gate_name(gate): "fail"}
        store.add_verdict(job, gate, {"outcome": "pass"})
        assert store.outcomes(job) == {gate_name(gate): "pass"}


def test_the_dataset_is_kept_where_only_the_stored_scores_of_the_service_name_it(root, hook, run_job):
    stored = hook.store_job(ScoreStore(root), run_job("dataset"))
    assert hook.get_job("dataset").dataset == ""
    assert stored.dataset == "my-workspace/qa"


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


def put(root: str, path: str, content: bytes = b"") -> None:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    target = ObjectStoragePath(root) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def test_what_others_put_into_the_folders_of_names_is_left_out(root, hook, run_job):
    store = ScoreStore(root)
    stored = hook.store_job(store, run_job("foreign"))
    store.add_verdict(stored, "gate", {"outcome": "pass"})
    for folder in ("_index", "_verdicts"):
        for name in ("_SUCCESS", "a,b,c", "notes.txt"):
            put(root, f"{BENCHMARK}/{folder}/{name}")
    assert store.job_names(**WHERE) == ["foreign"]
    assert [job.outcomes for job in store.history(**WHERE)] == [{"gate": "pass"}]


def test_a_marker_of_a_folder_on_s3_is_left_out(s3, hook, run_job):
    root = f"s3://aws_scores@{BUCKET}/folder-marker"
    hook.store_job(ScoreStore(root), run_job("marked"))
    for folder in ("_index", "_verdicts"):
        s3.client.put_object(Bucket=BUCKET, Key=f"folder-marker/{BENCHMARK}/{folder}/", Body=b"")
    assert [job.job for job in ScoreStore(root).history(**WHERE)] == ["marked"]


def test_many_jobs_without_a_manifest_are_not_read_one_by_one(root, hook, run_job, monkeypatch):
    from airflow_provider_benchmarks.store import readable_jobs, score_store

    store = ScoreStore(root)
    hook.store_job(store, run_job("alive"))
    for number in range(60):
        put(root, f"{BENCHMARK}/_index/20990101T000000.{number:06d}Z,dead-{number}", b"\n")
    reads, read = [], score_store.read_if_there
    monkeypatch.setattr(score_store, "read_if_there", lambda path: reads.append(path) or read(path))
    assert [job.job for job in store.history(**WHERE, limit=1)] == ["alive"]
    assert len(reads) == readable_jobs.MAX_MISSING_MANIFESTS + 1


def test_a_job_without_a_time_that_was_interrupted_is_listed_once(root, hook, run_job):
    from dataclasses import replace

    run_job("timeless")
    store, job = ScoreStore(root), replace(hook.get_job("timeless"), created_at=None)
    put(root, f"{BENCHMARK}/_index/20200101T000000.000000Z,timeless", b"\n")  # of an interrupted task
    store.add(job, hook.get_aggregate_scores("timeless"), store_rows=None)
    assert store.job_names(**WHERE) == ["timeless"]
    assert [found.job for found in store.history(**WHERE)] == ["timeless"]


def test_what_another_process_has_replaced_is_read_anew(s3, hook, run_job):
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    root = f"s3://aws_scores@{BUCKET}/replaced"
    store = ScoreStore(root)
    store.pin(hook.store_job(store, run_job("replaced-1")))
    store.pin(hook.store_job(store, run_job("replaced-2")))
    key = f"replaced/{BENCHMARK}/_pinned.json"
    folder = ObjectStoragePath(f"{root}/{BENCHMARK}")
    assert key in " ".join(
        folder.fs.ls(folder.path, detail=False)
    )  # the filesystem remembers sizes and tags from now on
    other = json.loads(s3.read(key)) | {"job": "replaced-1", "pinned_by": "another process"}
    s3.client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(other).encode())
    assert store.pinned(**WHERE).job == "replaced-1"


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

    @pytest.mark.parametrize("is_configured", [True, False])
    def test_scores_of_a_job_that_the_service_has_no_more_come_from_the_store(
        self, root, hook, run_job, monkeypatch, caplog, tmp_path, is_configured
    ):
        run_job("purged-later")
        arguments = {"task_id": "t", "job_name": "purged-later"} | ({} if is_configured else {"store": root})
        if is_configured:
            monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", root)
        before = DownloadAggregateScoresOperator(**arguments).execute(task_context())
        hook.client.delete_job("purged-later")
        path = tmp_path / "scores.json"
        operator = DownloadAggregateScoresOperator(**arguments, destination=str(path))
        assert operator.execute(task_context()) == before
        assert f"taking it as the score store {root} has it" in caplog.text
        assert (
            AggregateScores.from_json(json.loads(path.read_text()))
            == ScoreStore(root).get("purged-later", **WHERE).aggregate
        )
        with pytest.raises(NotFound, match="purged-later"):
            DownloadAggregateScoresOperator(**arguments | {"store": ""}).execute(task_context())

    @pytest.mark.parametrize("kind", [DownloadAggregateScoresOperator, DownloadRowScoresOperator])
    def test_a_job_that_has_not_completed_is_refused_before_anything_is_stored(
        self, root, hook, run_job, service, tmp_path, kind
    ):
        service.pin_status(WORKSPACE, run_job("early"), "active")
        destination = tmp_path / "early"
        with pytest.raises(JobError, match='"early" .* is "active": the score store takes completed jobs'):
            kind(task_id="t", job_name="early", store=root, destination=str(destination)).execute(task_context())
        assert not destination.exists()
        assert files(root) == set()

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


def test_files_of_others_among_the_folders(root, hook, run_job):
    store = ScoreStore(root)
    stored = hook.store_job(store, run_job("among"))
    for folder in (root, f"{root}/{WORKSPACE}", store.folder(**WHERE)):
        (Place(folder) / "0-rows.jsonl").object_path.write_bytes(b"{}")
    assert store.find("among", workspace=WORKSPACE) == stored
    assert store.find("never", workspace=WORKSPACE) is None
    assert stored in store.history(**WHERE)


def test_names_that_are_no_folders(tmp_path):
    store = ScoreStore(str(tmp_path))
    assert store.folder("ws", "other/bench") == f"{tmp_path}/ws/other%2Fbench"
    assert store.folder("ws", "ws/../../etc") == f"{tmp_path}/ws/ws%2F..%2F..%2Fetc"
    with pytest.raises(ConfigurationError, match="score_store"):
        ScoreStore("")


def test_a_name_that_utf_8_can_t_hold_is_refused(tmp_path):
    store = ScoreStore(str(tmp_path))
    for where in (("half \ud800", "ws/bench"), ("ws", "ws/half \ud800")):
        with pytest.raises(ConfigurationError, match="can't keep a (workspace|benchmark) called .*half �"):
            store.folder(*where)


@pytest.mark.parametrize("name", ["", ".", "..", "_index", "_x"])
def test_names_that_lead_to_another_folder_are_refused(tmp_path, name):
    store = ScoreStore(str(tmp_path / "store"))
    for where in ((name, "ws/bench"), ("ws", name), ("ws", f"ws/{name}")):
        with pytest.raises(ConfigurationError, match=f"can't keep a (workspace|benchmark) called .*{name}"):
            store.folder(*where)
    for find in (lambda: store.get(name, **WHERE), lambda: store.find(name, workspace="ws")):
        with pytest.raises(ConfigurationError, match="can't keep a benchmark job called"):
            find()
    with pytest.raises(ConfigurationError, match="can't keep a workspace called"):
        store.find("job", workspace=name)


def test_a_manifest_is_plain_json(tmp_path, hook, run_job):
    run_job("plain")
    hook.store_job(ScoreStore(str(tmp_path)), "plain")
    manifest = json.loads(Path(tmp_path, "my-workspace/qa-bench/plain/manifest.json").read_text())
    assert (manifest["job"], manifest["benchmark"], manifest["version"]) == ("plain", BENCHMARK, 1)
    assert {file["path"]: file["rows"] for file in manifest["files"]}["row-scores.parquet"] == 5
    assert AggregateScores.from_json(manifest["scores"]).get("exact-match").count == 5
