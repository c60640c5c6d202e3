"""See how many jobs stand, with as few requests as that takes."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import (
    InvalidRequest,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import TERMINAL_STATUSES, BenchmarkJob, JobStatus
from airflow_provider_benchmarks.retry_policy import is_recoverable, is_unexpected_answer

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

_RUNNING = tuple(sorted(set(JobStatus) - TERMINAL_STATUSES))
_ENDED = tuple(sorted(TERMINAL_STATUSES))
#: Measured on the service (0.1.0): a status request takes 50 to 90 ms, a list 9 ms for each job on the page. So a page
#: of 200 costs the service as much as 20 to 36 status requests, and as ten where it is half full.
LOOKS_PER_PAGE = 10
_PAGE = 200
#: Pages for very many jobs. They take the service about 5 s, which is far enough from the client's timeout of 30 s.
_LARGE_PAGE, _LARGE_FROM = 500, 1000
#: So many jobs are told of before others get their turn on the event loop.
_TOLD_AT_ONCE = 50
#: Single looks at the same time: two, so that a slow one does not hold up all, and more for many; each may open a
#: connection.
_AT_ONCE, _ONE_MORE_EACH, _AT_MOST = 2, 50, 4
#: So many failures in a row are an outage when nothing else was answered in the round, and when something was.
_OUTAGE, _LATE_OUTAGE = 3, 10
#: A service that answers, but so many times in a row not with the list, has trouble with the list.
_LIST_TRIES = 3
#: How long a list that could not be read is not asked for again, seconds.
_LIST_REST = 600.0

#: For a look at a job's steps, seconds: others wait for it, and it is for show.
_STEPS_LIMIT = 5.0

#: Takes what came of the look at a job: how it stands, or why that can't be told.
Tell = Callable[[str, BenchmarkJob | Exception], None]


class JobLooks:
    """Looks at jobs of one workspace, through one client.

    :param open_client: makes a client from the connection as it is now
    """

    def __init__(
        self, client: AsyncBenchmarkClient, open_client: Callable[[], Awaitable[AsyncBenchmarkClient]]
    ) -> None:
        self.client = client
        self._open_client = open_client
        self._list_rests_until = 0.0
        self._list_failures = 0
        self._list_answered = self._list_refused = False
        self._knows_created_since = True

    async def reconnect(self) -> bool:
        """Look the connection up again and use it as it is now; True when it has changed."""
        try:
            client = await self._open_client()
        except Exception as error:  # noqa: BLE001  backends fail in many ways, and what is known may still be right
            logger.warning("The connection can't be looked up again and counts as it was: %s", error)
            return False
        changed = client.config != self.client.config
        unused = self.client if changed else client
        if changed:
            self.client = client
            self._list_rests_until = 0.0
        await unused.close()
        return changed

    async def look(self, wanted: Mapping[str, datetime | None], tell: Tell, *, after_outage: bool) -> None:
        """Look at each job once.

        While few are wanted each is asked for; while many are, the lists of the running and of the ended ones are read,
        and only jobs that neither shows are asked for.

        :param wanted: names of jobs, and when they were created where that is known
        :param tell: called for every job that the service answered about, and for those with a trouble of their own
        :param after_outage: begin with a single job, to see whether it is worth more
        :raises ServiceError: the service is down; jobs that were not told of are still to be looked at
        """
        missing = dict(wanted)
        names = list(wanted)
        random.shuffle(names)  # so that a few jobs with a trouble of their own can't keep all others from their turn
        self._list_answered = self._list_refused = False
        if after_outage:
            # A refusal may be this job's own: the list, or the others, tell.
            await self._ask_singly(names[:1], missing, tell, answered=False)
        refusal = await self._ask_lists(missing, tell, reachable=after_outage)
        self._list_refused = refusal is not None
        left = [name for name in names if name in missing]
        answered = self._list_answered or len(missing) < len(wanted)
        if troubles := await self._ask_singly(left, missing, tell, answered=answered):
            *_, last = troubles.values()
            if refusal is not None and isinstance(last, Unauthorized):
                raise last
            for name, error in troubles.items():
                missing.pop(name)
                tell(name, error)
            if any(name in missing for name in left):  # what these were told says nothing of the others
                raise ServiceUnavailable(str(last), retry_after=last.retry_after) from last
        if refusal is not None:  # of the list alone: single looks were not refused
            self._rest_list(refusal)

    async def look_at_steps(self, names: Sequence[str], tell: Tell) -> None:
        """Look at a few jobs one by one, which shows their steps; one that can't be told of is passed over."""
        for name in names:
            try:
                job = await self.client.get_status(name, time_limit=_STEPS_LIMIT)
            except Exception as error:  # noqa: BLE001  the next round finds out what it is
                logger.debug("The steps of benchmark job %s can't be seen now. %s", name, error)
                return
            tell(name, job)

    async def _ask_lists(
        self, missing: dict[str, datetime | None], tell: Tell, *, reachable: bool
    ) -> Unauthorized | None:
        """Read what lists show; gives the refusal where the list is refused with the connection as it is now."""
        if asyncio.get_running_loop().time() < self._list_rests_until:
            return None
        try:
            await self._read_list(_RUNNING, missing, tell)
            await self._read_list(_ENDED, missing, tell)
            self._list_failures = 0
        except Unauthorized as error:
            if await self.reconnect():
                return await self._ask_lists(missing, tell, reachable=reachable)
            return error
        except Exception as error:  # whatever is wrong with the list, single looks may still work
            self._list_failures += reachable
            if isinstance(error, ServiceError) and is_recoverable(error) and self._list_failures < _LIST_TRIES:
                raise
            self._rest_list(error)
        return None

    async def _read_list(self, status: Sequence[str], missing: dict[str, datetime | None], tell: Tell) -> None:
        """Read pages, newest first, while the rest of them costs the service less than asking for what is missing."""
        since = _earliest(missing) if self._knows_created_since else None
        size = _LARGE_PAGE if len(missing) > _LARGE_FROM else _PAGE
        if not _costs_less(1, size, missing):
            return
        limit = self.client.config.poll_time_limit
        pages = self.client.iter_pages(status=status, created_since=since, page_size=size, time_limit=limit)
        try:
            async with aclosing(pages):
                async for jobs, left in pages:
                    self._list_answered = True
                    for number, job in enumerate(jobs, 1):
                        if job.name in missing:
                            del missing[job.name]
                            tell(job.name, job)
                        if number % _TOLD_AT_ONCE == 0:
                            await asyncio.sleep(0)
                    if not _costs_less(left, size, missing):
                        return
        except InvalidRequest:
            if since is None:
                raise
            self._knows_created_since = False
            await self._read_list(status, missing, tell)

    def _rest_list(self, error: Exception) -> None:
        self._list_rests_until = asyncio.get_running_loop().time() + _LIST_REST
        logger.warning(
            "The list of jobs can't be used, so jobs are asked for one by one for %.0f minutes. %s",
            _LIST_REST / 60,
            error,
        )

    async def _ask_singly(
        self, names: Sequence[str], missing: dict[str, datetime | None], tell: Tell, *, answered: bool
    ) -> dict[str, ServiceError]:
        """Ask for each job's status.

        :param answered: whether the service has answered in this round already
        :return: refusals and odd answers, by job, where these are all that there is, or too many in a row to go on
        :raises ServiceError: it is an outage; the last error
        """
        waiting = iter(names)
        troubles: dict[str, ServiceError] = {}
        in_a_row = 0

        async def ask() -> None:
            nonlocal answered, in_a_row
            for name in waiting:
                try:
                    seen: BenchmarkJob | Exception = await self.client.get_status(
                        name, time_limit=self.client.config.poll_time_limit
                    )
                except Exception as error:  # noqa: BLE001  one job's trouble, of whatever kind, is no other's
                    # A refusal, too, can be one of all jobs: of a token that has expired, or a gateway that restarts.
                    if isinstance(error, Unauthorized) or (isinstance(error, ServiceError) and is_recoverable(error)):
                        troubles[name] = error
                        in_a_row += 1
                        if in_a_row >= self._most_in_a_row(error, answered=answered):
                            return
                        continue
                    seen = error
                answered, in_a_row = True, 0
                missing.pop(name)
                tell(name, seen)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(names), _AT_ONCE + len(names) // _ONE_MORE_EACH, _AT_MOST)):
                group.create_task(ask())
        if any(isinstance(error, Unauthorized) for error in troubles.values()) and await self.reconnect():
            left = [name for name in names if name in missing]
            return await self._ask_singly(left, missing, tell, answered=answered)
        if troubles and (not answered or in_a_row >= _LATE_OUTAGE):
            *_, last = troubles.values()
            if not _is_an_answer(last):
                raise last
            return troubles
        for name, error in troubles.items():
            missing.pop(name)
            tell(name, error)
        return {}

    def _most_in_a_row(self, error: ServiceError, *, answered: bool) -> float:
        """How many failures in a row are an outage; refusals and odd answers are none where the list is answered."""
        if _is_an_answer(error) and not self._list_refused:
            return math.inf if self._list_answered else _LATE_OUTAGE
        return _LATE_OUTAGE if answered else _OUTAGE


def _costs_less(pages: int, size: int, missing: Mapping[str, datetime | None]) -> bool:
    """True if pages of a size cost the service less than asking for each job that is missing."""
    return len(missing) * _PAGE > LOOKS_PER_PAGE * size * pages


def _is_an_answer(error: ServiceError) -> bool:
    """Whether the service did answer, if not with a job: again and again, that ends the wait for it."""
    return isinstance(error, Unauthorized) or is_unexpected_answer(error)


def _earliest(created: Mapping[str, datetime | None]) -> datetime | None:
    """When the oldest of the jobs was created; None when that is not known of all."""
    known = [moment for moment in created.values() if moment is not None]
    return min(known) if known and len(known) == len(created) else None
