"""The path that a download returns, read as it is: on S3, with the connection that it names, as a file or a folder."""

from __future__ import annotations

import pandas as pd
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.formats.partitioned import MANIFEST
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import read_row_scores, row_scores_frame
from tests.integration.conftest import SPEC
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

JOB = "to-be-read"


@pytest.fixture
def download(service):
    """Download a job's rows, and return the path and the rows as the service returns them."""
    hook = BenchmarkHook()
    hook.submit_job(SPEC, name=JOB)
    hook.wait_for_job(JOB, poll_interval=0.05, timeout=60)

    def run(destination, **arguments):
        operator = DownloadRowScoresOperator(task_id="download", job_name=JOB, destination=destination, **arguments)
        return operator.execute(task_context())["path"], row_scores_frame(hook.iter_row_scores(JOB))

    return run


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
def test_a_file_with_the_connection_in_its_url(download, s3, format):
    path, rows = download(f"s3://aws_scores@{BUCKET}/read/rows.{format}", format=format)
    loaded = read_row_scores(path)
    pd.testing.assert_frame_equal(loaded.drop(columns="metric_errors"), rows, check_dtype=format != "csv")
    assert list(read_row_scores(path, columns=["exact-match"]).columns) == ["exact-match"]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_a_folder(download, s3, format):
    path, rows = download(f"s3://aws_scores@{BUCKET}/read/{format}", format=format, partition_by="reference")
    loaded = read_row_scores(path)
    assert loaded[list(rows.columns)].equals(rows.astype({"reference": loaded["reference"].dtype}))


def test_a_folder_whose_download_was_interrupted(download, s3):
    path, rows = download(f"s3://aws_scores@{BUCKET}/read/late", format="parquet", partition_by="reference")
    manifest = s3.read(f"read/late/{MANIFEST}")
    s3.client.delete_object(Bucket=BUCKET, Key=f"read/late/{MANIFEST}")
    with pytest.raises(IncompleteResults, match=f"read/late is a folder without a {MANIFEST}"):
        read_row_scores(path)
    s3.client.put_object(Bucket=BUCKET, Key=f"read/late/{MANIFEST}", Body=manifest)
    assert len(read_row_scores(path)) == len(rows)


def test_nothing_there(s3):
    with pytest.raises(FileNotFoundError):
        read_row_scores(f"s3://aws_scores@{BUCKET}/read/nothing.jsonl")


def test_a_storage_that_airflow_does_not_know(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.common.compat.sdk", None)
    with pytest.raises(ConfigurationError, match=r's3://aws_scores@b/k names the Airflow connection "aws_scores"'):
        read_row_scores("s3://aws_scores@b/k")
