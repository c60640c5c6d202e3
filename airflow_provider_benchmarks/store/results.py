"""Results of a job as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import RowScore
from airflow_provider_benchmarks.store.atomic import atomic_write


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that was stored whole.

    :param path: where it is, as it was asked for
    :param rows: dataset rows in it; None for a file that does not hold rows
    :param bytes: its size
    :param sha256: of its content, in hex
    """

    path: str
    rows: int | None
    bytes: int
    sha256: str
    format: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def store_rows(
    lines: Iterable[bytes],
    destination: str,
    *,
    expected_rows: int | None = None,
    limit: int | None = None,
    storage_conn_id: str | None = None,
) -> StoredFile:
    """Store row scores as JSONL, each line as it comes, after checking that each is a row.

    :param expected_rows: as many must come; None where the service does not say how many there are
    :param limit: store only so many rows; the number of rows is not checked then
    :raises IncompleteResults: a line is not a row, or their number is another; nothing is stored
    """
    digest = hashlib.sha256()
    rows = size = 0
    with atomic_write(destination, storage_conn_id=storage_conn_id) as file:
        for line in lines:
            if rows == limit:
                break
            if not line.strip():
                continue
            try:
                RowScore.from_json(line)
            except IncompleteResults as error:
                raise IncompleteResults(f"row {rows + 1}: {error}") from error
            line += b"\n"
            file.write(line)
            digest.update(line)
            rows += 1
            size += len(line)
        if limit is None and expected_rows is not None and rows != expected_rows:
            raise IncompleteResults(
                f"the service sent {rows} rows, but its aggregate scores count {expected_rows}. Nothing was stored; "
                f"try again, and look at the job's artifacts if it stays so."
            )
    return StoredFile(path=destination, rows=rows, bytes=size, sha256=digest.hexdigest(), format="jsonl")


def store_bytes(
    chunks: Iterable[bytes], destination: str, *, format: str, storage_conn_id: str | None = None
) -> StoredFile:
    """Store a body as it comes."""
    digest = hashlib.sha256()
    size = 0
    with atomic_write(destination, storage_conn_id=storage_conn_id) as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return StoredFile(path=destination, rows=None, bytes=size, sha256=digest.hexdigest(), format=format)
