"""What a watcher of finished jobs needs: looks at the list of jobs, the means of a job, and a memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError, ServiceUnavailable
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller

logger = logging.getLogger(__name__)

#: Of a list, measured on the service: 9 ms for each job on the page.
_PAGE = 200
#: Jobs older than the newest so many are not looked at the first time.
_FIRST_LOOK_PAGES = 5
#: After this Airflow has put an event into its database; what is remembered before that could be lost with the event.
_HANDED_OVER = 5.0
_MEANS_LIMIT = 50


class JobWatch:
    """Looks at the jobs of a workspace, again and again.

    :param interval: seconds between two looks
    """

    def __init__(self, conn_id: str, workspace: str | None, *, interval: float) -> None:
        self._conn_id = conn_id
        self._workspace = workspace
        self._interval = interval

    async def jobs_since(self, since: datetime | None) -> list[BenchmarkJob]:
        """All jobs created since a time; None: the newest ones. Tries until it succeeds."""
        poller = JobPoller("", self._workspace or "", interval=self._interval, deadline=None)
        failed = False
        while True:
            try:
                jobs = await self._list(since)
            except BenchmarkError as error:
                if not failed:
                    logger.warning("%s Finished jobs are not seen until the service answers.", error)
                failed = True
                after = error.retry_after if isinstance(error, ServiceError) else None
                # Whatever it is, a person may mend it, and the watcher must be there then.
                await asyncio.sleep(poller.on_error(ServiceUnavailable(str(error), retry_after=after), time.time()))
            else:
                if failed:
                    logger.info("The service of connection %s answers again.", self._conn_id)
                return jobs

    async def _list(self, since: datetime | None) -> list[BenchmarkJob]:
        from airflow_provider_benchmarks.hooks.connection import open_async_client

        found: dict[str, BenchmarkJob] = {}
        # A client of its own for each look: the service closes idle connections, and a changed token is picked up.
        client = await open_async_client(self._conn_id, self._workspace, retry_seconds=0)
        try:
            page, pages = 1, 1
            while page <= pages:
                jobs, pages = await client.list_page(page, created_since=since, page_size=_PAGE)
                found |= {job.name: job for job in jobs}
                if since is None:
                    pages = min(pages, _FIRST_LOOK_PAGES)
                page += 1
        finally:
            await client.close()
        return list(found.values())

    async def pause(self) -> None:
        await asyncio.sleep(self._interval * random.uniform(0.9, 1.1))


async def means_or_error(job_name: str, *, conn_id: str, workspace: str | None) -> dict[str, Any]:
    """The means of a job's scores by ``metric:score``, or why they can't be read; a few kB."""
    from airflow_provider_benchmarks.hooks.connection import open_async_client
    from airflow_provider_benchmarks.scores.values import json_safe

    try:
        client = await open_async_client(conn_id, workspace)
        try:
            scores = (await client.get_aggregate_scores(job_name)).scores
        finally:
            await client.close()
    except BenchmarkError as error:
        logger.warning("The means of benchmark job %s are not in its event. %s", job_name, error)
        return {"means_error": str(error)[:1000]}
    return {"means": json_safe({f"{score.metric}:{score.name}": score.mean for score in scores[:_MEANS_LIMIT]})}


@dataclass(slots=True)
class WatcherState:
    """What a watcher remembers over restarts, where Airflow keeps state of assets (from 3.3 on).

    :param kept: what was remembered; None where there is nothing, or nowhere to keep it
    """

    kept: dict[str, Any] | None
    _store: Any
    _key: str
    _news: dict[str, Any] | None = None
    _saving: asyncio.Task[None] | None = None

    @classmethod
    async def load(cls, store: Any, trigger: tuple[str, dict[str, Any]]) -> WatcherState:
        """Read the state of a trigger, each of which has its own.

        :param store: the trigger's ``asset_state_store``, or None
        :param trigger: as it serialises
        """
        key = f"watcher-{hashlib.sha256(json.dumps(trigger, sort_keys=True).encode()).hexdigest()[:16]}"
        kept = None
        if store is not None:
            try:
                kept = await store.aget(key)
            except Exception as error:  # noqa: BLE001  without a memory it still watches
                logger.warning("What was told of before can't be read, and finished jobs make no events now: %s", error)
                store = None
        return cls(kept if isinstance(kept, dict) else None, store, key)

    async def save_soon(self, state: dict[str, Any]) -> None:
        """Keep a state as soon as events that were handed to Airflow are safe with it."""
        if self._store is None or state == self.kept:
            return
        self._news = state
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_later())

    async def _save_later(self) -> None:
        await asyncio.sleep(_HANDED_OVER)
        await self._save()

    async def save_now(self) -> None:
        """Keep what is not kept yet, when the triggerer stops."""
        if self._saving is not None:
            self._saving.cancel()
        await self._save()

    async def _save(self) -> None:
        news, self._news = self._news, None
        if news is None:
            return
        try:
            await asyncio.wait_for(self._store.aset(self._key, news), _HANDED_OVER)
            self.kept = news
        except Exception as error:  # noqa: BLE001  the events were fired; after a restart they may come again
            logger.warning("What was told of can't be kept, and may be told again after a restart: %s", error)
