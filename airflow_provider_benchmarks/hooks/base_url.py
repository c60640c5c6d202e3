"""The address of the service, from the fields of a connection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.inert import one_line

logger = logging.getLogger(__name__)

_SCHEMES = ("http", "https")


def base_url(*, conn_type: str | None, host: str | None, schema: str | None, port: int | None) -> str:
    """Put a base URL together, and warn of fields that contradict each other.

    A connection as a URL is taken apart by Airflow: of ``https://host/gateway`` the type is ``https`` and the schema
    ``gateway``. So the scheme is that of the host, or the schema if it is one, or the connection's type if it is one. A
    schema that is none is the prefix of a gateway. Without any, it is ``http`` on this machine and ``https`` elsewhere.
    A prefix may begin like a scheme, where the scheme is known without it: that of ``https://host/http/v1``.

    :raises ConfigurationError: there is no host
    """
    host = (host or "").strip()
    if not host:
        raise ConfigurationError('no host: set it to the service\'s base URL, such as "https://evaluator.example.com"')
    named, separator, rest = host.rpartition("://")
    address, *prefix = rest.rstrip("/").split("/")
    is_url = bool(separator) or conn_type in _SCHEMES
    own_scheme, *schema_prefix = _parts_of_schema(schema, is_url=is_url, is_https=conn_type == "https")
    address, own_port = _bracketed(address)
    problems = [*_contradictions(named.lower() if separator else "", own_scheme, own_port, port)]
    if "apis" in (*prefix, *schema_prefix):
        problems.append('the host has the path "/apis", which every request adds by itself: leave it out')
    for problem in problems:
        logger.warning("%s", one_line(problem))
    if port and own_port is None:
        address = f"{address}:{port}"
    scheme = named or own_scheme or _scheme_of_type(conn_type)
    # A token must not travel in the clear by default; on this machine itself it does not travel.
    scheme = scheme or ("http" if _is_this_machine(address) else "https")
    return "/".join([f"{scheme}://{address}", *prefix, *schema_prefix])


def _parts_of_schema(schema: str | None, *, is_url: bool, is_https: bool) -> Iterator[str]:
    """The scheme in a connection's schema, or an empty text, and then the parts of a prefix.

    :param is_url: the connection was made of a URL with a scheme, or its host is one
    :param is_https: its type is ``https``, which no form has: its schema is what follows the URL's host
    """
    parts = (schema or "").strip().removesuffix("://").strip("/").split("/")
    is_prefix = is_https or (is_url and len(parts) > 1)
    is_scheme = parts[0].lower() in _SCHEMES and not is_prefix
    yield parts[0].lower() if is_scheme else ""
    yield from filter(None, parts[1:] if is_scheme else parts)


def _scheme_of_type(conn_type: str | None) -> str:
    return conn_type if conn_type in _SCHEMES else ""


def _bracketed(address: str) -> tuple[str, str | None]:
    """An address with brackets where it is one of IPv6, as Airflow takes them off, and the port that it has."""
    try:
        ip_address(address)
    except ValueError:
        if "@" in address:  # credentials, which are refused, and shown nowhere
            return address, None
        behind = address.rpartition("]")[2]
        return address, behind.partition(":")[2] or None if ":" in behind else None
    return (f"[{address}]" if ":" in address else address), None


def _contradictions(named: str, scheme: str, own_port: str | None, port: int | None) -> Iterator[str]:
    if named and scheme and named != scheme:
        yield f'the host begins with "{shortened(named, 40)}://", the schema is "{scheme}": the host\'s counts'
    if port and own_port is not None and own_port != str(port):
        yield f"the host has the port {shortened(own_port, 40)}, the port field {port}: the host's counts"


def _is_this_machine(address: str) -> bool:
    try:
        host = urlsplit(f"//{address}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name, such as 127.example.com
        return False
