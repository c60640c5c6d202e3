"""The policy for requests as tenacity takes it."""

from __future__ import annotations

import logging
from typing import Any

from tenacity import RetryCallState, retry_if_exception, stop_before_delay

from airflow_provider_benchmarks.exceptions import ServiceError
from airflow_provider_benchmarks.retry_policy import REQUESTS, is_transient

logger = logging.getLogger(__name__)


def retry_arguments(total_seconds: float) -> dict[str, Any]:
    """Arguments for tenacity's ``Retrying`` and ``AsyncRetrying``.

    :param total_seconds: no pause begins that would end later than this after the first try; a service that asks for
        a longer one gets its error raised at once
    """
    return {
        "retry": retry_if_exception(is_transient),
        "wait": _pause,
        "stop": stop_before_delay(total_seconds),
        "before_sleep": _log_retry,
        "reraise": True,
    }


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    retry_after = error.retry_after if isinstance(error, ServiceError) else None
    return REQUESTS.pause(state.attempt_number, retry_after=retry_after)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("%s Trying again in %.1f s (try %d).", error, state.upcoming_sleep, state.attempt_number + 1)
