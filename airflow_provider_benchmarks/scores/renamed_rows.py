"""Rename the metrics in a JSONL file of row scores while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO

import msgspec

from airflow_provider_benchmarks.scores.completeness import line_blocks
from airflow_provider_benchmarks.scores.json_values import DECODE_ERRORS, json_text, parse_json
from airflow_provider_benchmarks.scores.metric_names import BY_METRIC, rename_keys

_BLOCK_BYTES = 1024 * 1024
_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


class RenamedRows:
    """A JSONL file of rows with other names of metrics; all else stays as it is, byte for byte.

    A line that is not a row is passed on unchanged, for the reader to find. Who does not iterate over it must close it.

    :param pieces: the file, cut anywhere
    :param references: the new name of each metric that gets one
    """

    def __init__(self, pieces: Iterable[bytes], references: Mapping[str, str]) -> None:
        self._pieces = pieces
        self._references = references

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the file's bytes.

        :raises ConfigurationError: two metrics of a row would have the same name
        """
        for block in line_blocks(self._pieces, _BLOCK_BYTES):
            yield _renamed_block(block, self._references)

    def close(self) -> None:
        if close := getattr(self._pieces, "close", None):
            close()


def renamed_line(line: bytes, references: Mapping[str, str]) -> bytes:
    """Rename the metrics in one line, as :class:`RenamedRows` does."""
    try:
        return _ENCODER.encode(_renamed_row(_OBJECTS.decode(line), references)) + _end_of(line)
    except DECODE_ERRORS:
        return _renamed_leniently(line, references)


def _renamed_block(block: bytes, references: Mapping[str, str]) -> bytes:
    try:
        rows = _OBJECTS.decode_lines(block)
        if len(rows) == sum(1 for _ in BytesIO(block)):
            return _ENCODER.encode_lines([_renamed_row(row, references) for row in rows])
    except DECODE_ERRORS:
        pass
    return b"".join(renamed_line(line, references) for line in BytesIO(block))


def _renamed_row(row: dict[str, msgspec.Raw], references: Mapping[str, str]) -> dict[str, msgspec.Raw]:
    for name in BY_METRIC:
        value = row.get(name)
        if value is not None and bytes(value).startswith(b"{"):
            row[name] = msgspec.Raw(_ENCODER.encode(rename_keys(_OBJECTS.decode(value), references)))
    return row


def _renamed_leniently(line: bytes, references: Mapping[str, str]) -> bytes:
    """Rename in a line that the strict decoder refuses, perhaps only for the bare word NaN."""
    try:
        row = parse_json(line)
    except ValueError:
        return line
    if not isinstance(row, dict):
        return line
    for name in BY_METRIC:
        if isinstance(row.get(name), dict):
            row[name] = rename_keys(row[name], references)
    return json_text(row).encode() + _end_of(line)


def _end_of(line: bytes) -> bytes:
    return b"\n" if line.endswith(b"\n") else b""
