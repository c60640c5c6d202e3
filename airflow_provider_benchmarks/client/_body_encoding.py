"""Undo the compression of bodies piece by piece: a few bytes must not become gigabytes before anybody can count them.

httpx decodes all that one read of the network has brought, which can be a thousand times as much for gzip, and more for
what Brotli and Zstandard make. So only gzip and deflate are asked for, and both are undone here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import httpx

#: What requests ask for, whatever else is installed.
ACCEPTED_ENCODINGS = "gzip, deflate"
#: Of one piece that is decoded at once: less than a millisecond of work.
PIECE_BYTES = 256 * 1024
_GZIP_BEGINNING = b"\x1f"
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
#: No compression. S3 names the last for what it has received in chunks.
_PLAIN = frozenset({"", "identity", "aws-chunked"})
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


class BodyDecoder:
    """Decodes the pieces of one body.

    :raises httpx.DecodingError: the body is compressed more than once, or in a way that was not asked for
    """

    def __init__(self, response: httpx.Response) -> None:
        self._request = response.request
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if "," in encoding:
            raise self._error("the body is compressed more than once")
        if encoding not in _WINDOWS and encoding not in _PLAIN:
            raise self._error(f'the body is encoded as "{encoding[:40]}", which was not asked for')
        self._window = _WINDOWS.get(encoding)
        self._inflate: zlib._Decompress | None = None
        #: Whether :meth:`pieces` may have another one.
        self.has_more = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decode what has come, piece by piece. All pieces must be taken before more comes.

        :raises httpx.DecodingError: it is damaged
        """
        if self._window is None:
            yield data
            return
        while data:
            inflate = self._inflate or self._begin(data, self._window)
            if inflate.eof:  # a gzip file may have several members; what else follows is left out
                if not data.startswith(_GZIP_BEGINNING):
                    return
                inflate = self._inflate = zlib.decompressobj(self._window)
            try:
                piece = inflate.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise self._error(f"the compressed body is damaged: {error}") from error
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            self.has_more = bool(data)
            if piece:
                yield piece

    def end(self) -> bytes:
        """Take the end of the body, and return what is left of it.

        :raises httpx.DecodingError: it comes before the end of what was compressed
        """
        if self._inflate is None or self._inflate.eof:
            return b""
        rest = self._inflate.flush()
        if not self._inflate.eof:
            raise self._error("the compressed body ends before its end")
        return rest

    def _begin(self, data: bytes, window: int) -> zlib._Decompress:
        if window == _ZLIB and data[0] & 0x0F != zlib.DEFLATED:  # some servers send deflate without zlib's header
            window = _RAW
        self._inflate = zlib.decompressobj(window)
        return self._inflate

    def _error(self, reason: str) -> httpx.DecodingError:
        return httpx.DecodingError(reason, request=self._request)


def decoded(response: httpx.Response) -> Iterator[bytes]:
    """The body of a streamed response, piece by piece.

    :raises httpx.DecodingError: it is compressed more than once, or in a way that was not asked for
    :raises httpx.RequestError: while it is read: it can't be read to its end, or not be decoded
    """
    if response.is_stream_consumed:  # of a transport that does not stream, which has decoded it
        return response.iter_bytes()
    return _decoded(response, BodyDecoder(response))


def _decoded(response: httpx.Response, decoder: BodyDecoder) -> Iterator[bytes]:
    for data in response.iter_raw():
        yield from decoder.pieces(data)
    if rest := decoder.end():
        yield rest
