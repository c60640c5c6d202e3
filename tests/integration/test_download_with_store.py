"""A row download that also fills a score store, and one whose job the service has purged."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import ClassVar

import httpx
import pandas as pd
import pytest

from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    DestinationExists,
    IncompleteResults,
    NotFound,
    NotStored,
    Unauthorized,
)
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, WORKSPACE, completed_job
from tests.support.contexts import task_context

WHERE = {"workspace": WORKSPACE, "benchmark": BENCHMARK}
FILES = [
    {"format": "jsonl"},
    {"format": "jsonl", "compression": "gzip"},
    {"format": "parquet"},
    {"format": "parquet", "with_sample": True},
    {"format": "csv"},
    {"format": "parquet", "partition_by": "reference"},
    {"format": "csv", "partition_by": "reference"},
]


@pytest.fixture
def hook(service):
    hook = BenchmarkHook()
    completed_job(hook.client)
    return hook


@pytest.fixture
def download(hook, tmp_path):
    def run(**arguments):
        known = {"job_name": "job-1", "destination": str(tmp_path / "rows"), "store": str(tmp_path / "store")}
        return DownloadRowScoresOperator(task_id="download", **{**known, **arguments}).execute(task_context())

    return run


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path / "store"))


def fetched(service) -> int:
    """Number of downloads of the rows."""
    return sum("/-/" in r.path or r.path.endswith("row-scores/download") for r in service.requests)


@pytest.mark.parametrize("options", FILES)
def test_the_rows_are_fetched_once_for_both(service, hook, download, store, tmp_path, options):
    alone = hook.download_row_scores("job-1", str(tmp_path / "alone"), **options)
    service.clear_requests()
    result = download(**options)
    assert fetched(service) == 1
    assert result == {**alone.to_dict(), "path": str(tmp_path / "rows")}
    stored = hook.download_row_scores("job-1", str(tmp_path / "stored"), format="parquet")
    assert store.get("job-1", **WHERE).rows.sha256 == stored.sha256


def test_a_download_and_a_store_take_five_requests(service, download):
    service.clear_requests()
    download()
    asked = [request.path.rpartition("/")[2] for request in service.requests]
    assert (asked[0], asked[-1], len(asked)) == ("job-1", "row-scores", 5)  # job, results, scores, dataset, rows
    service.clear_requests()
    download()
    asked = [request.path.rpartition("/")[2] for request in service.requests]
    # The aggregate scores are those of the stored job still: nobody has run it again under its name.
    assert asked == ["job-1", "download", "results", "row-scores"]


def test_a_limit_is_for_the_file_alone(service, download, store):
    service.clear_requests()
    assert download(limit=2)["rows"] == 2
    assert store.get("job-1", **WHERE).rows.rows == 5
    assert fetched(service) == 1


def test_a_stored_job_is_fetched_for_the_file_alone(service, hook, download, store):
    hook.store_job(store, "job-1")
    service.clear_requests()
    assert download(format="csv")["rows"] == 5
    assert fetched(service) == 1


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_a_file_that_is_there_is_kept(service, hook, download, store, tmp_path, if_exists):
    first = hook.download_row_scores("job-1", str(tmp_path / "rows"))
    service.clear_requests()
    assert download(if_exists=if_exists) == first.to_dict()
    assert store.get("job-1", **WHERE).rows.rows == 5
    assert fetched(service) == 1


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"limit": 3}])
@pytest.mark.parametrize("change", [b"", b" "])
def test_rows_are_fetched_once_to_be_compared(service, hook, tmp_path, download, options, change):
    path = tmp_path / "rows"
    hook.download_row_scores("job-1", str(path), **options)
    packed = options.get("compression") == "gzip"
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    content = content.replace(b"}\n", b"}" + change + b"\n")  # the same rows in other bytes
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    service.clear_requests()
    hook.download_row_scores("job-1", str(path), **options, if_exists="fail")
    assert fetched(service) == 1
    other = content.replace(b'"row_index": 1', b'"row_index": 7').replace(b'"row_index":1', b'"row_index":7')
    assert other != content
    path.write_bytes(gzip.compress(other, 1) if packed else other)
    service.clear_requests()
    with pytest.raises(DestinationExists, match="holds other row scores"):
        hook.download_row_scores("job-1", str(path), **options, if_exists="fail")
    assert fetched(service) == 1


def test_a_file_of_other_rows_is_kept_and_the_job_stored(download, store, tmp_path):
    (tmp_path / "rows").write_bytes(b'{"metrics": {}}\n')
    with pytest.raises(DestinationExists, match="holds other row scores"):
        download(if_exists="fail")
    assert (tmp_path / "rows").read_bytes() == b'{"metrics": {}}\n'
    assert store.get("job-1", **WHERE).rows.rows == 5


@pytest.mark.parametrize("options", FILES)
def test_damaged_rows_leave_neither(service, download, store, tmp_path, options):
    service.inject(Fault.answer(403).on("GET", "/apis/files/*", times=None))
    service.inject(Fault.error_line(after_rows=2).on("GET", "*/row-scores/download"))
    with pytest.raises(IncompleteResults, match=r'"job-1" .* damaged at line 3.*Nothing was stored'):
        download(**options)
    assert not (tmp_path / "rows").exists()
    assert store.history(**WHERE) == []


class TestPurgedJobs:
    """The service has no job of the name any more, and the score store has."""

    @pytest.fixture
    def rows(self, hook, store):
        """The rows as the score store has them."""
        stored = hook.store_job(store, "job-1")
        hook.client.delete_job("job-1")
        return store.scores(stored).rows

    @pytest.mark.parametrize("options", FILES)
    def test_the_rows_come_from_the_store(self, rows, download, caplog, options):
        result = download(**options)
        assert (result["rows"], result["format"]) == (5, options["format"])
        loaded = read_row_scores(result["path"])
        for name in rows:
            pd.testing.assert_series_equal(loaded[name], rows[name], check_dtype=options["format"] != "csv")
        assert "taking them from the score store" in caplog.text

    def test_a_limit(self, rows, download):
        assert download(limit=2)["rows"] == 2

    def test_a_retry_keeps_the_file(self, rows, download):
        assert download(if_exists="fail") == download(if_exists="fail")

    def test_without_a_destination_the_store_s_file_is_the_result(self, rows, download, store):
        assert download(destination=None) == store.get("job-1", **WHERE).rows.to_dict()

    def test_with_a_configured_store_the_rows_go_to_xcom(self, rows, download, monkeypatch, store):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", store.root)
        found = download(destination=None, store=None)
        assert [row["row_index"] for row in found] == [0, 1, 2, 3, 4]
        assert [row["metrics"]["my-workspace/exact-match"][0]["value"] for row in found] == list(rows["exact-match"])

    def test_without_a_store_there_are_none(self, rows, download):
        with pytest.raises(NotFound, match="job-1"):
            download(store="")

    @pytest.mark.parametrize("gone", ["*/results", "*/aggregate-scores/download", "*/row-scores*", "*/results*"])
    def test_results_alone_may_be_purged(self, service, hook, download, store, gone):
        stored = hook.store_job(store, "job-1")
        for path in (gone, "/apis/files/*"):
            service.inject(Fault.answer(404).on("GET", path, times=None))
        assert download()["rows"] == 5
        assert hook.store_job(store, "job-1") == stored

    @pytest.mark.parametrize("destination", ["rows", None])
    def test_so_may_the_fileset_that_holds_them(self, service, hook, download, store, destination, monkeypatch):
        """The service keeps the job then, and answers requests for its results by 500."""
        hook.store_job(store, "job-1")
        fileset = f"{service.url}/apis/files/v2/workspaces/{WORKSPACE}/filesets/job-fileset-job-1"
        assert httpx.delete(fileset).status_code == 200
        if destination:
            assert download()["rows"] == 5
        else:
            monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", store.root)
            assert len(download(destination=None, store=None)) == 5

    def test_a_service_that_is_down_has_purged_nothing(self, service, hook, download, store, tmp_path):
        hook.store_job(store, "job-1")
        for path in ("*/row-scores/download", "/apis/files/*"):
            service.inject(Fault.answer(403).on("GET", path, times=None))
        with pytest.raises(Unauthorized):
            download()
        assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize(
    ("prepare", "arguments", "error"),
    [
        (lambda path: None, {"format": "parquet", "partition_by": "nowhere"}, ConfigurationError),
        (lambda path: path.mkdir(), {}, DestinationExists),
        (lambda path: path.write_text("no rows"), {"format": "parquet", "if_exists": "skip"}, DestinationExists),
        (lambda path: None, {"destination": "nowhere://rows"}, ConfigurationError),
        (lambda path: path.write_text(""), {"format": "parquet", "partition_by": "reference"}, DestinationExists),
    ],
)
def test_a_job_is_in_the_store_though_its_file_can_not_be_written(download, store, tmp_path, prepare, arguments, error):
    """The service may purge the job before somebody has mended the destination."""
    prepare(tmp_path / "rows")
    with pytest.raises(error):
        download(**arguments)
    stored = store.get("job-1", **WHERE)
    assert len(read_row_scores(stored.rows.path)) == stored.rows.rows == 5


class TestPurgedAfterADownload:
    """The destination has what the score store does not keep: the model's outputs."""

    OPTIONS: ClassVar = [
        *({"format": "jsonl", **more} for more in ({}, {"compression": "gzip"}, {"limit": 2})),
        *({"format": "parquet", "with_sample": True, **more} for more in ({}, {"limit": 2})),
    ]
    NOT_COMPARABLE: ClassVar = [
        {"format": "csv", "with_sample": True},
        {"format": "parquet", "with_sample": True, "partition_by": "reference"},
    ]

    @staticmethod
    def run_job(service, client, name="job-1", first_score=0):
        """Run a job of an online model."""
        scores = [{"name": "m", "score_type": "range", "count": 5, "nan_count": 0, "mean": 0.5}]
        rows = [
            {
                "row_index": i,
                "item": {"question": f"{i}?", "reference": "ab"[i % 2], "late": i} if i else {"reference": "a"},
                "sample": {"output_text": "yes" * i, **({"inference_error": "no answer"} if i == 3 else {})},
                "requests": [{"model": "m"}],
                "metrics": {f"{WORKSPACE}/m": [{"name": "m", "value": i % 2 if i else first_score}]} if i < 4 else {},
            }
            for i in range(5)
        ]
        aggregate = {"results": [{"metric": f"{WORKSPACE}/m", "scores": scores}]}
        service.give_results(BENCHMARK, aggregate=aggregate, rows=rows)
        completed_job(client, name)

    @pytest.fixture
    def hook(self, service):
        hook = BenchmarkHook()
        self.run_job(service, hook.client)
        yield hook
        service.evaluate_jobs(BENCHMARK)

    @pytest.fixture
    def purge(self, hook, store):
        def run(name="job-1"):
            hook.store_job(store, name)
            hook.client.delete_job(name)

        return run

    @pytest.mark.parametrize("if_exists", ["replace", "skip", "fail"])
    @pytest.mark.parametrize("options", OPTIONS)
    def test_the_file_is_kept(self, download, purge, tmp_path, options, if_exists, caplog):
        first = download(**options)
        before = (tmp_path / "rows").read_bytes()
        purge()
        assert download(**options, if_exists=if_exists) == first
        assert (tmp_path / "rows").read_bytes() == before
        assert ("rows is kept: it has the same" in caplog.text) == (if_exists != "skip")

    @pytest.mark.parametrize("options", OPTIONS)
    def test_a_file_of_other_rows_is_not(self, service, hook, download, purge, tmp_path, options):
        download(**options)
        before = (tmp_path / "rows").read_bytes()
        self.run_job(service, hook.client, "job-2", first_score=1)
        purge("job-2")
        with pytest.raises(DestinationExists, match="holds other row scores"):
            download(**options, job_name="job-2", if_exists="fail")
        assert (tmp_path / "rows").read_bytes() == before
        assert download(**options, job_name="job-2")["rows"] == options.get("limit", 5)
        assert list(read_row_scores(str(tmp_path / "rows"))["m"])[:2] == [1, 1]

    @pytest.mark.parametrize("content", [b"", b"no rows at all", b"PAR1"])
    def test_what_is_no_complete_file_is_replaced(self, download, purge, tmp_path, content):
        purge()
        (tmp_path / "rows").write_bytes(content)
        assert download()["rows"] == 5
        assert len(read_row_scores(str(tmp_path / "rows"))) == 5

    def test_a_second_download_from_the_store_is_the_same(self, download, purge, caplog):
        purge()
        assert download() == download()
        assert "is kept" not in caplog.text

    @pytest.mark.parametrize("if_exists", ["replace", "fail"])
    @pytest.mark.parametrize("options", NOT_COMPARABLE)
    def test_what_can_not_be_compared_is_not_replaced(self, download, purge, options, if_exists):
        first = download(**options)
        purge()
        with pytest.raises(DestinationExists, match="with all that the service had|holds other row scores"):
            download(**options, if_exists=if_exists)
        assert download(**options, if_exists="skip") == first


