"""Requests and answers as plain data."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_benchmarks.client.generations import GENERATIONS, Generation

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the service.

    :param path: quoted, from the base URL on
    :param content: body of a file; a request has this, ``json`` or none
    :param min_timeout: shortest read timeout in seconds, for a client with a shorter one
    :param time_limit: seconds that the whole request may take, where that is less than the client's timeout allows
    :param retry: True if the client may send it again after a transient fault
    :param delay: seconds to wait before sending
    :param result: name of the job's result whose content it is for
    :param purpose: what it is for, where that is not what the caller has asked for
    :param generation: whose request it is; explains an error's answer
    """

    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    min_timeout: float = 0.0
    time_limit: float | None = None
    retry: bool = True
    delay: float = 0.0
    workspace: str = ""
    job: str = ""
    result: str = ""
    purpose: str = ""
    generation: Generation = field(default=GENERATIONS["benchmark-jobs"], repr=False)

    @property
    def subject(self) -> str:
        """What the request is about, for errors."""
        what = (
            f'benchmark job "{self.job}" in workspace "{self.workspace}"'
            if self.job
            else (f'workspace "{self.workspace}"' if self.workspace else "the service")
        )
        return f"{what}, {self.purpose}" if self.purpose else what


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer with a status below 300."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """What many conversations may need to know at a time: the requests for it are sent once for all who wait.

    :param key: the same for who asks the same
    :param begin: begins the operation that finds it out, which notes what it finds where all who have asked look
    """

    key: Hashable
    begin: Callable[[], Operation[None]]


#: A conversation with the service: yields requests, is sent their answers (or has their error thrown in), returns T.
#: A question is sent an empty answer when it is settled. Both clients drive the same ones, so that no decision is
#: written twice.
Operation = Generator[Request | Question, Answer, T]
#: What a question is sent.
SETTLED = Answer(204, {}, b"")
