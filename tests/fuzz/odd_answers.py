"""Answers that a service, or something on the way to it, may give: right ones, mutated in every part."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

#: Texts in a document that stand for what Python's encoder does not write; put in once it is encoded.
_RAW = {
    "<400 digits>": b"1" + b"0" * 400,
    "<5,000 digits>": b"9" * 5000,
    "<a fraction of 5,000 digits>": b"0." + b"3" * 5000,
    "<1e999>": b"1e999",
    "<-0>": b"-0",
    "<half a character>": b'"\\ud83d"',
    "<nothing>": b"",
    "<a long text>": b'"' + b"x" * 100_000 + b'"',
    "<100,000 lists>": b"[" * 100_000 + b"]" * 100_000,
    "<100,000 open lists>": b"[" * 100_000,
    "<3,000 objects>": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "<900 lists>": b"[" * 900 + b"]" * 900,
    "<300 objects>": b'{"a":' * 300 + b"1" + b"}" * 300,
    "<150 lists>": b"[" * 150 + b"]" * 150,
}
_WORDS = (
    ["active", "completed", "error", "cancelled", "COMPLETED", "completed ", "run-1", "run-2", "my-workspace", "other"]
    + ["", " ", "\n", " \n ", "\0", "\x1b[31m", "::group::", "..", "../x", "a/b", "a#b", "null", "true", "0", "-1"]
    + ["NaN", "Infinity", "-Infinity", "inf", "nan", "1e5", "٣", "²", "\u2028", "\ufeff", "é", "😀", "ws/b", "[[[", "{"]
    + ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-23T06:22:16", "2026-13-45", "1e400-01-01"]
    + ["my-workspace/fs#a", "../fs#x", "ws/../#a", "#", "x" * 3000]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.sampled_from(_WORDS)
    | st.sampled_from([*_RAW])
    | st.sampled_from([0, 1, -1, 2, 100, 101, 2**53, 2**63, 2**64, 10**18, 0.5, -0.5, 1e308, 5e-324])
    | st.sampled_from([float("nan"), float("inf"), float("-inf")])
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
)
_KEYS = st.sampled_from(
    [
        "name",
        "status",
        "data",
        "detail",
        "message",
        "scores",
        "metric",
        "value",
        "count",
        "loc",
        "msg",
        "error",
        "",
        "\0",
    ]
    + ["id", "workspace", "spec", "benchmark", "steps", "pagination", "total_pages", "next_page", "results", "metrics"]
) | st.text(max_size=6)
JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6
)


@dataclass(frozen=True, slots=True)
class Response:
    """What goes over the wire.

    :param headers: names and values, in their order; latin-1
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a document.

    :param place: of the value that is changed, among all of the document's, from 0 to 1
    """

    place: float
    how: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Odd:
    """How an answer differs from the right one.

    :param status: None for the right one
    :param changes: of its JSON
    :param document: takes the place of its JSON, as does ``damage`` of its bytes
    :param headers: are added
    """

    status: int | None = None
    changes: tuple[Change, ...] = ()
    document: Any = ...
    damage: str = ""
    at: float = 0.5
    headers: tuple[tuple[str, str], ...] = field(default=())

    def of(self, right: Response) -> Response:
        status = right.status if self.status is None else self.status
        headers, body = list(right.headers), right.body
        if self.document is not ...:
            body = encoded(self.document)
        elif self.changes:
            body = _changed(body, self.changes)
        if self.damage:
            more, body = _DAMAGES[self.damage](body, self.at)
            headers += more
        return Response(status, (*headers, *self.headers), body)


def encoded(document: Any) -> bytes:
    """JSON, with the texts that stand for what Python's encoder does not write replaced."""
    body = json.dumps(document).encode()
    for text, raw in _RAW.items():
        body = body.replace(json.dumps(text).encode(), raw)
    return body


