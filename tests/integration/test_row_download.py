"""Row scores by the fastest route: the Files API with byte ranges, else the documented download."""

from __future__ import annotations

import csv
import hashlib
import json

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig, _row_download
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    DestinationExists,
    IncompleteResults,
    ResultsChanged,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.retry_policy import Backoff
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.s3_server import BUCKET

FILES = ("GET", "*/filesets/*/-/results/*")
DOCUMENTED = ("GET", "*/row-scores/download")
ROWS = 3000


def stored_rows(count: int, text: str = "x") -> bytes:
    return b"".join(
        json.dumps(
            {
                "row_index": i,
                "item": {"input": text * 500 + "é\u2028"},
                "sample": {},
                "metrics": {"my-workspace/m": [{"name": "m", "value": i % 2}]},
                "requests": [],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        + b"\n"
        for i in range(count)
    )


@pytest.fixture
def client(service):
    with BenchmarkClient(
        ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False, retry_seconds=5)
    ) as made:
        yield made


@pytest.fixture
def content(service, client) -> bytes:
    """The stored row scores of ``job-1``: 1.6 MB."""
    content = stored_rows(ROWS)
    aggregate = {"results": [{"metric": "my-workspace/m", "scores": [{"name": "m", "count": ROWS, "nan_count": 0}]}]}
    service.give_results(BENCHMARK, aggregate=aggregate, rows=content)
    client.submit_job(SPEC, name="job-1")
    wait_until_finished(client, "job-1")
    service.clear_requests()
    return content


def fetched(service, route: str) -> list[dict[str, str]]:
    """Headers of the requests to a route."""
    part = "/filesets/" if route == "files" else "/row-scores/download"
    return [{k.lower(): v for k, v in r.headers.items()} for r in service.requests if part in r.path]


def test_the_file_comes_from_the_files_api_byte_for_byte(service, client, content):
    pieces, length = client.open_row_scores("job-1")
    assert length == len(content)
    assert b"".join(pieces) == content
    assert (len(fetched(service, "files")), len(fetched(service, "documented"))) == (1, 0)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500])
def test_a_refusal_falls_back_to_the_documented_download(service, client, content, status):
    service.inject(Fault.answer(status).on(*FILES, times=None))
    pieces, length = client.open_row_scores("job-1")
    assert length is None
    rows = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [row["row_index"] for row in rows] == list(range(ROWS))
    assert rows[0]["item"] == json.loads(content.split(b"\n")[0])["item"]


@pytest.mark.parametrize(
    "artifact", ["", "nonsense", "my-workspace/fileset", "my-workspace/fileset#a/../../secret", "#x", "w/#x", "w/f#"]
)
def test_a_result_without_a_file_falls_back(service, client, content, artifact):
    body = {"data": [{"name": "row-scores", "artifact_url": artifact, "artifact_storage_type": "other"}]}
    service.inject(Fault.malformed(json.dumps(body).encode()).on("GET", "*/results"))
    pieces, length = client.open_row_scores("job-1")
    assert length is None
    assert len(b"".join(pieces).splitlines()) == ROWS
    assert fetched(service, "files") == []


@pytest.mark.parametrize("after", [0, 1, 100_000, 1_500_000])
def test_a_dropped_connection_goes_on_where_it_stopped(service, client, content, after):
    service.inject(Fault.cut_body(after_bytes=after).on(*FILES, times=1))
    pieces, _ = client.open_row_scores("job-1")
    assert b"".join(pieces) == content
    first, second = fetched(service, "files")
    assert "range" not in first
    assert second.get("range", "bytes=0-") == f"bytes={after}-"


def test_several_drops(service, client, content):
    service.inject(Fault.cut_body(after_bytes=300_000).on(*FILES, times=4))
    pieces, _ = client.open_row_scores("job-1")
    assert b"".join(pieces) == content
    assert len(fetched(service, "files")) == 5


