"""Rows without a score, as evidence: how many are accepted, and what they could be at worst and at best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.row_values import RowCounts
from airflow_provider_benchmarks.gates.wording import p_text

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.regression import NoRegression

#: Why rows have no score, by the names of their counts.
_REASONS = {"without_value": "rows without a value", "call_failed": "failed calls of the model"}


@dataclass(frozen=True, slots=True)
class MissingScores:
    """The number of rows without a score on both sides of a comparison.

    :param mine: of the candidate
    :param theirs: of the baseline
    """

    check: NoRegression
    mine: RowCounts
    theirs: RowCounts

    @property
    def problem(self) -> str | None:
        """Why the candidate's scores can't be compared: too many rows have none; None where they can."""
        if self.check.fills_missing:
            only_labels = RowCounts(scored=self.mine.scored, not_numbers=self.mine.not_numbers)
            return only_labels.problem(max_nan_fraction=1.0, max_error_rate=1.0)
        more = self._more(self.mine, self.theirs)
        return self._too_many(self.mine) or (
            f"significantly more {more[0]} than in the baseline ({more[1]}): the means can't be compared"
            if more
            else None
        )

    @property
    def lost(self) -> str | None:
        """Why the baseline's rows without a score must be bounded, rather than left out; None where they need not."""
        if self.check.fills_missing:
            without = self.theirs.without_value + self.theirs.not_numbers + self.theirs.call_failed
            return f"{without} of {without + self.theirs.scored} rows have no score" if without else None
        more = self._more(self.theirs, self.mine)
        return self._too_many(self.theirs) or (
            f"there are significantly more {more[0]} than in the candidate ({more[1]})" if more else None
        )

    def _too_many(self, counts: RowCounts) -> str | None:
        return counts.problem(max_nan_fraction=self.check.max_nan_fraction, max_error_rate=self.check.max_error_rate)

    def _more(self, side: RowCounts, other: RowCounts) -> tuple[str, str] | None:
        """What one side has significantly more of than the other, and how many of both; None if it has not.

        Rows that only one side lost are no sample of all rows: they may be those that the other side gets right.

        Source: Fisher 1935, "The logic of inductive inference", the exact test, one-sided.
        """
        for reason, words in _REASONS.items():
            mine, theirs = getattr(side, reason), getattr(other, reason)
            if mine <= theirs:
                continue
            from scipy.stats import fisher_exact  # only here, since it takes a second to load

            table: Any = [(mine, side.scored), (theirs, other.scored)]
            p_value = float(fisher_exact(table, alternative="greater")[1])
            if p_value < 1 - self.check.confidence:
                counts = f"{mine} of {mine + side.scored} against {theirs} of {theirs + other.scored}"
                return words, f"{counts}, {p_text(p_value)}"
        return None
