"""How to reach a service."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.client._download_speed import DEFAULT_MIN_SPEED
from airflow_provider_benchmarks.client._headers import (
    checked_headers,
    checked_value,
    headers_of_every_request,
    names_in_headers,
)
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.client.generations import AUTO, Generation, generations_of
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.masking import register_secrets
from airflow_provider_benchmarks.retry_policy import DEFAULT_RETRY_SECONDS
from airflow_provider_benchmarks.scores.metric_names import checked_references

#: The service closes idle connections after 5 seconds; ours are dropped before that.
_KEEPALIVE_SECONDS = 4.0
MAX_CONNECTIONS = 10
_CONNECT_SECONDS = 10.0
_MAX_TIMEOUT_SECONDS = 86_400
#: The whole of an answer may take this many times as long as each wait for a piece of it. Downloads, whose pieces are
#: used as they come, may take any time.
_WHOLE_ANSWER_TIMEOUTS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Address, credentials and limits of a client.

    :param base_url: ``https://host[:port][/prefix]``, without the ``/apis`` part
    :param workspace: workspace that requests go to where they name no other
    :param token: sent as ``Authorization: Bearer``; without one only an ``Authorization`` among ``headers`` is
    :param headers: further headers, such as a gateway's key; like the token they never go to another host. Of two names
        that differ in case only the last counts, and beside a token none is ``Authorization``
    :param verify: check the server's certificate: True, False, or the path of a CA file or folder
    :param timeout: seconds to wait for an answer, and between two pieces of a body; the whole of an answer that is
        not a download may take half as long again
    :param min_download_speed: bytes per second that a download must have, measured over at least 20 s and twice the
        timeout, as long as the network is waited for; 0 for no limit
    :param api: generation of the service, one of ``GENERATIONS``; or ``auto``: the service is asked
    :param retry_seconds: how long a request is retried after transient faults: no try begins later than this after the
        first, so that all of them take at most this and the time of one request
    :param aliases: other names of metrics, by those that results have for them, ``{"exact-match": "ws/exact-match"}``.
        What a job itself says of a metric's name counts first
    :param trust_env: take proxies (``HTTPS_PROXY``, ``NO_PROXY``, …) and CA settings from the environment
    :raises ConfigurationError: a value can't be used; says which
    """

    base_url: str
    workspace: str = "default"
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    timeout: float = 30.0
    min_download_speed: float = DEFAULT_MIN_SPEED
    api: str = AUTO
    retry_seconds: float = DEFAULT_RETRY_SECONDS
    trust_env: bool = True
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_types()
        self._check_base_url()
        if self.token is not None:
            object.__setattr__(self, "token", checked_value("API token", self.token))
        object.__setattr__(self, "headers", checked_headers(self.headers))
        names = names_in_headers(self.headers)
        register_secrets(
            [self.token or "", *(each for each in self.headers.values() if each not in names)],
            names=names - {self.workspace},
        )
        if not _is_number(self.timeout) or not 0 < self.timeout <= _MAX_TIMEOUT_SECONDS:
            raise ConfigurationError(
                f"the request timeout must be more than 0 seconds and at most {_MAX_TIMEOUT_SECONDS:,}, "
                f"found {brief(self.timeout)}"
            )
        if not _is_number(self.retry_seconds) or not 0 <= self.retry_seconds <= _MAX_TIMEOUT_SECONDS:
            raise ConfigurationError(
                f"retry_seconds must be a number from 0 to {_MAX_TIMEOUT_SECONDS:,}, found {brief(self.retry_seconds)}"
            )
        if not _is_number(self.min_download_speed) or not 0 <= self.min_download_speed <= sys.float_info.max:
            raise ConfigurationError(
                f"min_download_speed must be 0 bytes per second (no limit) or more, "
                f"found {brief(self.min_download_speed)}"
            )
        generations_of(self.api)
        checked_references(self.aliases)
        if isinstance(self.verify, str) and not os.path.exists(self.verify):
            raise ConfigurationError(f'the CA path "{self.verify}" does not exist on this machine')

    def _check_types(self) -> None:
        if not isinstance(self.headers, Mapping):
            raise ConfigurationError(f"headers must be a mapping, found a {type(self.headers).__name__}")
        texts = {"base_url": self.base_url, "workspace": self.workspace, "api": self.api, "token": self.token or ""}
        texts |= {f"header {brief(name)}": value for name, value in self.headers.items()}
        for name, value in texts.items():
            if not isinstance(value, str):  # it is not shown: it may be a secret
                raise ConfigurationError(f"{name} must be a text, found a value of type {type(value).__name__}")
        if any(not isinstance(name, str) for name in self.headers):
            raise ConfigurationError("the names of headers must be texts")
        if not isinstance(self.verify, bool | str):
            raise ConfigurationError(
                f"verify must be True, False, or the path of a CA file or folder, found {brief(self.verify)}"
            )

    def _check_base_url(self) -> None:
        # First of all, and however wrong the rest is: what follows shows the URL, which must not show a password.
        if any(sign in self.base_url for sign in "@?#"):
            raise ConfigurationError('the base URL must not hold credentials, a query or a fragment ("@", "?" or "#")')
        try:
            url = httpx.URL(self.base_url)
            usable = url.scheme in ("http", "https") and bool(url.host) and (url.port or 0) < 65536
        except (httpx.InvalidURL, ValueError):
            usable = False
        if not usable:
            raise ConfigurationError(
                f'the base URL must look like "https://evaluator.example.com", found "{self.base_url}"'
            )

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The generations that the service may have, in the order in which it is asked for them."""
        return generations_of(self.api)

    def url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    def transport_options(self) -> dict[str, Any]:
        """Options that ``httpx.Client`` and ``httpx.AsyncClient`` share."""
        return {
            "verify": self._verify(),
            "timeout": _timeout(self.timeout),
            "limits": httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=_KEEPALIVE_SECONDS),
            "headers": headers_of_every_request(self),
            # An odd cookie would spoil all later requests of a client.
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
            "trust_env": self.trust_env,
        }

    def _verify(self) -> ssl.SSLContext | bool:
        if isinstance(self.verify, str):
            return _ssl_context(self.verify)
        if not self.verify:
            return False
        return _usual_ssl_context(self.trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    def request_arguments(self, request: Request) -> dict[str, Any]:
        """Arguments of httpx's ``build_request`` for one request."""
        return {
            "method": request.method,
            "url": self.url(request.path),
            "params": dict(request.params),
            "json": request.json,
            "content": request.content,
            "headers": dict(request.headers),
            "timeout": _timeout(self._read_timeout(request)),
        }

    def time_limit(self, request: Request) -> float:
        """Seconds that a request may take in all, with an answer that is read whole."""
        longest = self._read_timeout(request) * _WHOLE_ANSWER_TIMEOUTS
        return longest if request.time_limit is None else min(longest, request.time_limit)

    @property
    def poll_time_limit(self) -> float:
        """Seconds that a poll may take in all where other polls wait for it: no more than for a piece of an answer."""
        return self.timeout

    def _read_timeout(self, request: Request) -> float:
        return max(self.timeout, request.min_timeout)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))


@cache
def _usual_ssl_context(trust_env: bool, *variables: str | None) -> ssl.SSLContext:
    """httpx's own context, made once per process: to read the authorities takes 40 ms.

    :param variables: what the environment says of them, which httpx reads itself where it may
    """
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except OSError as error:
        where = next(filter(None, variables), "certifi's file")
        raise ConfigurationError(f"the certificates of {where} can't be read: {error}") from error


def _ssl_context(path: str) -> ssl.SSLContext:
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f'the CA file "{path}" can\'t be read: {error}') from error