def _changed(body: bytes, changes: tuple[Change, ...]) -> bytes:
    """Change a JSON document, or one line of JSONL; of other bytes, none."""
    try:
        return encoded(_changed_document(json.loads(body), changes))
    except ValueError:
        pass
    lines = body.split(b"\n")
    number = int(changes[0].place * (len(lines) - 1))
    try:
        lines[number] = encoded(_changed_document(json.loads(lines[number]), changes))
    except ValueError:
        return body
    return b"\n".join(lines)


def _changed_document(document: Any, changes: tuple[Change, ...]) -> Any:
    root = [document]
    for change in changes:
        places = list(_places(root))
        holder, key = places[int(change.place * (len(places) - 1))]
        if change.how == "replace":
            holder[key] = change.value
        elif change.how == "delete":
            if holder is not root:
                del holder[key]
        elif change.how == "wrap":
            holder[key] = [holder[key]]
        elif change.how == "text":
            holder[key] = json.dumps(holder[key])
        elif change.how == "repeat" and isinstance(holder[key], list):
            holder[key] = holder[key] * 2
        elif isinstance(holder, dict):  # another key
            holder[str(change.value)] = holder.pop(key)
    return root[0]


def _places(value: Any) -> Any:
    members = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for key, member in members:
        yield value, key
        yield from _places(member)


Damage = Callable[[bytes, float], tuple[list[tuple[str, str]], bytes]]
_ENCODED = "Content-Encoding"
_DAMAGES: dict[str, Damage] = {
    "empty": lambda body, at: ([], b""),
    "blank": lambda body, at: ([], b" \r\n\t "),
    "cut": lambda body, at: ([], body[: int(len(body) * at)]),
    "garbage": lambda body, at: ([], body + b"\xff\xfe garbage"),
    "bytes": lambda body, at: ([], bytes(range(256))),
    "twice": lambda body, at: ([], body + b"\n" + body),
    "page": lambda body, at: ([("Content-Type", "text/html")], b"<!doctype html><p>Please log in \xe9</p>"),
    "flipped": lambda body, at: ([], _flipped(body, at)),
    "utf-16": lambda body, at: ([], body.decode("utf-8", "replace").encode("utf-16")),
    "utf-32": lambda body, at: ([], body.decode("utf-8", "replace").encode("utf-32-le")),
    "latin-1": lambda body, at: ([("Content-Type", "application/json; charset=x")], b'{"detail": "\xe9"}'),
    "bom": lambda body, at: ([], b"\xef\xbb\xbf" + body),
    "nul": lambda body, at: ([], body.replace(b":", b":\0", 1)),
    "gzip": lambda body, at: ([(_ENCODED, "gzip")], gzip.compress(body)),
    "gzip, cut": lambda body, at: ([(_ENCODED, "gzip")], gzip.compress(body)[: 5 + int(30 * at)]),
    "gzip, flipped": lambda body, at: ([(_ENCODED, "gzip")], _flipped(gzip.compress(body), at)),
    "gzip, twice": lambda body, at: ([(_ENCODED, "gzip, gzip")], gzip.compress(gzip.compress(body))),
    "no gzip": lambda body, at: ([(_ENCODED, "gzip")], body),
    "deflate": lambda body, at: ([(_ENCODED, "deflate")], zlib.compress(body)),
    "no deflate": lambda body, at: ([(_ENCODED, "deflate")], body),
    "no brotli": lambda body, at: ([(_ENCODED, "br")], body),
    "no zstd": lambda body, at: ([(_ENCODED, "zstd")], body),
    "unknown encoding": lambda body, at: ([(_ENCODED, "x-\xe9")], body),
}


def _flipped(body: bytes, at: float) -> bytes:
    if not body:
        return body
    place = int(at * (len(body) - 1))
    return body[:place] + bytes([body[place] ^ 0x55]) + body[place + 1 :]


