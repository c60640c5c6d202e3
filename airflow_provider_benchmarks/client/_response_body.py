"""Read the bodies of responses: small ones whole and up to a limit, large ones fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any, cast

import httpcore
import httpx

from airflow_provider_benchmarks.client._body_encoding import BodyDecoder, decoded
from airflow_provider_benchmarks.masking import masked_values, may_hold_secrets
from airflow_provider_benchmarks.scores.json_values import parse_json
from airflow_provider_benchmarks.storable import whole_characters

#: One read of the network. The usual way reads 64 KiB at a time through an HTTP parser written in Python, which is what
#: limits the speed of a large body.
_READ_BYTES = 1024 * 1024

#: What a read of the network may raise, through httpx or below it.
DROPPED = (httpx.RequestError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


#: Of an answer that is read whole, once it is decoded. Lists and scores take a few MB at most.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
#: ... and of the values in it, which take more memory than their text.
MAX_VALUES = 4_000_000
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


def read_whole(response: httpx.Response) -> WholeBody:
    """Read a body up to the limit of its kind, and close the response.

    An error's body that is damaged counts as far as it can be read.
    """
    body = WholeBody(limit_of(response))
    with closing(response):
        pieces = decoded(response)
        try:
            for piece in pieces:
                if not body.add(piece):
                    break
        except httpx.DecodingError:
            if response.status_code < 300:
                raise
    return body


async def read_whole_async(response: httpx.Response) -> WholeBody:
    """Read a body as :func:`read_whole` does; what is more than one piece is decoded off the event loop."""
    body = WholeBody(limit_of(response))
    try:
        decoder = None if response.is_stream_consumed else BodyDecoder(response)
        # Without this, a body that is left early is closed at some later time, or never.
        async with aclosing(_decoded_async(response, decoder)) as pieces:
            try:
                async for piece in pieces:
                    if not body.add(piece):
                        break
            except httpx.DecodingError:
                if response.status_code < 300:
                    raise
    finally:
        await response.aclose()
    return body


async def _decoded_async(response: httpx.Response, decoder: BodyDecoder | None) -> AsyncGenerator[bytes]:
    if decoder is None:  # of a transport that does not stream, which has decoded it
        yield response.content
        return
    async with aclosing(cast(AsyncGenerator[bytes], response.aiter_raw())) as received:
        async for data in received:
            pieces = decoder.pieces(data)
            piece = next(pieces, None)
            while piece:
                yield piece
                # The rest of what one read of the network has brought may be a thousand times as much.
                piece = await asyncio.to_thread(next, pieces, None) if decoder.has_more else None
    yield decoder.end()


def limit_of(response: httpx.Response) -> int:
    """Number of bytes that are read of a body that is read whole."""
    return MAX_ANSWER_BYTES if response.status_code < 300 else MAX_ERROR_BYTES


@contextmanager
def closed_on_error(response: httpx.Response) -> Iterator[None]:
    """Give the connection back where nobody gets the response."""
    try:
        yield
    except BaseException:
        response.close()
        raise


def parsed(content: bytes) -> Any:
    """Decode an answer, without the secrets that the service may echo.

    :raises ValueError: it is not JSON, has too many values, or is nested too deeply
    """
    value = parse_answer(content)
    return masked_values(value) if may_hold_secrets(content) else value


def parse_answer(content: bytes) -> Any:
    """Decode an answer; halves of characters, which neither Airflow nor its database can store, become "�".

    :raises ValueError: it is not JSON, has too many values, or is nested too deeply
    """
    # An empty list takes 3 bytes as text, and 64 in memory.
    if len(content) > MAX_VALUES and sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ValueError(f"the answer has more than {MAX_VALUES:,} values, the most that are read")
    value = parse_json(content)
    return _without_halves(value) if b"\\ud" in content or b"\\uD" in content else value


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_characters(key): _without_halves(member) for key, member in value.items()}
    return [_without_halves(member) for member in value] if isinstance(value, list) else value


def body_length(response: httpx.Response) -> int | None:
    """Number of bytes of the body; None where the service does not say, or sends it compressed."""
    length = response.headers.get("content-length", "")
    # Beside a transfer encoding a length says nothing (RFC 9112, 6.3).
    if not length.isdigit() or {"content-encoding", "transfer-encoding"} & response.headers.keys():
        return None
    return int(length)


def read_body(response: httpx.Response, *, timeout: float) -> Iterator[bytes]:
    """Read the pieces of a streamed response's body.

    :param timeout: seconds to wait for each piece
    :raises httpx.RequestError: or another of ``DROPPED``: the connection was lost before the body's end
    """
    length = body_length(response)
    network = response.extensions.get("network_stream")
    if length is None or network is None:
        yield from decoded(response)
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
