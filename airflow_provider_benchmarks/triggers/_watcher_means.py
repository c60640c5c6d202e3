"""Read the means of finished jobs' scores for the events of a watcher."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.triggers._client import open_client

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: Seconds in which the client retries the request for the scores of a job. The events of later jobs wait meanwhile.
MEANS_RETRY_SECONDS = 10.0
#: Seconds for the scores of a job with all retries, for the same reason.
MEANS_TIMEOUT_SECONDS = 30.0
#: Number of concurrent requests for scores.
MAX_CONCURRENT_REQUESTS = 4
#: Maximum length of the error in an event, characters.
MAX_ERROR_LENGTH = 1000


async def with_means(
    jobs: Sequence[BenchmarkJob], *, conn_id: str, workspace: str | None
) -> AsyncGenerator[tuple[BenchmarkJob, dict[str, Any]]]:
    """Yield jobs in their order, each with the means of its scores by ``metric:score``, or why they can't be read."""
    reader = _MeansReader(conn_id, workspace)
    left = deque(jobs)
    started: deque[tuple[BenchmarkJob, asyncio.Task[dict[str, Any]]]] = deque()
    try:
        while left or started:
            while left and len(started) < MAX_CONCURRENT_REQUESTS:
                job = left.popleft()
                started.append((job, asyncio.create_task(reader.means_or_error(job))))
            job, reading = started.popleft()
            yield job, await reading
    finally:
        for _, reading in started:
            reading.cancel()
        await reader.close()


class _MeansReader:
    """Reads the means of jobs' scores, all with one client, which is opened when it is needed."""

    def __init__(self, conn_id: str, workspace: str | None) -> None:
        self._connection = conn_id, workspace
        self._client: AsyncBenchmarkClient | None = None
        self._opening = asyncio.Lock()

    async def means_or_error(self, job: BenchmarkJob) -> dict[str, Any]:
        """Return the fields of an event about a job's scores; a few kB."""
        if job.status != JobStatus.COMPLETED:
            return {"means": {}}
        try:
            async with self._opening:
                if self._client is None:
                    self._client = await open_client(*self._connection, retry_seconds=MEANS_RETRY_SECONDS)
            # Scores take 15 ms to import. Not at module level, for DAG files to parse fast; by now the client has
            # imported them.
            from airflow_provider_benchmarks.scores.means import means_of

            async with asyncio.timeout(MEANS_TIMEOUT_SECONDS):
                scores = await self._client.get_aggregate_scores(job.name)
            return {"means": means_of(scores)}
        except TimeoutError:
            logger.warning("The means of benchmark job %s are not in its event: they take too long.", job.name)
            return {"means_error": f"the scores were not there after {MEANS_TIMEOUT_SECONDS:.0f} s"}
        except Exception as error:  # noqa: BLE001  the job has finished all the same
            logger.warning("The means of benchmark job %s are not in its event. %s", job.name, error)
            return {"means_error": str(error)[:MAX_ERROR_LENGTH]}

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
