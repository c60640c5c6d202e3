"""The headers of every request, and which of them only the service itself may see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import httpx

from airflow_provider_benchmarks import __version__
from airflow_provider_benchmarks.client._body_encoding import ACCEPTED_ENCODINGS
from airflow_provider_benchmarks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client._config import ClientConfig

#: What every request carries, unless the connection has a header of the same name. The user agent tells the service's
#: operators which client it is that asks.
_EVERY_REQUEST = {
    "Accept": "*/*",
    "Accept-Encoding": ACCEPTED_ENCODINGS,
    "User-Agent": f"airflow-provider-benchmarks/{__version__}",
}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
#: Say how a request's own body is sent, or what part of an answer is wanted: one for all requests breaks some.
_OF_A_REQUEST = frozenset(
    {"content-length", "transfer-encoding", "content-encoding", "trailer", "te", "upgrade", "expect", "range"}
)
#: In the names of headers whose values are secrets, whatever they look like.
_SENSITIVE = re.compile(r"auth|cookie|credential|key|pass|secret|session|token", re.IGNORECASE)
#: What may be the name of something on the service, or a word.
_POSSIBLE_NAME = re.compile(r"[A-Za-z][a-z]*(?:[._/-][a-z0-9]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def headers_of_every_request(config: ClientConfig) -> dict[str, str]:
    """Headers of every request of either client, downloads and the connection test among them."""
    return _merged(_EVERY_REQUEST, secret_headers(config))


def secret_headers(config: ClientConfig) -> dict[str, str]:
    """The headers that only the service itself may see: the token and those of the connection."""
    bearer = {"Authorization": f"Bearer {config.token}"} if config.token else {}
    return _merged(config.headers, bearer)


def strip_secrets(config: ClientConfig, request: httpx.Request) -> None:
    """Take the secret headers out of a request to another host.

    Used as httpx's request hook, which sees every request, those after a redirect too.
    """
    if not is_own_origin(config, request.url):
        for name in secret_headers(config):
            request.headers.pop(name, None)


def is_own_origin(config: ClientConfig, url: httpx.URL) -> bool:
    """True if a URL is on the service's own host and port, over no weaker a scheme."""
    own = httpx.URL(config.base_url)
    if url.host != own.host:
        return False
    if (url.scheme, _port(url)) == (own.scheme, _port(own)):
        return True
    return (own.scheme, _port(own), url.scheme, _port(url)) == ("http", 80, "https", 443)


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without blanks around their values, one for each name.

    :raises ConfigurationError: a name or a value can't be in an HTTP header; says which
    """
    for name in headers:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f'"{name}" can\'t be the name of an HTTP header')
        if name.lower() in _OF_A_REQUEST:
            raise ConfigurationError(f'the header "{name}" is set for each request by itself: leave it out')
    return _merged({name: checked_value(f'header "{name}"', value) for name, value in headers.items()})


def names_in_headers(headers: Mapping[str, str]) -> set[str]:
    """Values that may be the name of something, such as the tenant that a gateway asks for, rather than a secret."""
    return {value for name, value in headers.items() if _POSSIBLE_NAME.fullmatch(value) and not _SENSITIVE.search(name)}


def checked_value(what: str, value: str) -> str:
    """A header's value without blanks around it.

    :param what: what has the value, for the error, which does not show it
    :raises ConfigurationError: it can't be in an HTTP header
    """
    text = value.strip()
    if not (text.isascii() and text.isprintable()):
        raise ConfigurationError(f"the {what} has line breaks or characters that HTTP headers can't hold")
    return text


def _merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """Put headers together. Of names that differ in case only, which are one name to HTTP, the last counts."""
    named = {name.lower(): (name, value) for each in headers for name, value in each.items()}
    return dict(named.values())


def _port(url: httpx.URL) -> int | None:
    return url.port or _DEFAULT_PORTS.get(url.scheme)
