"""Durations that users give. A wait that lasts no number of seconds would never end."""

from __future__ import annotations

import math
from datetime import timedelta
from numbers import Real
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError


def seconds_of(value: Any, what: str) -> float:
    """Return the number of seconds, more than 0, that a user has given.

    :param value: seconds, or a timedelta
    :param what: what it is, for the message: ``task "run": timeout``
    :raises ConfigurationError: it is no finite number, or not more than 0; names it
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, Real) and not isinstance(seconds, bool) and not _as_float(seconds) > 0:  # nor is NaN
        raise ConfigurationError(f"{what} must be more than 0, found {brief(value)}")
    return number_of(seconds, what)


def number_of(value: Any, what: str) -> float:
    """Return the finite number of seconds that a user has given.

    :param value: seconds, or a timedelta
    :raises ConfigurationError: it is none; names it
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(seconds, Real) or isinstance(seconds, bool) or not math.isfinite(_as_float(seconds)):
        raise ConfigurationError(f"{what} must be a finite number of seconds, found {brief(value)}")
    return seconds if isinstance(seconds, int) else float(seconds)


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number that no float holds
        return math.inf
