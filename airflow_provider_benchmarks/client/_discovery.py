"""Find out which generation of the service an address has, by what it answers: its release, lists of jobs, or one job.

The platform reports its release without a token. Where a gateway hides that, the lists of jobs are tried: a path that
the service does not have answers 404 with the bare words of its web framework. Who may read one job need not be allowed
to list them, so that the job's own path is tried where the lists tell nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._errors import is_unknown_path, is_unreachable
from airflow_provider_benchmarks.client._operations import Operations
from airflow_provider_benchmarks.client._requests import Operation, Request
from airflow_provider_benchmarks.client.generations import AUTO, VERSION_PATH, Generation, release_of
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

#: Number of times that all paths are tried, while one is unavailable.
_ROUNDS = 3
#: Of the error of the lists that is shown with that of a job: maximum number of characters.
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to try.

    :param time_limit: seconds that each request may take; None for as long as the client's timeout allows
    :param in_all: seconds for all lists together
    :param waits: True if a service that is busy or restarts is waited for
    """

    time_limit: float | None = None
    in_all: float = math.inf
    waits: bool = True


@dataclass(frozen=True, slots=True)
class _Tried:
    """A generation whose path was requested, and the error that came of it."""

    generation: Generation
    error: ServiceError


#: Requests a path of a generation. Returns the error, None where the service knows the path.
_Try = Callable[[Generation, bool], Operation[ServiceError | None]]


def reported_version(config: ClientConfig, effort: Effort, *, retry: bool = True) -> Operation[str]:
    """The version that the platform reports; ``unknown`` where something on the way hides it.

    What answers late, or sends on to where nothing is, hides it too: that is no reason to try nothing else.

    :param retry: False returns ``unknown`` also where no connection can be made
    :raises ServiceUnavailable: no connection to the address can be made
    """
    release = partial(Operations(config, config.generations[0]).release, time_limit=effort.time_limit)
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


def generation_of(generations: Sequence[Generation], version: str) -> Generation | None:
    """The generation of a version of the platform; None where the version does not say."""
    release = release_of(version)
    return None if release is None else next((each for each in generations if each.speaks(release)), None)


def find_by_lists(config: ClientConfig, version: str, effort: Effort) -> Operation[Generation]:
    """Request the list of jobs of each generation.

    A refusal of the token decides nothing: a gateway refuses paths that are not there, too.

    :raises ServiceError: no list is there
    """

    def request(generation: Generation, retry: bool) -> Operation[ServiceError | None]:
        limit = min((each for each in (effort.time_limit, ends - time.monotonic()) if each is not None), default=None)
        limit = None if limit == math.inf else limit
        try:
            yield from Operations(config, generation).require_list(
                workspace=config.workspace, retry=retry, time_limit=limit
            )
        except NotFound as error:
            return None if generation.is_missing_workspace(error.detail) else error
        except ServiceError as error:
            return error
        return None

    ends = time.monotonic() + effort.in_all
    found = yield from _try_each(config, config.generations, request, waits=effort.waits, ends=ends)
    if isinstance(found, Generation):
        return found
    missing = _none_of_them("Every list of benchmark jobs", found, f"The platform version is {version}. ")
    raise _most_telling(found, refusal_first=True) or missing


def find_by_job(
    config: ClientConfig, about: Request, effort: Effort, why: ServiceError, *, is_known: Callable[[], bool]
) -> Operation[Generation]:
    """Request the status of a job of each generation, in the order of the lists.

    One that answers with the job decides. Where none does, one that has no such job does: it knows the path.

    :param about: a request about the job
    :param effort: at first; something on the way may keep paths that are not there waiting
    :param why: what came of the lists
    :param is_known: True once another conversation has found it out; then any generation is returned
    :raises ServiceError: of the job; one that may pass comes before a refusal, which a gateway may have for paths that
        are not there
    """
    quickly = _status_of(config, about, effort.time_limit, is_known)
    found = yield from _try_each(config, config.generations, quickly, waits=False)
    if isinstance(found, Generation):
        return found
    busy = _busy(found)
    if again := [each.generation for each in busy if config.retry_seconds or each.error.status_code is None]:
        patiently = _status_of(config, about, about.time_limit, is_known)
        later = yield from _try_each(config, again, patiently, waits=True)
        if isinstance(later, Generation):
            return later
        found = [*[each for each in found if each.generation not in again], *later]
    for each in found:
        if isinstance(each.error, JobNotFound) or each.generation.is_missing_workspace(each.error.detail):
            return each.generation
    raise _error_of_job(config, about, found, why)