#: Values of headers, by name. None leads to another machine.
ODD_HEADERS: dict[str, list[str]] = {
    "Retry-After": [
        "0",
        "1",
        "-5",
        "1e999",
        "nan",
        "inf",
        "9" * 400,
        "1_0",
        "٣".encode().decode("latin-1"),
        "soon",
        " ",
        "",
    ]
    + ["Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"]
    + [
        "Wed, 99 Oct 2015 07:28:00 GMT",
        "21 Oct 99999 07:28:00",
        "Wed, 21 Oct 2015 07:28:00 +9999",
        "0 0 0 0 0",
        ",",
        "a b c d e f",
    ],
    "Location": ["", "/", "//", "http://", "https://127.0.0.1:99999/x", "http://127.0.0.1:-1/", "http://127.0.0.1:0/x"]
    + ["http://[::1", "http://[::1]:99999/", "http://[:::]/", "ftp://127.0.0.1/", "javascript:1", "http://127.0.0.1:x/"]
    + [
        "http://a b/",
        "http://\xe9\xff.invalid/",
        "http://" + "a" * 300 + ".invalid/",
        "http://xn--.invalid/",
        "http://.invalid/",
    ]
    + [
        "?",
        "#",
        "http://user:pass@127.0.0.1:1/",
        "http:///x",
        "/" + "x" * 70_000,
        "http://127.0.0.1:1/",
        "http://.../",
        "/a\\b",
    ],
    "Content-Type": [
        "",
        "text/html",
        "application/json; charset=utf-7",
        "application/jsonl",
        "x",
        ";;;",
        "text/html; \xff",
    ],
    "Content-Range": ["bytes */*", "bytes 0-1/5", "bytes x-y/z", "items 0-5/*"],
    "ETag": ["W/", '"', '"x"', "\xe9"],
    "Set-Cookie": ["=;;", "a=b; Expires=never; Domain=.invalid", "\xe9=\xff", "a" * 5000],
    "Link": ["<x>; rel=next", "<<<"],
    "X-Should-Retry": ["maybe"],
    "Date": ["never"],
}
_HEADER = st.sampled_from([(name, value) for name, values in ODD_HEADERS.items() for value in values])
_STATUS = st.sampled_from(
    [200, 201, 202, 203, 204, 205, 206, 226, 300, 301, 302, 303, 304, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405]
    + [
        406,
        407,
        408,
        409,
        410,
        411,
        416,
        418,
        421,
        422,
        425,
        429,
        451,
        499,
        500,
        501,
        502,
        503,
        504,
        505,
        520,
        599,
        600,
        999,
    ]
)
_CHANGE = st.builds(
    Change,
    place=st.floats(0, 1),
    how=st.sampled_from(["replace"] * 6 + ["delete", "wrap", "text", "repeat", "rename"]),
    value=JSON,
)
_DETAILS = st.fixed_dictionaries({"detail": JSON}) | st.fixed_dictionaries(
    {
        "detail": st.lists(
            st.fixed_dictionaries({}, optional={"loc": JSON, "msg": JSON, "type": JSON}) | JSON, max_size=3
        )
    }
)
_BODIES = st.one_of(
    st.builds(dict, changes=st.lists(_CHANGE, min_size=1, max_size=3).map(tuple)),
    st.builds(dict, changes=st.lists(_CHANGE, min_size=1, max_size=3).map(tuple)),
    st.builds(dict, document=JSON),
    st.builds(dict, document=_DETAILS),
    st.builds(dict, damage=st.sampled_from([*_DAMAGES]), at=st.floats(0, 1)),
    st.just({}),
)
#: Of a service that is busy, or says so.
_BUSY = st.builds(
    lambda status, value: Odd(status=status, headers=(("Retry-After", value),)),
    st.sampled_from([408, 425, 429, 500, 502, 503, 504]),
    st.sampled_from(ODD_HEADERS["Retry-After"]),
)
#: Status, headers and body, most of the time one of them.
ODD = st.one_of(
    _BUSY,
    st.builds(lambda body: Odd(**body), _BODIES),
    st.builds(lambda body: Odd(**body), _BODIES),
    st.builds(
        lambda body, status, headers: Odd(status=status, headers=tuple(headers), **body),
        _BODIES,
        st.none() | _STATUS,
        st.lists(_HEADER, max_size=2),
    ),
)
