"""Look up the addresses of a host in limited time: the system's own look-up has no limit that can be set."""

from __future__ import annotations

import socket
from functools import partial
from ipaddress import ip_address
from typing import Any

import httpcore

from airflow_provider_benchmarks.background import TooSlow, call_within


def addresses_of(host: str, port: int, timeout: float | None) -> list[str]:
    """The IP addresses of a host, in the order in which they are to be tried.

    :param timeout: seconds; None for no limit
    :raises httpcore.ConnectError: there is no such host
    :raises httpcore.ConnectTimeout: it is not found in time; the look-up goes on in its thread to the system's limit
    :raises UnicodeError: it can be no host
    """
    if _is_address(host):
        return [host]
    try:
        return call_within(timeout, partial(_look_up, host, port), name=f"look up {host}")
    except TooSlow:
        raise httpcore.ConnectTimeout(f"the name {host} was not looked up after {timeout:.3g} s") from None
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(_text(address) for *_, address in found))


def _text(address: tuple[Any, ...]) -> str:
    """A socket's address without the port, with the scope of a link-local one."""
    scope = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in str(address[0]) else str(address[0])


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
