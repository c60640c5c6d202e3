"""Say it where checks count rows as independent that look like repeats of items."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome, changed
from airflow_provider_benchmarks.gates.row_values import item_columns
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
        self._repeats: list[UnnoticedRepeats] | None = None
        self._logged: set[str] = set()

    def on(self, check: Check, findings: Sequence[Finding]) -> list[Finding]:
        """Add the hint to the findings of a check that takes each row for an item of its own."""
        if not check.takes_rows_as_independent or not (hint := self._hint(with_copies=not check.joins_equal_items)):
            return list(findings)
        return [changed(finding, lambda result: _hinted(result, hint)) for finding in findings]

    def _hint(self, *, with_copies: bool) -> str:
        """The hint on the first job with repeats; "" where there are none.

        :param with_copies: also where nothing numbers them
        """
        if self._repeats is None:
            self._repeats = list(filter(None, map(_repeats_in, self._frames)))
        hint = next((found.hint for found in self._repeats if with_copies or found.kind != "copies"), "")
        if hint and hint not in self._logged:
            self._logged.add(hint)
            logger.warning("The rows count as independent, and look like repeats: %s.", hint)
        return hint


def _repeats_in(rows: pd.DataFrame) -> UnnoticedRepeats | None:
    if REPEATS in rows.attrs:
        return UnnoticedRepeats.from_json(rows.attrs[REPEATS])
    return None if ITEM_HASH in rows.columns else find_repeats(rows, item_columns(rows))


def _hinted(result: CheckResult, hint: str) -> CheckResult:
    """A result with the hint: in its details, and where it has not passed also in its reason."""
    if result.interval is None:  # nothing was inferred from the number of rows
        return result
    # A pass has no reason, or it would count as one without proof.
    reason = result.reason if result.outcome is Outcome.PASS else f"{result.reason}. {hint[0].upper()}{hint[1:]}"
    return replace(result, reason=reason, details={**result.details, HINT: hint})
