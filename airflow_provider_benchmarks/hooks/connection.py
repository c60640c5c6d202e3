"""From an Airflow connection to the client's configuration."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.connection_fields import read_fields, secret_values, unknown_keys
from airflow_provider_benchmarks.durations import number_of
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.hooks.base_url import base_url
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.masking import register_secrets, secrets_of
from airflow_provider_benchmarks.retry_policy import DEFAULT_RETRY_SECONDS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_benchmarks.client import AsyncBenchmarkClient, ClientConfig

logger = logging.getLogger(__name__)

#: Connections and keys that were warned of.
_warned: set[tuple[str, str]] = set()
_MAX_WARNED = 1000


def config_of(
    connection: Connection, workspace: str | None = None, aliases: Mapping[str, str] | None = None
) -> ClientConfig:
    """Read a connection of type ``nemo_evaluator``.

    ``host`` is the base URL (or host name, with ``port`` and ``schema``; also of a connection as a URL, such as
    ``https://host/gateway``), ``password`` the API token; the extra may hold the fields of
    :mod:`airflow_provider_benchmarks.connection_fields`. The token and the values of the headers are masked in logs
    from here on.

    :param workspace: takes the place of the connection's
    :param aliases: other names of metrics, by those that results have for them
    :raises ConfigurationError: a field can't be used; names the connection and the field
    """
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_benchmarks.client import ClientConfig

    _quiet_request_log()
    token = _token_of(connection)
    try:
        extra = _extra_of(connection)
        secrets = [*([token, *secrets_of(token)] if token else []), *secret_values(extra)]
        for secret in secrets:  # before anything else can fail
            if secret:
                mask_secret(secret)
        register_secrets(secrets)
        _warn_of_unknown(connection, extra)
        fields = read_fields(extra)
        if workspace:
            fields["workspace"] = workspace
        return ClientConfig(
            base_url=base_url(
                conn_type=connection.conn_type, host=connection.host, schema=connection.schema, port=connection.port
            ),
            token=token,
            aliases=aliases or {},
            retry_seconds=retry_seconds(),
            **fields,
        )
    except ConfigurationError as error:
        raise ConfigurationError(f'connection "{connection.conn_id}": {error}') from error


def retry_seconds() -> float:
    """Seconds for which something is tried again after transient faults: ``[benchmarks] retry_seconds``.

    :raises ConfigurationError: it is no finite number
    """
    from airflow.providers.common.compat.sdk import conf

    seconds = float(conf.getfloat("benchmarks", "retry_seconds", fallback=DEFAULT_RETRY_SECONDS))
    return number_of(seconds, "[benchmarks] retry_seconds")


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


def _token_of(connection: Connection) -> str | None:
    """The token, without the scheme that a header has before it and no token has."""
    text = (connection.password or "").strip()
    scheme, _, token = text.partition(" ")
    if scheme.lower().rstrip(":") == "bearer" and token.strip():
        _warn_once(connection, scheme, 'the password is a token alone, without "Bearer", which is left out')
        text = token.strip()
    return text or None


def _quiet_request_log() -> None:
    """Leave httpx's line for each request out of the logs of tasks and triggers, as Airflow does from 3.1 on."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

    log = logging.getLogger("httpx")
    if not AIRFLOW_V_3_1_PLUS and log.level == logging.NOTSET:
        log.setLevel(logging.WARNING)


def _extra_of(connection: Connection) -> Mapping[str, Any]:
    """The extra of a connection.

    :raises ConfigurationError: it is no JSON object
    """
    try:
        # Airflow takes what is no JSON for an empty extra, whose headers would be missed much later.
        found = json.loads(connection.extra or "{}")
        extra = {} if found is None else connection.extra_dejson
    except (ValueError, TypeError, RecursionError):  # their texts may show it
        found = extra = None
    if (found is not None and not isinstance(found, Mapping)) or not isinstance(extra, Mapping):
        raise ConfigurationError('the extra must be a JSON object, such as {"workspace": "my-workspace"}')
    return extra


def _warn_of_unknown(connection: Connection, extra: Mapping[str, Any]) -> None:
    """Warn, once a process, of keys that nothing reads. A watcher reads its connection again and again."""
    for key, problem in unknown_keys(extra).items():
        _warn_once(connection, key, problem)


def _warn_once(connection: Connection, key: str, problem: str) -> None:
    warned = (str(connection.conn_id), key)
    if warned not in _warned and len(_warned) < _MAX_WARNED:
        _warned.add(warned)
        logger.warning('connection "%s": %s', connection.conn_id, one_line(problem))
