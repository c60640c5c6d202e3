"""A partitioned folder of row scores: a file for each value of a field, which its manifest lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.formats import TABLE_FORMATS
from airflow_provider_benchmarks.formats.table_format import TableFormat
from airflow_provider_benchmarks.scores.listed_files import DOWNLOAD_AGAIN, ListedFile, listed_file
from airflow_provider_benchmarks.scores.manifests import files_in, read_manifest
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable, open_stored, within

MANIFEST = "_manifest.json"


@dataclass(frozen=True, slots=True)
class Partitions:
    """The files of a folder.

    :param format: of the files
    :param path: of the folder
    :param rows: in all files
    :param files: each file, and the values, by name, of the fields that the rows are grouped by
    """

    format: TableFormat
    files: tuple[tuple[ListedFile, dict[str, Any]], ...]
    path: str
    rows: int

    def require_rows(self, rows: int) -> None:
        """Refuse files with another number of rows than the manifest counts.

        :raises IncompleteResults: names the folder
        """
        if rows != self.rows:
            raise IncompleteResults(
                f"{self.path}: the files have {rows} rows, and {MANIFEST} counts {self.rows}. {DOWNLOAD_AGAIN}"
            )


def read_partitions(folder: Any) -> Partitions | None:
    """Read the manifest of a folder; None where there is none.

    :raises IncompleteResults: it can't be read, or is the manifest of something else
    """
    place = within(folder, MANIFEST)
    try:
        with named_if_unreadable(place), open_stored(place) as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _partitions(folder, read_manifest(place, content))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise IncompleteResults(
            f"{place} is not a manifest of row scores ({shortened(repr(error))}). If it is damaged, download the row "
            f"scores again."
        ) from error


def _partitions(folder: Any, manifest: dict[str, Any]) -> Partitions:
    fields = tuple(manifest["partition_by"])
    place = str(within(folder, MANIFEST))
    files = tuple(
        (
            listed_file(file, folder=folder, manifest=place, remedy=DOWNLOAD_AGAIN),
            {name: file["values"][name] for name in fields},
        )
        for file in files_in(manifest)
    )
    return Partitions(TABLE_FORMATS[manifest["format"]], files, str(folder), manifest["rows"])
