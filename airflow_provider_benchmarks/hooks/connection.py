"""From an Airflow connection to the client's configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_benchmarks.connection_fields import read_fields, secret_values
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.masking import register_secrets, secrets_of
from airflow_provider_benchmarks.retry_policy import DEFAULT_RETRY_SECONDS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_benchmarks.client import AsyncBenchmarkClient, ClientConfig


def config_of(
    connection: Connection, workspace: str | None = None, aliases: Mapping[str, str] | None = None
) -> ClientConfig:
    """Read a connection of type ``nemo_evaluator``.

    ``host`` is the base URL (or host name, with ``port`` and ``schema``), ``password`` the API token; the extra may
    hold the fields of :mod:`airflow_provider_benchmarks.connection_fields`. The token and the values of the headers are
    masked in logs from here on.

    :param workspace: takes the place of the connection's
    :param aliases: other names of metrics, by those that results have for them
    :raises ConfigurationError: a field can't be used; names the connection and the field
    """
    from airflow.providers.common.compat.sdk import conf, mask_secret

    from airflow_provider_benchmarks.client import ClientConfig

    _quiet_request_log()
    token = (connection.password or "").strip() or None
    try:
        extra = connection.extra_dejson
        secrets = [*([token, *secrets_of(token)] if token else []), *secret_values(extra)]
        for secret in secrets:  # before anything else can fail
            if secret:
                mask_secret(secret)
        register_secrets(secrets)
        fields = read_fields(extra)
        if workspace:
            fields["workspace"] = workspace
        return ClientConfig(
            base_url=_base_url(connection),
            token=token,
            aliases=aliases or {},
            retry_seconds=conf.getfloat("benchmarks", "retry_seconds", fallback=DEFAULT_RETRY_SECONDS),
            **fields,
        )
    except ConfigurationError as error:
        raise ConfigurationError(f'connection "{connection.conn_id}": {error}') from error


async def open_async_client(conn_id: str, workspace: str | None, **changes: Any) -> AsyncBenchmarkClient:
    """Make an asynchronous client for a connection without blocking the event loop.

    :param changes: fields of the client's configuration to replace
    """
    from dataclasses import replace

    from airflow.providers.common.compat.connection import get_async_connection
    from asgiref.sync import sync_to_async

    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

    connection = await get_async_connection(conn_id)

    def make() -> AsyncBenchmarkClient:  # reads CA files and asks the supervisor to mask secrets: both block
        return AsyncBenchmarkClient(replace(config_of(connection, workspace), **changes))

    client: AsyncBenchmarkClient = await sync_to_async(make)()
    return client


def _quiet_request_log() -> None:
    """Leave httpx's line for each request out of the logs of tasks and triggers, as Airflow does from 3.1 on."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

    log = logging.getLogger("httpx")
    if not AIRFLOW_V_3_1_PLUS and log.level == logging.NOTSET:
        log.setLevel(logging.WARNING)


def _base_url(connection: Connection) -> str:
    host = (connection.host or "").strip()
    if not host:
        raise ConfigurationError('no host: set it to the service\'s base URL, such as "https://evaluator.example.com"')
    if "://" in host:
        scheme, _, rest = host.partition("://")
    else:
        # A token must not travel in the clear by default; on this machine itself it does not travel.
        scheme = connection.schema or ("http" if _is_this_machine(host) else "https")
        rest = host
    address, slash, prefix = rest.rstrip("/").partition("/")
    if connection.port and not address.rpartition("]")[2].count(":"):
        address = f"{address}:{connection.port}"
    return f"{scheme}://{address}{slash}{prefix}"


def _is_this_machine(address: str) -> bool:
    try:
        host = urlsplit(f"//{address}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name, such as 127.example.com
        return False
