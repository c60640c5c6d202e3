"""Say in a plain sentence what a comparison found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.no_regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.verdict import Outcome
from airflow_provider_benchmarks.scores import AggregateScore

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.statistics import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A difference, in which higher is better, beside what the check allows.

    :param margin: in the unit of the score
    :param is_binary: the score is 0 or 1, so that its mean is a share, which is told in points
    :param pairs: of rows; for sides that are not paired the candidate's rows
    :param problem: why nothing but a collapse can be told
    """

    check: NoRegression
    score: AggregateScore
    difference: Difference
    margin: float
    is_binary: bool
    pairs: int
    problem: str | None

    @property
    def observed(self) -> float:
        """Candidate − baseline."""
        return self.difference.estimate if self.check.higher_is_better else -self.difference.estimate

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided, of candidate − baseline."""
        low, high = self.difference.interval
        return (low, high) if self.check.higher_is_better else (-high, -low)

    def details(self, outcome: Outcome, p_value: float | None, sharing: int) -> dict[str, Any]:
        """All figures.

        :param p_value: as for :meth:`outcome`
        :param sharing: comparisons that share one error budget; each has that part of it for certain
        """
        found = self.difference
        figures: dict[str, Any] = {
            "mode": str(self.check.mode),
            "margin": self.margin,
            "confidence": self.check.confidence,
            "method": found.method,
            "standard_error": found.standard_error,
            "n": found.n,
            "clusters": found.clusters,
            "p_value": found.p_value,
            "mcnemar_p": found.mcnemar_p,
            "largest_drop_not_excluded": -found.lower,
            "detectable_drop": found.detectable((1 - self.check.confidence) / sharing),
        }
        if p_value is not None:
            figures |= {"p_value_adjusted": p_value, "comparisons": sharing}
        if outcome is Outcome.INCONCLUSIVE:
            figures["rows_to_decide"] = self._rows_to_decide()
        return figures

    def outcome(self, p_value: float | None) -> tuple[Outcome, str]:
        """Outcome and reason.

        :param p_value: for ``detect``: what is left of the p-value when all comparisons share one error budget
        """
        found, level = self.difference, 1 - self.check.confidence
        if self.problem is not None:
            if (found.p_value if p_value is None else p_value) <= level:
                return Outcome.FAIL, f"{self._change}; {self._allowed}. It is significant although {self.problem}"
            return Outcome.INCONCLUSIVE, self.problem
        if self.check.mode == Mode.DETECT:
            if p_value is not None and p_value <= level:
                return Outcome.FAIL, f"{self._change}; {self._allowed}"
            return Outcome.PASS, ""
        if found.lower >= -self.margin:
            return Outcome.PASS, ""
        if found.upper < -self.margin:
            return Outcome.FAIL, f"{self._change}; {self._allowed}"
        return Outcome.INCONCLUSIVE, self._undecided()

    def _undecided(self) -> str:
        enough = self._rows_to_decide()
        advice = "no number of rows would decide it" if enough is None else f"about {enough:,} rows would decide it"
        worse = "drop" if self.check.higher_is_better else "rise"
        return (
            f"{self._change}; a {worse} of up to {self._in_unit(-self.difference.lower)} is not excluded, and "
            f"{self._allowed}: {advice}"
        )

    def _rows_to_decide(self) -> int | None:
        from airflow_provider_benchmarks.gates.statistics import rows_to_decide

        return rows_to_decide(self.difference, margin=self.margin, confidence=self.check.confidence)

    @property
    def _allowed(self) -> str:
        margin = self._in_unit(self.margin)
        return f"at most {margin} {'are' if margin.endswith('s') else 'is'} allowed"

    @property
    def _change(self) -> str:
        """``exact-match fell by 3.1 points (95 % interval 1.9 to 4.3, 2,000 paired rows of 400 clusters)``."""
        low, high = self.interval
        fell = self.observed < 0
        ends = sorted((-high, -low) if fell else (low, high))
        verb = "fell" if fell else "rose" if self.observed > 0 else "changed"
        scale = 100 if self.is_binary else 1
        return (
            f"{self.score.name} {verb} by {self._in_unit(abs(self.observed))} ({self.check.confidence * 100:g} % interval "
            f"{ends[0] * scale:.3g} to {ends[1] * scale:.3g}, {self._evidence})"
        )

    @property
    def _evidence(self) -> str:
        found = self.difference
        if found.method.startswith("unpaired"):
            return f"{found.n:,} rows, not paired"
        of = f" of {found.n:,} items" if found.n < self.pairs else ""
        of += f" in {found.clusters:,} clusters" if found.clusters is not None else ""
        return f"{self.pairs:,} paired rows{of}"

    def _in_unit(self, value: float) -> str:
        if not self.is_binary:
            return f"{value:.4g}"
        points = f"{value * 100:.3g}"
        return f"{points} point{'' if points == '1' else 's'}"
