"""Faults that the local service commits on request: errors, lost answers, broken and slow bodies.

service.inject(Fault.answer(503, headers={"Retry-After": "2"}).on("GET", "*/status", times=3))
service.inject(Fault.lose_answer().on("POST", "*/benchmark-jobs"))
service.inject(Fault.cut_body(after_bytes=1000).on("GET", "*/row-scores/download", times=None, after=1))
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer this, and do nothing of what was asked."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer.

    :param takes_effect: whether what was asked is done before
    """

    takes_effect: bool


@dataclass(frozen=True, slots=True)
class CutBody:
    """Close the connection in mid-body."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class SlowBody:
    """Pause before every chunk of the body."""

    seconds_per_chunk: float
    chunk_bytes: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """Answer under the usual status with this instead of the body, or with the body cut short as if it were whole."""

    body: bytes | None
    keep_bytes: int


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """End a stream of rows with the service's error line."""

    after_rows: int
    error_type: str
    message: str


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before answering."""

    seconds: float


Effect = Answer | Drop | CutBody | SlowBody | Malformed | ErrorLine | Delay


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and at which requests.

    :param effect: what happens
    :param method: of the requests; None: any
    :param path: glob that the whole path must match, for instance ``*/benchmark-jobs/*/status``
    :param times: how many requests fail; None: all of them
    :param after: how many matching requests are spared first
    """

    effect: Effect
    method: str | None = None
    path: str = "*"
    times: int | None = 1
    after: int = 0

    def on(self, method: str | None = None, path: str = "*", *, times: int | None = 1, after: int = 0) -> Fault:
        """Give the same fault for other requests."""
        return replace(self, method=method, path=path, times=times, after=after)

    def matches(self, method: str, path: str) -> bool:
        return (self.method is None or self.method == method) and fnmatchcase(path, self.path)

    @classmethod
    def answer(cls, status: int, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Fault:
        """Answer with a status, and do nothing of what was asked."""
        content = json.dumps({"detail": f"injected fault {status}"}).encode() if body is None else body
        return cls(Answer(status, content, dict(headers or {})))

    @classmethod
    def lose_answer(cls) -> Fault:
        """Do what was asked, then close the connection without an answer."""
        return cls(Drop(takes_effect=True))

    @classmethod
    def drop_connection(cls) -> Fault:
        """Close the connection without having done anything."""
        return cls(Drop(takes_effect=False))

    @classmethod
    def cut_body(cls, *, after_bytes: int) -> Fault:
        """Close the connection after so many bytes of the body."""
        return cls(CutBody(after_bytes))

    @classmethod
    def slow_body(cls, *, seconds_per_chunk: float, chunk_bytes: int = 65_536) -> Fault:
        """Pause before every chunk of the body."""
        return cls(SlowBody(seconds_per_chunk, chunk_bytes))

    @classmethod
    def malformed(cls, body: bytes) -> Fault:
        """Answer under the usual status and headers with another body."""
        return cls(Malformed(body, 0))

    @classmethod
    def truncated(cls, *, keep_bytes: int) -> Fault:
        """Answer with the first bytes of the body as if they were all of it."""
        return cls(Malformed(None, keep_bytes))

    @classmethod
    def error_line(
        cls, *, after_rows: int, error_type: str = "JSONDecodeError", message: str = "Expecting value"
    ) -> Fault:
        """End a stream of rows after so many of them with a line ``{"error": …}``, as the service does at damage."""
        return cls(ErrorLine(after_rows, error_type, message))

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Wait before answering; what was asked is done after the wait."""
        return cls(Delay(seconds))


@dataclass(slots=True)
class InjectedFault:
    """A fault at work.

    :param seen: matching requests so far
    :param fired: requests that it struck
    """

    fault: Fault
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def strikes(self, method: str, path: str) -> bool:
        """Count a request; True when the fault has its turn at it."""
        if not self.fault.matches(method, path):
            return False
        self.seen += 1
        return self.seen > self.fault.after and (self.fault.times is None or self.fired < self.fault.times)


class FaultPlan:
    """The faults at work, in the order in which they were injected. Of several, the first one strikes."""

    def __init__(self) -> None:
        self._faults: list[InjectedFault] = []
        self._lock = threading.Lock()

    def inject(self, fault: Fault) -> InjectedFault:
        injected = InjectedFault(fault)
        with self._lock:
            self._faults.append(injected)
        return injected

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def next_effect(self, method: str, path: str) -> Effect | None:
        """Tell what happens to a request."""
        with self._lock:
            striking = [injected for injected in self._faults if injected.strikes(method, path)]
            if not striking:
                return None
            striking[0].fired += 1
            return striking[0].fault.effect
