"""When to send a request again: transient faults only, with jittered exponential backoff and a bounded total."""

from __future__ import annotations

import logging
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay
from tenacity.wait import wait_base, wait_random_exponential

from airflow_provider_benchmarks.exceptions import ServiceUnavailable

logger = logging.getLogger(__name__)

#: Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): random between 0 and the doubling bound.
BACKOFF = wait_random_exponential(multiplier=0.5, max=20)


class _AtLeastRetryAfter(wait_base):
    """Wait as the service asks, and never shorter than the backoff."""

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, ServiceUnavailable) else None
        return max(BACKOFF(retry_state), asked or 0.0)


def retry_policy(total_seconds: float) -> dict[str, Any]:
    """Arguments for tenacity's ``Retrying`` and ``AsyncRetrying``.

    :param total_seconds: no wait begins that would end later than this after the first try; a service that asks for
        a longer pause gets its error reported at once
    """
    return {
        "retry": retry_if_exception_type(ServiceUnavailable),
        "wait": _AtLeastRetryAfter(),
        "stop": stop_before_delay(total_seconds),
        "before_sleep": _log_retry,
        "reraise": True,
    }


def backoff(tries: int) -> float:
    """Seconds to wait after so many vain tries, for a loop that tenacity can't hold: one that gives what it has read."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = tries
    return BACKOFF(state)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("%s Trying again in %.1f s (try %d).", error, state.upcoming_sleep, state.attempt_number + 1)
