from __future__ import annotations

import gzip
import zlib

import httpx
import pytest

from airflow_provider_benchmarks.client._body_encoding import PIECE_BYTES, BodyDecoder
from airflow_provider_benchmarks.client._response_body import body_length

TEXT = b'{"name": "job-1"}' * 1000


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def response(encoding: str) -> httpx.Response:
    return httpx.Response(
        200,
        headers={"content-encoding": encoding},
        stream=httpx.ByteStream(b""),
        request=httpx.Request("GET", "http://h"),
    )


def decode(encoding: str, body: bytes, *, step: int = 1 << 30) -> bytes:
    decoder = BodyDecoder(response(encoding))
    pieces = [piece for at in range(0, len(body), step) for piece in decoder.pieces(body[at : at + step])]
    return b"".join((*pieces, decoder.end()))


@pytest.mark.parametrize("step", [1, 7, 1 << 30])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("aws-chunked", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("X-GZip", gzip.compress(TEXT, mtime=0)),
        ("gzip", gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0)),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"\0" * 100),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
    ],
    ids=range(9),
)
def test_what_is_asked_for_is_undone(encoding, body, step):
    assert decode(encoding, body, step=step) == TEXT


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_a_body_may_be_empty(encoding):
    assert decode(encoding, b"") == b""


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, raw_deflate])
def test_few_bytes_become_many_only_piece_by_piece(compress):
    bomb = compress(b"[" * 50_000_000)
    decoder = BodyDecoder(response("gzip" if compress is gzip.compress else "deflate"))
    sizes = [len(piece) for piece in decoder.pieces(bomb)]
    assert max(sizes) <= PIECE_BYTES
    assert sum(sizes) + len(decoder.end()) == 50_000_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress"])
def test_what_was_not_asked_for_is_refused(encoding):
    with pytest.raises(httpx.DecodingError, match=f'encoded as "{encoding}"'):
        BodyDecoder(response(encoding))


@pytest.mark.parametrize(
    ("body", "match"),
    [(gzip.compress(TEXT, mtime=0)[:-9], "ends before its end"), (b"\x1f\x8bnonsense", "is damaged")],
    ids=["cut", "nonsense"],
)
def test_damage_is_noticed(body, match):
    with pytest.raises(httpx.DecodingError, match=match):
        decode("gzip", body)


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"content-length": "5"}, 5),
        ({}, None),
        ({"content-length": "-5"}, None),
        ({"content-length": "5", "content-encoding": "gzip"}, None),
        ({"content-length": "5", "transfer-encoding": "chunked"}, None),
    ],
)
def test_the_length_of_a_body(headers, length):
    assert body_length(httpx.Response(200, headers=headers, stream=httpx.ByteStream(b""))) == length
