"""Remember a task run's job where Airflow keeps state of tasks, from 3.3 on.

A retry then finds its job without asking the service for a name. Airflow keeps the state over a user's clear, too, so
the fingerprint, which the clear changes, says whether the job is still this run's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

logger = logging.getLogger(__name__)

_KEY = "benchmark_job"


class RememberedJob:
    """The job of a task run in Airflow's task state.

    Without it, or where it fails, the job is still found by its name: a failure is only logged, and once.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        #: Found in place of this run's: the job from before a clear, or with another spec.
        self.of_another_run: str | None = None

    def name(self, fingerprint: str) -> str | None:
        """Name of the job that an earlier try of this run submitted with the same spec; None where none is known."""
        if self._store is None:
            return None
        try:
            found = self._store.get(_KEY)
        except Exception as error:  # noqa: BLE001  whatever it is
            self._give_up(error)
            return None
        if not isinstance(found, Mapping) or not found.get("name"):
            return None
        if found.get("fingerprint") == fingerprint:
            return str(found["name"])
        self.of_another_run = str(found["name"])
        return None

    def keep(self, name: str, fingerprint: str) -> None:
        if self._store is None:
            return
        try:
            self._store.set(_KEY, {"name": name, "fingerprint": fingerprint})
        except Exception as error:  # noqa: BLE001  whatever it is, the job runs
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._store = None
        logger.warning("Airflow's task state can't be used, so a retry finds its job by its name: %s", error)
