"""Row scores as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, BinaryIO

#: A spreadsheet takes a cell that begins so for a formula, and runs it (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(parquet: Path, target: BinaryIO, *, neutralise_formulas: bool) -> None:
    """Turn a Parquet file of row scores into CSV, UTF-8, a header first.

    Missing values are empty, NaN is ``NaN``, lists and objects are JSON text.

    :param neutralise_formulas: put an apostrophe before texts that a spreadsheet would run as a formula
    """
    import pyarrow.parquet as pq

    clean = _neutralised if neutralise_formulas else _as_is
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    with pq.ParquetFile(parquet) as file:
        writer = csv.writer(text)
        writer.writerow([clean(name) for name in file.schema_arrow.names])
        for batch in file.iter_batches():
            columns = [column.to_pylist() for column in batch.columns]
            writer.writerows([clean(value) for value in row] for row in zip(*columns, strict=True))
    text.detach()


def _as_is(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and value != value else value  # noqa: PLR0124


def _neutralised(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else _as_is(value)
