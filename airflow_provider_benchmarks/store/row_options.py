"""What a download of row scores can be asked for."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_benchmarks.brief import brief, brief_names
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.formats import TABLE_FORMATS, RowFormat
from airflow_provider_benchmarks.store.if_exists import IfExists
from airflow_provider_benchmarks.store.place import Place


def check_row_options(
    *,
    place: Place | None,
    row_format: RowFormat,
    if_exists: str = IfExists.REPLACE,
    limit: int | None = None,
    partition_by: str | Sequence[str] = (),
) -> None:
    """Refuse what can't be done; takes templates that are not rendered yet.

    :param place: the destination; None where there is none
    :raises ConfigurationError: names the argument and what it may be, or the extra that the format needs
    """
    IfExists(if_exists)
    row_format.format.require(row_format.compression)
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ConfigurationError(f"limit must be 1 or more, found {brief(limit)}")
    if partition_by and (row_format.name not in TABLE_FORMATS or place is None):
        names = " or ".join(f'"{name}"' for name in TABLE_FORMATS)
        raise ConfigurationError(
            f"partition_by needs a destination, and format={names}: JSONL is the service's file as it is"
        )
    fields = [partition_by] if isinstance(partition_by, str) else partition_by
    if isinstance(fields, list | tuple) and len(set(fields)) != len(fields):
        raise ConfigurationError(f"partition_by names a field twice: {brief_names(fields)}")
