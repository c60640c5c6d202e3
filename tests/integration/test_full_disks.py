"""A full disk, of temporary files or of the destination, is named, and nothing half-written is left on it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import BENCHMARK, SPEC
from tests.support.contexts import task_context

ROWS = 4000


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system takes rights that this user has not")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def hook(service):
    rows = [
        {
            "row_index": place,
            "item": {"text": os.urandom(400).hex(), "part": place % 3},
            "sample": {},
            "metrics": {"my-workspace/m": [{"name": "m", "value": 1.0}]},
        }
        for place in range(ROWS)
    ]
    score = {"name": "m", "count": ROWS, "nan_count": 0, "mean": 1.0}
    service.give_results(BENCHMARK, aggregate={"results": [{"metric": "my-workspace/m", "scores": [score]}]}, rows=rows)
    hook = BenchmarkHook()
    hook.submit_job(SPEC, name="job-1")
    hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
    return hook


TABLES = [
    {"format": "parquet"},
    {"format": "csv"},
    {"format": "parquet", "partition_by": "part"},
    {"format": "csv", "partition_by": "part"},
]


@pytest.mark.parametrize("options", TABLES)
@pytest.mark.parametrize("left", [1024, 100, 0])
def test_a_full_folder_for_temporary_files(hook, small_disk, tmp_path, monkeypatch, options, left):
    """Full among the rows, near the end, and from the beginning."""
    (small_disk / "of others").write_bytes(bytes((1024 - left) * 1024))
    monkeypatch.setenv("TMPDIR", str(small_disk))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(OSError, match=f"temporary files.*{small_disk}.*TMPDIR"):
        hook.download_row_scores("job-1", str(tmp_path / "rows"), **options)
    assert not (tmp_path / "rows").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    assert [path.name for path in small_disk.iterdir()] == ["of others"]


def test_a_store_whose_temporary_files_have_no_room(hook, small_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    store = ScoreStore(str(tmp_path / "store"))
    with pytest.raises(OSError, match=f"temporary files is full: {small_disk}.*TMPDIR"):
        hook.store_job(store, "job-1")
    assert store.history(workspace="my-workspace", benchmark=BENCHMARK) == []
    assert not [path for path in Path(store.root).rglob("*") if path.suffix in (".parquet", ".part")]
    assert list(small_disk.iterdir()) == []


def test_a_gate_whose_temporary_files_have_no_room(hook, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    check = Threshold("m", at_least=0.5, where={"part": 1})
    gate = BenchmarkGateOperator(task_id="gate", job_name="job-1", checks=[check])
    with pytest.raises(OSError, match=f"temporary files is full: {small_disk}.*TMPDIR"):
        gate.execute(task_context())
    assert list(small_disk.iterdir()) == []


def test_no_folder_for_temporary_files_at_all(hook, small_disk, tmp_path, monkeypatch):
    (small_disk / "of others").write_bytes(bytes(1024 * 1024))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk / "gone"))
    with pytest.raises(OSError, match="no folder for temporary files .*gone.*TMPDIR"):
        hook.download_row_scores("job-1", str(tmp_path / "rows"), format="parquet")


@pytest.mark.parametrize("options", [{"format": "jsonl"}, {"format": "jsonl", "compression": "gzip"}, *TABLES])
def test_a_full_destination(hook, small_disk, options):
    with pytest.raises(OSError, match=f'could not write "{small_disk}/rows.*No space left') as caught:
        hook.download_row_scores("job-1", str(small_disk / "rows"), **options)
    assert "TMPDIR" not in str(caught.value)
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_destination_that_becomes_full_keeps_the_old_file(hook, small_disk):
    first = hook.download_row_scores("job-1", str(small_disk / "rows"), limit=10)
    with pytest.raises(OSError, match="No space left"):
        hook.download_row_scores("job-1", str(small_disk / "rows"))
    lines = (small_disk / "rows").read_bytes().splitlines()
    assert [json.loads(line)["row_index"] for line in lines] == list(range(first.rows))
    assert [path.name for path in small_disk.iterdir()] == ["rows"]
