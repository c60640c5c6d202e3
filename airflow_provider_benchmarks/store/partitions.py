"""Row scores as a folder of files, one for each value of a field, as Hive, Spark, DuckDB and pandas read it.

``destination/category=a/rows-<hash>.parquet``, ``destination/category=b/…``, and ``destination/_manifest.json``, which
is written last and lists the files. A folder without a manifest is not complete; files that the manifest does not list
are of an interrupted or an earlier download. The field itself stands in the folders' names only.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.store.results import RowFormat, StoredFile, store_bytes

MANIFEST = "_manifest.json"
#: More folders than this are a field that tells rows apart rather than a field to group by.
MOST_PARTITIONS = 1000
_BATCH_ROWS = 4096
_CHUNK = 1024 * 1024


def store_partitions(
    parquet: Path,
    destination: str | None,
    *,
    fields: Sequence[str],
    row_format: RowFormat,
    storage_conn_id: str | None = None,
) -> StoredFile:
    """Cut a Parquet file of row scores into a folder of files.

    The files of an earlier download stay until the new manifest is there, and are deleted then.

    :param parquet: all rows
    :param destination: the folder; None only tells what it would be
    :param fields: columns whose values name the folders: texts, whole numbers or booleans
    :param row_format: Parquet or CSV
    :return: rows and bytes of all files; the hash is the manifest's, which has those of the files
    :raises ConfigurationError: there is no such column, it has values of another type, or too many different ones
    """
    with tempfile.TemporaryDirectory(prefix="row-scores-") as name:
        folder = Path(name)
        _cut(parquet, folder, fields)
        if row_format.name == "csv":
            _turn_into_csv(folder, row_format)
        files = list(_describe(folder))
        new = {
            "format": row_format.name,
            "partition_by": list(fields),
            "rows": sum(file["rows"] for _, file in files),
            "bytes": sum(file["bytes"] for _, file in files),
            "files": [file for _, file in files],
        }
        content = json.dumps(new, indent=1).encode()
        if destination is not None:
            old = _read_manifest(destination, storage_conn_id)
            for local, file in files:
                target = f"{destination.rstrip('/')}/{file['path']}"
                store_bytes(_read(local), target, format=row_format.name, storage_conn_id=storage_conn_id)
            store_bytes([content], _manifest_of(destination), format="json", storage_conn_id=storage_conn_id)
            if old is not None:
                _delete_stale(destination, json.loads(old), new, storage_conn_id)
    return _stored(destination or "", content)


def partitions_before(destination: str, *, storage_conn_id: str | None = None) -> StoredFile | None:
    """Describe the folder at a destination; None where there is no complete one."""
    content = _read_manifest(destination, storage_conn_id)
    return None if content is None else _stored(destination, content)


def _stored(destination: str, manifest: bytes) -> StoredFile:
    data = json.loads(manifest)
    digest = hashlib.sha256(manifest).hexdigest()
    return StoredFile(
        path=destination, rows=data["rows"], bytes=data["bytes"], sha256=digest, format=str(data["format"])
    )


def _manifest_of(destination: str) -> str:
    return f"{destination.rstrip('/')}/{MANIFEST}"


def _read_manifest(destination: str, storage_conn_id: str | None) -> bytes | None:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    path: Any = ObjectStoragePath(_manifest_of(destination), conn_id=storage_conn_id)
    try:
        content: bytes = path.read_bytes()
    except FileNotFoundError:
        return None
    return content


def _delete_stale(destination: str, old: dict[str, Any], new: dict[str, Any], storage_conn_id: str | None) -> None:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    kept = {file["path"] for file in new["files"]}
    for path in (file["path"] for file in old["files"]):
        if path not in kept:
            stale: Any = ObjectStoragePath(f"{destination.rstrip('/')}/{path}", conn_id=storage_conn_id)
            stale.unlink(missing_ok=True)


def _cut(parquet: Path, folder: Path, fields: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    with pq.ParquetFile(parquet) as file:
        schema = file.schema_arrow
        partitioning = ds.partitioning(pa.schema([_partition_field(schema, name) for name in fields]), flavor="hive")
        options = ds.ParquetFileFormat().make_write_options(compression="zstd")
        try:
            ds.write_dataset(
                file.iter_batches(batch_size=_BATCH_ROWS),
                folder,
                schema=schema,
                format="parquet",
                file_options=options,
                partitioning=partitioning,
                basename_template="rows-{i}.parquet",
                max_partitions=MOST_PARTITIONS,
                min_rows_per_group=_BATCH_ROWS,
                max_rows_per_group=16 * _BATCH_ROWS,
                use_threads=False,  # the same rows give the same files
            )
        except pa.ArrowInvalid as error:
            if "partitions" not in str(error):
                raise
            raise ConfigurationError(
                f"partition_by {list(fields)}: there are more than {MOST_PARTITIONS} different values. Choose a field "
                f"that groups rows."
            ) from error


def _partition_field(schema: Any, name: str) -> Any:
    import pyarrow as pa

    from airflow_provider_benchmarks.scores.parquet import JSON_KEY

    if name not in schema.names:
        raise ConfigurationError(f'partition_by: the row scores have no column "{name}"; they have {schema.names}')
    field = schema.field(name)
    is_json = JSON_KEY in (field.metadata or {})
    types = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    if is_json or not any(is_type(field.type) for is_type in types):
        found = "values of several kinds, lists or objects" if is_json else f"values of type {field.type}"
        raise ConfigurationError(
            f'partition_by: column "{name}" has {found}; texts, whole numbers and booleans can name folders'
        )
    # A field that no row has is one folder, as a text is.
    return pa.field(name, pa.string()) if pa.types.is_null(field.type) else field


def _turn_into_csv(folder: Path, row_format: RowFormat) -> None:
    from airflow_provider_benchmarks.scores.csv_file import write_csv

    for path in sorted(folder.rglob("*.parquet")):
        with path.with_suffix(".csv").open("wb") as file:
            write_csv(path, file, neutralise_formulas=row_format.neutralise_formulas)


def _describe(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each file with its entry in the manifest; its final name has its hash, so that no other file is overwritten."""
    import pyarrow.parquet as pq

    for path in sorted(folder.rglob("*.parquet")):
        rows = pq.read_metadata(path).num_rows
        final = path.with_suffix(".csv") if path.with_suffix(".csv").exists() else path
        digest, size = hashlib.sha256(), 0
        for chunk in _read(final):
            digest.update(chunk)
            size += len(chunk)
        name = f"rows-{digest.hexdigest()[:12]}{final.suffix}"
        relative = (path.parent.relative_to(folder) / name).as_posix()
        yield final, {"path": relative, "rows": rows, "bytes": size, "sha256": digest.hexdigest()}


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
