from __future__ import annotations

import json

import pyarrow as pa
import pytest

from airflow_provider_benchmarks.formats import table_file
from airflow_provider_benchmarks.store import Place, RowFormat, partition_files, store_rows

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("folders", [1, 500])
def test_memory_does_not_grow_with_rows_or_folders(tmp_path, monkeypatch, folders):
    rows = 20_000  # 20 MB
    monkeypatch.setattr(partition_files, "_SORTED_BYTES", MEGABYTE)
    monkeypatch.setattr(partition_files, "_ROW_GROUP_BYTES", MEGABYTE)
    monkeypatch.setattr(table_file, "_ROW_GROUP_BYTES", MEGABYTE)
    lines = (
        json.dumps({"row_index": i, "item": {"text": "x" * 1000, "place": i * 7 % folders}, "metrics": {}})
        for i in range(rows)
    )
    whole = tmp_path / "whole.parquet"
    store_rows((f"{line}\n".encode() for line in lines), Place(str(whole)), row_format=RowFormat(name="parquet"))
    before, held = pa.total_allocated_bytes(), []

    def watched(call):
        def run(*arguments):
            for given in call(*arguments):
                held.append(pa.total_allocated_bytes() - before)
                yield given

        return run

    for name in ("_portions", "_by_folder", "_row_groups"):
        monkeypatch.setattr(partition_files, name, watched(getattr(partition_files, name)))
    (tmp_path / "parts").mkdir()
    cut = partition_files.cut(
        whole, tmp_path / "parts", fields=["place"], row_format=RowFormat(name="parquet", compression="snappy")
    )
    assert sum(part.rows for part in cut) == rows
    assert 0 < max(held) < 8 * MEGABYTE
