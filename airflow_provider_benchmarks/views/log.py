"""A verdict in the log of a task: one screen, the verdict first, and what keeps it from passing before all else.

Airflow's log view folds what stands between two marks, each a record of its own, so that the passes can be opened
there and don't push the failures off the screen.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.storable import storable_text
from airflow_provider_benchmarks.views.verdict import UNMET, CheckView, RowView, VerdictView

#: Columns of a line. Airflow shows the time before each record, and half of a screen has room for as many.
WIDTH = 110
#: Number of rows that got worse most, and of checks that did not pass, that are not folded.
MOST_ROWS = 4
MOST_CHECKS = 20
_INDENT = "      "
_LEVELS = {Outcome.FAIL: logging.ERROR, Outcome.INCONCLUSIVE: logging.WARNING, Outcome.WARN: logging.WARNING}
#: Widths of the columns of a check; a longer text moves the rest of its line.
_WIDEST_WHAT, _WIDEST_OBSERVED, _WIDEST_REQUIRED = 44, 28, 28


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record for a task's log: a text of lines no longer than ``WIDTH``, and its level."""

    text: str
    level: int = logging.INFO


def log_records(view: VerdictView) -> list[LogRecord]:
    """The verdict, failures, warnings, the rows that got worse most, and passes; folded but whole what is many."""
    lines = _CheckLines(view.checks)
    passed = [check for check in view.checks if check.outcome is Outcome.PASS]
    others = [check for check in view.checks if check.outcome is not Outcome.PASS]
    found = [LogRecord(_wrapped(view.headline, ""), _LEVELS.get(view.outcome, logging.INFO))]
    found.append(LogRecord(_wrapped(view.subject, "")))
    found += lines.records(others[:MOST_CHECKS])
    found += folded("more that did not pass", lines.records(others[MOST_CHECKS:]))
    found += folded("that passed", lines.records(passed))
    rows = list(map(_row_record, view.worst))
    if rows:
        found.append(LogRecord("Rows that got worse most (score of the baseline → of this job):"))
    return found + rows[:MOST_ROWS] + folded("more rows", rows[MOST_ROWS:])


def failing_lines(view: VerdictView) -> str:
    """The checks that keep the gate from passing, a line each, for the text of an error: callbacks break lines."""
    lines = [f"{check.outcome.upper()} {check.sentence}" for check in view.unmet[:MOST_CHECKS]]
    more = max(len(view.unmet) - MOST_CHECKS, 0) + sum(view.left_out.get(outcome, 0) for outcome in UNMET)
    return "\n".join([*lines, *([f"and {more:,} more, which the log has"] * (more > 0))])


class _CheckLines:
    """Write checks in columns, and why below each.

    :param checks: of which the widths are
    """

    def __init__(self, checks: Sequence[CheckView]) -> None:
        self._outcome = _width((check.outcome for check in checks), WIDTH)
        self._what = _width((check.what for check in checks), _WIDEST_WHAT)
        self._observed = _width((check.observed for check in checks), _WIDEST_OBSERVED)
        self._required = _width((check.required for check in checks), _WIDEST_REQUIRED)

    def records(self, checks: Sequence[CheckView]) -> list[LogRecord]:
        return [LogRecord(self._text(check), _LEVELS.get(check.outcome, logging.INFO)) for check in checks]

    def _text(self, check: CheckView) -> str:
        columns = f"{check.what:{self._what}}  {check.observed:>{self._observed}}  {check.required:{self._required}}"
        line = f"{check.outcome.upper():{self._outcome}}  {columns}"
        if not check.why:
            return _wrapped(line, _INDENT)
        if len(line) + 2 + len(check.why) <= WIDTH:
            return f"{line}  {check.why}"
        return f"{_wrapped(line.rstrip(), _INDENT)}\n{_wrapped(_INDENT + check.why, _INDENT)}"


def folded(what: str, records: Sequence[LogRecord]) -> list[LogRecord]:
    """A group of records, which Airflow's log view shows as one line until it is opened; nothing where there is none.

    :param what: behind their number in that line
    """
    if not records:
        return []
    return [LogRecord(f"::group::{len(records):,} {what}"), *records, LogRecord("::endgroup::")]


def _row_record(row: RowView) -> LogRecord:
    scores = f"{row.what} {row.baseline:.4g} → {row.candidate:.4g}"
    text = one_line(storable_text(f"{_INDENT}row {row.row_index}  {scores}  {row.item_text}"))
    return LogRecord(text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…")


def _width(texts: Iterable[str], widest: int) -> int:
    return max((len(text) for text in texts if len(text) <= widest), default=0)


def _wrapped(text: str, indent: str) -> str:
    lines = textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True, replace_whitespace=False
    )
    return "\n".join(lines)
