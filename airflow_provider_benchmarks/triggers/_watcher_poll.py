"""Poll a workspace for finished jobs, with requests that do not grow with its history."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    InvalidRequest,
    JobNotFound,
    ServiceError,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.jobs.finished import FinishedJobs, JobsPoll, created_at
from airflow_provider_benchmarks.retry_policy import polls
from airflow_provider_benchmarks.triggers._client import open_client
from airflow_provider_benchmarks.triggers._job_lists import REQUESTS_PER_PAGE
from airflow_provider_benchmarks.triggers._slow_requests import MAX_SLOW_REQUESTS, SHORT_SECONDS
from airflow_provider_benchmarks.triggers._status_requests import MAX_CONCURRENT_REQUESTS

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: Jobs on a page of the list. Measured on the service: 9 ms for each job on the page.
PAGE_SIZE = 200
#: Up to this number of jobs that have been running for some time are requested by name. For more, the list is read back
#: to the oldest of them.
MAX_OLD_JOBS_BY_NAME = 3
#: Maximum number of pages of the first poll: older jobs are not watched.
MAX_PAGES_OF_FIRST_POLL = 5
#: Number of jobs in a row that can't be requested after which the service is down. The rest is left for the next poll.
OUTAGE_FAILURES = 3
#: Seconds for the requests for single jobs in one poll. Slow ones must not hold up the jobs that the list has, nor each
#: other: the rest is left for the next poll.
MAX_REQUEST_SECONDS = 10.0
#: Share of the interval by which it varies at random, so that several triggerers do not poll at the same moment.
JITTER_SHARE = 0.1


class WatcherPoll:
    """Polls the jobs of a workspace, again and again.

    :param interval: seconds between two polls
    """

    def __init__(self, conn_id: str, workspace: str | None, *, interval: float) -> None:
        self._conn_id = conn_id
        self._workspace = workspace
        self._interval = interval
        self._filters_by_time = True

    async def polls(self, known: FinishedJobs) -> AsyncIterator[JobsPoll]:
        """Poll for ever for what is new to ``known``, which is updated with each poll."""
        while True:
            poll = await self.poll(known)
            known.take(poll)
            yield poll
            await asyncio.sleep(self._interval * random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE))

    async def poll(self, known: FinishedJobs) -> JobsPoll:
        """Poll for the jobs that may have finished since what is known. Retries until it succeeds."""
        backoff = polls(self._interval)
        failures = 0
        while True:
            try:
                poll = await self._poll(known)
            except Exception as error:  # a person may mend whatever it is, and the watcher must be there then
                if not failures:
                    logger.warning(
                        "Finished jobs are not seen while connection %s can't be used; it is tried again, less and "
                        "less often. %s",
                        self._conn_id,
                        error,
                        exc_info=not isinstance(error, BenchmarkError),
                    )
                failures += 1
                after = error.retry_after if isinstance(error, ServiceError) else None
                await asyncio.sleep(backoff.pause(failures, retry_after=after))
            else:
                if failures:
                    logger.info("Connection %s works again.", self._conn_id)
                return poll

    async def _poll(self, known: FinishedJobs) -> JobsPoll:
        started_at = now()
        # A new client for each poll: the service closes idle connections, and a changed token is picked up.
        client = await open_client(self._conn_id, self._workspace, retry_seconds=0)
        try:
            jobs, since = await self._read_list(client, known)
            requested = frozenset(known.running.keys() - jobs.keys())
            deleted = await _request_each(client, requested, jobs)
        finally:
            await client.close()
        return JobsPoll(
            jobs=tuple(jobs.values()), since=since, requested=requested, deleted=deleted, started_at=started_at
        )

    async def _read_list(
        self, client: AsyncBenchmarkClient, known: FinishedJobs
    ) -> tuple[dict[str, BenchmarkJob], datetime | None]:
        try:
            return await _read_list(client, known, filters=self._filters_by_time)
        except InvalidRequest:
            if not self._filters_by_time or known.since is None:
                raise
            self._filters_by_time = False
            return await _read_list(client, known, filters=False)


def now() -> float:
    """Seconds, on the clock of the event loop."""
    return asyncio.get_running_loop().time()


async def _read_list(
    client: AsyncBenchmarkClient, known: FinishedJobs, *, filters: bool
) -> tuple[dict[str, BenchmarkJob], datetime | None]:
    """Return the jobs by name, newest first, and the creation time from which on they are complete.

    Reads back to the oldest running job, while that costs the service less than requesting the missing ones.

    :param filters: the service can filter by creation time
    """
    recent = known.since
    earlier = [at for at in known.running.values() if recent is not None and at < recent]
    since = min(earlier) if len(earlier) > MAX_OLD_JOBS_BY_NAME else recent
    found: dict[str, BenchmarkJob] = {}
    pages = client.iter_pages(
        created_since=since if filters else None, page_size=PAGE_SIZE, time_limit=client.config.poll_time_limit
    )
    read = 0
    async with aclosing(pages):
        async for jobs, left in pages:
            found |= {job.name: job for job in jobs}
            read += 1
            if not left or not jobs:
                continue
            if recent is None:
                if read >= MAX_PAGES_OF_FIRST_POLL:
                    return found, created_at(jobs[-1])
            elif created_at(jobs[-1]) < recent and len(known.running.keys() - found.keys()) <= REQUESTS_PER_PAGE * left:
                return found, recent
    return found, since


async def _request_each(
    client: AsyncBenchmarkClient, names: frozenset[str], found: dict[str, BenchmarkJob]
) -> frozenset[str]:
    """Add the jobs that the list does not have. Return the names of those that were deleted.

    A job whose request fails is left for the next poll: the error of one job must not hide the others.
    """
    requests = _SingleRequests(client, names, found)
    await requests.run()
    return frozenset(requests.deleted)


class _SingleRequests:
    """Requests for single jobs, a few at a time. One that takes long goes on beside the others."""

    def __init__(self, client: AsyncBenchmarkClient, names: frozenset[str], found: dict[str, BenchmarkJob]) -> None:
        self.deleted: set[str] = set()
        self._client, self._found = client, found
        # In any order, so that no job always comes after those with errors.
        self._remaining = iter(random.sample(sorted(names), len(names)))
        self._begun: list[asyncio.Task[None]] = []
        self._slow: set[asyncio.Task[None]] = set()
        self._failures_in_a_row = 0

    async def run(self) -> None:
        try:
            async with asyncio.timeout(MAX_REQUEST_SECONDS):
                await asyncio.gather(*[self._request_remaining() for _ in range(MAX_CONCURRENT_REQUESTS)])
                await asyncio.gather(*self._slow)
        except TimeoutError:
            logger.debug("Requests for benchmark jobs take too long, and are left for the next poll.")
        finally:
            for each in self._begun:
                each.cancel()
            results = await asyncio.gather(*self._begun, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _request_remaining(self) -> None:
        for name in self._remaining:
            if self._failures_in_a_row >= OUTAGE_FAILURES:
                return
            self._begun.append(request := asyncio.create_task(self._request(name)))
            await asyncio.wait([request], timeout=SHORT_SECONDS)
            if request.done():
                continue
            if len(self._slow) >= MAX_SLOW_REQUESTS:
                request.cancel()
            else:
                self._slow.add(request)
                request.add_done_callback(self._slow.discard)

    async def _request(self, name: str) -> None:
        try:
            self._found[name] = await self._client.get_job(name, time_limit=self._client.config.poll_time_limit)
        except JobNotFound:
            self.deleted.add(name)
        except ServiceError as error:
            logger.debug("Benchmark job %s can't be requested now. %s", name, error)
            self._failures_in_a_row = self._failures_in_a_row + 1 if isinstance(error, ServiceUnavailable) else 0
            return
        self._failures_in_a_row = 0
