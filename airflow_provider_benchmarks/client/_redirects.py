"""Follow redirects without their bodies, which httpx reads whatever their size."""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import Any, cast

import httpx

#: As many as browsers follow.
MAX_REDIRECTS = 20
#: Of a redirect's body. One that is read to its end leaves its connection for the next request.
_BODY_BYTES = 64 * 1024
#: A name and password in the address that is redirected to are not sent: the service asks for neither.
_NO_AUTH = httpx.Auth()


def send(client: httpx.Client, request: httpx.Request, *, follows: bool) -> httpx.Response:
    """Send a request, and return the response with its body unread.

    :param follows: False returns a redirect as it is
    :raises httpx.RequestError: there is no response, or one redirect too many
    """
    for _ in range(MAX_REDIRECTS + 1):
        response = client.send(request, stream=True, follow_redirects=False, auth=_NO_AUTH)
        if not follows or response.next_request is None:
            return response
        request = response.next_request
        _skip_body(response)
    raise _too_many(request)


async def send_async(client: httpx.AsyncClient, request: httpx.Request, *, follows: bool) -> httpx.Response:
    """Send a request as :func:`send` does."""
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True, follow_redirects=False, auth=_NO_AUTH)
        if not follows or response.next_request is None:
            return response
        request = response.next_request
        await _skip_body_async(response)
    raise _too_many(request)


def _skip_body(response: httpx.Response) -> None:
    with closing(response):
        if response.is_stream_consumed:
            return
        for _ in response.iter_raw():
            if response.num_bytes_downloaded > _BODY_BYTES:
                return


async def _skip_body_async(response: httpx.Response) -> None:
    try:
        if response.is_stream_consumed:
            return
        async with aclosing(cast(Any, response.aiter_raw())) as pieces:
            async for _ in pieces:
                if response.num_bytes_downloaded > _BODY_BYTES:
                    return
    finally:
        await response.aclose()


def _too_many(request: httpx.Request) -> httpx.TooManyRedirects:
    return httpx.TooManyRedirects(f"more than {MAX_REDIRECTS} redirects", request=request)
