"""Find out which generation of the service an address has: asked once per process and connection, in a conversation.

The platform reports its release without a token. Where a gateway hides that, the lists of jobs are tried: a path that
the service does not have answers 404 with the bare words of its web framework.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TypeVar

from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._errors import is_unknown_path, is_unreachable
from airflow_provider_benchmarks.client._operations import Operations
from airflow_provider_benchmarks.client._requests import Operation
from airflow_provider_benchmarks.client.generations import Generation, release_of
from airflow_provider_benchmarks.exceptions import (
    JobNotFound,
    NotFound,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.inert import indented

logger = logging.getLogger(__name__)

T = TypeVar("T")
Conversation = Callable[[Operations], Operation[T]]

#: By what routes a request, for all clients of the process.
_chosen: dict[tuple[str, str, str], Generation] = {}
#: Set within :func:`assuming`.
_assumed: ContextVar[Generation | None] = ContextVar("assumed generation", default=None)
#: More than a process has connections; headers that differ each time must not fill the memory.
_MAX_CHOSEN = 1000
#: When each was asked for its release, seconds of the monotonic clock.
_asked: dict[tuple[str, str, str], float] = {}
#: Seconds between two times that it is asked because of answers that may have another reason: a bad token must not
#: double every request.
_DOUBT_SECONDS = 60.0
#: Statuses of a gateway that has another service, or none, in the place of the old one.
_GONE = frozenset({*range(300, 400), HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
#: Number of times that all lists are tried, while one is unavailable.
_ROUNDS = 3
#: Releases that were warned of, with their addresses.
_warned: set[tuple[str, str]] = set()


def converse(config: ClientConfig, conversation: Conversation[T], *, time_limit: float | None = None) -> Operation[T]:
    """Hold a conversation in the service's own generation.

    Where the service does not know a path of it, or something on the way answers for one that is no more, it may have
    been replaced by another release: it is asked again, and the conversation begins once more if that finds another
    generation.

    :param conversation: begins it
    :param time_limit: seconds that each request of the choice may take
    :raises ProtocolError: the address has none of the generations; says what was tried
    """
    generation = yield from choose(config, time_limit=time_limit)
    try:
        return (yield from conversation(Operations(config, generation)))
    except ServiceError as error:
        generation = yield from choose_again(config, error, generation, time_limit=time_limit)
    return (yield from conversation(Operations(config, generation)))


def choose(config: ClientConfig, *, time_limit: float | None = None) -> Operation[Generation]:
    """The generation of the service at an address; requests nothing where it is known.

    :raises ProtocolError: the address has none of them; says what was tried
    :raises Unauthorized: the token is refused everywhere, so that no answer tells them apart
    """
    if (assumed := _assumed.get()) is not None:
        return assumed
    if len(config.generations) == 1:
        return config.generations[0]
    known = _chosen.get(_key(config))
    if known is not None:
        return known
    version = yield from _version(config, time_limit)
    generation = _speaker(config.generations, version)
    if generation is None:
        generation = yield from _probe(config, version, time_limit)
    else:
        _warn_of_newer(config, generation, version)
    _keep(config, generation)
    return generation


def choose_again(
    config: ClientConfig, error: ServiceError, before: Generation, *, time_limit: float | None = None
) -> Operation[Generation]:
    """Choose another generation than the one whose path the service does not know, or may not know.

    :param error: raised as it is where it is about something else, or there is no other to choose
    :param before: the generation whose request has failed
    :raises ProtocolError: the address has none of them; says what was tried
    """
    is_certain = is_unknown_path(error)
    is_settled = len(config.generations) == 1 or _assumed.get() is not None
    if is_settled or not (is_certain or _is_doubtful(error, before)):
        raise error
    key = _key(config)
    known = _chosen.get(key)
    if known is not None and known is not before:  # another conversation has found it meanwhile
        return known
    if not is_certain and time.monotonic() < _asked.get(key, -math.inf) + _DOUBT_SECONDS:
        raise error
    version = yield from _version(config, time_limit, retry=is_certain)
    generation = _speaker(config.generations, version)
    if generation is None or generation is before:
        if not is_certain:
            raise error
        generation = yield from _probe(config, version, time_limit)
    if generation is before:  # the list of jobs is there: it is this path alone that is not
        raise error
    _keep(config, generation)
    logger.warning("%s is another release now: %s", config.base_url, generation.description)
    return generation


def _is_doubtful(error: ServiceError, generation: Generation) -> bool:
    """True for an answer that may be that of a gateway for a path that the service behind it does not have any more.

    It may be the service's own, too: a token that is refused, a result that is not there.
    """
    if isinstance(error, NotFound):
        return not isinstance(error, JobNotFound) and not generation.is_missing_workspace(error.detail)
    is_page = isinstance(error, ProtocolError) and (error.status_code or 0) < 500
    return is_page or isinstance(error, Unauthorized) or error.status_code in _GONE


@contextmanager
def assuming(generation: Generation) -> Iterator[None]:
    """Let all requests of a block be those of a generation, for who can't wait until the service's own is known."""
    token = _assumed.set(generation)
    try:
        yield
    finally:
        _assumed.reset(token)


def forget_choices() -> None:
    """Forget which generation each address has."""
    _chosen.clear()
    _asked.clear()
    _warned.clear()


def _key(config: ClientConfig) -> tuple[str, str, str]:
    """The address, the ``api``, and a hash of the headers, by which a gateway may choose the service behind it."""
    headers = sorted((name.lower(), value) for name, value in config.headers.items())
    return config.base_url, config.api, sha256(repr(headers).encode()).hexdigest()


def _keep(config: ClientConfig, generation: Generation) -> None:
    if len(_chosen) >= _MAX_CHOSEN:
        _chosen.clear()
        _asked.clear()
    _chosen[_key(config)] = generation


def _version(config: ClientConfig, time_limit: float | None, *, retry: bool = True) -> Operation[str]:
    """The version that the platform reports; ``unknown`` where something on the way hides it.

    What answers late, or sends on to where nothing is, hides it too: that is no reason to try nothing else.

    :param retry: False returns ``unknown`` also where no connection can be made
    :raises ServiceUnavailable: no connection to the address can be made
    """
    _asked[_key(config)] = time.monotonic()
    release = partial(Operations(config, config.generations[0]).release, time_limit=time_limit)
    try:
        return (yield from release(retry=False))
    except ServiceError as error:
        if not (retry and is_unreachable(error, config.base_url)):
            return "unknown"
        if not config.retry_seconds:
            raise
    try:
        return (yield from release())
    except ServiceError as error:
        if is_unreachable(error, config.base_url):
            raise
    return "unknown"


def _speaker(generations: Sequence[Generation], version: str) -> Generation | None:
    """The generation of a version of the platform; None where the version does not say."""
    release = release_of(version)
    return None if release is None else next((each for each in generations if each.speaks(release)), None)


def _warn_of_newer(config: ClientConfig, generation: Generation, version: str) -> None:
    release = release_of(version)
    if release is None or release <= generation.releases[1] or (config.base_url, version) in _warned:
        return
    _warned.add((config.base_url, version))
    logger.warning(
        "The service at %s is release %s, which is newer than this provider knows: it is taken for %s",
        config.base_url,
        version,
        generation.description,
    )


@dataclass(frozen=True, slots=True)
class _Tried:
    """A generation whose list of jobs was requested, and the error that came of it."""

    generation: Generation
    error: ServiceError


def _probe(config: ClientConfig, version: str, time_limit: float | None) -> Operation[Generation]:
    """Request the list of jobs of each generation.

    A refusal of the token decides nothing: a gateway refuses paths that are not there, too.
    """
    tried: list[_Tried] = []
    for _ in range(_ROUNDS):
        tried = []
        for generation in config.generations:
            if (error := (yield from _error_of_list(config, generation, time_limit, retry=False))) is None:
                return generation
            tried.append(_Tried(generation, error))
        busy = next((each for each in tried if isinstance(each.error, ServiceUnavailable)), None)
        if busy is None:
            break
        if not config.retry_seconds:
            raise busy.error
        # Of the others none is there. It may be the whole service that restarts: they are tried again then.
        error = yield from _error_of_list(config, busy.generation, time_limit, retry=True)
        if error is None:
            return busy.generation
        if isinstance(error, ServiceUnavailable):
            raise error
    refusals = [each.error for each in tried if isinstance(each.error, Unauthorized)]
    unclear = [each.error for each in tried if not isinstance(each.error, NotFound) and not is_unknown_path(each.error)]
    if undecided := [*refusals, *unclear]:
        raise undecided[0]
    raise _none_of_them(config, version, tried)


def _error_of_list(
    config: ClientConfig, generation: Generation, time_limit: float | None, *, retry: bool
) -> Operation[ServiceError | None]:
    """Request the list of jobs; return the error, None where the service knows the path."""
    operations = Operations(config, generation)
    try:
        yield from operations.require_list(workspace=config.workspace, retry=retry, time_limit=time_limit)
    except NotFound as error:
        return None if generation.is_missing_workspace(error.detail) else error
    except ServiceError as error:
        return error
    return None


def _none_of_them(config: ClientConfig, version: str, tried: Sequence[_Tried]) -> ProtocolError:
    last = tried[-1].error
    paths = ", ".join(f"{each.error.method} {each.error.path}" for each in tried)
    known = ", ".join(each.generation.description for each in tried)
    return ProtocolError(
        f'Every list of benchmark jobs answered 404 ("{indented(last.detail)}"): {paths}. The platform version is '
        f"{version}. "
        f"This address knows no benchmark jobs: check the connection's host (with the prefix of a gateway, without "
        f'"/apis"), and that the service is one of {known}.',
        status_code=last.status_code,
        detail=last.detail,
        method=last.method,
        path=last.path,
        workspace=last.workspace,
    )
