"""The download operators on the local service: what goes to XCom and what becomes a file."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from datetime import datetime
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, ObjectStoragePath

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    DestinationExists,
    IncompleteResults,
    NotFound,
    ResultsTooLarge,
)
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

ROWS = ("GET", "*/row-scores/download")
MAX_XCOM_BYTES = "AIRFLOW__BENCHMARKS__MAX_XCOM_BYTES"


@pytest.fixture
def run_job(service):
    """Run a job to its end."""

    def run(name="job-1"):
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            client.submit_job(SPEC, name=name)
            wait_until_finished(client, name)

    return run


def aggregate(**arguments):
    operator = DownloadAggregateScoresOperator(task_id="download", **{"job_name": "job-1", **arguments})
    return operator.execute(task_context())


def rows(**arguments):
    operator = DownloadRowScoresOperator(task_id="download", **{"job_name": "job-1", **arguments})
    return operator.execute(task_context())


def as_json(value):
    """What XCom keeps of a value; strict JSON, which has no NaN."""
    return json.loads(json.dumps(value, allow_nan=False))


def half_scored(service):
    """Let jobs give a score that one of two rows lacks."""
    score = {"name": "m", "score_type": "range", "count": 1, "nan_count": 1, "mean": 0.5, "std_dev": "NaN", "min": 0.5}
    given = [
        {
            "row_index": i,
            "item": {"x": "NaN"},
            "sample": {},
            "metrics": {"my-workspace/m": [{"name": "m", "value": value}]},
            "requests": [],
        }
        for i, value in enumerate([0.5, "NaN"])
    ]
    results = {"results": [{"metric": "my-workspace/m", "scores": [score]}]}
    service.give_results(BENCHMARK, aggregate=results, rows=given)


FIVE_ROWS = {
    "results": [{"metric": "my-workspace/m", "scores": [{"name": "m", "count": 5, "nan_count": 0, "mean": 1.0}]}]
}


def five_rows():
    metrics = {"my-workspace/m": [{"name": "m", "value": 1.0}]}
    given = ({"row_index": i, "item": {"text": "x" * 50}, "sample": {}, "metrics": metrics} for i in range(5))
    return b"".join(json.dumps({**row, "requests": []}, separators=(",", ":")).encode() + b"\n" for row in given)


def destination_for(route, service, folder):
    """Where rows go to, by a route: the Files API, the documented download where that refuses, or into XCom."""
    if route == "documented":
        service.inject(Fault.answer(403).on("GET", "/apis/files/*", times=None))
    return None if route == "xcom" else str(folder / "rows.jsonl")


class TestAggregateScores:
    def test_flat_records_go_to_xcom(self, run_job):
        run_job()
        records = aggregate()
        assert as_json(records) == records
        assert [(r["metric_ref"], r["name"], r["mean"], r["count"], r["nan_count"]) for r in records] == [
            ("my-workspace/exact-match", "exact-match", 0.6, 5, 0),
            ("my-workspace/string-check", "string-check", 0.8, 5, 0),
        ]
        assert records[0]["p50"] == 1.0
        assert not any(isinstance(value, dict | list) for record in records for value in record.values())

    def test_the_log_has_them_as_a_table(self, run_job, task_log):
        run_job()
        aggregate()
        said = task_log()
        assert 'Scores of benchmark job "job-1":' in said
        assert re.search(r"my-workspace/string-check +string-check +0\.8 +0\.4 +0 +1 +5 +0", said)

    def test_what_is_no_number_is_null(self, service, run_job):
        half_scored(service)
        run_job()
        (record,) = as_json(aggregate())
        assert (record["mean"], record["std_dev"], record["max"]) == (0.5, None, None)
        assert (record["count"], record["nan_count"]) == (1, 1)

    def test_a_destination_gets_everything_and_xcom_the_records(self, run_job, tmp_path):
        run_job()
        path = tmp_path / "new" / "scores.json"
        assert aggregate(destination=str(path)) == aggregate()
        stored = json.loads(path.read_bytes())
        assert [result["metric"] for result in stored["results"]] == [
            "my-workspace/exact-match",
            "my-workspace/string-check",
        ]
        assert stored["results"][0]["scores"][0]["mean"] == 0.6
        assert [entry.name for entry in path.parent.iterdir()] == ["scores.json"]

    def test_a_file_url(self, run_job, tmp_path):
        run_job()
        aggregate(destination=f"file://{tmp_path}/scores.json")
        assert json.loads((tmp_path / "scores.json").read_bytes())["results"]

    def test_a_job_without_results(self, service, run_job, tmp_path):
        service.fail_jobs(BENCHMARK, "no")
        run_job()
        told = 'look at its status and log. The status of benchmark job "job-1" .*is "error"'
        for fetch, name in ((aggregate, "scores.json"), (rows, "rows.jsonl"), (rows, None)):
            with pytest.raises(NotFound, match=told) as caught:
                fetch(destination=name and str(tmp_path / name))
            assert "Check the name" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"results": {}}', b'"none"'])
    def test_damaged_scores_are_no_scores(self, service, run_job, tmp_path, body):
        run_job()
        service.inject(Fault.malformed(body).on("GET", "*/aggregate-scores/download"))
        with pytest.raises(Exception, match="job-1"):
            aggregate(destination=str(tmp_path / "scores.json"))
        assert list(tmp_path.iterdir()) == []


class TestRowScores:
    def test_a_destination_gets_the_rows_and_xcom_what_is_known_of_the_file(self, run_job, tmp_path):
        run_job()
        path = tmp_path / "new" / "rows.jsonl"
        record = rows(destination=str(path))
        content = path.read_bytes()
        assert as_json(record) == {
            "path": str(path),
            "rows": 5,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "format": "jsonl",
        }
        assert [json.loads(line)["row_index"] for line in content.splitlines()] == [0, 1, 2, 3, 4]

    def test_without_one_xcom_gets_the_rows(self, run_job):
        run_job()
        found = rows()
        assert as_json(found) == found
        assert [row["row_index"] for row in found] == [0, 1, 2, 3, 4]
        assert found[0]["item"]["output"] == "The answer is 4"
        assert found[0]["metrics"]["my-workspace/exact-match"] == [{"name": "exact-match", "value": 0}]

    def test_a_score_that_is_no_number_is_null_in_xcom(self, service, run_job):
        half_scored(service)
        run_job()
        found = as_json(rows())
        assert [row["metrics"]["my-workspace/m"][0]["value"] for row in found] == [0.5, None]
        assert found[0]["item"] == {"x": "NaN"}  # a text of the dataset stays what it is

    @pytest.mark.parametrize(("limit", "expected"), [(1, 1), (2, 2), (5, 5), (100, 5)])
    def test_a_limit(self, run_job, tmp_path, limit, expected):
        run_job()
        assert len(rows(limit=limit)) == expected
        assert rows(limit=limit, destination=str(tmp_path / "rows.jsonl"))["rows"] == expected
        assert (tmp_path / "rows.jsonl").read_bytes().count(b"\n") == expected

    @pytest.mark.parametrize("route", ["files", "documented", "xcom"])
    @pytest.mark.parametrize(
        "damage",
        [
            lambda content: content[:-200],
            lambda content: content.replace(b'"row_index":3', b'"row_index:3'),
            lambda content: content.replace(b'"metrics"', b'"scores"'),
            lambda content: b"<html>\n",
        ],
        ids=["cut short", "a line that is no JSON", "lines that are no rows", "another document"],
    )
    def test_damaged_rows_are_an_error_and_leave_no_file(self, service, run_job, tmp_path, damage, route):
        service.give_results(BENCHMARK, aggregate=FIVE_ROWS, rows=damage(five_rows()))
        run_job()
        with pytest.raises(IncompleteResults, match='row scores of benchmark job "job-1" in workspace "my-workspace"'):
            rows(destination=destination_for(route, service, tmp_path))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("route", ["files", "documented", "xcom"])
    @pytest.mark.parametrize("kept", [0, 3, 4])
    def test_rows_that_are_missing_are_noticed(self, service, run_job, tmp_path, kept, route):
        content = b"".join(five_rows().splitlines(keepends=True)[:kept])
        service.give_results(BENCHMARK, aggregate=FIVE_ROWS, rows=content)
        run_job()
        with pytest.raises(IncompleteResults, match=f"there are {kept} rows, but the aggregate scores count 5"):
            rows(destination=destination_for(route, service, tmp_path))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("route", ["files", "documented"])
    def test_damaged_rows_leave_an_earlier_file_as_it_is(self, service, run_job, tmp_path, route):
        run_job()
        path = destination_for(route, service, tmp_path)
        rows(destination=path)
        before = (tmp_path / "rows.jsonl").read_bytes()
        service.give_results(BENCHMARK, aggregate=FIVE_ROWS, rows=five_rows()[:-200])
        run_job("job-2")
        with pytest.raises(IncompleteResults):
            rows(job_name="job-2", destination=path)
        assert (tmp_path / "rows.jsonl").read_bytes() == before

    def test_a_dropped_connection_is_gone_on_from(self, service, run_job):
        run_job()
        whole = rows()
        service.inject(Fault.cut_body(after_bytes=500).on(*ROWS, times=2))
        assert rows() == whole

    @pytest.mark.parametrize("route", ["files", "documented", "xcom"])
    @pytest.mark.parametrize(
        ("kept", "limit", "message"),
        [
            ([0, 1, 2], 4, "there are 3 rows, but the aggregate scores count 5, of which 4 were asked for"),
            ([0, 1, 2], 100, "there are 3 rows, but the aggregate scores count 5$|count 5\\. Nothing"),
            ([0, 1, 2, 3, 3], 100, "row index 3 comes twice"),
            ([0, 1, 2, 4], 4, "1 row indices are missing"),
        ],
    )
    def test_a_limit_is_no_reason_to_take_less(self, service, run_job, tmp_path, kept, limit, message, route):
        lines = five_rows().splitlines(keepends=True)
        service.give_results(BENCHMARK, aggregate=FIVE_ROWS, rows=b"".join(lines[index] for index in kept))
        run_job()
        with pytest.raises(IncompleteResults, match=f'row scores of benchmark job "job-1" in .*({message})'):
            rows(destination=destination_for(route, service, tmp_path), limit=limit)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("route", ["files", "documented", "xcom"])
    def test_a_limit_of_rows_out_of_order(self, service, run_job, tmp_path, route):
        lines = five_rows().splitlines(keepends=True)
        service.give_results(BENCHMARK, aggregate=FIVE_ROWS, rows=b"".join(lines[index] for index in (3, 0, 1, 2, 4)))
        run_job()
        found = rows(destination=destination_for(route, service, tmp_path), limit=2)
        assert (len(found) if route == "xcom" else found["rows"]) == 2

    @pytest.mark.parametrize("route", ["files", "documented", "xcom"])
    def test_a_job_with_a_score_over_the_corpus_only(self, service, run_job, tmp_path, route):
        score = {"name": "corpus", "count": 1, "nan_count": 0, "mean": 0.5}
        content = five_rows().replace(b'[{"name":"m","value":1.0}]', b"[]")
        service.give_results(BENCHMARK, aggregate={"results": [{"metric": "w/bleu", "scores": [score]}]}, rows=content)
        run_job()
        found = rows(destination=destination_for(route, service, tmp_path))
        assert (len(found) if route == "xcom" else found["rows"]) == 5


class TestJobsThatHaveNotCompleted:
    """The service returns results some seconds before a job has completed, and those of a job in error."""

    @pytest.fixture
    def warned(self, monkeypatch, caplog):
        """Give what a download has warned of, through the standard library on every version of Airflow."""
        for kind in (DownloadAggregateScoresOperator, DownloadRowScoresOperator):
            monkeypatch.setattr(kind, "log", logging.getLogger("a task's log"))
        said = "its scores may not be of all rows"
        return lambda: [record.getMessage() for record in caplog.records if said in record.getMessage()]

    @pytest.mark.parametrize("is_stored", [True, False])
    @pytest.mark.parametrize("download", [aggregate, rows])
    @pytest.mark.parametrize(
        ("status", "advice"), [("active", " Wait for it first."), ("error", ""), ("cancelled", "")]
    )
    def test_the_log_says_so(self, service, run_job, tmp_path, warned, status, advice, download, is_stored):
        run_job()
        service.pin_status(WORKSPACE, "job-1", status)
        download(**{"destination": str(tmp_path / "scores")} if is_stored else {})
        of = f'benchmark job "job-1" of benchmark {BENCHMARK} in workspace "{WORKSPACE}"'
        assert warned() == [f'{of} is "{status}": its scores may not be of all rows.{advice}']

    @pytest.mark.parametrize("download", [aggregate, rows])
    def test_they_are_polled_before_their_results(self, service, run_job, download):
        run_job()
        service.clear_requests()
        download()
        assert [request.path.endswith("/download") for request in service.requests][0:2] == [False, True]

    @pytest.mark.parametrize("download", [aggregate, rows])
    def test_of_one_that_has_completed_nothing_is_said(self, run_job, warned, download):
        run_job()
        download()
        assert warned() == []


class TestXComLimit:
    def test_scores_that_are_too_large_are_refused(self, run_job, monkeypatch):
        run_job()
        monkeypatch.setenv(MAX_XCOM_BYTES, "300")
        said = 'aggregate scores of benchmark job "job-1" take .* more than the 300 .*Set destination='
        with pytest.raises(ResultsTooLarge, match=said):
            aggregate()
        with pytest.raises(ResultsTooLarge, match=r'row scores of benchmark job "job-1" take .*Set destination='):
            rows()

    def test_the_limit_itself_is_allowed(self, run_job, monkeypatch):
        run_job()
        size = len(json.dumps(rows()))
        monkeypatch.setenv(MAX_XCOM_BYTES, str(size))
        assert len(rows()) == 5
        monkeypatch.setenv(MAX_XCOM_BYTES, str(size - 1))
        with pytest.raises(ResultsTooLarge):
            rows()
        assert len(rows(limit=4)) == 4

    def test_records_go_to_xcom_beside_a_file_too(self, run_job, monkeypatch, tmp_path):
        run_job()
        monkeypatch.setenv(MAX_XCOM_BYTES, "300")
        with pytest.raises(ResultsTooLarge, match=r"max_xcom_bytes\). Raise it, or set do_xcom_push=False"):
            aggregate(destination=str(tmp_path / "scores.json"))
        assert list(tmp_path.iterdir()) == []
        assert aggregate(destination=str(tmp_path / "scores.json"), do_xcom_push=False)
        assert (tmp_path / "scores.json").exists()

    def test_large_rows_are_refused_at_the_first_one_too_many(self, service, run_job):
        row = b'{"row_index": %d, "item": {"text": "%s"}, "sample": {}, "metrics": {}, "requests": []}\n'
        content = b"".join(row % (i, b"x" * 300_000) for i in range(20))
        score = {"name": "m", "count": 20, "nan_count": 0, "mean": 1.0}
        service.give_results(BENCHMARK, aggregate={"results": [{"metric": "w/m", "scores": [score]}]}, rows=content)
        run_job()
        with pytest.raises(ResultsTooLarge, match="The first 4 row scores .* take 1,2"):
            rows()

    def test_a_destination_has_no_limit(self, run_job, monkeypatch, tmp_path):
        run_job()
        monkeypatch.setenv(MAX_XCOM_BYTES, "300")
        assert rows(destination=str(tmp_path / "rows.jsonl"))["rows"] == 5

    def test_a_huge_result_is_refused_before_it_is_read_to_its_end(self, service, run_job):
        fields = b'"sample": {}, "metrics": {}, "requests": []'
        lines = (b'{"row_index": %d, "item": {"text": "%s"}, %s}\n' % (i, b"x" * 900, fields) for i in range(20_000))
        score = {"name": "m", "count": 20_000, "nan_count": 0, "mean": 1.0}
        results = {"results": [{"metric": "my-workspace/m", "scores": [score]}]}
        service.give_results(BENCHMARK, aggregate=results, rows=b"".join(lines))
        run_job()
        with pytest.raises(
            ResultsTooLarge, match=r"The first 1\d\d\d row scores .* more than the 1,048,576 that an XCom"
        ):
            rows()


class TestIfExists:
    """Of aggregate scores."""

    @pytest.mark.parametrize(("if_exists", "kept"), [("replace", False), ("skip", True)])
    def test_what_is_there(self, run_job, tmp_path, if_exists, kept):
        run_job()
        path = tmp_path / "scores.json"
        path.write_text("old")
        assert aggregate(destination=str(path), if_exists=if_exists) == aggregate()
        assert (path.read_text() == "old") == kept

    def test_fail_lets_a_retry_pass_and_refuses_another_file(self, service, run_job, tmp_path):
        run_job()
        path = tmp_path / "scores.json"
        first = aggregate(destination=str(path), if_exists="fail")
        assert aggregate(destination=str(path), if_exists="fail") == first
        before = path.read_bytes()
        half_scored(service)
        run_job("job-2")
        with pytest.raises(DestinationExists, match='holds something else than aggregate scores of .* "job-2"'):
            aggregate(job_name="job-2", destination=str(path), if_exists="fail")
        assert path.read_bytes() == before

    @pytest.mark.parametrize("if_exists", ["replace", "skip", "fail"])
    def test_a_folder_is_reported(self, run_job, tmp_path, if_exists):
        run_job()
        for download in (aggregate, rows):
            with pytest.raises(DestinationExists, match="is a folder, and a file is to be there"):
                download(destination=str(tmp_path), if_exists=if_exists)


class TestDestinations:
    """Texts, paths and ObjectStoragePaths, with a connection or without."""

    @pytest.mark.parametrize("kind", [Path, ObjectStoragePath])
    @pytest.mark.parametrize("download", [aggregate, rows])
    def test_a_local_path(self, run_job, tmp_path, kind, download):
        run_job()
        found = download(destination=kind(str(tmp_path / "scores")))
        assert as_json(found) == found
        assert (tmp_path / "scores").exists()
        if download is rows:
            assert found["path"] == str(tmp_path / "scores")

    @pytest.mark.parametrize("download", [aggregate, rows])
    def test_a_path_on_s3_brings_its_connection(self, run_job, s3, download):
        run_job()
        key = f"paths/{download.__name__}"
        path = ObjectStoragePath(f"s3://{BUCKET}/{key}", conn_id="aws_scores")
        found = download(destination=path)
        assert as_json(found) == found
        assert key in s3.list_keys()
        if download is rows:
            assert ObjectStoragePath(found["path"], conn_id="aws_scores").read_bytes() == s3.read(key)

    @pytest.mark.parametrize("kind", [str, Path, ObjectStoragePath])
    def test_a_folder_of_partitions(self, run_job, tmp_path, kind):
        run_job()
        found = rows(destination=kind(str(tmp_path / "rows")), format="parquet", partition_by="reference")
        assert as_json(found) == found
        assert found["rows"] == 5

    @pytest.mark.parametrize("download", [aggregate, rows])
    def test_a_connection_that_is_not_there_is_reported_before_anything_is_written(self, run_job, download):
        run_job()
        with pytest.raises(ConfigurationError, match='no Airflow connection "aws_mistyped" for the storage'):
            download(destination=f"s3://{BUCKET}/x", storage_conn_id="aws_mistyped")

    def test_an_empty_one_is_reported(self, run_job):
        run_job()
        for operator in (DownloadAggregateScoresOperator, DownloadRowScoresOperator):
            with DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1)):
                task = operator(task_id="download", job_name="job-1", destination="{{ nothing }}")
            task.render_template_fields({"nothing": ""})
            with pytest.raises(ConfigurationError, match="a path or URL in object storage is needed, found ''"):
                task.execute(task_context())


@pytest.mark.parametrize(
    ("operator", "arguments", "message"),
    [
        (DownloadAggregateScoresOperator, {"format": "jsonl"}, 'unknown format "jsonl"; known: json'),
        (DownloadRowScoresOperator, {"format": "xml"}, 'unknown format "xml"; known: jsonl'),
        (DownloadRowScoresOperator, {"limit": 0}, "limit must be 1 or more, found 0"),
        (DownloadRowScoresOperator, {"limit": -1}, "limit must be 1 or more, found -1"),
        (DownloadRowScoresOperator, {"limit": "5"}, "limit must be 1 or more, found '5'"),
        (
            DownloadRowScoresOperator,
            {"if_exists": "maybe"},
            'if_exists must be one of replace, skip, fail, found "maybe"',
        ),
        (DownloadAggregateScoresOperator, {"if_exists": "maybe"}, 'task "download": if_exists must be one of'),
        (DownloadRowScoresOperator, {"destination": ""}, "a path or URL in object storage is needed, found ''"),
        (DownloadAggregateScoresOperator, {"destination": " "}, "a path or URL in object storage is needed"),
        (DownloadRowScoresOperator, {"compression": "zip"}, "can't be compressed"),
        (
            DownloadRowScoresOperator,
            {"store": "s", "limit": 5},
            (
                "limit= would be ignored, as there is no destination and the score store keeps the whole job .* "
                "leave it out"
            ),
        ),
        (
            DownloadRowScoresOperator,
            {"store": "s", "format": "csv", "compression": None, "neutralise_formulas": False, "with_sample": True},
            "format=, with_sample=, neutralise_formulas= would be ignored.* Give a destination=",
        ),
        (
            DownloadRowScoresOperator,
            {"store": "s", "format": "parquet", "compression": "zstd"},
            "format=, compression=",
        ),
        (DownloadRowScoresOperator, {"store": "s", "format": "csv", "partition_by": "a"}, "partition_by needs a dest"),
        (DownloadRowScoresOperator, {"store": "s", "if_exists": "skip"}, "if_exists= would be ignored"),
        (DownloadRowScoresOperator, {"store": "{{ s }}", "storage_conn_id": "a"}, "storage_conn_id= would be ignored"),
        (DownloadAggregateScoresOperator, {"store": "s", "storage_conn_id": "a"}, "storage_conn_id= would be ignored"),
        (
            DownloadRowScoresOperator,
            {"format": "parquet", "limit": 5},
            'task "download": format= would be ignored, as there is no destination and the rows themselves go to XCom',
        ),
        (
            DownloadRowScoresOperator,
            {"destination": "x", "format": "csv", "partition_by": ["a", "a"]},
            "partition_by names a field twice",
        ),
    ],
)
def test_wrong_arguments_are_reported_when_the_dag_is_parsed(operator, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        operator(task_id="download", job_name="job-1", **arguments)


def test_what_is_not_ignored_is_taken():
    for arguments in (
        {"limit": 5},
        {"limit": 5, "store": ""},
        {"store": "s", "destination": "x", "limit": 5, "format": "csv", "storage_conn_id": "a", "if_exists": "skip"},
        {"store": "s", "format": "jsonl", "limit": None, "if_exists": "replace"},
    ):
        DownloadRowScoresOperator(task_id="download", job_name="job-1", **arguments)


@pytest.mark.parametrize("kind", [DownloadAggregateScoresOperator, DownloadRowScoresOperator])
def test_what_is_templated(kind):
    names = ("job_name", "destination", "storage_conn_id", "conn_id", "workspace")
    with DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1)):
        operator = kind(task_id="download", **{name: f"{name}-{{{{ ds }}}}" for name in names})
    operator.render_template_fields({"ds": "2026-01-02"})
    assert [getattr(operator, name) for name in names] == [f"{name}-2026-01-02" for name in names]


class TestValuesThatComeLater:
    """The output of a task, and a template in a path, are known when the task runs."""

    @pytest.fixture
    def before(self):
        with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
            yield BaseOperator(task_id="before").output

    @pytest.mark.parametrize("kind", [DownloadAggregateScoresOperator, DownloadRowScoresOperator])
    @pytest.mark.parametrize("name", ["destination", "storage_conn_id", "store"])
    def test_the_output_of_a_task(self, before, kind, name):
        arguments = {"destination": "s3://bucket/x", name: before}
        task = kind(task_id="t", job_name=before, **arguments)
        assert task.upstream_task_ids == {"before"}

    def test_fields_to_partition_by(self, before):
        task = DownloadRowScoresOperator(
            task_id="t", job_name="j", destination="/x", format="parquet", partition_by=[before]
        )
        assert task.upstream_task_ids == {"before"}

    def test_a_template_in_a_path_is_rendered(self, run_job, tmp_path):
        run_job()
        folder = tmp_path / "{{ params.day }}"
        with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
            task = DownloadRowScoresOperator(task_id="t", job_name="job-1", destination=folder / "rows.jsonl")
        context = {**task_context(), "params": {"day": "monday"}}
        task.render_template_fields(context)
        task.execute(context)
        assert [path.name for path in tmp_path.iterdir()] == ["monday"]

    def test_a_template_in_a_path_of_object_storage_is_refused(self, run_job, tmp_path):
        run_job()
        destination = ObjectStoragePath(f"file://{tmp_path}/{{{{ ds }}}}/rows.jsonl")
        with pytest.raises(ConfigurationError, match=r"destination: a path .*\{\{ ds \}\}"):
            rows(destination=destination)
        assert list(tmp_path.iterdir()) == []
