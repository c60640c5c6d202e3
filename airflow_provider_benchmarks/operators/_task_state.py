"""Remember a task run's job where Airflow keeps state of tasks, from 3.3 on.

A retry then finds its job without asking the service for a name, and knows a name that is used up, though its job was
deleted. Airflow keeps the state over a user's clear, too; ``max_tries`` tells that there was one, as in
:class:`~airflow_provider_benchmarks.jobs.RunIdentity`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

logger = logging.getLogger(__name__)

_KEY = "benchmark_job"


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedJob:
    """A job that an earlier try submitted or attached to.

    :param fingerprint: as the job keeps it
    :param spec: fingerprint of the spec alone
    :param max_tries: the task's at that time
    """

    name: str
    fingerprint: str
    spec: str
    max_tries: int


class TaskMemory:
    """What Airflow keeps for the tries of one task run.

    Without it, or where it fails, the job is still found by its name: a failure is only logged, and once.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")

    def job(self) -> RememberedJob | None:
        if self._store is None:
            return None
        try:
            found = self._store.get(_KEY)
        except Exception as error:  # noqa: BLE001  whatever it is
            self._give_up(error)
            return None
        if not isinstance(found, Mapping):
            return None
        try:
            return RememberedJob(**found)
        except TypeError:  # kept by another release of this package
            return None

    def keep(self, job: RememberedJob) -> None:
        if self._store is None:
            return
        try:
            self._store.set(_KEY, asdict(job))
        except Exception as error:  # noqa: BLE001  whatever it is, the job runs
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._store = None
        logger.warning("Airflow's task state can't be used, so a retry finds its job by its name: %s", error)
