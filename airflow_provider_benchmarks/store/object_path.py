"""Paths in object storage, and the Airflow connection that they are opened with."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError


def object_path(url: Any, storage_conn_id: str | None = None) -> Any:
    """Give Airflow's ObjectStoragePath of a URL or a local path.

    Its filesystem asks the storage anew: others write there, too.

    :param storage_conn_id: Airflow connection of the storage; None for the one that the URL names, if it does
    :raises ConfigurationError: it is empty, Airflow has no filesystem for it, or there is no such connection
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    url, storage_conn_id = as_text(url, storage_conn_id)
    conn_id = storage_conn_id or urlsplit(url).netloc.rpartition("@")[0]
    if conn_id:
        _check_connection(conn_id)
    try:
        # Up to Airflow 3.1 conn_id=None hides the connection that a URL names.
        path = ObjectStoragePath(url) if storage_conn_id is None else ObjectStoragePath(url, conn_id=storage_conn_id)
        if not is_local(path):  # for its filesystem Airflow imports those of all providers: a third of a second
            path.fs.invalidate_cache(path.path)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f'Airflow has no filesystem for "{url}" ({error}). Install the provider of the storage: '
            f"airflow-provider-benchmarks[s3], [gcs] or [azure]."
        ) from error
    return path


def as_text(place: Any, storage_conn_id: str | None = None) -> tuple[str, str | None]:
    """Give a destination as text, and its connection, which an ObjectStoragePath brings along.

    :param place: a text, a :class:`~pathlib.Path` or an ObjectStoragePath
    :raises ConfigurationError: it is empty
    """
    text = "" if place is None else str(place)
    if not text.strip():
        raise ConfigurationError(f"a path or URL in object storage is needed, found {brief(place)}")
    # Airflow 2.11 has it among the options of the storage only.
    own = getattr(place, "conn_id", None) or getattr(place, "storage_options", {}).get("conn_id")
    return text, storage_conn_id or own


def is_local(path: Any) -> bool:
    """Whether an ObjectStoragePath is of the local disk."""
    return path.protocol in ("", "file", "local")


@cache
def _check_connection(conn_id: str) -> None:
    """Amazon's filesystem takes the machine's own credentials for those of a connection that does not exist.

    :raises ConfigurationError: there is no such connection
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f'there is no Airflow connection "{conn_id}" for the storage. Correct its name, or create it.'
        ) from error
