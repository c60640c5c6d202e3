"""Read many jobs of a score store, of which one that can't be read must not hide the others."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.store.stored_job import StoredJob

logger = logging.getLogger(__name__)


class ReadableJobs:
    """The jobs that can be read; others are left out, with a warning.

    :param read: reads a job from its folder, with the outcomes of its gates; returns None where it is not complete
    """

    def __init__(self, read: Callable[[str, dict[str, str] | None], StoredJob | None]) -> None:
        self._read = read
        self._denied: IncompleteResults | None = None
        self._has_read = False

    def read(self, folder: str, outcomes: dict[str, str] | None) -> StoredJob | None:
        try:
            found = self._read(folder, outcomes)
        except IncompleteResults as error:
            if isinstance(error.__cause__, PermissionError):
                self._denied = error
            logger.warning("Left out a job of the score store: %s", error)
            return None
        self._has_read |= found is not None
        return found

    def require_access(self) -> None:
        """Refuse to take a store for empty whose jobs this user has no right to read.

        :raises IncompleteResults: access to a job was denied, and none could be read
        """
        if self._denied is not None and not self._has_read:
            raise self._denied
