"""Poll a job from a worker: until it has finished, after its deadline, and while it is being created."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_fixed

from airflow_provider_benchmarks.durations import number_of, seconds_of
from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout, NotFound, ServiceError, Unauthorized
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller, WaitLine, WaitLog
from airflow_provider_benchmarks.jobs.polling import not_in_time

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig

#: Seconds between the first two polls of a sensor that were refused. Doubled each time, so that five take a minute.
REFUSED_POLL_INTERVAL_SECONDS = 4.0
#: Seconds between two requests of a killed task for the job of a submit whose response it has not seen.
CREATION_POLL_INTERVAL_SECONDS = 1.0
#: Seconds after which the killed task gives that up.
CREATION_TIMEOUT_SECONDS = 10.0
#: Minimum timeout of a poll. The last one is made at the deadline, and may end after it.
MIN_POLL_TIMEOUT_SECONDS = 5.0


def wait_until_finished(
    config: ClientConfig, name: str, *, poll_interval: timedelta | float, timeout: timedelta | float | None, log: Any
) -> BenchmarkJob:
    """Poll a job until it has finished, and log how the wait goes.

    :param poll_interval: seconds or timedelta between two polls
    :param timeout: maximum time to wait, seconds or timedelta, None for no limit; 0 and less poll once
    :raises ConfigurationError: these are no such numbers
    :raises JobTimeout: the job did not finish in time
    :raises ServiceError: the service gave a definite response that is not a job
    """
    from airflow_provider_benchmarks.client import BenchmarkClient

    interval = seconds_of(poll_interval, "poll_interval")
    deadline = None if timeout is None else time.time() + number_of(timeout, "timeout")
    poller = JobPoller(name, config.workspace, interval=interval, deadline=deadline)
    job: BenchmarkJob | None = None
    lines = WaitLog(name, deadline=deadline)
    # The poller decides about pauses after faults. The client must not sleep within a request as well.
    with BenchmarkClient(replace(config, retry_seconds=0)) as client:
        while True:
            try:
                left = None if deadline is None else max(deadline - time.time(), MIN_POLL_TIMEOUT_SECONDS)
                request = client.get_status if job else client.get_job
                with client.within(left):
                    latest = request(name)
            except ServiceError as error:
                pause: float | None = poller.on_error(error, time.time())
                write(lines.on_error(error, time.time()), log)
            else:
                job = job.with_status(latest) if job else latest
                pause = poller.on_job(job, time.time())
                write(lines.on_job(job, time.time()), log)
            if pause is None and job is not None:
                return job
            time.sleep(pause or 0.0)


def write(lines: Iterable[WaitLine], log: Any) -> None:
    """Write lines into a task's log."""
    for line in lines:
        log.log(line.level, "%s", line.text)


def poll_despite_refusals(client: BenchmarkClient, name: str, lines: WaitLog, log: Any) -> BenchmarkJob:
    """Poll a job once, and again while the service refuses: a sensor that is rescheduled can't count refusals.

    :param lines: makes what is logged of the refusals
    :raises Unauthorized: the service has refused as many polls in a row as end any other wait
    """
    poller = JobPoller(name, client.config.workspace, interval=REFUSED_POLL_INTERVAL_SECONDS, deadline=None)
    while True:
        try:
            return client.get_status(name)
        except Unauthorized as error:
            pause = poller.on_error(error, time.time())
            write(lines.on_error(error, time.time()), log)
            time.sleep(pause)


def poll_after_deadline(error: JobTimeout, client: BenchmarkClient) -> BenchmarkJob | JobTimeout:
    """Poll once more after the deadline.

    :return: the job if it has finished, else a JobTimeout that says what it is doing; ``error`` if the poll fails
    """
    try:
        job = replace(client.get_status(error.job), benchmark=error.benchmark)
    except BenchmarkError:
        return error
    return job if job.is_finished else not_in_time(job, name=job.name, workspace=job.workspace, now=time.time())


def wait_until_created(client: BenchmarkClient, name: str) -> BenchmarkJob:
    """Request a job whose submit may still be in progress.

    :raises NotFound: it was not created within ``CREATION_TIMEOUT_SECONDS``
    """
    retrying = Retrying(
        retry=retry_if_exception_type(NotFound),
        wait=wait_fixed(CREATION_POLL_INTERVAL_SECONDS),
        stop=stop_before_delay(CREATION_TIMEOUT_SECONDS),
        reraise=True,
    )
    job: BenchmarkJob = retrying(client.get_job, name)
    return job
