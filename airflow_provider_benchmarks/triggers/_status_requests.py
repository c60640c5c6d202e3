"""Request the statuses of many jobs, in as few requests as that takes."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import (
    InvalidRequest,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import TERMINAL_STATUSES, BenchmarkJob, JobStatus
from airflow_provider_benchmarks.retry_policy import is_recoverable, is_unexpected_answer
from airflow_provider_benchmarks.triggers._slow_requests import SlowRequests

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

_RUNNING = tuple(sorted(set(JobStatus) - TERMINAL_STATUSES))
_FINISHED = tuple(sorted(TERMINAL_STATUSES))
#: Number of status requests that cost the service as much as one page of a list. Measured on the service (0.1.0): a
#: status request takes 50 to 90 ms, a list 9 ms for each job on the page. So a page of 200 costs as much as 20 to 36
#: status requests, and as 10 where it is half full.
REQUESTS_PER_PAGE = 10
PAGE_SIZE = 200
#: Page size for very many jobs. Such a page takes the service about 5 s, far less than the client's timeout of 30 s.
LARGE_PAGE_SIZE = 500
#: Number of jobs from which on the large page size is used.
LARGE_PAGE_MIN_JOBS = 1000
#: Number of jobs that are reported before other tasks get their turn on the event loop.
REPORTS_PER_TURN = 50
#: Minimum number of concurrent status requests: two, so that a slow one does not hold up all others.
MIN_CONCURRENT_REQUESTS = 2
#: Number of jobs for each further concurrent request.
JOBS_PER_CONCURRENT_REQUEST = 50
#: Maximum number of concurrent status requests. Each may open a connection.
MAX_CONCURRENT_REQUESTS = 4
#: Number of failures in a row that are an outage, when the service has answered nothing else in this poll.
OUTAGE_FAILURES = 3
#: The same, when the service has answered something else in this poll.
OUTAGE_FAILURES_AFTER_RESPONSE = 10
#: Number of failures of the list in a row, from a service that responds to other requests, after which it is not used.
MAX_LIST_FAILURES = 3
#: Seconds for which a list that failed is not used.
LIST_PAUSE_SECONDS = 600.0
#: For a request for a job's steps. Other jobs wait for it, and steps are only shown to people.
STEPS_TIMEOUT_SECONDS = 5.0

#: Called with the result of a poll for one job: its status, or why that is not known.
Report = Callable[[str, BenchmarkJob | Exception], None]


class StatusRequests:
    """Requests the statuses of jobs of one workspace, through one client.

    :param open_client: makes a client from the connection as it is now
    """

    def __init__(
        self, client: AsyncBenchmarkClient, open_client: Callable[[], Awaitable[AsyncBenchmarkClient]]
    ) -> None:
        self.client = client
        self._open_client = open_client
        self._list_paused_until = 0.0
        self._list_failures = 0
        self._list_responded = self._list_refused = False
        self._filters_by_time = True
        self._slow = SlowRequests()

    async def close(self) -> None:
        await self._slow.close()
        await self.client.close()

    async def reconnect(self) -> bool:
        """Look the connection up again and use it as it is now. Return True if it has changed."""
        try:
            client = await self._open_client()
        except Exception as error:  # noqa: BLE001  backends fail in many ways, and what is known may still be right
            logger.warning("The connection can't be looked up again and counts as it was: %s", error)
            return False
        changed = client.config != self.client.config
        unused = self.client if changed else client
        if changed:
            self.client = client
            self._list_paused_until = 0.0
        await unused.close()
        return changed

    async def poll(self, wanted: Mapping[str, datetime | None], report: Report, *, after_outage: bool) -> None:
        """Poll each job once.

        A few jobs are requested one by one. For many, the lists of running and of finished jobs are read, and only jobs
        that neither list has are requested one by one. A job whose request is slow, while the service responds to
        others, is reported later: it holds up no other.

        :param wanted: names of the jobs, with their creation times where these are known
        :param report: called for every job that the service returned, and for each with an error of its own
        :param after_outage: begin with a single job, to see whether the service responds again
        :raises ServiceError: the service is down; the jobs that were not reported are still to be polled
        """
        missing = {name: created for name, created in wanted.items() if name not in self._slow}
        names = list(missing)
        random.shuffle(names)  # so that a few jobs with errors of their own can't always come before all others
        names = self._slow.last(names)
        if after_outage:
            self._slow.note_outage()
        self._list_responded = self._list_refused = False
        if after_outage:
            # A refusal may be this job's own. The list, or the other jobs, decide.
            await self._request_each(names[:1], missing, report, responded=False)
        refusal = await self._read_lists(missing, report, responds=after_outage)
        self._list_refused = refusal is not None
        left = [name for name in names if name in missing]
        responded = self._list_responded or len(missing) < len(names)
        if errors := await self._request_each(left, missing, report, responded=responded):
            *_, last = errors.values()
            if refusal is not None and isinstance(last, Unauthorized):
                raise last
            for name, error in errors.items():
                missing.pop(name)
                report(name, error)
            if any(
                name in missing and name not in self._slow for name in left
            ):  # these errors say nothing about the other jobs
                raise ServiceUnavailable(str(last), retry_after=last.retry_after) from last
        if refusal is not None:  # only of the list: single requests were not refused
            self._pause_list(refusal)

    async def poll_steps(self, names: Sequence[str], report: Report) -> None:
        """Request a few jobs one by one, for their steps. The first error ends this without a report."""
        for name in names:
            try:
                request = partial(self.client.get_status, name, time_limit=STEPS_TIMEOUT_SECONDS)
                job = await self._slow.request(name, request, report)
            except Exception as error:  # noqa: BLE001  the next poll finds out what it is
                logger.debug("The steps of benchmark job %s can't be read now. %s", name, error)
                return
            if job is not None:
                report(name, job)

    async def _read_lists(
        self, missing: dict[str, datetime | None], report: Report, *, responds: bool
    ) -> Unauthorized | None:
        """Report the jobs that the lists have.

        :param responds: the service has responded to another request of this poll
        :return: the refusal, where the list is refused with the connection as it is now
        :raises ServiceError: a fault that may be the service's as a whole
        """
        if asyncio.get_running_loop().time() < self._list_paused_until:
            return None
        try:
            await self._read_list(_RUNNING, missing, report)
            await self._read_list(_FINISHED, missing, report)
            self._list_failures = 0
        except Unauthorized as error:
            if await self.reconnect():
                return await self._read_lists(missing, report, responds=responds)
            return error
        except Exception as error:  # whatever is wrong with the list, single requests may still work
            self._list_failures += responds
            if isinstance(error, ServiceError) and is_recoverable(error) and self._list_failures < MAX_LIST_FAILURES:
                raise
            self._pause_list(error)
        return None

    async def _read_list(self, status: Sequence[str], missing: dict[str, datetime | None], report: Report) -> None:
        """Read pages, newest first, while the rest of them costs the service less than requesting the missing jobs."""
        since = _earliest(missing) if self._filters_by_time else None
        size = LARGE_PAGE_SIZE if len(missing) > LARGE_PAGE_MIN_JOBS else PAGE_SIZE
        if not _costs_less(1, size, missing):
            return
        limit = self.client.config.poll_time_limit
        pages = self.client.iter_pages(status=status, created_since=since, page_size=size, time_limit=limit)
        try:
            async with aclosing(pages):
                async for jobs, left in pages:
                    self._list_responded = True
                    self._slow.note_response()
                    for number, job in enumerate(jobs, 1):
                        if job.name in missing:
                            del missing[job.name]
                            report(job.name, job)
                        if number % REPORTS_PER_TURN == 0:
                            await asyncio.sleep(0)
                    if not _costs_less(left, size, missing):
                        return
        except InvalidRequest:
            if since is None:
                raise
            self._filters_by_time = False
            await self._read_list(status, missing, report)

    def _pause_list(self, error: Exception) -> None:
        self._list_paused_until = asyncio.get_running_loop().time() + LIST_PAUSE_SECONDS
        logger.warning(
            "The list of jobs can't be used, so jobs are requested one by one for %.0f minutes. %s",
            LIST_PAUSE_SECONDS / 60,
            error,
        )

    async def _request_each(
        self, names: Sequence[str], missing: dict[str, datetime | None], report: Report, *, responded: bool
    ) -> dict[str, ServiceError]:
        """Request the status of each job.

        :param responded: the service has responded to another request of this poll
        :return: refusals and malformed responses, by job, where there is nothing else, or too many of them in a row
        :raises ServiceError: it is an outage; the last error
        """
        remaining = iter(names)
        errors: dict[str, ServiceError] = {}
        in_a_row = 0
        limit = self.client.config.poll_time_limit

        async def request_remaining() -> None:
            nonlocal responded, in_a_row
            for name in remaining:
                try:
                    result: BenchmarkJob | Exception | None = await self._slow.request(
                        name, partial(self.client.get_status, name, time_limit=limit), report
                    )
                except Exception as error:  # noqa: BLE001  an error of one job, of whatever kind, is no other job's
                    # A refusal, too, can concern all jobs: the token has expired, or a gateway restarts.
                    if isinstance(error, Unauthorized) or (isinstance(error, ServiceError) and is_recoverable(error)):
                        errors[name] = error
                        in_a_row += 1
                        if in_a_row >= self._max_in_a_row(error, responded=responded):
                            return
                        continue
                    result = error
                if result is None:  # it is reported later
                    continue
                self._slow.note_response()
                responded, in_a_row = True, 0
                missing.pop(name)
                report(name, result)

        concurrent = MIN_CONCURRENT_REQUESTS + len(names) // JOBS_PER_CONCURRENT_REQUEST
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(names), concurrent, MAX_CONCURRENT_REQUESTS)):
                group.create_task(request_remaining())
        if any(isinstance(error, Unauthorized) for error in errors.values()) and await self.reconnect():
            left = [name for name in names if name in missing]
            return await self._request_each(left, missing, report, responded=responded)
        if errors and (not responded or in_a_row >= OUTAGE_FAILURES_AFTER_RESPONSE):
            *_, last = errors.values()
            if not _is_response(last):
                raise last
            return errors
        for name, error in errors.items():
            missing.pop(name)
            report(name, error)
        return {}

    def _max_in_a_row(self, error: ServiceError, *, responded: bool) -> float:
        """Number of failures in a row that are an outage; none are, for responses of a service whose list responds."""
        if _is_response(error) and not self._list_refused:
            return math.inf if self._list_responded else OUTAGE_FAILURES_AFTER_RESPONSE
        return OUTAGE_FAILURES_AFTER_RESPONSE if responded else OUTAGE_FAILURES


def _costs_less(pages: int, size: int, missing: Mapping[str, datetime | None]) -> bool:
    """Return True if pages of a size cost the service less than requesting each job that is missing."""
    return len(missing) * PAGE_SIZE > REQUESTS_PER_PAGE * size * pages


def _is_response(error: ServiceError) -> bool:
    """Return True if the service did respond, if not with a job. If repeated, such responses end the wait for it."""
    return isinstance(error, Unauthorized) or is_unexpected_answer(error)


def _earliest(created: Mapping[str, datetime | None]) -> datetime | None:
    """Return the earliest creation time; None where that is not known of all jobs."""
    known = [moment for moment in created.values() if moment is not None]
    return min(known) if known and len(known) == len(created) else None
