"""The formats of files of row scores. A new one is a module and a line in the registry.

The registry imports neither pyarrow nor pandas: a format imports them where it uses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_benchmarks.brief import did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.formats.csv import Csv
from airflow_provider_benchmarks.formats.format import Format, RowFile, WriteOptions
from airflow_provider_benchmarks.formats.jsonl import Jsonl
from airflow_provider_benchmarks.formats.parquet import Parquet
from airflow_provider_benchmarks.formats.table_format import TableFormat

#: Every format by its name, the default first.
FORMATS: dict[str, Format] = {each.name: each for each in (Jsonl(), Parquet(), Csv())}
#: Those that are written by column, and that a folder of files can have.
TABLE_FORMATS = {name: each for name, each in FORMATS.items() if isinstance(each, TableFormat)}
#: In the order in which a file is tried: those first whose beginning leaves no doubt.
SNIFFED = sorted(FORMATS.values(), key=lambda each: each.is_text)
#: The longest beginning that a format is known by, in bytes.
START_BYTES = 16

__all__ = [
    "FORMATS",
    "SNIFFED",
    "START_BYTES",
    "TABLE_FORMATS",
    "Format",
    "RowFile",
    "RowFormat",
    "WriteOptions",
    "format_of",
    "kind_of_file",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFormat(WriteOptions):
    """A format of row scores, and how a file of it is written.

    :param name: ``jsonl`` (byte for byte what the service holds), ``parquet`` or ``csv`` (both need the extra
        ``parquet``)
    :raises ConfigurationError: there is no such format, or it has no such compression
    """

    name: str = "jsonl"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in FORMATS:
            raise ConfigurationError(
                f'unknown format of row scores "{shortened(self.name)}"; known: {", ".join(FORMATS)}'
                f"{did_you_mean(self.name, FORMATS)}"
            )
        if self.compression is not None and self.compression not in self.format.compressions:
            known = "; ".join(
                f"{f.name} with {' or '.join(f.compressions)}" for f in FORMATS.values() if f.compressions
            )
            raise ConfigurationError(
                f'row scores as {self.name} can\'t be compressed with "{shortened(self.compression)}". '
                f"What can be: {known}"
            )

    @property
    def keeps_outputs(self) -> bool:
        """Whether a file has the model's outputs, where the rows have them."""
        return bool(self.with_sample) or self.name not in TABLE_FORMATS

    @property
    def format(self) -> Format:
        return FORMATS[self.name]


def format_of(start: bytes) -> Format | None:
    """Find the format of a file by its first bytes; None if it is none of these."""
    return next((each for each in SNIFFED if each.sniff(start)), None)


def kind_of_file(start: bytes) -> str:
    """Name what a file is by its first bytes: a format, or the compression of a whole file; empty if it is neither."""
    found = format_of(start)
    return found.sniff(start) if found else ""
