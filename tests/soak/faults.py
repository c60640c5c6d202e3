"""What goes wrong with an answer on its way: its time, its size, its shape.

No answer here is a right one that lies, such as another score: nobody could tell it from the truth.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.fuzz.odd_answers import Change, Odd, Response
from tests.fuzz.wire import OddBytes

_TRICKLE_SECONDS, _PAUSE_SECONDS = 120, 0.2
#: 200 MB of spaces, which are 200 kB on the wire.
_BOMB = gzip.compress(b" " * 200_000_000, mtime=0)
_ENDLESS_BYTES = 500_000_000


class Peer(Protocol):
    """The client's end of a connection."""

    def send(self, content: bytes) -> None: ...

    def wait_until_gone(self, seconds: float) -> bool:
        """Wait until the client closes the connection, at most this number of seconds; whether it has."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Answer a request, and close the connection.

    :param answer: is given what the service answered, and sends what arrives of it
    :param takes_effect: whether the service gets the request; ``answer`` gets an empty response if not
    """

    answer: Callable[[Response, Peer], None]
    takes_effect: bool = True


def _bytes_of(right: Response) -> bytes:
    return OddBytes().of(right)


def _hang(right: Response, peer: Peer) -> None:
    peer.wait_until_gone(_TRICKLE_SECONDS)


def _hang_in_the_body(right: Response, peer: Peer) -> None:
    content = _bytes_of(right)
    peer.send(content[: content.index(b"\r\n\r\n") + 5])
    peer.wait_until_gone(_TRICKLE_SECONDS)


def _trickle(begin: bytes, byte: bytes) -> Callable[[Response, Peer], None]:
    def answer(right: Response, peer: Peer) -> None:
        peer.send(begin)
        for _ in range(int(_TRICKLE_SECONDS / _PAUSE_SECONDS)):
            if peer.wait_until_gone(_PAUSE_SECONDS):
                return
            peer.send(byte)

    return answer


def _endless(right: Response, peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    for _ in range(_ENDLESS_BYTES // 1_000_000):
        peer.send(b"0," * 500_000)


def _late_cut(right: Response, peer: Peer) -> None:
    content = _bytes_of(right)
    peer.send(content[: -max(len(right.body) // 2, 1)])


def _sent(odd: OddBytes) -> Callable[[Response, Peer], None]:
    return lambda right, peer: peer.send(odd.of(right))


def _odd(**how: Any) -> Fault:
    return Fault(_sent(OddBytes(Odd(**how))))


def _with_status(status: Any) -> Fault:
    """Put another status into an answer that has one."""

    def answer(right: Response, peer: Peer) -> None:
        try:
            document = json.loads(right.body)
            document["status"] = status
        except (ValueError, TypeError):
            document = status
        peer.send(OddBytes(Odd(document=document)).of(right))

    return Fault(answer)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: By what they are of, and a name.
FAULTS: dict[str, Fault] = {
    "time: no answer": Fault(_hang),
    "time: no answer, and no effect": Fault(_hang, takes_effect=False),
    "time: half an answer": Fault(_hang_in_the_body),
    "time: a header that trickles": Fault(_trickle(_HEAD, b"X: y\r\n")),
    "time: a body that trickles": Fault(_trickle(_HEAD + b"\r\n", b" ")),
    "time: an error that trickles": Fault(_trickle(b"HTTP/1.1 503 X\r\n\r\n", b" ")),
    "size: a bomb": Fault(
        lambda right, peer: peer.send(
            _HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB) + _BOMB
        )
    ),
    "size: an endless body": Fault(_endless),
    "size: a header of 1 MB": Fault(lambda right, peer: peer.send(_HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n[]")),
    "shape: closed without an answer": Fault(lambda right, peer: None),
    "shape: closed, and no effect": Fault(lambda right, peer: None, takes_effect=False),
    "shape: cut": Fault(_late_cut),
    "shape: half as if it were all": _odd(damage="cut"),
    "shape: empty": _odd(damage="empty"),
    "shape: a page": _odd(damage="page"),
    "shape: bytes": _odd(damage="bytes"),
    "shape: not gzip": _odd(damage="no gzip"),
    "shape: gzip, cut": _odd(damage="gzip, cut"),
    "shape: a list": _odd(document=[]),
    "shape: null": _odd(document=None),
    "shape: nested deeply": _odd(document="<100,000 open lists>"),
    "shape: a number of 5,000 digits": _odd(changes=(Change(0.0, "replace", "<5,000 digits>"),)),
    "shape: a status in a list": _with_status(["active"]),
    "shape: an unknown status": _with_status("COMPLETED "),
    "shape: no status line": Fault(_sent(OddBytes(status_line=b"HTTP/1.1 abc OK"))),
    "shape: an odd length": Fault(_sent(OddBytes(lines=(b"Content-Length: -1",), length=None))),
    "shape: an odd chunk": Fault(_sent(OddBytes(chunks="no size"))),
    "shape: an odd redirect": _odd(status=302, headers=(("Location", "http://127.0.0.1:99999/"),)),
    "shape: 429": _odd(status=429, document={"detail": "busy"}, headers=(("Retry-After", "1"),)),
    "shape: 500": _odd(status=500, document={"detail": [{"loc": None}]}),
    "shape: 502": _odd(status=502, damage="page"),
    "shape: 503": _odd(status=503, headers=(("Retry-After", "9" * 400),)),
}