@pytest.mark.parametrize(
    "below",
    [
        *(f"{BENCHMARK}/job-1/{name}" for name in ("row-scores.parquet", "manifest.json", "job.json")),
        *(f"{BENCHMARK}/another/{name}" for name in ("aggregate-scores.json", "verdict-dag.gate.json")),
        *(f"{BENCHMARK}/{name}" for name in ("_pinned.json", "_index/x")),
    ],
)
@pytest.mark.parametrize("through", ["store", "link", "../store", "file"])
def test_the_store_s_own_files_are_no_destination(download, store, tmp_path, below, through):
    (tmp_path / "link").symlink_to(tmp_path / "store")
    (tmp_path / "here").mkdir()
    places = {"file": f"file://{tmp_path}/store", "../store": f"{tmp_path}/here/../store"}
    destination = f"{places.get(through, tmp_path / through)}/{below}"
    is_table = below.endswith(".parquet")
    with pytest.raises(ConfigurationError, match=r"is a file of the score store .* itself"):
        download(destination=destination, format="parquet" if is_table else "jsonl")
    if not is_table:
        with pytest.raises(ConfigurationError, match=r"is a file of the score store .* itself"):
            DownloadAggregateScoresOperator(
                task_id="scores", job_name="job-1", destination=destination, store=store.root
            ).execute(task_context())
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("below", ["rows", f"{WORKSPACE}/rows", f"{BENCHMARK}/rows", f"{BENCHMARK}/job-1/rows"])
def test_other_files_in_the_store_s_folders_hinder_nothing(hook, download, store, tmp_path, below):
    assert download(destination=f"{store.root}/{below}")["rows"] == 5
    hook.client.delete_job("job-1")
    assert download()["rows"] == 5


