"""How to reach a service."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.client.generations import AUTO, Generation, generation_of
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: The service closes idle connections after 5 seconds; ours are dropped before that.
_KEEPALIVE_SECONDS = 4.0
_CONNECT_SECONDS = 10.0
_MAX_TIMEOUT_SECONDS = 86_400
#: A whole answer, read to its end, may take so many times as long as each wait for a piece of it. Large downloads,
#: whose pieces are used as they come, may take any time.
_WHOLE_ANSWER_TIMEOUTS = 1.5
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


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
    :param api: generation of the service, ``auto`` or one of ``GENERATIONS``
    :param retry_seconds: how long a request is tried again after transient faults, in all
    :param trust_env: take proxies (``HTTPS_PROXY``, ``NO_PROXY``, …) and CA settings from the environment
    :raises ConfigurationError: a value can't be used; says which
    """

    base_url: str
    workspace: str = "default"
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    timeout: float = 30.0
    api: str = AUTO
    retry_seconds: float = 60.0
    trust_env: bool = True

    def __post_init__(self) -> None:
        self._check_base_url()
        if self.token is not None:
            object.__setattr__(self, "token", _header_value("API token", self.token))
        headers = {name: _header_value(f'header "{name}"', value) for name, value in self.headers.items()}
        for name in headers:
            if not _HEADER_NAME.fullmatch(name):
                raise ConfigurationError(f'"{name}" can\'t be the name of an HTTP header')
        object.__setattr__(self, "headers", _merged(headers))
        if not 0 < self.timeout <= _MAX_TIMEOUT_SECONDS:
            raise ConfigurationError(
                f"the request timeout must be more than 0 seconds and at most {_MAX_TIMEOUT_SECONDS:,}, "
                f"found {self.timeout}"
            )
        generation_of(self.api)
        if isinstance(self.verify, str) and not os.path.exists(self.verify):
            raise ConfigurationError(f'the CA path "{self.verify}" does not exist on this machine')

    def _check_base_url(self) -> None:
        # First of all, and however odd the rest is: what follows shows the URL, which must not show a password.
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
    def generation(self) -> Generation:
        """The adapter of the service's generation."""
        return generation_of(self.api)

    def url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    def secret_headers(self) -> dict[str, str]:
        """The headers that only the service itself may see."""
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return _merged(self.headers, bearer)

    def strip_secrets(self, request: httpx.Request) -> None:
        """Take the token and the extra headers out of a request to another host.

        Used as httpx's request hook, which sees every request, those after a redirect too.
        """
        if not self.is_own_origin(request.url):
            for header in self.secret_headers():
                request.headers.pop(header, None)

    def is_own_origin(self, url: httpx.URL) -> bool:
        """Whether a URL is on the service's own host and port, over no weaker a scheme."""
        own = httpx.URL(self.base_url)
        if url.host != own.host:
            return False
        if (url.scheme, _port(url)) == (own.scheme, _port(own)):
            return True
        return (own.scheme, _port(own), url.scheme, _port(url)) == ("http", 80, "https", 443)

    def transport_options(self) -> dict[str, Any]:
        """Options that ``httpx.Client`` and ``httpx.AsyncClient`` share."""
        return {
            "verify": self._ssl() if isinstance(self.verify, str) else self.verify,
            "timeout": httpx.Timeout(self.timeout, connect=min(_CONNECT_SECONDS, self.timeout)),
            "limits": httpx.Limits(max_connections=10, keepalive_expiry=_KEEPALIVE_SECONDS),
            "headers": _merged({"Accept": "*/*"}, self.secret_headers()),
            "trust_env": self.trust_env,
        }

    def request_arguments(self, request: Request) -> dict[str, Any]:
        """Arguments of ``build_request`` for one request."""
        timeout = self._timeout(request)
        return {
            "method": request.method,
            "url": self.url(request.path),
            "params": dict(request.params),
            "json": request.json,
            "headers": dict(request.headers),
            "timeout": httpx.Timeout(timeout, connect=min(_CONNECT_SECONDS, timeout)),
        }

    def time_limit(self, request: Request) -> float:
        """Seconds that a request may take in all, with an answer that is read whole."""
        most = self._timeout(request) * _WHOLE_ANSWER_TIMEOUTS
        return most if request.time_limit is None else min(most, request.time_limit)

    def _timeout(self, request: Request) -> float:
        return max(self.timeout, request.min_timeout)

    def _ssl(self) -> ssl.SSLContext:
        path = str(self.verify)
        try:
            if os.path.isdir(path):
                return ssl.create_default_context(capath=path)
            return ssl.create_default_context(cafile=path)
        except (ssl.SSLError, OSError) as error:
            raise ConfigurationError(f'the CA file "{path}" can\'t be read: {error}') from error


def _header_value(what: str, value: str) -> str:
    text = value.strip()
    if not (text.isascii() and text.isprintable()):
        raise ConfigurationError(f"the {what} has line breaks or characters that HTTP headers can't hold")
    return text


def _merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """Put headers together; of names that differ in case only, which are one name to HTTP, the last counts."""
    named = {name.lower(): (name, value) for each in headers for name, value in each.items()}
    return dict(named.values())


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
