"""Which generation of the service an address has: found out once per process and connection, in a conversation.

What is found is kept for all clients of the process. Conversations that need it at a time share the requests for it,
and those about a job go on without it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TypeVar

from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._discovery import (
    Effort,
    find_by_job,
    find_by_lists,
    find_other_by_job,
    generation_of,
    reported_version,
)
from airflow_provider_benchmarks.client._errors import is_unknown_path, is_unreachable
from airflow_provider_benchmarks.client._operations import Operations
from airflow_provider_benchmarks.client._requests import Operation, Question, Request
from airflow_provider_benchmarks.client._time_limits import is_total_over
from airflow_provider_benchmarks.client.generations import AUTO, Generation, release_of
from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    JobNotFound,
    NotFound,
    ProtocolError,
    ServiceError,
    Unauthorized,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
Conversation = Callable[[Operations], Operation[T]]
#: By what routes a request.
_Address = tuple[str, str, str]

#: For all clients of the process.
_chosen: dict[_Address, Generation] = {}
#: Set within :func:`assuming`.
_assumed: ContextVar[Generation | None] = ContextVar("assumed generation", default=None)
#: More than a process has connections; headers that differ each time must not fill the memory.
_MAX_CHOSEN = 1000
#: When each was asked for its release, seconds of the monotonic clock.
_asked: dict[_Address, float] = {}
#: When each was asked again because of an unknown path, and no other generation was found; on the same clock.
_asked_in_vain: dict[_Address, float] = {}
#: Seconds between two times that it is asked because of answers that may have another reason: a bad token, or one job
#: whose path is not there, must not double every request.
_DOUBT_SECONDS = 60.0
#: Statuses of a gateway that has another service, or none, in the place of the old one.
_GONE = frozenset({*range(300, 400), HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
#: Seconds for the release, and for the lists together, in a conversation about a job, whose own path is tried next.
_QUICK_SECONDS = 5.0
#: The same in a poll, which has a time limit and shares what is found with all others: so few that it does not count as
#: slow, also where two releases' paths of the job are kept waiting.
_QUICK_SECONDS_OF_POLLS = 1.0
#: Seconds for which conversations about a job don't ask again what told nothing: about one poll, so that many jobs
#: cost no more than one, and a gateway that is mended is noticed by the next.
_VAIN_SECONDS = 30.0
#: Releases that were warned of, with their addresses.
_warned: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class _Failure:
    """What came of asking, and until when it is not asked again, on the monotonic clock."""

    error: ServiceError
    until: float


#: By address, token and workspace: another token may list the jobs.
_failures: dict[tuple[_Address, str], _Failure] = {}


def converse(config: ClientConfig, conversation: Conversation[T], *, time_limit: float | None = None) -> Operation[T]:
    """Hold a conversation in the service's own generation.

    Where the service does not know a path of it, or something on the way answers for one that is no more, it may have
    been replaced by another release: it is asked again, and the conversation begins once more if that finds another
    generation.

    :param conversation: begins it
    :param time_limit: seconds that each request of the choice may take
    :raises ProtocolError: the address has none of the generations; says what was tried
    """
    with naming_api(config):
        generation = yield from choose(config, conversation, time_limit=time_limit)
        try:
            return (yield from conversation(Operations(config, generation)))
        except ServiceError as error:
            generation = yield from choose_again(config, error, generation, conversation, time_limit=time_limit)
        return (yield from conversation(Operations(config, generation)))


@contextmanager
def naming_api(config: ClientConfig) -> Iterator[None]:
    """Say of an address that knows none of the paths that the connection itself has chosen them."""
    try:
        yield
    except ServiceError as error:
        if config.api == AUTO or not is_unknown_path(error):
            raise
        advice = f'The connection\'s "api" says {config.api}: leave it out, and the service is asked for its release.'
        raise error.reworded(f"{error} {advice}") from error.__cause__


def choose(
    config: ClientConfig, conversation: Conversation[T] | None = None, *, time_limit: float | None = None
) -> Operation[Generation]:
    """The generation of the service at an address; requests nothing where it is known.

    :param conversation: what it is needed for; where that is about a job, the job's own path is tried, too
    :raises ProtocolError: the address has none of them; says what was tried
    :raises Unauthorized: the token is refused everywhere, so that no answer tells them apart
    """
    if (assumed := _assumed.get()) is not None:
        return assumed
    if len(config.generations) == 1:
        return config.generations[0]
    address = _address(config)
    if (known := _chosen.get(address)) is not None:
        return known
    about = _first_about_a_job(config, conversation)
    if about is None:
        effort = Effort(time_limit)
        yield Question((*_who(config), config.retry_seconds, effort), partial(_find, config, effort))
    elif (failure := (yield from _failure(config, effort := _quickly(time_limit)))) is not None:
        found = yield from find_by_job(config, about, effort, failure, is_known=lambda: address in _chosen)
        if address not in _chosen:
            _keep(config, found)
    return _chosen.get(address) or (yield from choose(config, conversation, time_limit=time_limit))


def _failure(config: ClientConfig, effort: Effort) -> Operation[ServiceError | None]:
    """Ask quickly; where that told nothing a moment ago, don't. Return what came of it, None where it is known now.

    :raises ServiceUnavailable: no connection to the address can be made, or the caller has no more time
    """
    failure = _failures.get(_who(config))
    if failure is not None and time.monotonic() < failure.until:
        return failure.error
    try:
        yield Question((*_who(config), config.retry_seconds, effort), partial(_find, config, effort))
    except ServiceError as error:
        if is_unreachable(error, config.base_url) or is_total_over(error.__cause__ or error):
            raise
        _bounded(_failures)[_who(config)] = _Failure(error, time.monotonic() + _VAIN_SECONDS)
        return error
    return None


def _quickly(time_limit: float | None) -> Effort:
    seconds = _QUICK_SECONDS if time_limit is None else min(_QUICK_SECONDS_OF_POLLS, time_limit)
    return Effort(time_limit=seconds, in_all=seconds, waits=False)


def _find(config: ClientConfig, effort: Effort) -> Operation[None]:
    """Find out the generation by the release, or else by the lists."""
    _bounded(_asked)[_address(config)] = time.monotonic()
    version = yield from reported_version(config, effort)
    generation = generation_of(config.generations, version)
    if generation is None:
        generation = yield from find_by_lists(config, version, effort)
    else:
        _warn_of_newer(config, generation, version)
    _keep(config, generation)


def choose_again(
    config: ClientConfig,
    error: ServiceError,
    before: Generation,
    conversation: Conversation[T] | None = None,
    *,
    time_limit: float | None = None,
) -> Operation[Generation]:
    """Choose another generation than the one whose path the service does not know, or may not know.

    :param error: raised as it is where it is about something else, or no other is found
    :param before: the generation whose request has failed
    :param conversation: as of :func:`choose`
    """
    is_certain = is_unknown_path(error)
    is_settled = len(config.generations) == 1 or _assumed.get() is not None
    if is_settled or not (is_certain or _is_doubtful(error, before)):
        raise error
    address = _address(config)
    known = _chosen.get(address)
    if known is not None and known is not before:  # another conversation has found it meanwhile
        return known
    asked = _asked_in_vain if is_certain else _asked
    if time.monotonic() < asked.get(address, -math.inf) + _DOUBT_SECONDS:
        raise error
    about = _first_about_a_job(config, conversation) if is_certain else None
    effort = Effort(time_limit) if about is None else _quickly(time_limit)
    key = (*_who(config), config.retry_seconds, effort, before, is_certain)
    try:
        yield Question(key, partial(_find_other, config, before, effort, is_certain))
    except ServiceError as failure:
        # It is no reason to end with another error than that of the request, but where that says more of the same.
        told = failure if is_unknown_path(failure) else error
    else:
        told = error
    found = _chosen.get(address, before)
    if found is before and about is not None:
        found = (yield from find_other_by_job(config, about, before)) or before
    if found is not before:
        _replace(config, found)
        return found
    if is_certain:
        _bounded(_asked_in_vain)[address] = time.monotonic()
    raise told


def _find_other(config: ClientConfig, before: Generation, effort: Effort, is_certain: bool) -> Operation[None]:
    """Find out whether the service has another generation than before.

    :param is_certain: the service does not know a path, so that the lists are worth a try
    """
    _bounded(_asked)[_address(config)] = time.monotonic()
    version = yield from reported_version(config, effort, retry=is_certain)
    generation = generation_of(config.generations, version)
    if is_certain and (generation is None or generation is before):
        generation = yield from find_by_lists(config, version, effort)
    if generation is not None and generation is not before:
        _replace(config, generation)


def _is_doubtful(error: ServiceError, generation: Generation) -> bool:
    """True for an answer that may be that of a gateway for a path that the service behind it does not have any more.

    It may be the service's own, too: a token that is refused, a result that is not there.
    """
    if isinstance(error, NotFound):
        return not isinstance(error, JobNotFound) and not generation.is_missing_workspace(error.detail)
    is_page = isinstance(error, ProtocolError) and (error.status_code or 0) < 500
    return is_page or isinstance(error, Unauthorized) or error.status_code in _GONE


def _first_about_a_job(config: ClientConfig, conversation: Conversation[T] | None) -> Request | None:
    """The first request of a conversation, in whichever generation it is one about a job. It is not sent."""
    if conversation is None:
        return None
    for generation in config.generations:
        operation = conversation(Operations(config, generation))
        try:
            request = next(operation)
        except (StopIteration, BenchmarkError):  # this generation needs none, or can't do it
            continue
        finally:
            operation.close()
        if isinstance(request, Request) and request.job:
            return request
    return None


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
    for known in (_chosen, _asked, _asked_in_vain, _failures):
        known.clear()
    _warned.clear()


def _address(config: ClientConfig) -> _Address:
    """The address, the ``api``, and a hash of the headers, by which a gateway may choose the service behind it."""
    headers = sorted((name.lower(), value) for name, value in config.headers.items())
    return config.base_url, config.api, sha256(repr(headers).encode()).hexdigest()


def _who(config: ClientConfig) -> tuple[_Address, str]:
    """The address, and a hash of who asks there for what."""
    return _address(config), sha256(repr((config.token, config.workspace, config.verify)).encode()).hexdigest()


def _bounded(known: dict[K, V]) -> dict[K, V]:
    if len(known) >= _MAX_CHOSEN:
        known.clear()
    return known


def _keep(config: ClientConfig, generation: Generation) -> None:
    _bounded(_chosen)[_address(config)] = generation
    _failures.pop(_who(config), None)


def _replace(config: ClientConfig, generation: Generation) -> None:
    if _chosen.get(_address(config)) is not generation:
        _keep(config, generation)
        logger.warning("%s is another release now: %s", config.base_url, generation.description)


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