@pytest.mark.parametrize("options", FILES)
@pytest.mark.parametrize("broken", ["store", f"store/{BENCHMARK}/job-1/row-scores.parquet"])
def test_a_file_is_written_though_the_store_can_not_be(service, hook, download, store, tmp_path, options, broken):
    """Nor does that take a second download."""
    alone = hook.download_row_scores("job-1", str(tmp_path / "alone"), **options)
    path = tmp_path / broken
    if broken == "store":
        path.write_text("a file where the store's folder is to be")
    else:
        (path / "not-empty").mkdir(parents=True)
    service.clear_requests()
    with pytest.raises(OSError, match=f'could not write "{path}'):
        download(**options)
    assert fetched(service) == 1
    kept = hook.download_row_scores("job-1", str(tmp_path / "rows"), if_exists="skip", **options)
    assert kept.sha256 == alone.sha256


@pytest.mark.parametrize("options", FILES)
def test_a_file_that_can_not_be_written_takes_no_second_download(service, download, store, tmp_path, options):
    (tmp_path / "file").write_text("")
    service.clear_requests()
    with pytest.raises(OSError, match=f'could not write "{tmp_path}/file/rows'):
        download(**options, destination=str(tmp_path / "file" / "rows"))
    assert fetched(service) == 1
    assert store.get("job-1", **WHERE).rows.rows == 5


def test_where_neither_can_be_written_both_are_reported(download, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=f'could not write "{tmp_path}/file/store'):
        download(store=str(tmp_path / "file" / "store"), destination=str(tmp_path / "file" / "rows"))
    assert f'The destination was not written either: could not write "{tmp_path}/file/rows' in caplog.text


def test_a_purged_job_whose_rows_the_store_has_lost(service, hook, download, store):
    download()
    hook.client.delete_job("job-1")
    Path(store.get("job-1", **WHERE).rows.path).unlink()
    with pytest.raises(NotStored, match=r"has lost its row scores, .* restore the file from a backup"):
        download(if_exists="replace")
