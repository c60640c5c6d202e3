"""Faults that the local service injects: error statuses, lost responses, broken and slow bodies.

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

from airflow_provider_benchmarks.testing._http.effects import (
    Answer,
    CutBody,
    Delay,
    Drop,
    Effect,
    ErrorLine,
    Malformed,
    SlowBody,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and for which requests.

    :param effect: what happens to a request
    :param method: HTTP method; None: any
    :param path: glob that the whole path must match, for instance ``*/benchmark-jobs/*/status``
    :param times: number of requests that fail; None: all
    :param after: number of matching requests that succeed first
    """

    effect: Effect
    method: str | None = None
    path: str = "*"
    times: int | None = 1
    after: int = 0

    def on(self, method: str | None = None, path: str = "*", *, times: int | None = 1, after: int = 0) -> Fault:
        """Return the same fault, for these requests."""
        return replace(self, method=method, path=path, times=times, after=after)

    def matches(self, method: str, path: str) -> bool:
        return (self.method is None or self.method == method) and fnmatchcase(path, self.path)

    @classmethod
    def answer(cls, status: int, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Fault:
        """Return a status and do not execute the request."""
        content = json.dumps({"detail": f"injected fault {status}"}).encode() if body is None else body
        return cls(Answer(status, content, dict(headers or {})))

    @classmethod
    def lose_answer(cls) -> Fault:
        """Execute the request, then close the connection without a response."""
        return cls(Drop(takes_effect=True))

    @classmethod
    def drop_connection(cls) -> Fault:
        """Close the connection without executing the request."""
        return cls(Drop(takes_effect=False))

    @classmethod
    def cut_body(cls, *, after_bytes: int) -> Fault:
        """Close the connection after this number of bytes of the body."""
        return cls(CutBody(after_bytes))

    @classmethod
    def slow_body(cls, *, seconds_per_chunk: float, chunk_bytes: int = 65_536) -> Fault:
        """Pause before each chunk of the body."""
        return cls(SlowBody(seconds_per_chunk, chunk_bytes))

    @classmethod
    def malformed(cls, body: bytes) -> Fault:
        """Return the usual status and headers with another body."""
        return cls(Malformed(body, 0))

    @classmethod
    def truncated(cls, *, keep_bytes: int) -> Fault:
        """Return the first bytes of the body as if they were the complete body."""
        return cls(Malformed(None, keep_bytes))

    @classmethod
    def error_line(
        cls, *, after_rows: int, error_type: str = "JSONDecodeError", message: str = "Expecting value"
    ) -> Fault:
        """End a stream of rows with a line ``{"error": …}``, as the service does for a damaged file."""
        return cls(ErrorLine(after_rows, error_type, message))

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Wait, then execute the request."""
        return cls(Delay(seconds))


@dataclass(slots=True)
class InjectedFault:
    """An active fault.

    :param seen: number of matching requests so far
    :param fired: number of requests that it was applied to
    """

    fault: Fault
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def applies_to(self, method: str, path: str) -> bool:
        """Count a request; True if the fault applies to it."""
        if not self.fault.matches(method, path):
            return False
        self.seen += 1
        return self.seen > self.fault.after and (self.fault.times is None or self.fired < self.fault.times)


class FaultPlan:
    """The active faults in the order of injection. If several apply to a request, the first one wins."""

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
        """Return what happens to a request, if a fault applies to it."""
        with self._lock:
            matching = [injected for injected in self._faults if injected.applies_to(method, path)]
            if not matching:
                return None
            matching[0].fired += 1
            return matching[0].fault.effect
