"""Files that a manifest lists: what is read from them is what was stored there, or nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.known_files import KnownFile
from airflow_provider_benchmarks.scores.manifests import text_in
from airflow_provider_benchmarks.scores.stored_files import within

#: Bytes at its end that a file is known by, without reading the rest. They are all of a small file. Of a Parquet file
#: they hold the digests of its columns; the pages before them have checksums of their own.
END_BYTES = 512 * 1024

_STORE_AGAIN = "Delete the folder, and store the job again."
DOWNLOAD_AGAIN = "Download the row scores again."


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile(KnownFile):
    """A file that a manifest lists. To open it is to check that it is the one that was listed.

    :param manifest: the path of the manifest, for messages
    :param size: in bytes
    :param sha256: of its content, in hex
    :param end_sha256: of its last :data:`END_BYTES`; empty where an earlier release has listed it, which left only the
        sizes of large files to be compared
    :param rows: in it; None for a file that does not hold rows
    :param remedy: what to do if it is another one
    """

    manifest: str
    size: int
    sha256: str
    end_sha256: str = ""
    rows: int | None = None
    remedy: str = _STORE_AGAIN

    def require_content(self, content: bytes) -> None:
        """Refuse content that was read without opening the file here.

        :raises IncompleteResults: the file is another one; names it
        """
        self._require_size(len(content))
        self._require_hash(content, self.sha256)

    def require_rows(self, rows: int) -> None:
        """Refuse the file if another number of rows was listed.

        :raises IncompleteResults: names it
        """
        if self.rows is not None and rows != self.rows:
            raise self._is_another(f"it has {rows} rows, and not {self.rows}")

    def _check(self, file: Any) -> None:
        size = file.seek(0, os.SEEK_END)
        self._require_size(size)
        expected = self.sha256 if size <= END_BYTES else self.end_sha256
        if expected:
            file.seek(max(size - END_BYTES, 0))
            self._require_hash(file.read(), expected)

    def _require_size(self, size: int) -> None:
        if size != self.size:
            raise self._is_another(f"it has {size} bytes, and not {self.size}")

    def _require_hash(self, content: bytes, expected: str) -> None:
        if (found := hashlib.sha256(content).hexdigest()) != expected:
            raise self._is_another(f"its content has the SHA-256 {found}, and not {expected}")

    def _is_missing(self) -> IncompleteResults:
        return IncompleteResults(f"{self} is not there, which the folder's manifest lists. {self.remedy}")

    def _is_another(self, why: str) -> IncompleteResults:
        return IncompleteResults(f"{self} is not the file that {self.manifest} lists: {why}. {self.remedy}")


def files_of_job(manifest: Mapping[str, Any], *, folder: str, path: str) -> dict[str, ListedFile]:
    """The files that the manifest of a job lists, by name; nothing where it has no list, as one made by hand.

    :param folder: of the job
    :param path: of the manifest, for messages
    :raises LookupError: the description of a file lacks a field
    :raises ValueError: it is no description, or the list is empty
    """
    if "files" not in manifest:
        return {}
    listed = manifest["files"]
    if not isinstance(listed, list) or not listed or not all(isinstance(file, dict) for file in listed):
        raise ValueError(f'expected a list of files as "files", found {brief(listed)}')
    files = [listed_file(file, folder=folder, manifest=path, remedy=_STORE_AGAIN) for file in listed]
    return {file["path"]: found for file, found in zip(listed, files, strict=True)}


def listed_file(description: dict[str, Any], *, folder: Any, manifest: str, remedy: str) -> ListedFile:
    """The file that a manifest describes.

    :param folder: that its path starts from
    :raises LookupError: the description lacks a field
    :raises ValueError: a field has another type
    """
    size, rows = description["bytes"], description["rows"]
    if type(size) is not int or not (rows is None or type(rows) is int):
        raise ValueError(f"expected whole numbers in the description of a file, found {brief(description)}")
    return ListedFile(
        path=within(folder, text_in(description, "path")),
        manifest=manifest,
        size=size,
        sha256=text_in(description, "sha256"),
        end_sha256=text_in(description, "end_sha256", is_optional=True),
        rows=rows,
        remedy=remedy,
    )
