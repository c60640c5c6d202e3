"""Where row scores are to be stored, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from airflow_provider_benchmarks.brief import brief, brief_names, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.formats import TABLE_FORMATS, RowFormat
from airflow_provider_benchmarks.store.if_exists import IfExists
from airflow_provider_benchmarks.store.place import Place

#: What files are taken for by the endings of their names.
_ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_PACKED = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}


class RowArguments(TypedDict, total=False):
    """Arguments of a download of row scores, of the hook and of the operator alike.

    :param format: ``jsonl`` (the default: byte for byte what the service holds), ``parquet`` or ``csv``
    :param compression: ``gzip`` or ``zstd`` for JSONL; ``zstd`` (when None) or ``snappy`` for Parquet
    :param with_sample: keep the model's outputs in Parquet and CSV too; False by default
    :param neutralise_formulas: in CSV, keep a spreadsheet from running texts as formulas; True by default
    :param if_exists: ``replace`` (the default) what is there, ``skip`` the download, or ``fail`` if it is not the very
        same; see :class:`~airflow_provider_benchmarks.store.IfExists` for rows that the service has purged
    :param limit: maximum number of rows; None (the default) for all
    :param partition_by: make the destination a folder, with a file of its own for each value of this field or fields
        (Parquet and CSV)
    """

    format: str
    compression: str | None
    with_sample: bool
    neutralise_formulas: bool
    if_exists: str
    limit: int | None
    partition_by: str | Sequence[str]


def refuse_other_ending(place: Place, format: str, compression: str | None = None) -> None:
    """Refuse a file whose name says that it has another format, which whoever opens it would believe.

    :param format: of rows; or ``json``, of aggregate scores, which have no other
    :raises ConfigurationError: says what to set
    """
    name = place.url.lower()
    packed = next((kind for ending, kind in _PACKED.items() if name.endswith(ending)), None)
    if packed is not None:
        name = name.rpartition(".")[0]
    kind = next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)
    if kind is not None and kind != format:
        setting = "" if format == "json" else f'set format="{kind}", or '
        raise ConfigurationError(
            f'destination "{shortened(place.url)}" has the name of a {kind} file, and format is "{format}": '
            f"{setting}give it another ending"
        )
    if packed is not None and packed != compression:
        setting = f'set compression="{packed}", or ' if format == "jsonl" else ""
        raise ConfigurationError(
            f'destination "{shortened(place.url)}" has the name of a file that is packed with {packed}, and '
            f"compression is {compression}: {setting}give it another ending"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOptions:
    """What a download of row scores is asked for; may hold templates that are not rendered yet.

    :param place: the file, or with ``partition_by`` the folder; None where there is no destination
    :param if_exists: ``replace`` what is there, ``skip`` the download, or ``fail`` if it is not the very same
    :param limit: number of rows to store; None for all
    :param partition_by: columns that get a folder for each of their values; one, or a sequence
    :raises ConfigurationError: it can't be done; names the argument and what it may be, or the extra that is missing
    """

    place: Place | None = None
    row_format: RowFormat = field(default_factory=RowFormat)
    if_exists: str = IfExists.REPLACE
    limit: int | None = None
    partition_by: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        IfExists(self.if_exists)
        self.row_format.format.require(self.row_format.compression)
        if self.limit is not None and (not isinstance(self.limit, int) or self.limit < 1):
            raise ConfigurationError(f"limit must be 1 or more, found {brief(self.limit)}")
        if self.partition_by and (self.row_format.name not in TABLE_FORMATS or self.place is None):
            names = " or ".join(f'"{name}"' for name in TABLE_FORMATS)
            raise ConfigurationError(
                f"partition_by needs a destination, and format={names}: JSONL is the service's file as it is"
            )
        if isinstance(self.fields, list | tuple) and len(set(self.fields)) != len(self.fields):
            raise ConfigurationError(f"partition_by names a field twice: {brief_names(self.fields)}")

    @classmethod
    def of(
        cls,
        place: Place | None,
        *,
        format: str = "jsonl",
        compression: str | None = None,
        with_sample: bool = False,
        neutralise_formulas: bool = True,
        if_exists: str = IfExists.REPLACE,
        limit: int | None = None,
        partition_by: str | Sequence[str] = (),
    ) -> RowOptions:
        """Make the options of these arguments, see :class:`RowArguments`.

        :raises ConfigurationError: as the class
        """
        row_format = RowFormat(
            name=format, compression=compression, with_sample=with_sample, neutralise_formulas=neutralise_formulas
        )
        if place is not None and not partition_by:
            refuse_other_ending(place, format, compression)
        return cls(place=place, row_format=row_format, if_exists=if_exists, limit=limit, partition_by=partition_by)

    @property
    def fields(self) -> Sequence[str]:
        """The columns to partition by."""
        return [self.partition_by] if isinstance(self.partition_by, str) and self.partition_by else self.partition_by
