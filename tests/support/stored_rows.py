"""Row scores as the service sends them, and stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.store import Place, RowFormat, StoredFile, store_rows


def line(index: int, item: dict[str, Any], scores: dict[str, dict[str, Any]] | None = None, **more: Any) -> bytes:
    metrics = {m: [{"name": n, "value": v} for n, v in named.items()] for m, named in (scores or {}).items()}
    row = {"row_index": index, "item": item, "sample": {}, "metrics": metrics, "requests": [], **more}
    return json.dumps(row).encode() + b"\n"


def store(path: Path, lines: list[bytes], name: str = "parquet", batches: bool = False, **options: Any) -> StoredFile:
    """Store lines; with ``batches`` each line becomes a batch of its own, as the millions of a large file do."""
    from airflow_provider_benchmarks.store import row_files

    size, row_files.BLOCK_BYTES = row_files.BLOCK_BYTES, 1 if batches else row_files.BLOCK_BYTES
    try:
        return store_rows(lines, Place(str(path)), row_format=RowFormat(name=name, **options))
    finally:
        row_files.BLOCK_BYTES = size
