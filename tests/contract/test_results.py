from __future__ import annotations

import json

import pytest

from tests.contract.conftest import STORES_BENCHMARKS, TAKES_BUNDLES, shape

AGGREGATE = {
    "results": [
        {
            "metric": "my-workspace/exact-match",
            "scores": [
                {
                    "name": "exact-match",
                    "count": 1,
                    "nan_count": 1,
                    "sum": 1.0,
                    "mean": 1.0,
                    "min": 1.0,
                    "max": 1.0,
                    "std_dev": 0.0,
                    "variance": 0.0,
                    "score_type": "range",
                    "percentiles": None,
                    "histogram": {"bins": []},
                }
            ],
        }
    ]
}
OLDER_SHAPE = {
    "metrics": [
        {"metric_ref": "my-workspace/exact-match", "aggregation": {"scores": [{"name": "exact-match", "mean": 0.6}]}}
    ]
}


def row(index, value=1, **item):
    return {
        "row_index": index,
        "item": item,
        "sample": {},
        "metrics": {"my-workspace/exact-match": [{"name": "exact-match", "value": value}]},
        "requests": [],
        "metric_errors": None,
    }


ROWS = [row(0, text="é漢\u2028", big=10**30), row(1, value="NaN", nothing=None)]
STORED = b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in ROWS)


@pytest.fixture
def results(http, job, name) -> str:
    """Address of the results of a completed job."""
    job.run_to_active()
    job.result("aggregate-scores", json.dumps(AGGREGATE).encode())
    job.file = job.result("row-scores", STORED)
    job.step(http.target.steps[-1], "completed")
    return f"{http.jobs}/{name}/results"


@pytest.fixture
def file(results, job) -> str:
    """Path of the row scores' file in the Files API."""
    return job.file


def test_before_there_are_any(http, job, name):
    assert http.get(f"{http.jobs}/{name}/results").json() == {"data": []}
    for result in ("aggregate-scores", "row-scores"):
        answer = http.get(f"{http.jobs}/{name}/results/{result}/download")
        assert (answer.status_code, answer.json()) == (404, http.target.result_not_found(result, name))


def test_they_are_there_before_the_job_has_completed(http, job, name):
    job.run_to_active()
    job.result("aggregate-scores", json.dumps(AGGREGATE).encode())
    assert [r["name"] for r in http.get(f"{http.jobs}/{name}/results").json()["data"]] == ["aggregate-scores"]
    assert http.get(f"{http.jobs}/{name}/results/aggregate-scores/download").status_code == 200
    assert http.get(f"{http.jobs}/{name}/status").json()["status"] == "active"


def test_the_list_is_newest_first(http, results, name):
    listed = http.get(results).json()["data"]
    assert [result["name"] for result in listed] == ["row-scores", "aggregate-scores"]
    assert shape(listed[0]) == {
        "name": "str",
        "job": "str",
        "workspace": "str",
        "project": "NoneType",
        "created_at": "str",
        "updated_at": "str",
        "artifact_url": "str",
        "artifact_storage_type": "str",
        "download_url": "str",
    }
    assert listed[0]["artifact_url"] == f"my-workspace/job-fileset-{name}#results/attempt/row-scores"
    assert listed[0]["download_url"].endswith(f"{results}/row-scores/download")
    assert http.get(f"{results}/row-scores").json() == listed[0]


def test_a_result_that_is_not_there(http, results, name):
    for path in ("none", "none/download"):
        answer = http.get(f"{results}/{path}")
        assert (answer.status_code, answer.json()) == (404, http.target.result_not_found("none", name))


@STORES_BENCHMARKS
def test_aggregate_scores(http, results):
    answer = http.get(f"{results}/aggregate-scores/download")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == AGGREGATE


@STORES_BENCHMARKS
def test_the_older_shape_is_passed_through(http, job, name):
    job.run_to_active()
    job.result("aggregate-scores", json.dumps(OLDER_SHAPE).encode())
    assert http.get(f"{http.jobs}/{name}/results/aggregate-scores/download").json() == OLDER_SHAPE


