"""Read large bodies fast."""

from __future__ import annotations

from collections.abc import Iterator

import httpcore
import httpx

#: One read of the network. The usual way reads 64 KiB at a time through an HTTP parser written in Python, which is what
#: limits the speed of a large body.
_READ_BYTES = 1024 * 1024

#: What a read of the network may raise, through httpx or below it.
DROPPED = (httpx.RequestError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


def body_length(response: httpx.Response) -> int | None:
    """How many bytes the body has; None where the service does not say, or sends it packed."""
    if "content-encoding" in response.headers or not response.headers.get("content-length", "").isdigit():
        return None
    return int(response.headers["content-length"])


def read_body(response: httpx.Response, *, timeout: float) -> Iterator[bytes]:
    """Give the pieces of a streamed response's body.

    :param timeout: seconds to wait for each piece
    :raises httpx.RequestError: or another of ``DROPPED``: the connection was lost before the body's end
    """
    length = body_length(response)
    network = response.extensions.get("network_stream")
    if length is None or network is None:
        yield from response.iter_bytes()
        return
    # The first piece comes through the parser, which holds what arrived together with the headers. All that follows is
    # the body's plain bytes, read from the connection itself. It can't be used again, and closing the response ends it.
    through_parser = response.iter_raw()  # held on to: dropping it would close the connection
    first = next(through_parser, b"")
    received = len(first)
    yield first
    while received < length:
        piece = network.read(min(_READ_BYTES, length - received), timeout=timeout)
        if not piece:
            raise httpx.RemoteProtocolError(f"the connection was closed after {received} of {length} bytes")
        received += len(piece)
        yield piece
