"""Say it where checks count rows as independent that look like repeats of items."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome, changed
from airflow_provider_benchmarks.gates.row_values import item_fields
from airflow_provider_benchmarks.scores import JobScores
from airflow_provider_benchmarks.scores.frames import ITEM_HASH, REPEATS
from airflow_provider_benchmarks.scores.unnoticed_repeats import UnnoticedRepeats, find_repeats

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.check import Check

logger = logging.getLogger(__name__)
#: The field of a result's details that has the hint.
HINT = "repeats"


class RepeatHints:
    """What looks like repeats in the rows of some jobs; each is looked at once, and only where a check needs it."""

    def __init__(self, jobs: Iterable[JobScores]) -> None:
        self._frames = [scores.rows for scores in jobs if scores.rows is not None]
        self._hint: str | None = None

    def on(self, check: Check, findings: Sequence[Finding]) -> list[Finding]:
        """Add the hint to the findings of a check that takes each row for an item of its own."""
        if not check.takes_rows_as_independent or not (hint := self._found()):
            return list(findings)
        return [changed(finding, lambda result: _hinted(result, hint)) for finding in findings]

    def _found(self) -> str:
        if self._hint is None:
            found = next(filter(None, map(_repeats_in, self._frames)), None)
            self._hint = "" if found is None else found.hint
            if self._hint:
                logger.warning("The rows count as independent, and look like repeats: %s.", self._hint)
        return self._hint


def _repeats_in(rows: pd.DataFrame) -> UnnoticedRepeats | None:
    if REPEATS in rows.attrs:
        return UnnoticedRepeats.from_json(rows.attrs[REPEATS])
    return None if ITEM_HASH in rows.columns else find_repeats(rows, item_fields(rows))


def _hinted(result: CheckResult, hint: str) -> CheckResult:
    """A result with the hint: in its details, and where it has not passed also in its reason."""
    if result.interval is None:  # nothing was inferred from the number of rows
        return result
    # A pass has no reason, or it would count as one without proof.
    reason = result.reason if result.outcome is Outcome.PASS else f"{result.reason}. {hint[0].upper()}{hint[1:]}"
    return replace(result, reason=reason, details={**result.details, HINT: hint})
