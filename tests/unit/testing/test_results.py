"""Result files by their three ways: evaluation service, jobs service, files service."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from tests.unit.testing.conftest import JOBS

QA = "my-workspace/qa-bench"
RAW = "/apis/jobs/v2/workspaces/my-workspace/jobs/job/results"
ROW = {
    "row_index": 0,
    "item": {"a": "é\u2028"},
    "sample": {},
    "metrics": {"w/m": [{"name": "s", "value": 1}]},
    "requests": [],
    "metric_errors": None,
}


def finish(service, http, *, aggregate=None, rows=None):
    scores = [{"name": "s", "count": 1, "nan_count": 0}]
    service.give_results(QA, aggregate=aggregate or {"results": [{"metric": "w/m", "scores": scores}]}, rows=rows)
    http.submit("job")
    http.wait("job")


def rows_of(http):
    return http.get(f"{JOBS}/job/results/row-scores/download").text


def test_rows_are_written_anew_by_one_way_and_raw_by_the_others(service, http):
    finish(service, http, rows=[ROW])
    evaluation = http.get(f"{JOBS}/job/results/row-scores/download")
    assert evaluation.text == json.dumps(ROW) + "\n"
    assert evaluation.headers["content-type"] == "application/jsonl"
    assert evaluation.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in evaluation.headers
    stored = (json.dumps(ROW, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
    jobs = http.get(f"{RAW}/row-scores/download")
    assert jobs.content == stored
    assert jobs.headers["content-length"] == str(len(stored))
    assert jobs.headers["content-disposition"] == 'attachment; filename="row-scores"'
    records = {record["name"]: record for record in http.get(f"{JOBS}/job/results").json()["data"]}
    fileset, _, path = records["row-scores"]["artifact_url"].partition("#")
    assert fileset == "my-workspace/job-fileset-job"
    files = f"/apis/files/v2/workspaces/my-workspace/filesets/job-fileset-job/-/{path}"
    assert http.get(files).content == stored
    assert http.head(files).headers["content-length"] == str(len(stored))


@pytest.mark.parametrize("options", [{"params": {"limit": 1}}, {"headers": {"Range": "bytes=0-9"}}])
def test_limit_and_range_are_ignored_for_rows(service, http, options):
    finish(service, http, rows=[ROW, ROW])
    answer = http.get(f"{JOBS}/job/results/row-scores/download", **options)
    assert (answer.status_code, answer.text) == (200, (json.dumps(ROW) + "\n") * 2)
    assert http.head(f"{JOBS}/job/results/row-scores/download").status_code == 405


def test_records(service, http):
    http.submit("job")
    http.wait("job")
    url = f"{service.url}{JOBS}/job/results"
    records = http.get(f"{JOBS}/job/results").json()["data"]
    assert [record["name"] for record in records] == ["artifacts", "row-scores", "aggregate-scores"]
    assert records[0]["download_url"] == f"{url}/artifacts/download"
    assert http.get(f"{JOBS}/job/results/artifacts").json() == records[0]
    assert http.get(f"{RAW}/artifacts").json() == {**records[0], "download_url": None}


@pytest.mark.parametrize("download", [f"{JOBS}/job/results/artifacts/download", f"{RAW}/artifacts/download"])
def test_artifacts_are_a_tarball(http, download):
    http.submit("job")
    http.wait("job")
    answer = http.get(download)
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getnames() == [
            "artifacts",
            "artifacts/aggregate-scores.json",
            "artifacts/job.json",
            "artifacts/row-scores.jsonl",
        ]
        rows = archive.extractfile("artifacts/row-scores.jsonl")
        assert rows is not None
        assert rows.read() == http.get(f"{RAW}/row-scores/download").content


def test_etags_change_though_the_file_does_not(http):
    http.submit("job")
    http.wait("job")
    tags = {http.get(f"{RAW}/row-scores/download").headers["etag"] for _ in range(2)}
    assert len(tags) == 2


class TestDamage:
    def test_a_damaged_line_ends_the_stream_with_an_error_line(self, service, http):
        good = json.dumps(ROW).encode() + b"\n"
        finish(service, http, rows=good + b"\n" + good + b'{"row_index": 2, "item": {"input": "C')
        lines = [json.loads(line) for line in rows_of(http).splitlines()]
        assert lines[:2] == [ROW, ROW]
        assert lines[2]["error"] == {
            "type": "JSONDecodeError",
            "line": 4,
            "message": "Unterminated string starting at: line 1 column 36 (char 35)",
        }

    @pytest.mark.parametrize(
        "line",
        [
            b"[1]",
            b'{"row_index": 5, "item": {}}',
            b'{"item": 1, "sample": {}, "metrics": {}, "requests": []}',
            b'{"item": {}, "sample": {}, "metrics": {"a": {"x": 1}}, "requests": []}',
            b'{"item": {}, "sample": {}, "metrics": {"a": [{"name": "x"}]}, "requests": []}',
        ],
    )
    def test_a_line_of_another_shape_too(self, service, http, line):
        finish(service, http, rows=json.dumps(ROW).encode() + b"\n" + line + b"\n")
        first, second = [json.loads(line) for line in rows_of(http).splitlines()]
        assert first == ROW
        assert (second["error"]["type"], second["error"]["line"]) == ("ValidationError", 2)
        assert "for RowScore" in second["error"]["message"]

    def test_bytes_that_are_not_utf8_lose_rows_without_a_word(self, service, http):
        good = b'{"item":{"a":1},"sample":{},"metrics":{},"requests":[]}\n'
        finish(service, http, rows=good * 2000 + b"\xff\n")
        assert rows_of(http).count("\n") == 1901  # as measured: what was read in one go with the damage is lost

    def test_numbers_that_json_can_not_hold(self, service, http):
        row = (
            b'{"item":{"a":NaN,"b":[Infinity]},"sample":{},"metrics":{"m/x":[{"name":"s","value":NaN},'
            b'{"name":"t","value":Infinity}]},"requests":[],"x":NaN}\n'
        )
        finish(service, http, rows=row)
        shown = json.loads(rows_of(http))
        assert shown["item"] == {"a": None, "b": [None]}
        assert shown["metrics"] == {"m/x": [{"name": "s", "value": "NaN"}, {"name": "t", "value": None}]}
        assert (shown["row_index"], shown["x"]) == (None, None)

    @pytest.mark.parametrize("content", [b"", b'{"results": [', b'{"a": NaN}'])
    def test_damaged_aggregates(self, driven, connect, content):
        client = connect(driven)
        client.submit("job")
        files = "/apis/files/v2/workspaces/my-workspace/filesets/job-fileset-job/-/r/a"
        record = {"artifact_url": "my-workspace/job-fileset-job#r/a", "artifact_storage_type": "fileset"}
        client.post(f"{RAW}/aggregate-scores", json=record).raise_for_status()
        # After such an error the service closes the connection without saying so: no other request may use it.
        once = {"Connection": "close"}
        gone = client.get(f"{JOBS}/job/results/aggregate-scores/download", headers=once)
        assert (gone.status_code, gone.json()) == (500, {"detail": "An unexpected error occurred."})
        client.put(files, content=content).raise_for_status()
        damaged = client.get(f"{JOBS}/job/results/aggregate-scores/download", headers=once)
        assert (damaged.status_code, damaged.json()) == (500, {"detail": "An unexpected error occurred."})

    def test_damaged_aggregates_can_be_given(self, service, http):
        finish(service, http, aggregate=b'{"results": [')
        assert http.status("job")["status"] == "completed"
        assert http.get(f"{JOBS}/job/results/aggregate-scores/download").status_code == 500


SCORE = {"name": "s", "count": 2, "nan_count": 0}
NOTHING = dict.fromkeys(("sum", "mean", "min", "max", "std_dev", "variance"))


class TestAggregateShapes:
    @pytest.mark.parametrize(
        ("stored", "shown"),
        [
            (
                {"foo": 1, "results": [{"scores": [{**SCORE, "mean": "0.5"}]}]},
                {
                    **SCORE,
                    **NOTHING,
                    "mean": 0.5,
                    "score_type": "range",
                    "percentiles": None,
                    "histogram": None,
                },
            ),
            (
                {"results": [{"scores": [{**SCORE, "rubric_distribution": [{"label": "a", "value": 1}]}]}]},
                {
                    **SCORE,
                    **NOTHING,
                    "score_type": "rubric",
                    "rubric_distribution": [{"label": "a", "description": None, "value": 1, "count": 0}],
                    "mode_category": None,
                },
            ),
        ],
    )
    def test_what_fits_is_completed(self, service, http, stored, shown):
        finish(service, http, aggregate=stored)
        answer = http.get(f"{JOBS}/job/results/aggregate-scores/download")
        assert answer.json() == {"results": [{"scores": [shown], "metric": None}]}
        assert list(answer.json()["results"][0]["scores"][0]) == list(shown)  # the order, too

    @pytest.mark.parametrize(
        "stored",
        [
            {"metrics": [{"metric_ref": "w/m", "aggregation": {"scores": [{"name": "s", "mean": 0.6}]}}]},
            {"results": [{"scores": [{**SCORE, "x": 1}]}], "foo": 1},
            {"results": [{"scores": [{**SCORE, "score_type": "scalar", "value": 1}]}]},
            {"results": [{"metric": "no-workspace", "scores": []}]},
            [1, 2],
            "text",
        ],
    )
    def test_what_does_not_fit_is_passed_through(self, service, http, stored):
        finish(service, http, aggregate=stored)
        assert http.get(f"{JOBS}/job/results/aggregate-scores/download").json() == stored
        assert http.status("job")["status"] == "completed"


class TestFilesOnDisk:
    def test_a_path_is_served_as_it_is(self, service, http, tmp_path):
        path = tmp_path / "rows.jsonl"
        path.write_bytes(json.dumps(ROW).encode() + b"\n")
        finish(service, http, rows=path)
        assert rows_of(http) == json.dumps(ROW) + "\n"
        assert http.get(f"{RAW}/row-scores/download").content == path.read_bytes()
        part = http.get(f"{RAW}/row-scores/download", headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, path.read_bytes()[2:6])

    def test_a_huge_one_goes_out_raw(self, service, http, tmp_path):
        path = tmp_path / "rows.jsonl"
        with path.open("wb") as file:
            file.truncate(65 * 1024 * 1024)  # no JSON at all: nobody reads it
        finish(service, http, rows=path)
        with http.stream("GET", f"{JOBS}/job/results/row-scores/download") as answer:
            assert answer.headers["transfer-encoding"] == "chunked"
            assert sum(len(piece) for piece in answer.iter_raw()) == path.stat().st_size

    def test_a_missing_path_is_refused(self, service, tmp_path):
        with pytest.raises(FileNotFoundError):
            service.give_results(QA, aggregate={}, rows=tmp_path / "none")


@pytest.mark.parametrize(
    ("wanted", "status", "content_range"),
    [
        ("bytes=0-9", 206, "bytes 0-9/{size}"),
        ("bytes=-5", 206, "bytes {last5}-{last}/{size}"),
        ("bytes=10-", 206, "bytes 10-{last}/{size}"),
        ("bytes=5-99999", 206, "bytes 5-{last}/{size}"),
        ("bytes=99999-", 416, "*/{size}"),
        ("bytes=5-2", 400, None),
        ("junk", 400, None),
    ],
)
def test_ranges_of_the_jobs_service(service, http, wanted, status, content_range):
    finish(service, http, rows=[ROW])
    whole = http.get(f"{RAW}/row-scores/download").content
    size = len(whole)
    answer = http.get(f"{RAW}/row-scores/download", headers={"Range": wanted})
    assert answer.status_code == status
    shown = content_range and content_range.format(size=size, last=size - 1, last5=size - 5)
    assert answer.headers.get("content-range") == shown
    if status == 206:
        first, _, last = shown.split()[1].split("/")[0].partition("-")
        assert answer.content == whole[int(first) : int(last) + 1]
