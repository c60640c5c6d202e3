"""A format that is written by column, through a Parquet file."""

from __future__ import annotations

import gc
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_benchmarks.extras import PARQUET, require
from airflow_provider_benchmarks.formats.format import Format, WriteOptions
from airflow_provider_benchmarks.formats.spool import spool_folder
from airflow_provider_benchmarks.formats.table_file import TABLES_NEED, TableFile
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.scores.row_decoder import RowDecoder


class TableFormat(Format):
    """A format whose columns are known only when the last row has been read: each file is made of a Parquet file."""

    def require(self, compression: str | None) -> None:
        require(TABLES_NEED, *PARQUET)

    @abstractmethod
    def convert(self, parquet: Path, target: BinaryIO, options: WriteOptions) -> None:
        """Turn a Parquet file of row scores into this format."""

    def converted(self, parquet: Path, options: WriteOptions) -> Path:
        """Turn a Parquet file into a file of this format in the same folder."""
        path = parquet.with_suffix(f".{self.name}")
        with path.open("wb") as file:
            self.convert(parquet, file, options)
        return path

    def finish(self, rows: TableFile, folder: Path, target: BinaryIO, options: WriteOptions) -> None:
        """Write all rows.

        :param folder: for other files; the caller's to delete
        """
        parquet = folder / "rows.parquet"
        with parquet.open("wb") as file:
            rows.finish(file)
        self.convert(parquet, target, options)

    @contextmanager
    def writing(self, target: BinaryIO, check: RowCheck, options: WriteOptions) -> Iterator[Callable[[bytes], None]]:
        decoder = RowDecoder(with_sample=options.with_sample is not False)
        with (
            spool_folder() as folder,
            TableFile(folder, with_sample=options.with_sample, compression=options.compression) as rows,
        ):

            def write(block: bytes) -> None:
                for columns in decoder.batches(block, check):
                    check.note_scores((*key, _any_value(values)) for key, values in columns.scores.items())
                    rows.write(columns)

            with _no_cycle_search():
                yield write
            self.finish(rows, folder, target, options)


def _any_value(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Keep Python from searching for cycles among millions of decoded values that have none.

    They are freed as soon as their block is written. The search takes most of the time otherwise, the more so the more
    the process has loaded.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
