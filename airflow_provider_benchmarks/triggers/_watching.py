"""What a watcher of finished jobs needs: looks at the jobs of a workspace, the means of a job, and a memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    InvalidRequest,
    NotFound,
    ServiceError,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.jobs.finished import FinishedJobs, Look, created_at
from airflow_provider_benchmarks.retry_policy import polls
from airflow_provider_benchmarks.triggers._asking import ask_airflow
from airflow_provider_benchmarks.triggers._client import open_client
from airflow_provider_benchmarks.triggers._looks import LOOKS_PER_PAGE

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: Of a list, measured on the service: 9 ms for each job on the page.
_PAGE = 200
#: So few jobs that have been running for some time are asked for by name, and not with a list that goes back to them.
_FEW = 3
#: Jobs older than the newest so many are not looked at the first time.
_FIRST_LOOK_PAGES = 5
#: After so many jobs in a row that can't be asked for, the service is down, and the rest is left for the next look.
_OUTAGE = 3
#: After this Airflow has put an event into its database; what is remembered before that could be lost with the event.
_HANDED_OVER = 5.0
#: For so long the scores of a job are asked for again, seconds; the events of later jobs wait meanwhile.
_MEANS_RETRY = 10.0
#: The scores of so many jobs are asked for at the same time.
_MEANS_AT_ONCE = 4
_LOAD_TRIES, _LOAD_PAUSE = 5, 2.0


class JobWatch:
    """Looks at the jobs of a workspace, again and again.

    :param interval: seconds between two looks
    """

    def __init__(self, conn_id: str, workspace: str | None, *, interval: float) -> None:
        self._conn_id = conn_id
        self._workspace = workspace
        self._interval = interval
        self._filters_by_time = True

    async def looks(self, known: FinishedJobs) -> AsyncIterator[Look]:
        """Look for ever at what is news to ``known``, which takes each look."""
        while True:
            look = await self.look(known)
            known.take(look)
            yield look
            await asyncio.sleep(self._interval * random.uniform(0.9, 1.1))

    async def look(self, known: FinishedJobs) -> Look:
        """Look at what can have finished since what is known. Tries until it succeeds."""
        backoff = polls(self._interval)
        failures = 0
        while True:
            try:
                look = await self._look(known)
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
                return look

    async def _look(self, known: FinishedJobs) -> Look:
        began = now()
        # A client of its own for each look: the service closes idle connections, and a changed token is picked up.
        client = await open_client(self._conn_id, self._workspace, retry_seconds=0)
        try:
            jobs, since = await self._read_list(client, known)
            asked = frozenset(known.running.keys() - jobs.keys())
            gone = await _ask_for(client, asked, jobs)
        finally:
            await client.close()
        return Look(jobs=tuple(jobs.values()), since=since, asked=asked, gone=gone, began=began)

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
    """The jobs by name, newest first, and since when these are all.

    Goes back to the oldest that runs, while that costs the service less than asking for those that are missing.

    :param filters: whether the service can leave older jobs out
    """
    recent = known.since
    earlier = [at for at in known.running.values() if recent is not None and at < recent]
    since = min(earlier) if len(earlier) > _FEW else recent
    found: dict[str, BenchmarkJob] = {}
    pages = client.iter_pages(
        created_since=since if filters else None, page_size=_PAGE, time_limit=client.config.poll_time_limit
    )
    read = 0
    async with aclosing(pages):
        async for jobs, left in pages:
            found |= {job.name: job for job in jobs}
            read += 1
            if not left or not jobs:
                continue
            if recent is None:
                if read >= _FIRST_LOOK_PAGES:
                    return found, created_at(jobs[-1])
            elif created_at(jobs[-1]) < recent and len(known.running.keys() - found.keys()) <= LOOKS_PER_PAGE * left:
                return found, recent
    return found, since


async def _ask_for(
    client: AsyncBenchmarkClient, names: frozenset[str], found: dict[str, BenchmarkJob]
) -> frozenset[str]:
    """Add jobs that the list does not show; gives the names of those that were deleted.

    One that can't be told about is left for the next look: the trouble of one job must not keep the others from view.
    """
    gone = set()
    in_a_row = 0
    for name in random.sample(sorted(names), len(names)):  # so that none is always behind those with a trouble
        try:
            found[name] = await client.get_job(name, time_limit=client.config.poll_time_limit)
            in_a_row = 0
        except NotFound:
            gone.add(name)
            in_a_row = 0
        except ServiceError as error:
            logger.debug("Benchmark job %s can't be looked at now. %s", name, error)
            in_a_row = in_a_row + 1 if isinstance(error, ServiceUnavailable) else 0
            if in_a_row >= _OUTAGE:
                break
    return frozenset(gone)


async def with_means(
    jobs: Sequence[BenchmarkJob], *, conn_id: str, workspace: str | None
) -> AsyncGenerator[tuple[BenchmarkJob, dict[str, Any]]]:
    """Give jobs in their order, each with the means of its scores by ``metric:score``, or why they can't be read."""
    reader = _MeansReader(conn_id, workspace)
    left = deque(jobs)
    ahead: deque[tuple[BenchmarkJob, asyncio.Task[dict[str, Any]]]] = deque()
    try:
        while left or ahead:
            while left and len(ahead) < _MEANS_AT_ONCE:
                job = left.popleft()
                ahead.append((job, asyncio.create_task(reader.means_or_error(job))))
            job, reading = ahead.popleft()
            yield job, await reading
    finally:
        for _, reading in ahead:
            reading.cancel()
        await reader.close()


