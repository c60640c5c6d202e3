"""Row scores as a folder of files, one for each value of a field, as Hive, Spark, DuckDB and pandas read it.

``destination/category=a/rows-<hash>.parquet``, ``destination/category=b/…``, and ``destination/_manifest.json``, which
is written last and lists the files, with the values of the field. A folder without a manifest is not complete. The
field itself is in the folders' names only.

Files of an earlier or an interrupted download are deleted once the new manifest is there. So a reader of all files in
the folder reads those of one download. During a download, such a reader can see files of both; one that follows the
manifest does not. Two tasks must not write to one folder at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import DestinationExists, IncompleteResults
from airflow_provider_benchmarks.formats import TABLE_FORMATS, RowFormat
from airflow_provider_benchmarks.formats.partitioned import MANIFEST
from airflow_provider_benchmarks.formats.spool import spool_folder
from airflow_provider_benchmarks.scores.manifests import files_in, read_manifest
from airflow_provider_benchmarks.scores.stored_files import storage_errors
from airflow_provider_benchmarks.store.hashed_file import HashedFile
from airflow_provider_benchmarks.store.partition_files import Part, cut
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.stored_file import StoredFile, read_if_there, store_bytes

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1024 * 1024
#: Files that are written here, below the destination, and may be deleted.
_OURS = re.compile(rf"(?:[^/=]*=[^/]*/)+rows-[0-9a-f]{{12}}\.(?:{'|'.join(TABLE_FORMATS)})")


def store_partitions(parquet: Path, place: Place | None, *, fields: Sequence[str], row_format: RowFormat) -> StoredFile:
    """Cut a Parquet file of row scores into a folder of files.

    :param parquet: all rows
    :param place: the folder; None only describes what it would be
    :param fields: columns whose values name the folders: texts, whole numbers or booleans
    :param row_format: Parquet or CSV
    :return: rows and bytes of all files; the hash is the manifest's, which has those of the files
    :raises ConfigurationError: there is no such column, its values can't name folders, or they are too many
    :raises IncompleteResults: another task has deleted files of this one
    """
    folder = None if place is None else _Folder(place)
    files: list[dict[str, Any]] = []
    try:
        with spool_folder() as spool:
            for part in cut(parquet, spool, fields=fields, row_format=row_format):
                files.append(_describe(part))
                if folder is not None:
                    folder.store(files[-1]["path"], _read(part.file), row_format.name)
        manifest = {
            "format": row_format.name,
            "partition_by": list(fields),
            "rows": sum(file["rows"] for file in files),
            "bytes": sum(file["bytes"] for file in files),
            "files": sorted(files, key=lambda file: str(file["path"])),
        }
        content = json.dumps(manifest, indent=1).encode()
        if folder is not None:
            folder.store(MANIFEST, [content], "json")
            folder.sweep(content)
    except BaseException:
        if folder is not None and files:
            folder.remove_unnamed(file["path"] for file in files)
        raise
    return _stored("" if place is None else place.url, content)


def find_partitions(place: Place) -> StoredFile | None:
    """Describe the folder at a place; None where there is no complete one.

    :raises DestinationExists: its manifest is not one of partitioned row scores
    :raises NewerFormat: a newer release has written it
    """
    try:
        content = _Folder(place).manifest()
    except IncompleteResults as error:
        raise DestinationExists(f"{error} Or choose another destination.") from error
    return None if content is None else _stored(place.url, content)


def sweep_partitions(place: Place) -> None:
    """Delete files of interrupted downloads from a complete folder.

    :raises IncompleteResults: files that the manifest names are not there
    """
    folder = _Folder(place)
    content = folder.manifest()
    if content is not None:
        folder.sweep(content)


class _Folder:
    """The destination."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def store(self, path: str, pieces: Iterable[bytes], format: str) -> None:
        store_bytes(pieces, self._place / path, format=format)

    def manifest(self) -> bytes | None:
        return read_if_there(self._place / MANIFEST)

    def sweep(self, manifest: bytes) -> None:
        """Delete files of other downloads.

        :raises IncompleteResults: files of this one are not there, or have another size
        """
        sizes = {file["path"]: file.get("bytes") for file in files_in(json.loads(manifest))}
        named = set(sizes)
        root, start = self._root()
        with storage_errors(self._place):
            found = {path.removeprefix(start): info["size"] for path, info in root.fs.find(start, detail=True).items()}
        there = set(found)
        if missing := sorted(named - there):
            raise IncompleteResults(
                f'{self._place}: {len(missing)} files that {MANIFEST} names are not there, the first is "{missing[0]}"'
                ": another task writes to this folder, or deletes from it. "
                'Run the task again, with if_exists="replace".'
            )
        if others := sorted(path for path in named if sizes[path] not in (None, found[path])):
            raise IncompleteResults(
                f'{self._place}: {len(others)} files are not those that {MANIFEST} lists, the first is "{others[0]}", '
                f"of {found[others[0]]} bytes in place of {sizes[others[0]]}. Run the task again, with "
                f'if_exists="replace".'
            )
        self._remove(there - named)

    def remove_unnamed(self, paths: Iterable[str]) -> None:
        """Delete files of a download that failed, but none that belongs to the folder as it is now; never raises."""
        try:
            manifest = self.manifest()
            self._remove(set(paths) - (set() if manifest is None else _named_by(manifest)))
        except Exception as error:  # noqa: BLE001  the first error is the one to report
            logger.warning(
                "Files of the failed download are left in %s (%r): the next download that ends well deletes them",
                self._place,
                error,
            )

    def _remove(self, paths: Iterable[str]) -> None:
        root, start = self._root()
        for path in filter(_OURS.fullmatch, sorted(paths)):
            with suppress(FileNotFoundError):
                with storage_errors(self._place):
                    root.fs.rm_file(f"{start}{path}")  # fsspec's rm would take a "*" in it for any text

    def _root(self) -> tuple[Any, str]:
        """The folder, and how the names of all its files begin."""
        root = self._place.object_path
        return root, f"{root.fs._strip_protocol(root.path).rstrip('/')}/"


def _stored(destination: str, manifest: bytes) -> StoredFile:
    try:
        data = read_manifest(f"{destination}/{MANIFEST}", manifest)
        rows, size, kind = int(data["rows"]), int(data["bytes"]), str(data["format"])
        _named_by(manifest)
    except (ValueError, LookupError, TypeError) as error:
        raise DestinationExists(
            f"{destination}/{MANIFEST} is not a manifest of row scores ({shortened(repr(error))}). Choose another "
            f"destination."
        ) from error
    return StoredFile(path=destination, rows=rows, bytes=size, sha256=hashlib.sha256(manifest).hexdigest(), format=kind)


def _named_by(manifest: bytes) -> set[str]:
    return {file["path"] for file in files_in(json.loads(manifest))}


def _describe(part: Part) -> dict[str, Any]:
    """The file's entry in the manifest; its final name has its hash, so that no other file is overwritten."""
    with open(os.devnull, "wb") as nowhere, HashedFile(nowhere) as hashed:
        for chunk in _read(part.file):
            hashed.write(chunk)
    return {
        "path": f"{part.place}/rows-{hashed.sha256[:12]}{part.file.suffix}",
        "values": part.values,
        "rows": part.rows,
        "bytes": hashed.bytes,
        "sha256": hashed.sha256,
        "end_sha256": hashed.end_sha256,
    }


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
