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


def remember_job(context: Context, *, name: str, fingerprint: str) -> None:
    """Keep the job's name; where that fails the job is still found by its name, so it is only logged."""
    if (store := _store(context)) is None:
        return
    try:
        store.set(_KEY, {"name": name, "fingerprint": fingerprint})
    except Exception as error:  # noqa: BLE001  whatever it is, the job runs
        logger.warning("The job can't be kept in Airflow's task state: %s", error)


def remembered_job(context: Context, *, fingerprint: str) -> str | None:
    """Name of the job that an earlier try of this run submitted with the same spec; None where none is known."""
    if (store := _store(context)) is None:
        return None
    try:
        found = store.get(_KEY)
    except Exception as error:  # noqa: BLE001  the job is still found by its name
        logger.warning("Airflow's task state can't be read: %s", error)
        return None
    if not isinstance(found, Mapping) or found.get("fingerprint") != fingerprint:
        return None
    return str(found.get("name"))


def _store(context: Context) -> Any:
    return context.get("task_state_store")