def find_other_by_job(config: ClientConfig, about: Request, before: Generation) -> Operation[Generation | None]:
    """Another generation that answers with the job; None where none does."""
    others = [each for each in config.generations if each is not before]
    found = yield from _try_each(config, others, _status_of(config, about, about.time_limit), waits=False)
    return found if isinstance(found, Generation) else None


def _status_of(
    config: ClientConfig, about: Request, time_limit: float | None, is_known: Callable[[], bool] = lambda: False
) -> _Try:
    def request(generation: Generation, retry: bool) -> Operation[ServiceError | None]:
        if is_known():
            return None
        try:
            yield from Operations(config, generation).get_status(
                about.job, workspace=about.workspace, time_limit=time_limit, retry=retry
            )
        except ServiceError as error:
            return error
        return None

    return request


def _try_each(
    config: ClientConfig, generations: Sequence[Generation], request: _Try, *, waits: bool, ends: float = math.inf
) -> Operation[Generation | list[_Tried]]:
    """Try one generation after the other. Return the first that is there, or what came of each.

    :param ends: moment on the monotonic clock from which on no further one is tried
    """
    tried: list[_Tried] = []
    for _ in range(_ROUNDS):
        tried = []
        for generation in generations:
            if tried and time.monotonic() >= ends:
                break
            if (error := (yield from request(generation, False))) is None:
                return generation
            tried.append(_Tried(generation, error))
        busy = next(iter(_busy(tried)), None)
        if busy is None or not waits or not config.retry_seconds:
            break
        # Of the others none is there. It may be the whole service that restarts: they are tried again then.
        if (error := (yield from request(busy.generation, True))) is None:
            return busy.generation
        if isinstance(error, ServiceUnavailable):
            return [_Tried(busy.generation, error)]
    return tried


def _busy(tried: Sequence[_Tried]) -> list[_Tried]:
    return [each for each in tried if isinstance(each.error, ServiceUnavailable)]


def _most_telling(tried: Sequence[_Tried], *, refusal_first: bool) -> ServiceError | None:
    """What may pass, then what says neither that the path is not there nor that the token is refused."""
    refusals = [each.error for each in tried if isinstance(each.error, Unauthorized)]
    unclear = [
        each.error
        for each in tried
        if not isinstance(each.error, NotFound | Unauthorized) and not is_unknown_path(each.error)
    ]
    others = [*refusals, *unclear] if refusal_first else [*unclear, *reversed(refusals)]
    return next(iter([*[each.error for each in _busy(tried)], *others]), None)


def _error_of_job(config: ClientConfig, about: Request, tried: Sequence[_Tried], why: ServiceError) -> ServiceError:
    error = _most_telling(tried, refusal_first=False) or _none_of_them(f"Every path of {about.subject}", tried)
    if is_unreachable(error, config.base_url):
        return error
    told = error.reworded(f"{error} {_also_tried(config, tried, why)}")
    told.__cause__ = error.__cause__
    return told


def _also_tried(config: ClientConfig, tried: Sequence[_Tried], why: ServiceError) -> str:
    lists = ", ".join(f"GET {each.jobs_path(config.workspace)}" for each in config.generations)
    jobs = ", ".join(f"GET {each.error.path}" for each in tried)
    named = ' The connection\'s "api" can name it.' if config.api == AUTO else ""
    return (
        f"It is not known which release the service has: GET {VERSION_PATH} does not say, nor does any of {lists} "
        f"({shortened(str(why), _SHOWN)}), nor any of {jobs}.{named}"
    )


def _none_of_them(what: str, tried: Sequence[_Tried], further: str = "") -> ProtocolError:
    last = tried[-1].error
    paths = ", ".join(f"{each.error.method} {each.error.path}" for each in tried)
    known = ", ".join(each.generation.description for each in tried)
    return ProtocolError(
        f'{what} answered 404 ("{indented(last.detail)}"): {paths}. {further}'
        f"This address knows no benchmark jobs: check the connection's host (with the prefix of a gateway, without "
        f'"/apis"), and that the service is one of {known}.',
        status_code=last.status_code,
        detail=last.detail,
        method=last.method,
        path=last.path,
        workspace=last.workspace,
        job=last.job,
    )
