"""Row scores as a folder with a file for each value of a field."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.store import partitions
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

SCORE = {"name": "m", "score_type": "range", "nan_count": 0, "mean": 0.5}


def item(index: int, **fields):
    return {"text": f"=row {index}", "category": ["a", "b", None, "x/y z"][index % 4], "level": index % 3, **fields}


@pytest.fixture
def download(service, monkeypatch):
    """Give a job these items as its rows, and download them."""
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
    jobs = iter(range(100))

    def run(items, **arguments):
        rows = [
            {"row_index": i, "item": one, "sample": {}, "metrics": {f"{WORKSPACE}/m": [{"name": "m", "value": i / 10}]}}
            for i, one in enumerate(items)
        ]
        scores = [{**SCORE, "count": len(rows)}]
        service.give_results(
            BENCHMARK, aggregate={"results": [{"metric": f"{WORKSPACE}/m", "scores": scores}]}, rows=rows
        )
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
            name = f"parts-{next(jobs)}"
            client.submit_job(SPEC, name=name)
            wait_until_finished(client, name)
        operator = DownloadRowScoresOperator(
            task_id="download", job_name=name, **{"format": "parquet", "partition_by": "category", **arguments}
        )
        return operator.execute(task_context())

    yield run
    service.evaluate_jobs(BENCHMARK)


def files(folder: Path) -> dict[str, str]:
    """Each file's folder by its path."""
    return {str(p.relative_to(folder)): p.parent.name for p in folder.rglob("*") if p.is_file()}


def test_every_value_has_a_folder_and_every_row_comes_back(download, tmp_path):
    stored = download([item(i) for i in range(40)], destination=str(tmp_path / "rows"))
    folders = set(files(tmp_path / "rows").values()) - {"rows"}
    assert folders == {"category=a", "category=b", "category=x%2Fy%20z", "category=__HIVE_DEFAULT_PARTITION__"}
    frame = ds.dataset(tmp_path / "rows", partitioning="hive").to_table().to_pandas().sort_values("row_index")
    assert list(frame.text) == [f"=row {i}" for i in range(40)]
    assert [None if pd.isna(value) else value for value in frame.category] == [item(i)["category"] for i in range(40)]
    assert list(frame.m) == [i / 10 for i in range(40)]
    assert (stored["rows"], stored["path"], stored["format"]) == (40, str(tmp_path / "rows"), "parquet")


def test_the_manifest_lists_the_files(download, tmp_path):
    stored = download([item(i) for i in range(8)], destination=str(tmp_path))
    manifest = json.loads((tmp_path / partitions.MANIFEST).read_text())
    assert {file["path"] for file in manifest["files"]} | {partitions.MANIFEST} == set(files(tmp_path))
    assert sum(file["rows"] for file in manifest["files"]) == manifest["rows"] == 8
    assert sum(file["bytes"] for file in manifest["files"]) == stored["bytes"]


def test_several_fields_nest(download, tmp_path):
    download([item(i) for i in range(24)], destination=str(tmp_path), partition_by=["level", "category"])
    assert {path.split("/")[0] for path in files(tmp_path)} == {"level=0", "level=1", "level=2", partitions.MANIFEST}
    frame = ds.dataset(tmp_path, partitioning="hive").to_table().to_pandas().sort_values("row_index")
    assert list(frame.level) == [i % 3 for i in range(24)]


def test_csv_is_neutralised(download, tmp_path):
    download([item(i) for i in range(4)], destination=str(tmp_path), format="csv")
    contents = [path.read_text() for path in tmp_path.rglob("*.csv")]
    assert len(contents) == 4
    assert all("'=row" in content and content.startswith("row_index,text,level,m") for content in contents)


def test_a_new_download_replaces_the_old_files_and_no_others(download, tmp_path):
    download([item(i) for i in range(8)], destination=str(tmp_path))
    (tmp_path / "category=a" / "mine.txt").write_text("not of the download")
    download([item(i, category="only") for i in range(8)], destination=str(tmp_path))
    assert set(files(tmp_path).values()) == {"category=only", "category=a", tmp_path.name}
    assert (tmp_path / "category=a" / "mine.txt").exists()
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_the_same_rows_again_give_the_same_files(download, tmp_path):
    first = download([item(i) for i in range(8)], destination=str(tmp_path))
    before = files(tmp_path)
    assert download([item(i) for i in range(8)], destination=str(tmp_path), if_exists="fail") == first
    assert download([item(i) for i in range(9)], destination=str(tmp_path), if_exists="skip") == first
    with pytest.raises(DestinationExists, match="holds other row scores .8 rows. than those of .* .9 rows"):
        download([item(i) for i in range(9)], destination=str(tmp_path), if_exists="fail")
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("items", "field", "message"),
    [
        ([item(0)], "nope", 'no column "nope"; they have'),
        ([item(0, tags=["x"])], "tags", "lists or objects"),
        ([item(0), item(1, level="x")], "level", "values of several kinds"),
        ([item(0)], "m", "values of type double"),
        ([item(i, category=f"c{i}") for i in range(1001)], "category", "more than 1000 different values"),
    ],
)
def test_a_field_that_can_not_name_folders(download, tmp_path, items, field, message):
    with pytest.raises(ConfigurationError, match=message):
        download(items, destination=str(tmp_path / "rows"), partition_by=field)
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("arguments", [{"format": "jsonl", "destination": "x"}, {"format": "parquet"}])
def test_what_can_not_be_cut_is_refused_when_the_dag_is_parsed(arguments):
    with pytest.raises(ConfigurationError, match='partition_by needs a destination, and format="parquet" or "csv"'):
        DownloadRowScoresOperator(task_id="t", job_name="j", partition_by="category", **arguments)


def test_on_s3(download, s3):
    stored = download([item(i) for i in range(8)], destination=f"s3://{BUCKET}/parts", storage_conn_id="aws_scores")
    manifest = json.loads(s3.read(f"parts/{partitions.MANIFEST}"))
    expected = {f"parts/{file['path']}" for file in manifest["files"]} | {f"parts/{partitions.MANIFEST}"}
    assert {key for key in s3.list_keys() if key.startswith("parts/")} == expected
    assert stored["rows"] == 8


def test_a_failed_upload_leaves_the_old_folder_whole(download, tmp_path, monkeypatch):
    first = download([item(i) for i in range(8)], destination=str(tmp_path))
    old = json.loads((tmp_path / partitions.MANIFEST).read_text())
    store_bytes, stored = partitions.store_bytes, []

    def failing(pieces, destination, **options):
        if len(stored) == 2:
            raise OSError("the disk is full")
        stored.append(destination)
        return store_bytes(pieces, destination, **options)

    monkeypatch.setattr(partitions, "store_bytes", failing)
    with pytest.raises(OSError, match="disk is full"):
        download([item(i, more=1) for i in range(8)], destination=str(tmp_path))
    assert json.loads((tmp_path / partitions.MANIFEST).read_text()) == old
    assert all((tmp_path / file["path"]).stat().st_size == file["bytes"] for file in old["files"])
    monkeypatch.undo()
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", "")
    assert partitions.partitions_before(str(tmp_path)).to_dict() == first
