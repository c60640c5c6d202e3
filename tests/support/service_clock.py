"""A clock for the local service that tests can advance, in place of waiting."""

from __future__ import annotations

import time


class ServiceClock:
    """The time of the local service, which may be ahead of the machine's."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let jobs that are submitted from now on be this much younger than the earlier ones."""
        self._ahead += seconds
