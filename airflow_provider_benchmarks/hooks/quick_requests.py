"""Requests in bounded time, for a task that is being killed, or whose deadline has passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout, ServiceError
from airflow_provider_benchmarks.hooks.failure_log import add_log_tail
from airflow_provider_benchmarks.hooks.inline_wait import poll_after_deadline, wait_until_created
from airflow_provider_benchmarks.jobs import BenchmarkJob

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

#: Limits of a request for a caller that can't wait long, seconds; with all its retries it takes about 10 s.
SHORT_RETRY_SECONDS = 3.0
SHORT_TIMEOUT_SECONDS = 5.0
#: For all requests that a poll after the deadline, or a cancel, takes, where it must be found out first which release
#: the service has, or whether the job exists.
SHORT_TOTAL_SECONDS = 20.0
#: Of these, for a cancel to find out the release, and then for the attempt to cancel as one of three releases does.
RELEASE_SECONDS = 5.0


def short_timeout_client(config: ClientConfig) -> BenchmarkClient:
    """Return a client for a caller that can't wait long: about 10 s for a request with all its retries."""
    from airflow_provider_benchmarks.client import BenchmarkClient

    timeout = min(config.timeout, SHORT_TIMEOUT_SECONDS)
    return BenchmarkClient(replace(config, retry_seconds=SHORT_RETRY_SECONDS, timeout=timeout))


def cancel_quickly(hook: BenchmarkHook, name: str, *, fingerprint: str | None) -> bool:
    """Cancel a job in bounded time. An error, also of the connection, is logged and not raised.

    :param fingerprint: cancel only a job with this fingerprint, and wait some seconds for one that does not exist yet;
        None for whatever job has the name
    :return: True if the service was asked to cancel it
    """
    try:
        with short_timeout_client(hook.config) as client, client.within(SHORT_TOTAL_SECONDS):
            return _cancel_in_any_release(hook, client, name, fingerprint)
    except BenchmarkError as error:
        hook.log.warning("The job may still be running on the service: %s", error)
    return False


def _cancel_in_any_release(hook: BenchmarkHook, client: BenchmarkClient, name: str, fingerprint: str | None) -> bool:
    """Cancel a job; where the release is not found out, or not in time, as each of them does."""
    from airflow_provider_benchmarks.client._choice import assuming

    try:
        with client.within(RELEASE_SECONDS):
            client.get_generation()
    except ServiceError as error:
        hook.log.info("%s The job is cancelled as each release does it.", error)
        failure: BenchmarkError = error
    else:
        return _cancel(hook, client, name, fingerprint)
    for generation in client.config.generations:
        try:
            with assuming(generation), client.within(RELEASE_SECONDS):
                return _cancel(hook, client, name, fingerprint)
        except BenchmarkError as error:
            failure = error
    raise failure


def _cancel(hook: BenchmarkHook, client: BenchmarkClient, name: str, fingerprint: str | None) -> bool:
    if fingerprint is not None:
        job = wait_until_created(client, name)
        if job.custom_fields.get("fingerprint") != fingerprint:
            hook.log.info('benchmark job "%s" in workspace "%s" is not this task\'s.', name, hook.workspace)
            return False
    client.cancel_job(name)
    hook.log.info('Asked the service to cancel benchmark job "%s" in workspace "%s".', name, hook.workspace)
    return True


def after_deadline(
    hook: BenchmarkHook, error: JobTimeout, *, cancel: bool, timeout: timedelta | float | None = None
) -> BenchmarkJob:
    """Poll once more after the deadline. Return the job if it has finished, else cancel it if asked to.

    :param timeout: how long it was waited for, where that is known
    :raises JobTimeout: the job is still running; says what it is doing and what becomes of it, with the last lines of
        its log
    """
    with short_timeout_client(hook.config) as client:
        with client.within(SHORT_TOTAL_SECONDS):
            latest = poll_after_deadline(error, client)
        if isinstance(latest, BenchmarkJob):
            return latest
        is_cancelled = cancel and hook.cancel_job_quickly(error.job)
        told = latest.reworded(
            f"{latest}{_waited(timeout)} {_fate(asked=cancel, is_cancelled=is_cancelled, is_seen=latest is not error)}"
        )
        # A service that did not return the job's status is not asked for its log.
        raise (told if latest is error else add_log_tail(told, client)) from None


def _waited(timeout: timedelta | float | None) -> str:
    if timeout is None:
        return ""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    # More than a timedelta takes is no time that anybody has waited.
    return f" It was waited for {timedelta(seconds=round(min(max(seconds, 0), 1e9)))} (timeout)."


def _fate(*, asked: bool, is_cancelled: bool, is_seen: bool) -> str:
    """What becomes of a job that has not finished in time.

    :param asked: it was to be cancelled
    :param is_cancelled: the service took the request to
    :param is_seen: the service returned its status after the deadline
    """
    if is_cancelled:
        return "The service was asked to cancel it (cancel_on_timeout)."
    if asked:
        return "It could not be cancelled (cancel_on_timeout), and may still run: the task's log says why."
    runs = "It still runs" if is_seen else "It may still run"
    return f"{runs}, and is left running: cancel_on_timeout=True, where it is submitted, would cancel it."