@STORES_BENCHMARKS
def test_a_damaged_aggregate_is_an_error_of_the_service(http, job, name):
    job.run_to_active()
    job.result("aggregate-scores", json.dumps(AGGREGATE).encode()[:50])
    answer = http.get(f"{http.jobs}/{name}/results/aggregate-scores/download")
    assert (answer.status_code, answer.json()) == (500, {"detail": "An unexpected error occurred."})


@TAKES_BUNDLES
class TestDownload:
    """Later releases return each result as it is stored."""

    def test_the_file_as_it_is_stored(self, http, results):
        answer = http.get(f"{results}/row-scores/download")
        assert (answer.status_code, answer.content) == (200, STORED)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-length"] == str(len(STORED))
        assert answer.headers["content-disposition"] == 'attachment; filename="row-scores"'
        aggregate = http.get(f"{results}/aggregate-scores/download")
        assert aggregate.content == json.dumps(AGGREGATE).encode()

    def test_a_part(self, http, results):
        answer = http.get(f"{results}/row-scores/download", headers={"Range": "bytes=10-19"})
        assert (answer.status_code, answer.content) == (206, STORED[10:20])
        assert answer.headers["content-range"] == f"bytes 10-19/{len(STORED)}"

    def test_the_tag_changes(self, http, results):
        tags = {http.get(f"{results}/row-scores/download").headers["etag"] for _ in range(2)}
        assert len(tags) == 2

    def test_no_head(self, http, results):
        answer = http.head(f"{results}/row-scores/download")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@STORES_BENCHMARKS
class TestRowStream:
    def test_rows_are_written_anew(self, http, results):
        answer = http.get(f"{results}/row-scores/download")
        assert answer.headers["content-type"].startswith("application/jsonl")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in answer.headers
        assert [json.loads(line) for line in answer.content.split(b"\n") if line] == ROWS
        assert answer.content == b"".join(json.dumps(each).encode() + b"\n" for each in ROWS)

    @pytest.mark.parametrize("extra", [{"params": {"limit": 1}}, {"headers": {"Range": "bytes=0-10"}}])
    def test_limits_and_ranges_are_ignored(self, http, results, extra):
        answer = http.get(f"{results}/row-scores/download", **extra)
        assert (answer.status_code, len(answer.content.splitlines())) == (200, 2)

    def test_no_head(self, http, results):
        assert http.head(f"{results}/row-scores/download").status_code == 405

    def test_a_damaged_line_ends_it_with_an_error_under_200(self, http, job, name):
        job.run_to_active()
        lines = STORED.split(b"\n")
        job.result("row-scores", lines[0] + b"\n" + lines[1][:40] + b"\n" + lines[0] + b"\n")
        answer = http.get(f"{http.jobs}/{name}/results/row-scores/download")
        assert answer.status_code == 200
        first, last = (json.loads(line) for line in answer.content.split(b"\n") if line)
        assert first == ROWS[0]
        assert shape(last) == {"error": {"type": "str", "line": "int", "message": "str"}}
        assert (last["error"]["type"], last["error"]["line"]) == ("JSONDecodeError", 2)


class TestFiles:
    def test_the_file_as_it_is_stored(self, http, file):
        answer = http.get(file)
        assert (answer.status_code, answer.content) == (200, STORED)
        assert answer.headers["content-length"] == str(len(STORED))
        assert answer.headers["accept-ranges"] == "bytes"

    def test_head(self, http, file):
        answer = http.head(file)
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(STORED)))

    @pytest.mark.parametrize(("asked", "first"), [("bytes=100-", 100), ("bytes=10-19", 10)])
    def test_parts(self, http, file, asked, first):
        answer = http.get(file, headers={"Range": asked})
        last = int(asked.partition("-")[2] or len(STORED) - 1)
        assert answer.status_code == 206
        assert answer.content == STORED[first : last + 1]
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(STORED)}"

    def test_past_the_end(self, http, file):
        assert http.get(file, headers={"Range": f"bytes={len(STORED) + 5}-"}).status_code == 416

    def test_a_file_that_is_not_there(self, http, file):
        assert http.get(f"{file}-none").status_code == 404

    def test_the_jobs_service_has_it_too(self, http, results, name):
        answer = http.get(f"/apis/jobs/v2/workspaces/my-workspace/jobs/{name}/results/row-scores/download")
        assert (answer.status_code, answer.content) == (200, STORED)
        assert "etag" in answer.headers
