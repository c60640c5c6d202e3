"""Where requests may go: a redirect can name anything."""

from __future__ import annotations

import httpx

_LAST_PORT = 65_535


class ImpossibleTarget(httpx.RequestError):
    """A request leads to where nothing can be."""


def require_possible(request: httpx.Request) -> None:
    """Refuse a port that there is not: the system takes its last 16 bits, and asks another service of that machine.

    :raises ImpossibleTarget: it has one
    """
    port = request.url.port
    if port is not None and not 0 < port <= _LAST_PORT:
        raise ImpossibleTarget(f"a redirect leads to port {port}, which no machine has", request=request)
