"""Store the job of a task run in Airflow's task state, from 3.3 on.

So a retry finds its job without a submit. It also knows that a name is used up, though its job was deleted. Airflow
keeps the state after a clear, too. ``max_tries`` shows that there was one, as in
:class:`~airflow_provider_benchmarks.jobs.RunIdentity`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

logger = logging.getLogger(__name__)

_KEY = "benchmark_job"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousJob:
    """A job that an earlier try submitted or attached to.

    :param fingerprint: the one that is stored on the job
    :param spec: fingerprint of the spec alone
    :param max_tries: the task's at that time
    """

    name: str
    fingerprint: str
    spec: str
    max_tries: int


class TaskState:
    """Airflow's state of one task run.

    Where there is none, or it fails, the job is still found by its name. So a failure is only logged, and only once.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")

    def load(self) -> PreviousJob | None:
        if self._store is None:
            return None
        try:
            found = self._store.get(_KEY)
        except Exception as error:  # noqa: BLE001  whatever it is
            self._disable(error)
            return None
        if not isinstance(found, Mapping):
            return None
        try:
            return PreviousJob(**found)
        except TypeError:  # stored by another release of this package
            return None

    def save(self, job: PreviousJob) -> None:
        if self._store is None:
            return
        try:
            self._store.set(_KEY, storable(asdict(job)))
        except Exception as error:  # noqa: BLE001  whatever it is, the job is running
            self._disable(error)

    def _disable(self, error: Exception) -> None:
        self._store = None
        logger.warning("Airflow's task state can't be used, so a retry finds its job by its name: %s", error)
