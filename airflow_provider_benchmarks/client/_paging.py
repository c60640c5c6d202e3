"""Which page of a list comes next, and which of its jobs are new, for every loop over pages."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_benchmarks.exceptions import ProtocolError
from airflow_provider_benchmarks.jobs import BenchmarkJob

logger = logging.getLogger(__name__)

#: Number of pages that a list may grow by while it is read. One that grows with every page would never end.
_MAX_GROWTH_PAGES = 10
#: Number of pages that are read of one list: a million jobs, on pages of 200.
MAX_PAGES = 5000


class Pages:
    """The pages of one list, counted from 1.

    The service filters by status only after it has cut a list into pages, so that a page can be short or empty while
    later ones still match: only the number of pages of the unfiltered list marks the end. Or a page that has jobs, all
    of which were on pages before: what answers does not know pages, and would repeat itself for ever.
    """

    def __init__(self) -> None:
        self.next = 1
        self._last = 1
        self._limit: int | None = None
        self._seen: set[str] = set()

    @property
    def left(self) -> int:
        """Number of pages that are still to be read."""
        return max(self._last - self.next + 1, 0)

    def has_read(self, pages: int, jobs: Iterable[BenchmarkJob] = ()) -> list[BenchmarkJob]:
        """Go on to the next page.

        :param pages: the number of pages that the list had when the page was read
        :param jobs: the jobs of the page
        :return: those that were on no page before: a job that is submitted meanwhile pushes the others one place on
        :raises ProtocolError: the list goes on after ``MAX_PAGES``
        """
        if self.next > MAX_PAGES:
            raise ProtocolError(
                f"The list of jobs goes on after {MAX_PAGES:,} pages, the most that are read. Check that the "
                f"connection's host is the evaluation service itself; delete old jobs where there are so many."
            )
        limit = pages + _MAX_GROWTH_PAGES
        self._limit = limit if self._limit is None else min(self._limit, limit)
        self._last = min(pages, self._limit)
        jobs = list(jobs)
        new = {job.name: job for job in jobs if job.name not in self._seen}
        self._seen |= new.keys()
        if self.next >= self._limit and pages > self.next:
            logger.warning(
                "The list of jobs grows while it is read: from %d pages at least to %d. What is behind page %d is left "
                "out.",
                self._limit - _MAX_GROWTH_PAGES,
                pages,
                self.next,
            )
        if jobs and not new:
            self._last = self.next
        self.next += 1
        return list(new.values())
