"""A configuration and a request as httpx takes them."""

from __future__ import annotations

import os
import ssl
from typing import Any

import httpx

from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._headers import headers_of_every_request
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: The service closes idle connections after 5 seconds; ours are dropped before that.
_KEEPALIVE_SECONDS = 4.0
_CONNECT_SECONDS = 10.0
_MAX_CONNECTIONS = 10


def client_options(config: ClientConfig) -> dict[str, Any]:
    """Arguments that ``httpx.Client`` and ``httpx.AsyncClient`` share."""
    return {
        "verify": _ssl_context(config.verify) if isinstance(config.verify, str) else config.verify,
        "timeout": _timeout(config.timeout),
        "limits": httpx.Limits(max_connections=_MAX_CONNECTIONS, keepalive_expiry=_KEEPALIVE_SECONDS),
        "headers": headers_of_every_request(config),
        "trust_env": config.trust_env,
    }


def request_arguments(config: ClientConfig, request: Request) -> dict[str, Any]:
    """Arguments of ``build_request``."""
    return {
        "method": request.method,
        "url": config.url(request.path),
        "params": dict(request.params),
        "json": request.json,
        "headers": dict(request.headers),
        "timeout": _timeout(config.read_timeout(request)),
    }


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))


def _ssl_context(path: str) -> ssl.SSLContext:
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f'the CA file "{path}" can\'t be read: {error}') from error
