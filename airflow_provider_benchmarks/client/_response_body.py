"""Read the bodies of responses: small ones whole and up to a limit, large ones fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from airflow_provider_benchmarks.masking import masked_content, masked_values
from airflow_provider_benchmarks.scores.json_values import parse_json

#: One read of the network. The usual way reads 64 KiB at a time through an HTTP parser written in Python, which is what
#: limits the speed of a large body.
_READ_BYTES = 1024 * 1024

#: What a read of the network may raise, through httpx or below it.
DROPPED = (httpx.RequestError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


#: Of an answer that is read whole. Lists and scores take a few MB at most.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
#: Of an error's body: its beginning says what there is to say.
MAX_ERROR_BYTES = 1024 * 1024


class WholeBody:
    """Collects the pieces of a body, up to a limit.

    :param limit: number of bytes; what follows is left out
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> bool:
        """Add a piece; False if the limit is passed, and no more is needed."""
        self._pieces.append(piece)
        self._size += len(piece)
        return not self.is_cut

    @property
    def is_cut(self) -> bool:
        return self._size > self._limit

    def content(self) -> bytes:
        return b"".join(self._pieces)[: self._limit]


def read_whole(response: httpx.Response, limit: int) -> WholeBody:
    """Read a body up to a limit, and close the response."""
    body = WholeBody(limit)
    try:
        for piece in response.iter_bytes():
            if not body.add(piece):
                break
    finally:
        response.close()
    return body


@contextmanager
def closed_on_error(response: httpx.Response) -> Iterator[None]:
    """Give the connection back where nobody gets the response."""
    try:
        yield
    except BaseException:
        response.close()
        raise


def refuse_packed_twice(response: httpx.Response) -> None:
    """Refuse a body of which a few hundred bytes could become gigabytes before anybody can count them.

    :raises httpx.DecodingError: the body is compressed more than once
    """
    if "," in response.headers.get("content-encoding", ""):
        raise httpx.DecodingError("the body is compressed more than once", request=response.request)


def parsed(content: bytes) -> Any:
    """Decode an answer, without the secrets that the service may echo.

    :raises ValueError: it is not JSON
    """
    value = parse_answer(content)
    return value if masked_content(content) is content else masked_values(value)


def parse_answer(content: bytes) -> Any:
    """Decode an answer; halves of characters, which neither Airflow nor its database can store, become "?".

    :raises ValueError: it is not JSON
    """
    value = parse_json(content)
    if b"\\ud" in content or b"\\uD" in content:
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return value


def body_length(response: httpx.Response) -> int | None:
    """Number of bytes of the body; None where the service does not say, or sends it compressed."""
    if "content-encoding" in response.headers or not response.headers.get("content-length", "").isdigit():
        return None
    return int(response.headers["content-length"])


def read_body(response: httpx.Response, *, timeout: float) -> Iterator[bytes]:
    """Read the pieces of a streamed response's body.

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
