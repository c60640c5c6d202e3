"""Which page of a list comes next, for every loop over pages."""

from __future__ import annotations

#: Number of pages that a list may grow by while it is read. One that grows with every page would never end.
_MAX_GROWTH_PAGES = 10


class Pages:
    """The pages of one list, counted from 1.

    The service filters by status only after it has cut a list into pages, so that a page can be short or empty while
    later ones still match: only the number of pages of the unfiltered list marks the end.
    """

    def __init__(self) -> None:
        self.next = 1
        self._last = 1
        self._limit: int | None = None

    @property
    def left(self) -> int:
        """Number of pages that are still to be read."""
        return max(self._last - self.next + 1, 0)

    def has_read(self, pages: int) -> None:
        """Go on to the next page.

        :param pages: the number of pages that the list had when the page was read
        """
        limit = pages + _MAX_GROWTH_PAGES
        self._limit = limit if self._limit is None else min(self._limit, limit)
        self._last = min(pages, self._limit)
        self.next += 1
