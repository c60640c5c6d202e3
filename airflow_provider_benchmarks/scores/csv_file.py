"""Row scores as CSV: for spreadsheets. It does not say of what type a column is, nor which columns are scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, choose_columns, item_column, json_column
from airflow_provider_benchmarks.scores.parquet import JSON_KEY
from airflow_provider_benchmarks.scores.table import INFERENCE_ERROR, METRIC_ERRORS, ROW_INDEX, SAMPLE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: A spreadsheet takes a cell that begins so for a formula, and runs it (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: How a file begins; the second, as a spreadsheet writes it.
BEGINNINGS = (b"row_index", b"\xef\xbb\xbfrow_index")
_UNREADABLE = "can't be read as CSV of row scores ({}). If it was changed, download the row scores again."
_BATCH_BYTES = 4 * 1024 * 1024
#: Texts that repeat take little of a file and much memory, so the size of a row in the file is not all there is to it.
_BATCH_ROWS = 1024


def write_csv(parquet: Path, target: BinaryIO, *, neutralise_formulas: bool) -> None:
    """Turn a Parquet file of row scores into CSV, UTF-8, a header first.

    Missing values are empty, NaN is ``NaN``, lists, objects and values of several kinds are JSON text.

    :param neutralise_formulas: put an apostrophe before texts that a spreadsheet would run as a formula
    """
    import pyarrow.parquet as pq

    clean = _neutralised if neutralise_formulas else _as_is
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    with pq.ParquetFile(parquet) as file:
        schema = file.schema_arrow
        writer = csv.writer(text)
        writer.writerow([clean(name) for name in schema.names])
        # JSON text begins like a formula only where it is a negative number.
        cells = [_as_is if JSON_KEY in (field.metadata or {}) else clean for field in schema]
        for batch in _batches(file):
            columns = [map(cell, column.to_pylist()) for cell, column in zip(cells, batch.columns, strict=True)]
            writer.writerows(zip(*columns, strict=True))
    text.detach()


def _batches(file: Any) -> Iterator[pa.RecordBatch]:
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group)
        rows = _BATCH_BYTES * size.num_rows // max(size.total_byte_size, 1)
        yield from file.iter_batches(batch_size=min(max(rows, 1), _BATCH_ROWS), row_groups=[group])


def _as_is(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and value != value else value  # noqa: PLR0124


def _neutralised(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else _as_is(value)


def _original(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text


def read_texts(
    file: BinaryIO, columns: Sequence[str] | None, path: str, *, more: Mapping[str, Any] | None = None
) -> dict[str, list[str]]:
    """Read the cells of a CSV file of row scores, column by column, the row index first.

    :param more: columns that the file does not have, with the value that they have in all rows
    :raises ConfigurationError: there is no such column
    """
    more = {name: "" if value is None else str(value) for name, value in (more or {}).items()}
    names = [_original(name) for name in _cells(file, path, nrows=1).iloc[0]]
    known = [*more, *names]
    errors = [INFERENCE_ERROR] if INFERENCE_ERROR in known else []
    wanted = [ROW_INDEX, *choose_columns(columns, known, path), *errors]
    places = [place for place, name in enumerate(names) if name in wanted]
    table = _cells(file, path, usecols=places)
    found = {names[place]: list(table[place].iloc[1:]) for place in places}
    rows = len(table) - 1
    return {name: found[name] if name in found else [more[name]] * rows for name in dict.fromkeys(wanted)}


def _cells(file: BinaryIO, path: str, **options: Any) -> pd.DataFrame:
    import pandas as pd

    file.seek(0)
    try:
        table: pd.DataFrame = pd.read_csv(
            file, header=None, dtype=str, na_filter=False, skip_blank_lines=False, encoding="utf-8-sig", **options
        )
    except ValueError as error:  # pandas' own are some
        raise IncompleteResults(f"{path} {_UNREADABLE.format(error)}") from error
    return table


def read_csv(texts: Mapping[str, list[str]], columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    """Make a frame of cells.

    A column is of numbers or booleans where all its cells are spelled as :func:`write_csv` spells those, else of texts;
    empty cells are missing values. The frame does not know its score columns.

    :param texts: as :func:`read_texts` gives them
    :raises IncompleteResults: a row index is no whole number, or what should be JSON is none
    """
    import pandas as pd

    try:
        index = pd.Index([int(text) for text in texts[ROW_INDEX]], name=ROW_INDEX, dtype="int64")
        data = {
            name: json_column([text or None for text in column], index)
            if name in (METRIC_ERRORS, SAMPLE)
            else item_column(_values(column), index)
            for name, column in texts.items()
            if name != ROW_INDEX
        }
    except ValueError as error:
        raise IncompleteResults(f"{path} {_UNREADABLE.format(error)}") from error
    frame = pd.DataFrame(data, index=index)
    failed = list(index[frame[INFERENCE_ERROR].notna()]) if INFERENCE_ERROR in frame else []
    frame = frame[[name for name in data if columns is None or name in columns]]
    frame.attrs[CALL_ERRORS] = failed
    return frame


def _values(texts: list[str]) -> list[Any]:
    spelled = set(texts) - {""}
    kinds: tuple[Callable[[str], Any], ...] = (int, float, lambda text: text == "True")
    for kind in kinds:
        try:
            values = {text: kind(text) for text in spelled}
        except ValueError:
            continue
        if all(str(_as_is(value)) == text for text, value in values.items()):
            return [values.get(text) for text in texts]
    return [_original(text) or None for text in texts]
