"""Identifiers and timestamps in the service's formats."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def new_id(prefix: str) -> str:
    return f"{prefix}-{''.join(random.choices(_BASE58, k=22))}"


def short_id() -> str:
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=8))


def timestamp(seconds: float) -> str:
    """Format a time since 1970 as the service does: UTC, microseconds, no zone."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
