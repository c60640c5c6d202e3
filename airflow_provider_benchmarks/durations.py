"""Durations that users give. A wait that lasts no number of seconds would never end."""

from __future__ import annotations

import math
from datetime import timedelta
from numbers import Real
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError


def require_seconds(value: Any, what: str) -> None:
    """Refuse what is not a finite number of seconds, more than 0.

    :param value: seconds, or a timedelta
    :param what: what it is, for the message: ``task "run": timeout``
    :raises ConfigurationError: names it
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, Real) and not isinstance(seconds, bool) and not _as_float(seconds) > 0:  # nor is NaN
        raise ConfigurationError(f"{what} must be more than 0, found {brief(value)}")
    require_number(seconds, what)


def require_number(value: Any, what: str) -> None:
    """Refuse what is not a finite number.

    :raises ConfigurationError: names it
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(_as_float(value)):
        raise ConfigurationError(f"{what} must be a finite number of seconds, found {brief(value)}")


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number that no float holds
        return math.inf
