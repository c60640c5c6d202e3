"""Rows without a score, as evidence: how many are accepted, and what they could be at worst and at best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.row_values import RowCounts
from airflow_provider_benchmarks.gates.wording import p_text

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.regression import NoRegression


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
        return (
            self._too_many(self.mine)
            or self._more("without_value", "rows without a value")
            or self._more("call_failed", "failed calls of the model")
        )

    @property
    def lost(self) -> str | None:
        """Why the baseline's rows without a score must be bounded, rather than left out; None where they need not."""
        if self.check.fills_missing:
            without = self.theirs.without_value + self.theirs.not_numbers + self.theirs.call_failed
            return f"{without} of {without + self.theirs.scored} rows have no score" if without else None
        return self._too_many(self.theirs)

    def _too_many(self, counts: RowCounts) -> str | None:
        return counts.problem(max_nan_fraction=self.check.max_nan_fraction, max_error_rate=self.check.max_error_rate)

    def _more(self, reason: str, words: str) -> str | None:
        """Why the candidate has significantly more rows without a score, for one reason; None if it has not.

        Rows that only one side lost are no sample of all rows: they may be those that the other side gets right.

        Source: Fisher 1935, "The logic of inductive inference", the exact test, one-sided.
        """
        mine, theirs = getattr(self.mine, reason), getattr(self.theirs, reason)
        if mine <= theirs:
            return None
        from scipy.stats import fisher_exact  # only here, since it takes a second to load

        of_mine, of_theirs = mine + self.mine.scored, theirs + self.theirs.scored
        table: Any = [(mine, self.mine.scored), (theirs, self.theirs.scored)]
        p_value = float(fisher_exact(table, alternative="greater")[1])
        if p_value >= 1 - self.check.confidence:
            return None
        return (
            f"significantly more {words} than in the baseline ({mine} of {of_mine} against {theirs} of {of_theirs}, "
            f"{p_text(p_value)}): the means can't be compared"
        )
