"""Read the statuses of many jobs from the lists of running and of finished jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import InvalidRequest, ServiceError
from airflow_provider_benchmarks.jobs import TERMINAL_STATUSES, JobStatus
from airflow_provider_benchmarks.retry_policy import is_recoverable
from airflow_provider_benchmarks.triggers._slow_requests import Report

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
#: Number of failures of the list in a row, from a service that responds to other requests, after which it is not used.
MAX_LIST_FAILURES = 3
#: Seconds for which a list that failed is not used.
LIST_PAUSE_SECONDS = 600.0
#: Seconds for a page of a list, for each job on it: several times what the service takes. Jobs whose list takes longer
#: are requested one by one.
LIST_SECONDS_PER_JOB = 0.05


class JobLists:
    """The lists of one workspace, which are not used for a while after they fail.

    :param note_response: called for each page, with the seconds that it took
    """

    def __init__(self, note_response: Callable[[float], None]) -> None:
        self._note_response = note_response
        self._paused_until = 0.0
        self._failures = 0
        self._filters_by_time = True

    def use_again(self) -> None:
        """End a pause."""
        self._paused_until = 0.0

    async def read(self, client: AsyncBenchmarkClient, missing: dict[str, datetime | None], report: Report) -> None:
        """Report the jobs that the lists have, and remove them from those that are missing.

        :raises Exception: a list can't be used, for whatever reason
        """
        if asyncio.get_running_loop().time() < self._paused_until:
            return
        await self._read_one(client, _RUNNING, missing, report)
        await self._read_one(client, _FINISHED, missing, report)
        self._failures = 0

    async def _read_one(
        self, client: AsyncBenchmarkClient, status: Sequence[str], missing: dict[str, datetime | None], report: Report
    ) -> None:
        """Read pages, newest first, while the rest of them costs the service less than requesting the missing jobs."""
        since = _earliest(missing) if self._filters_by_time else None
        size = LARGE_PAGE_SIZE if len(missing) > LARGE_PAGE_MIN_JOBS else PAGE_SIZE
        if not _costs_less(1, size, missing):
            return
        limit = min(client.config.poll_time_limit, size * LIST_SECONDS_PER_JOB)
        pages = client.iter_pages(status=status, created_since=since, page_size=size, time_limit=limit)
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with aclosing(pages):
                async for jobs, left in pages:
                    self._note_response(now() - began)
                    for number, job in enumerate(jobs, 1):
                        if job.name in missing:
                            del missing[job.name]
                            report(job.name, job)
                        if number % REPORTS_PER_TURN == 0:
                            await asyncio.sleep(0)
                    if not _costs_less(left, size, missing):
                        return
                    began = now()
        except InvalidRequest:
            if since is None:
                raise
            self._filters_by_time = False
            await self._read_one(client, status, missing, report)

    def note_failure(self, error: Exception) -> None:
        """Take note that the list failed while the service responded to single requests."""
        self._failures += 1
        is_passing = isinstance(error, ServiceError) and is_recoverable(error)
        if not is_passing or self._failures >= MAX_LIST_FAILURES:
            self.pause(error)
        else:
            logger.debug("The list of jobs failed. %s", error)

    def postpone(self, seconds: float) -> None:
        """Leave the lists alone for as long as the service asks for. That says nothing about single requests."""
        self._paused_until = asyncio.get_running_loop().time() + min(seconds, LIST_PAUSE_SECONDS)

    def pause(self, error: Exception) -> None:
        self._paused_until = asyncio.get_running_loop().time() + LIST_PAUSE_SECONDS
        logger.warning(
            "The list of jobs can't be used, so jobs are requested one by one for %.0f minutes. %s",
            LIST_PAUSE_SECONDS / 60,
            error,
        )


def _costs_less(pages: int, size: int, missing: Mapping[str, datetime | None]) -> bool:
    """Return True if pages of a size cost the service less than requesting each job that is missing."""
    return len(missing) * PAGE_SIZE > REQUESTS_PER_PAGE * size * pages


def _earliest(created: Mapping[str, datetime | None]) -> datetime | None:
    """Return the earliest creation time; None where that is not known of all jobs."""
    known = [moment for moment in created.values() if moment is not None]
    return min(known) if known and len(known) == len(created) else None