@pytest.mark.parametrize("after", [0, 5000])
def test_a_connection_that_keeps_dropping_is_given_up(service, client, content, after, monkeypatch):
    waited = []
    monkeypatch.setattr(Backoff, "pause", lambda _, failures, **more: waited.append(failures) or 0.0)
    service.inject(Fault.cut_body(after_bytes=after).on(*FILES, times=None))
    pieces, _ = client.open_row_scores("job-1")
    with pytest.raises(ServiceUnavailable, match=rf"keeps breaking off, now after {6 * after} of {len(content)} bytes"):
        list(pieces)
    assert len(fetched(service, "files")) == 6
    assert waited == [1, 2, 3, 4, 5]


def test_a_download_that_comes_on_may_drop_more_often(service, client, content, monkeypatch):
    monkeypatch.setattr(_row_download, "_PROGRESS_BYTES", 100_000)
    monkeypatch.setattr(Backoff, "pause", lambda _, failures, **more: 0.0)
    service.inject(Fault.cut_body(after_bytes=100_000).on(*FILES, times=None))
    pieces, _ = client.open_row_scores("job-1")
    assert b"".join(pieces) == content
    assert len(fetched(service, "files")) == -(-len(content) // 100_000)


def test_a_page_of_html_in_place_of_the_file_falls_back(service, client, content):
    page = Fault.answer(200, body=b"<html>Sign in</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    service.inject(page.on(*FILES, times=None))
    pieces, length = client.open_row_scores("job-1")
    assert length is None
    assert len(b"".join(pieces).splitlines()) == ROWS


@pytest.mark.parametrize("answer", ["shorter", "no ranges"])
def test_a_file_that_changed_meanwhile_begins_again(service, client, content, answer):
    service.inject(Fault.cut_body(after_bytes=500_000).on(*FILES, times=1))
    if answer == "shorter":
        headers = {"Content-Range": "bytes 500000-599999/600000", "Content-Length": "100000"}
        service.inject(Fault.answer(206, body=b"x" * 100_000, headers=headers).on(*FILES, times=1, after=1))
    else:
        service.inject(Fault.answer(200, body=content).on(*FILES, times=1, after=1))
    pieces, _ = client.open_row_scores("job-1")
    with pytest.raises(ResultsChanged, match="has to begin again"):
        list(pieces)


class TestThroughTheHook:
    def test_stored_byte_for_byte(self, service, content, tmp_path):
        stored = BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
        assert (tmp_path / "rows.jsonl").read_bytes() == content
        assert (stored.rows, stored.bytes) == (ROWS, len(content))

    def test_a_file_that_changed_meanwhile_is_read_again_whole(self, service, content, tmp_path):
        service.inject(Fault.cut_body(after_bytes=500_000).on(*FILES, times=1))
        service.inject(Fault.answer(200, body=b"other").on(*FILES, times=1, after=1))
        BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
        assert (tmp_path / "rows.jsonl").read_bytes() == content
        assert len(fetched(service, "files")) == 3

    @pytest.mark.parametrize("after", [0, 500_000])
    @pytest.mark.parametrize("status", [401, 403, 404, 416])
    def test_a_refusal_in_mid_file_begins_again_by_the_documented_download(
        self, service, content, tmp_path, after, status
    ):
        service.inject(Fault.cut_body(after_bytes=after).on(*FILES, times=1))
        service.inject(Fault.answer(status).on(*FILES, times=None, after=1))
        stored = BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
        assert stored.rows == ROWS
        assert (len(fetched(service, "files")), len(fetched(service, "documented"))) == (3, 1)

    def test_a_file_cut_short_is_not_stored(self, service, content, tmp_path):
        service.inject(Fault.truncated(keep_bytes=800_000).on(*FILES, times=None))
        with pytest.raises(IncompleteResults):
            BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
        assert list(tmp_path.iterdir()) == []

    def test_a_limit_reads_no_more_than_it_needs(self, service, content, tmp_path):
        stored = BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.jsonl"), limit=7)
        assert (tmp_path / "rows.jsonl").read_bytes() == b"".join(line + b"\n" for line in content.split(b"\n")[:7])
        assert stored.rows == 7


class TestFormats:
    @pytest.mark.parametrize(
        "options",
        [
            {"format": "jsonl"},
            {"format": "jsonl", "compression": "gzip"},
            {"format": "jsonl", "compression": "zstd"},
            {"format": "parquet"},
        ],
    )
    def test_what_was_stored_reads_back(self, content, tmp_path, options):
        stored = BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows"), **options)
        frame = read_row_scores(stored.path)
        assert (stored.rows, len(frame)) == (ROWS, ROWS)
        assert frame["m"].mean() == 0.5
        assert stored.bytes == (tmp_path / "rows").stat().st_size
        assert stored.sha256 == hashlib.sha256((tmp_path / "rows").read_bytes()).hexdigest()

    def test_csv(self, content, tmp_path):
        stored = BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.csv"), format="csv")
        with open(stored.path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["row_index"] for row in rows] == [str(i) for i in range(ROWS)]
        assert rows[1]["m"] == "1.0"

    @pytest.mark.parametrize("name", ["parquet", "csv"])
    def test_the_documented_download_returns_the_same_table(self, service, content, tmp_path, name):
        hook = BenchmarkHook()
        fast = hook.download_row_scores("job-1", str(tmp_path / "fast"), format=name)
        service.inject(Fault.answer(403).on(*FILES, times=None))
        assert hook.download_row_scores("job-1", str(tmp_path / "slow"), format=name).sha256 == fast.sha256

    def test_rows_that_are_missing_leave_no_table(self, service, content, tmp_path):
        service.inject(Fault.error_line(after_rows=10).on(*DOCUMENTED))
        service.inject(Fault.answer(403).on(*FILES, times=None))
        with pytest.raises(IncompleteResults, match="damaged at line 11"):
            BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows.parquet"), format="parquet")
        assert list(tmp_path.iterdir()) == []


class TestIfExists:
    def test_replace_is_the_default(self, content, tmp_path):
        (tmp_path / "rows").write_bytes(b"old")
        BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows"))
        assert (tmp_path / "rows").read_bytes() == content

    @pytest.mark.parametrize(
        "options",
        [{"format": "jsonl"}, {"format": "jsonl", "compression": "gzip"}, {"format": "jsonl", "compression": "zstd"}]
        + [{"format": "parquet"}, {"format": "csv"}],
    )
    def test_skip_downloads_nothing_and_says_what_is_there(self, service, content, tmp_path, options):
        hook = BenchmarkHook()
        first = hook.download_row_scores("job-1", str(tmp_path / "rows"), if_exists="skip", **options)
        service.clear_requests()
        assert hook.download_row_scores("job-1", str(tmp_path / "rows"), if_exists="skip", **options) == first
        assert service.requests == []

    def test_fail_keeps_another_file(self, content, tmp_path):
        old = content.partition(b"\n")[0] + b"\n"
        (tmp_path / "rows").write_bytes(old)
        with pytest.raises(DestinationExists, match=r"holds other row scores \(1 rows\).*job-1.*\(3000 rows\)"):
            BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows"), if_exists="fail")
        assert (tmp_path / "rows").read_bytes() == old

    @pytest.mark.parametrize("other", [b"old\n", b'{"level": "info"}\n'])
    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_a_file_of_something_else_is_no_download(self, content, tmp_path, other, if_exists):
        (tmp_path / "rows").write_bytes(other)
        with pytest.raises(DestinationExists, match="is not jsonl|can't be read as jsonl"):
            BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows"), if_exists=if_exists)
        assert (tmp_path / "rows").read_bytes() == other

    def test_a_file_without_rows_is_no_download_to_skip(self, content, tmp_path):
        (tmp_path / "rows").touch()
        assert BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows"), if_exists="skip").rows == 3000

    @pytest.mark.parametrize("name", ["jsonl", "parquet"])
    def test_fail_lets_a_retry_of_the_same_download_pass(self, content, tmp_path, name):
        hook = BenchmarkHook()
        first = hook.download_row_scores("job-1", str(tmp_path / "rows"), format=name, if_exists="fail")
        assert hook.download_row_scores("job-1", str(tmp_path / "rows"), format=name, if_exists="fail") == first

    @pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
    def test_the_same_rows_by_another_route_are_the_same(self, service, content, tmp_path, compression):
        hook, arguments = BenchmarkHook(), {"compression": compression, "if_exists": "fail"}
        first = hook.download_row_scores("job-1", str(tmp_path / "rows"), **arguments)
        service.inject(Fault.answer(403).on(*FILES, times=None))
        assert hook.download_row_scores("job-1", str(tmp_path / "rows"), **arguments) == first
        limited = {**arguments, "limit": 10}
        hook.download_row_scores("job-1", str(tmp_path / "ten"), **limited)
        service.clear_faults()
        assert hook.download_row_scores("job-1", str(tmp_path / "ten"), **limited).rows == 10

    def test_rows_that_differ_in_a_value_are_not(self, service, content, tmp_path):
        service.inject(Fault.answer(403).on(*FILES, times=None))
        (tmp_path / "rows").write_bytes(content.replace(b'"value":1', b'"value":0', 1))
        with pytest.raises(DestinationExists, match="holds other row scores .3000 rows. than those of .*.3000 rows"):
            BenchmarkHook().download_row_scores("job-1", str(tmp_path / "rows"), if_exists="fail")

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_on_s3(self, content, s3, if_exists):
        arguments = {"destination": f"s3://{BUCKET}/exists-{if_exists}/rows", "storage_conn_id": "aws_scores"}
        hook = BenchmarkHook()
        s3.client.put_object(Bucket=BUCKET, Key=f"exists-{if_exists}/rows/below", Body=b"of another folder")
        first = hook.download_row_scores("job-1", **arguments, if_exists=if_exists)
        assert hook.download_row_scores("job-1", **arguments, if_exists=if_exists) == first
        with pytest.raises(DestinationExists, match="is not parquet: it is jsonl"):
            hook.download_row_scores("job-1", **arguments, if_exists=if_exists, format="parquet")


def test_downloads_that_can_not_be_stored_give_their_connections_back(service, content, tmp_path):
    (tmp_path / "file").write_text("")
    hook = BenchmarkHook()
    for _ in range(3):
        with pytest.raises(OSError, match="could not write"):
            hook.download_row_scores("job-1", str(tmp_path / "file" / "rows.jsonl"))
    assert sum("/-/" in request.path for request in service.requests) == 3
    connections = hook.client._http._transport._pool.connections
    assert all(connection.is_idle() or connection.is_closed() for connection in connections)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit must be 1 or more, found 0"),
        ({"limit": -5}, "limit must be 1 or more, found -5"),
        ({"if_exists": "maybe"}, "if_exists must be one of replace, skip, fail"),
        ({"partition_by": "input"}, 'partition_by needs a destination, and format="parquet" or "csv"'),
        ({"destination": ""}, "a path or URL in object storage is needed"),
    ],
)
def test_the_hook_refuses_what_the_operator_does(service, arguments, message, tmp_path):
    with pytest.raises(ConfigurationError, match=message):
        BenchmarkHook().download_row_scores("job-1", **{"destination": str(tmp_path / "rows"), **arguments})
    assert list(tmp_path.iterdir()) == []


def test_an_archive_of_artifacts_takes_a_path_too(service, content, tmp_path):
    stored = BenchmarkHook().download_artifacts("job-1", tmp_path / "artifacts.tar.gz")
    assert stored.path == str(tmp_path / "artifacts.tar.gz")
    with pytest.raises(DestinationExists, match="is a folder"):
        BenchmarkHook().download_artifacts("job-1", str(tmp_path))
