"""Read many jobs of a score store, of which one that can't be read must not hide the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.store.job_names import complete_jobs
from airflow_provider_benchmarks.store.stored_job import StoredJob

logger = logging.getLogger(__name__)


#: Number of jobs without a manifest after which a listing finds those that have one.
MAX_MISSING_MANIFESTS = 10


class ReadableJobs:
    """The jobs of a benchmark that can be read; others are left out, with a warning.

    :param folder: of the benchmark
    :param outcomes: of the gates, by job
    :param read: reads a job from its folder, with the outcomes of its gates; returns None where it is not complete
    """

    def __init__(
        self,
        folder: str,
        outcomes: Mapping[str, dict[str, str]],
        read: Callable[[str, dict[str, str] | None], StoredJob | None],
    ) -> None:
        self._folder, self._outcomes, self._read = folder, outcomes, read
        self._denied: IncompleteResults | None = None
        self._has_read = False
        self._missing = 0
        self._complete: set[str] | None = None

    def jobs(self, names: Iterable[str]) -> Iterator[StoredJob]:
        """Those of these names, one after the other: no more are read than are asked for."""
        for name in names:
            # A marker without a manifest is of an interrupted task, or of a folder that someone has deleted.
            if self._complete is not None and name not in self._complete:
                continue
            if (found := self._find(name)) is not None:
                yield found
                continue
            self._missing += 1
            if self._missing == MAX_MISSING_MANIFESTS:
                self._complete = complete_jobs(self._folder)

    def _find(self, name: str) -> StoredJob | None:
        try:
            found = self._read(f"{self._folder}/{quote(name, safe='')}", self._outcomes.get(name))
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
