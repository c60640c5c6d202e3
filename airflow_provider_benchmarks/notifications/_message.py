"""The text of a notification: the verdict, what keeps it from passing, and where to read more."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.address_templates import is_address
from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.notifications._markups import Markup
from airflow_provider_benchmarks.safe_causes import told
from airflow_provider_benchmarks.views.verdict import UNMET, VerdictView

#: Characters of a whole text, as it is written: Slack cuts one of a section at 3,000.
MOST_CHARACTERS = 3000
_MOST_DETAILS = 10
#: Characters of a text before its signs are escaped.
_MOST_OF_NAME, _MOST_OF_CHECK, _MOST_OF_ERROR, _MOST_OF_ADDRESS = 160, 240, 400, 500
#: For the number of what is left out.
_ROOM_FOR_REST = 40

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What there is to be told.

    :param task: the gate, ``dag_id.task_id``
    :param run: the DAG run's id
    :param verdict: as the task has pushed it; None where it came to none
    :param error: what the task failed with
    :param links: addresses by their names
    """

    task: str
    run: str
    verdict: Mapping[str, Any] | None
    error: Any
    links: Mapping[str, str]

    def text(self, markup: Markup) -> str:
        """Write it in a markup, in at most 3,000 characters; links have a place before checks."""
        written = _Lines(markup)
        written.add(markup.strong(markup.text(shortened(self._headline, _MOST_OF_NAME))))
        written.add(markup.text(shortened(f"Gate {self.task}, run {self.run}", _MOST_OF_NAME)))
        first = len(written.lines)
        for link in self._links(markup):
            written.add(link)
        links = written.lines[first:]
        view = self._view()
        most = _MOST_OF_ERROR if view is None else _MOST_OF_CHECK
        details, shown = list(self._details(view)), 0
        left_out = 0 if view is None else sum(view.left_out.get(outcome, 0) for outcome in UNMET)
        for detail in details[:_MOST_DETAILS]:
            if not written.add(markup.text(shortened(detail, most)), but=_ROOM_FOR_REST):
                break
            shown += 1
        if left := len(details) - shown + left_out:
            written.add(f"and {left:,} more")
        lines = written.lines
        return markup.line_end.join([*lines[:first], *lines[first + len(links) :], *links])

    @property
    def _headline(self) -> str:
        if self.verdict is not None:
            return str(self.verdict.get("summary") or self.verdict.get("outcome") or "The verdict can't be read")
        return "No verdict: the task failed before" if self.error is not None else "No verdict"

    def _view(self) -> VerdictView | None:
        if self.verdict is None:
            return None
        from airflow_provider_benchmarks.gates.verdict import Verdict

        try:
            return VerdictView.of(Verdict.from_dict(self.verdict))
        except Exception as error:  # noqa: BLE001  of another release, or no verdict at all: what is known is told
            logger.warning("The verdict can't be read for the notification: %s", shortened(told(error)))
            return None

    def _details(self, view: VerdictView | None) -> Iterator[str]:
        if view is None:
            if self.error is not None:
                yield told(self.error)
            return
        yield view.subject
        for check in view.unmet:
            yield f"{check.outcome.upper()} {check.sentence}"

    def _links(self, markup: Markup) -> Iterator[str]:
        for name, address in self.links.items():
            if len(address) <= _MOST_OF_ADDRESS and is_address(address):
                yield markup.link(name, address)


class _Lines:
    """Lines, as long as there is room for them."""

    def __init__(self, markup: Markup) -> None:
        self.lines: list[str] = []
        self._end = len(markup.line_end)
        self._room = MOST_CHARACTERS

    def add(self, line: str, *, but: int = 0) -> bool:
        """Add a line where there is room for it.

        :param but: characters to leave free behind it
        """
        size = len(line) + self._end
        if size + but > self._room:
            return False
        self._room -= size
        self.lines.append(line)
        return True