class _MeansReader:
    """Reads the means of jobs' scores, all with one client, which is opened when it is needed."""

    def __init__(self, conn_id: str, workspace: str | None) -> None:
        self._connection = conn_id, workspace
        self._client: AsyncBenchmarkClient | None = None
        self._opening = asyncio.Lock()

    async def means_or_error(self, job: BenchmarkJob) -> dict[str, Any]:
        """What an event says of a job's scores; a few kB."""
        if job.status != JobStatus.COMPLETED:
            return {"means": {}}
        try:
            async with self._opening:
                if self._client is None:
                    self._client = await open_client(*self._connection, retry_seconds=_MEANS_RETRY)
            # Scores take 15 ms to import: not when a DAG file is parsed, and loaded by now with the client.
            from airflow_provider_benchmarks.scores.means import means_of

            return {"means": means_of(await self._client.get_aggregate_scores(job.name))}
        except Exception as error:  # noqa: BLE001  the job has finished all the same
            logger.warning("The means of benchmark job %s are not in its event. %s", job.name, error)
            return {"means_error": str(error)[:1000]}

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


@dataclass(slots=True)
class WatcherState:
    """What a watcher remembers over restarts, where Airflow keeps state of assets (from 3.3 on).

    A state is kept some seconds after the events that led to it, and not before: Airflow has these in its database then.
    In a burst that is done again and again, with the events so far. Nothing is kept at a stop, at which Airflow drops the last second's events; telling them again is better than never.

    :param kept: what was remembered; None where there is nothing, or nowhere to keep it
    """

    kept: dict[str, Any] | None
    _store: Any
    _key: str
    _state: Callable[[], dict[str, Any]] | None = None
    _saving: asyncio.Task[None] | None = None

    @classmethod
    async def load(cls, store: Any, *identity: Any) -> WatcherState:
        """Read the state of a trigger.

        :param store: the trigger's ``asset_state_store``, or None
        :param identity: plain values that tell it from others of the same asset
        """
        key = f"watcher-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}"
        kept = None
        for attempt in range(_LOAD_TRIES):
            if store is None:
                break
            try:
                kept = await ask_airflow(store.aget, key)
                break
            except Exception as error:  # noqa: BLE001  without a memory it still watches
                if isinstance(error, ValueError) or attempt == _LOAD_TRIES - 1:
                    logger.warning(
                        "Airflow's state of the asset can't be used, so jobs that finish while no triggerer runs make "
                        "no events. Each asset needs a trigger of its own. %s",
                        error,
                    )
                    store = None
                else:
                    await asyncio.sleep(_LOAD_PAUSE)
        kept = kept if isinstance(kept, dict) else None
        return cls(kept, store, key)

    def save_soon(self, state: Callable[[], dict[str, Any]]) -> None:
        """Keep a state as soon as the events so far are safe.

        :param state: gives what is to be kept, without events that are still to come
        """
        if self._store is None:
            return
        self._state = state
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())

    async def _save(self) -> None:
        while self._state is not None:
            news, self._state = self._state(), None
            if news == self.kept:
                continue
            await asyncio.sleep(_HANDED_OVER)
            try:
                await asyncio.wait_for(ask_airflow(self._store.aset, self._key, news), _HANDED_OVER)
                self.kept = news
            except Exception as error:  # noqa: BLE001  the events were fired, and the next look tries again
                logger.warning("What was told of can't be kept, and may be told again after a restart: %s", error)

    async def close(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            with suppress(asyncio.CancelledError):
                await self._saving
