"""The archive of a log of inspect_ai: ZIP, whose members newer versions pack with zstd."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.results_files.files import MAX_DOCUMENT_BYTES, ResultFile, bounded
from airflow_provider_benchmarks.scores.results_files.json_size import MAX_DOCUMENT_VALUE_BYTES, parse_bounded

_SUMMARIES, _HEADER = "summaries.json", "header.json"
_ZSTD = 93
_LOCAL_HEADER_BYTES = 30


def unpack(file: ResultFile) -> tuple[Any, Any]:
    """The header and the summaries of an archive.

    :raises IncompleteResults: a member is missing, damaged or too large
    :raises ConfigurationError: nothing that unpacks it is installed (extra ``parquet``)
    """
    with file.opened() as archive, zipfile.ZipFile(archive) as members:
        names = members.namelist()
        if _HEADER not in names:
            raise IncompleteResults(f"the archive has no {_HEADER}, which is written last: the task has not ended")
        header, summaries = (
            parse_bounded(_member(archive, members, name), MAX_DOCUMENT_VALUE_BYTES) if name in names else None
            for name in (_HEADER, _SUMMARIES)
        )
    return header, summaries


def _member(archive: Any, members: zipfile.ZipFile, name: str) -> bytes:
    """A member of an archive; Python's own reader of ZIP archives unpacks zstd from 3.14 on only."""
    info = members.getinfo(name)
    if info.compress_type != _ZSTD:
        with members.open(info) as member:
            return bounded(member, MAX_DOCUMENT_BYTES)
    require("logs of inspect_ai need", "pyarrow")
    import pyarrow as pa

    archive.seek(info.header_offset)
    local = archive.read(_LOCAL_HEADER_BYTES)
    archive.seek(int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little"), io.SEEK_CUR)
    packed = bounded(io.BytesIO(archive.read(min(info.compress_size, MAX_DOCUMENT_BYTES + 1))), MAX_DOCUMENT_BYTES)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        content = bounded(stream, MAX_DOCUMENT_BYTES)
    # Python's own reader compares these. The frames of zstd have no sum of their own here.
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise IncompleteResults(f"{name} in the archive is damaged: its size or its checksum is another one")
    return content
