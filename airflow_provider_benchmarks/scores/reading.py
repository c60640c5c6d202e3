"""Load stored row scores, in whatever format, into a frame."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, row_scores_frame
from airflow_provider_benchmarks.scores.known_files import KnownFile
from airflow_provider_benchmarks.scores.stored_files import (
    Openable,
    is_folder,
    open_stored,
    storage_errors,
    stored_path,
)

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.formats import RowFile
    from airflow_provider_benchmarks.formats.partitioned import Partitions


def read_row_scores(path: str | PathLike[str] | Openable, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Load stored row scores: a file, Parquet, JSONL (also gzip or zstd) or CSV, or a partitioned folder.

    The index is ``row_index``. The columns are those of
    :func:`~airflow_provider_benchmarks.scores.row_scores_frame`, and ``metric_errors``. There is ``inference_error``
    where the call of the model failed for a row; and ``sample``, which Parquet and CSV have where it was asked for, and
    JSONL where ``columns`` names it. An item field with the name of one of these, or of ``other_fields``, is
    ``item.<field>``. JSON text is returned as the values that it holds.

    CSV is for spreadsheets: a column of it is of numbers or booleans where all its cells are spelled so, else of texts,
    JSON among them. Empty cells are missing values; an apostrophe before a formula is removed. CSV does not say which
    columns are scores. The rows of a folder are sorted by ``row_index``, and the fields that group them are the first
    columns.

    :param path: a local path, a URL that fsspec opens, one that names an Airflow connection
        (``s3://connection@bucket/key``, where Airflow is installed), or an Airflow ObjectStoragePath
    :param columns: only these; a Parquet file is read no further than they need, and no others of JSONL are kept
    :raises ConfigurationError: there is no such column, what is there is something else than row scores, or nothing
        that reads it is installed (extra ``parquet``, for Parquet and zstd)
    :raises IncompleteResults: a line is not a row, a file is damaged, or a folder has no manifest
    :raises OSError: there is nothing at the path, or the storage fails
    """
    with storage_errors(path):
        return _read(path, columns)


def _read(path: str | PathLike[str] | Openable, columns: Sequence[str] | None) -> pd.DataFrame:
    from airflow_provider_benchmarks.formats import FORMATS, START_BYTES, RowFile
    from airflow_provider_benchmarks.formats.partitioned import MANIFEST, read_partitions

    path = stored_path(path)
    if isinstance(path, KnownFile):
        return _read_known(path, columns)
    missing: OSError | None = None
    try:
        with open_stored(path) as file:
            start = file.read(START_BYTES)
            file.seek(0)
            if start:
                return _read_file(RowFile(file, str(path)), start, columns)
    except (FileNotFoundError, IsADirectoryError) as error:
        missing = error
    # Some storages open a folder as an empty file.
    if (folder := read_partitions(path)) is not None:
        return _read_folder(folder, columns, str(path))
    if is_folder(path):
        raise IncompleteResults(
            f"{path} is a folder without a {MANIFEST}, which is written last: it holds no row scores, or the download "
            f"was interrupted. Download them again."
        )
    if missing is not None:
        raise missing
    return FORMATS["jsonl"].read([RowFile(io.BytesIO(), str(path))], columns, str(path))


def _read_known(path: KnownFile, columns: Sequence[str] | None) -> pd.DataFrame:
    """Load a file whose number of rows may be known."""
    from airflow_provider_benchmarks.formats import START_BYTES, RowFile

    with path.open() as file:
        start = file.read(START_BYTES)
        file.seek(0)
        frame = _read_file(RowFile(file, str(path)), start, columns)
    path.require_rows(len(frame))
    return frame


def _read_file(file: RowFile, start: bytes, columns: Sequence[str] | None) -> pd.DataFrame:
    from dataclasses import replace

    from airflow_provider_benchmarks.formats import SNIFFED, format_of

    found = format_of(start)
    if found is None:
        titles = " nor ".join(each.title for each in SNIFFED)
        raise ConfigurationError(f"{file.path} is neither {titles} of row scores: it begins with {start!r}")
    return found.read([replace(file, kind=found.sniff(start))], columns, file.path)


def _read_folder(folder: Partitions, columns: Sequence[str] | None, path: str) -> pd.DataFrame:
    if not folder.files:
        return row_scores_frame([])
    frame = folder.format.read(_opened(folder), columns, path).sort_index(kind="stable")
    folder.require_rows(len(frame))
    frame.attrs[CALL_ERRORS] = sorted(frame.attrs[CALL_ERRORS])
    return frame


def _opened(folder: Partitions) -> Iterator[RowFile]:
    """The files of a folder, one at a time."""
    from airflow_provider_benchmarks.formats import RowFile

    for listed, values in folder.files:
        with storage_errors(listed), listed.named_if_missing(), listed.open() as file:
            yield RowFile(file, str(listed), values=values)
