"""Row scores as a folder with a file for each value of a field."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, IncompleteResults
from airflow_provider_benchmarks.formats import table_file
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.store import Place, partition_files, partitions
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


class Killed(BaseException):
    """Stands for whatever ends a process."""


@pytest.fixture
def end_at(monkeypatch):
    """Let the n-th file that is stored, the manifest being the last, end with an error; a kill cleans nothing up."""

    def arm(number, error, *, after=False):
        store_bytes, stored = partitions.store_bytes, []

        def failing(pieces, place, **options):
            stored.append(place)
            if len(stored) == number and not after:
                raise error
            done = store_bytes(pieces, place, **options)
            if len(stored) == number:
                raise error
            return done

        with monkeypatch.context() as patch:
            patch.setattr(partitions, "store_bytes", failing)
            if isinstance(error, Killed):
                patch.setattr(partitions._Folder, "remove_unnamed", lambda folder, paths: None)
            yield

    return contextmanager(arm)


def texts(folder: Path) -> list[str]:
    """What a reader sees that takes all files."""
    return sorted(ds.dataset(folder, partitioning="hive").to_table().to_pydict()["text"])


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_failed_upload_leaves_the_old_folder_and_nothing_else(download, tmp_path, end_at, exists, number):
    folder = tmp_path / "rows"
    first = download([item(i) for i in range(8)], destination=str(folder)) if exists else None
    before = files(folder)
    with end_at(number, OSError("the disk is full")), pytest.raises(OSError, match="disk is full"):
        download([item(i, text=f"new {i}") for i in range(8)], destination=str(folder))
    assert files(folder) == before
    if exists:
        assert partitions.find_partitions(Place(str(folder))).to_dict() == first
        assert texts(folder) == [f"=row {i}" for i in range(8)]


def test_a_manifest_whose_answer_was_lost_keeps_its_files(download, tmp_path, end_at):
    download([item(i) for i in range(8)], destination=str(tmp_path))
    with end_at(5, OSError("no answer"), after=True), pytest.raises(OSError, match="no answer"):
        download([item(i, text=f"new {i}") for i in range(8)], destination=str(tmp_path))
    manifest = json.loads((tmp_path / partitions.MANIFEST).read_text())
    assert all((tmp_path / file["path"]).stat().st_size == file["bytes"] for file in manifest["files"])
    download([item(i, text=f"new {i}") for i in range(8)], destination=str(tmp_path))
    assert texts(tmp_path) == [f"new {i}" for i in range(8)]


@pytest.mark.parametrize("number", [1, 2, 4, 5])
def test_what_a_killed_download_has_left_goes_with_the_next(download, tmp_path, end_at, number):
    download([item(i) for i in range(8)], destination=str(tmp_path))
    with end_at(number, Killed(), after=True), pytest.raises(Killed):
        download([item(i, text=f"killed {i}") for i in range(8)], destination=str(tmp_path))
    download([item(i, text=f"new {i}") for i in range(8)], destination=str(tmp_path))
    assert texts(tmp_path) == [f"new {i}" for i in range(8)]


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_a_complete_folder_that_is_kept_is_cleaned_too(download, tmp_path, end_at, if_exists):
    items = [item(i) for i in range(8)]
    with end_at(3, Killed(), after=True), pytest.raises(Killed):
        download([item(i, text=f"killed {i}") for i in range(8)], destination=str(tmp_path))
    with end_at(5, Killed(), after=True), pytest.raises(Killed):  # between the manifest and the deletes
        download(items, destination=str(tmp_path))
    assert len(texts(tmp_path)) > 8
    assert download(items, destination=str(tmp_path), if_exists=if_exists)["rows"] == 8
    assert texts(tmp_path) == sorted(one["text"] for one in items)


KEPT = [
    "category=a/rows-0123456789ab.txt",
    "category=a/rows-0123456789AB.parquet",
    "category=a/rows-012345.parquet",
    "category=a/other-0123456789ab.parquet",
    "rows-0123456789ab.parquet",
    "archive/rows-0123456789ab.parquet",
    "category=a/archive/rows-0123456789ab.parquet",
]


def test_only_files_of_such_downloads_are_deleted(download, tmp_path):
    for path in (*KEPT, "category=a/rows-0123456789ab.parquet", "x=1/y=%2F/rows-0123456789ab.csv"):
        (tmp_path / "rows" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rows" / path).touch()
    (tmp_path / "victim=1").mkdir()
    outside = [tmp_path / "victim.txt", tmp_path / "victim=1" / "rows-0123456789ab.csv"]
    for path in outside:
        path.touch()
    named = [f"../{path.relative_to(tmp_path)}" for path in outside]
    old = {"format": "csv", "rows": 1, "bytes": 1, "files": [{"path": path} for path in [*named, *KEPT]]}
    (tmp_path / "rows" / partitions.MANIFEST).write_text(json.dumps(old))
    download([item(0)], destination=str(tmp_path / "rows"))
    found = files(tmp_path / "rows")
    assert set(KEPT) <= set(found)
    assert len(found) == len(KEPT) + 2
    assert all(path.exists() for path in outside)


def test_a_star_in_a_path_stands_for_itself(download, tmp_path):
    for name in ("a*", "ab"):
        download([item(0)], destination=str(tmp_path / name), partition_by=["category"])
    before = files(tmp_path / "ab")
    download([item(0, text="new")], destination=str(tmp_path / "a*"))
    assert files(tmp_path / "ab") == before
    assert texts(tmp_path / "a*") == ["new"]


def test_on_s3_old_files_go_too(download, s3, end_at):
    arguments = {"destination": f"s3://{BUCKET}/swept", "storage_conn_id": "aws_scores"}
    download([item(i) for i in range(8)], **arguments)
    with end_at(2, Killed(), after=True), pytest.raises(Killed):
        download([item(i, text=f"killed {i}") for i in range(8)], **arguments)
    s3.client.put_object(Bucket=BUCKET, Key="swept/category=a/mine.parquet", Body=b"")
    download([item(i, text=f"new {i}") for i in range(8)], **arguments)
    manifest = json.loads(s3.read(f"swept/{partitions.MANIFEST}"))
    named = {f"swept/{file['path']}" for file in manifest["files"]} | {f"swept/{partitions.MANIFEST}"}
    assert {key for key in s3.list_keys() if key.startswith("swept/")} == named | {"swept/category=a/mine.parquet"}


def test_files_that_another_task_has_deleted_are_missed(download, tmp_path):
    items = [item(i) for i in range(8)]
    download(items, destination=str(tmp_path))
    next(tmp_path.rglob("*.parquet")).unlink()
    with pytest.raises(IncompleteResults, match="1 files that _manifest.json names are not there.*another task"):
        download(items, destination=str(tmp_path), if_exists="skip")
    assert download(items, destination=str(tmp_path))["rows"] == 8


DAMAGED = [
    '{"rows": null, "bytes": 1, "format": "csv"}',
    '{"rows": 1, "bytes": 1, "format": "csv"}',
    '{"rows": 1, "bytes": 1, "format": "csv", "files": [5]}',
]


@pytest.mark.parametrize("content", ["{}", "[]", "", "[" * 100_000, "no JSON", *DAMAGED])
def test_another_manifest_is_reported(download, tmp_path, content):
    (tmp_path / partitions.MANIFEST).write_text(content)
    with pytest.raises(DestinationExists, match="is not a manifest of row scores"):
        download([item(0)], destination=str(tmp_path), if_exists="skip")


def test_a_file_in_the_place_of_the_folder_is_reported(download, tmp_path):
    (tmp_path / "rows").touch()
    with pytest.raises(DestinationExists, match="is a file, and a folder .partition_by. is to be there"):
        download([item(0)], destination=str(tmp_path / "rows"))


@pytest.mark.parametrize("value", ["", "é x/y%20+~'()!*=", ".", "..", "\x01\n", "1", "漢" * 25])
@pytest.mark.parametrize("field", ["category", "a=b/c%", "Überschrift [1]"])
def test_names_and_values_come_back(download, tmp_path, field, value):
    download([item(0, **{field: value}), item(1, **{field: "another"})], destination=str(tmp_path), partition_by=field)
    schema = pa.schema([(field, pa.string())])
    found = ds.dataset(tmp_path, partitioning=ds.partitioning(schema, flavor="hive")).to_table().to_pydict()
    assert sorted(found[field]) == sorted([value, "another"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a\0b", r"column \"category\" has the value 'a\\x00b', which readers take to end at its zero byte"),
        ("__HIVE_DEFAULT_PARTITION__", "which is the name for a missing value"),
        ("漢" * 40, "value '漢{40}', whose folder's name would have 369 bytes, more than the 255"),
    ],
)
@pytest.mark.parametrize("name", ["parquet", "csv"])
def test_values_that_no_folder_can_be_called_after(download, tmp_path, value, message, name):
    with pytest.raises(ConfigurationError, match=message):
        download([item(0), item(1, category=value)], destination=str(tmp_path / "rows"), format=name)
    assert not (tmp_path / "rows").exists()


def test_row_groups_do_not_depend_on_how_rows_were_sorted(download, tmp_path, monkeypatch):
    items = [item(i, text="x" * 1000) for i in range(4000)]
    download(items, destination=str(tmp_path / "at once"))
    monkeypatch.setattr(partition_files, "_SORTED_BYTES", 1)
    monkeypatch.setattr(table_file, "_ROW_GROUP_BYTES", 1)  # of the file that is cut
    download(items, destination=str(tmp_path / "piece by piece"))
    assert files(tmp_path / "at once").keys() == files(tmp_path / "piece by piece").keys()


def test_a_part_does_not_say_that_it_holds_all_items(download, tmp_path):
    download([item(i) for i in range(8)], destination=str(tmp_path))
    for path in tmp_path.rglob("*.parquet"):
        metadata = pq.read_schema(path).metadata
        assert table_file.ITEMS_KEY not in metadata
        assert json.loads(metadata[table_file.SCORE_COLUMNS_KEY]) == ["m"]
