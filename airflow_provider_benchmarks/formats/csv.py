"""Row scores as CSV: for spreadsheets. It does not say of what type a column is, nor which columns are scores."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.formats.csv_others import others_among, read_others
from airflow_provider_benchmarks.formats.format import RowFile, WriteOptions
from airflow_provider_benchmarks.formats.table_file import JSON_KEY
from airflow_provider_benchmarks.formats.table_format import TableFormat
from airflow_provider_benchmarks.scores.columns import INFERENCE_ERROR, METRIC_ERRORS, ROW_INDEX, SAMPLE
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.scores.frames import (
    CALL_ERRORS,
    OTHERS_COLUMN,
    choose_columns,
    item_column,
    json_column,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: A spreadsheet runs a cell that begins so as a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_UNREADABLE = "can't be read as CSV of row scores ({}). If it was changed, download the row scores again."
_BATCH_BYTES = 4 * 1024 * 1024
#: Texts that repeat are small in a file and large in memory, so the size of a row in the file is not enough of a limit.
_BATCH_ROWS = 1024
#: Number of rows whose indices are in memory while rows are only counted.
_CHUNK_ROWS = 16 * 1024


class Csv(TableFormat):
    """UTF-8 with a header.

    Missing values are empty, NaN is ``NaN``; lists, objects and values of several kinds are JSON text.
    """

    name = "csv"
    title = "CSV"
    #: The second, as a spreadsheet writes it.
    beginnings: ClassVar = {b"row_index": "csv", b"\xef\xbb\xbfrow_index": "csv"}
    is_text = True

    def convert(self, parquet: Path, target: BinaryIO, options: WriteOptions) -> None:
        import pyarrow.parquet as pq

        clean = _neutralised if options.neutralise_formulas else _escaped
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

    def read(self, files: Iterable[RowFile], columns: Sequence[str] | None, path: str) -> pd.DataFrame:
        """Load files.

        A column is of numbers or booleans where all its cells are spelled as :meth:`convert` spells those, else of
        texts; empty cells are missing values. Fields without a column are objects, of values as a column of each would
        have them. The frame does not know its score columns.
        """
        texts: dict[str, list[str]] = {}
        others = None
        for file in files:
            names = [_original(name) for name in _cells(file, nrows=1).iloc[0]]
            others = others or others_among([*file.values, *names])
            for name, column in _read_texts(file, names, columns).items():
                texts.setdefault(name, []).extend(column)
        return _frame(texts, columns, others, path)

    def count_rows(self, file: BinaryIO, compression: str | None) -> int:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            raise IncompleteResults("its last line has no end")
        check = RowCheck()
        # Python's own reader refuses cells of more than 128 KiB.
        for number, table in enumerate(_table(file, usecols=[0], chunksize=_CHUNK_ROWS)):
            if not number and table[0].iloc[0] != ROW_INDEX:
                raise IncompleteResults(f'its first column is not "{ROW_INDEX}"')
            check.add([int(text) for text in table[0].iloc[0 if number else 1 :]])
        return check.rows


def _batches(file: Any) -> Iterator[pa.RecordBatch]:
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group)
        rows = _BATCH_BYTES * size.num_rows // max(size.total_byte_size, 1)
        yield from file.iter_batches(batch_size=min(max(rows, 1), _BATCH_ROWS), row_groups=[group])


def _as_is(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and value != value else value  # noqa: PLR0124


def _neutralised(value: Any) -> Any:
    """A cell that no spreadsheet runs. One apostrophe more, also before those of the text itself, or it would lose one
    when it is read.
    """
    return f"'{value}" if isinstance(value, str) and value.lstrip("'").startswith(_FORMULA) else _as_is(value)


def _escaped(value: Any) -> Any:
    """A cell as it is, that is read like those of :func:`_neutralised`."""
    return _neutralised(value) if isinstance(value, str) and value.startswith("'") else _as_is(value)


def _original(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def _read_texts(file: RowFile, names: Sequence[str], columns: Sequence[str] | None) -> dict[str, list[str]]:
    """Read the cells, column by column, the row index first.

    :param names: of the columns in the file
    :raises ConfigurationError: there is no such column
    """
    constants = {name: "" if value is None else _escaped(str(value)) for name, value in file.values.items()}
    known = [*constants, *names]
    errors = [INFERENCE_ERROR] if INFERENCE_ERROR in known else []
    wanted = [ROW_INDEX, *choose_columns(columns, known, file.path), *errors]
    places = [place for place, name in enumerate(names) if name in wanted]
    table = _cells(file, usecols=places)
    found = {names[place]: list(table[place].iloc[1:]) for place in places}
    rows = len(table) - 1
    return {name: found[name] if name in found else [constants[name]] * rows for name in dict.fromkeys(wanted)}


def _cells(file: RowFile, **options: Any) -> pd.DataFrame:
    try:
        table: pd.DataFrame = _table(file.file, **options)
    except ValueError as error:  # pandas' own are some
        raise IncompleteResults(f"{file.path} {_UNREADABLE.format(error)}") from error
    return table


def _table(file: BinaryIO, **options: Any) -> Any:
    import pandas as pd

    file.seek(0)
    return pd.read_csv(
        file, header=None, dtype=str, na_filter=False, skip_blank_lines=False, encoding="utf-8-sig", **options
    )


def _frame(
    texts: Mapping[str, list[str]], columns: Sequence[str] | None, others: str | None, path: str
) -> pd.DataFrame:
    """Make a frame of cells.

    :param others: the column that may have the fields without one
    :raises IncompleteResults: a row index is no whole number, or what should be JSON is none
    """
    import pandas as pd

    objects = (
        read_others(texts[others], clean=_neutralised, typed=_values)
        if others is not None and others in texts
        else None
    )
    try:
        index = pd.Index([int(text) for text in texts[ROW_INDEX]], name=ROW_INDEX, dtype="int64")
        data = {
            name: json_column([text or None for text in column], index)
            if name in (METRIC_ERRORS, SAMPLE)
            else item_column(objects if objects is not None and name == others else _values(column), index)
            for name, column in texts.items()
            if name != ROW_INDEX
        }
    except ValueError as error:
        raise IncompleteResults(f"{path} {_UNREADABLE.format(error)}") from error
    frame = pd.DataFrame(data, index=index)
    failed = list(index[frame[INFERENCE_ERROR].notna()]) if INFERENCE_ERROR in frame else []
    frame = frame[[name for name in data if columns is None or name in columns]]
    frame.attrs[CALL_ERRORS] = failed
    if objects is not None and others in frame:
        frame.attrs[OTHERS_COLUMN] = others
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
