"""What a comparison found: a difference, what the check allows, and the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates import wording
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome, PendingTest
from airflow_provider_benchmarks.scores import AggregateScore

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.regression import NoRegression
    from airflow_provider_benchmarks.gates.statistics import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A difference, and what the check allows.

    :param difference: of the means, of scores of which higher ones are better
    :param tested: what is tested: the same, or candidate − (1 − margin) · baseline for a relative margin
    :param margin: of what is tested
    :param means: of the candidate and of the baseline
    :param is_binary: all scores are 0 or 1, so that a mean is a share
    :param count: number of pairs; of the candidate's rows where rows are not paired
    :param problem: why only a collapse can be shown; None where the data can decide
    :param lost: why the baseline's rows without a score were bounded by what they could be; None where they were not
    :param is_small: of a group with too few rows: what it can't decide is a warning, whatever the gate does with
        inconclusive results
    :param figures: further fields of the result
    """

    check: NoRegression
    score: AggregateScore
    difference: Difference
    tested: Difference
    margin: float
    means: tuple[float, float]
    is_binary: bool
    count: int
    problem: str | None
    lost: str | None = None
    is_small: bool = False
    figures: Mapping[str, Any]

    @property
    def observed(self) -> float:
        """Candidate − baseline."""
        return self._signed(self.difference.estimate)

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided, of candidate − baseline."""
        low, high = map(self._signed, self.difference.interval)
        return min(low, high), max(low, high)

    @property
    def allowed(self) -> float:
        """The drop that is allowed, in the unit of the score."""
        return self.check.margin * abs(self.means[1]) if self.check.relative else self.check.margin

    @property
    def largest_drop(self) -> float:
        """The largest drop that is not excluded, in the unit of the score."""
        return self.allowed - self.margin - self.tested.lower

    @property
    def smallest_drop(self) -> float:
        """The smallest drop that is not excluded, in the unit of the score."""
        return self.allowed - self.margin - self.tested.upper

    def finding(self) -> Finding:
        """The result; in mode ``detect`` a test, as the p-value depends on the other tests of the gate."""
        if self.check.must_prove:
            return self._result(None, 1.0, 1)
        return PendingTest(
            severity=self.check.severity,
            is_group=self.check.by is not None,
            p_value=self.tested.p_value,
            finish=self._result,
        )

    def _signed(self, value: float) -> float:
        return value if self.check.higher_is_better else -value

    def _result(self, adjusted_p_value: float | None, share: float, tests: int) -> CheckResult:
        """Make the result.

        :param adjusted_p_value: for ``detect``: the p-value that compares with the check's own level
        :param share: of the error budget that this test has for certain
        :param tests: number of tests that share the budget
        """
        outcome, reason = self._outcome(adjusted_p_value)
        judged = outcome is not Outcome.INCONCLUSIVE
        details = {**self.figures["details"], **self._statistics(outcome, adjusted_p_value, share, tests)}
        if self.is_small and not judged:
            outcome, reason = Outcome.WARN, f"{reason}: not judged"
        found = {"observed": self.observed, "interval": self.interval, "count": self.count, "judged": judged}
        return self.check.result(
            outcome,
            score=self.score,
            reason=reason,
            expected=wording.expected(self),
            if_inconclusive="fail" if self.lost else None,
            **{**self.figures, **found, "details": details},
        )

    def _outcome(self, adjusted_p_value: float | None) -> tuple[Outcome, str]:
        """Outcome and reason."""
        found, level = self.tested, 1 - self.check.confidence
        is_drop = (found.p_value if adjusted_p_value is None else adjusted_p_value) <= level
        if is_drop and (adjusted_p_value is not None or self.problem or found.upper < -self.margin):
            return Outcome.FAIL, wording.miss(self, adjusted_p_value)
        if self.problem is not None:
            return Outcome.INCONCLUSIVE, self.problem
        if adjusted_p_value is not None:
            if self.lost and found.worst_p_value <= level:
                return Outcome.INCONCLUSIVE, wording.hangs_on_lost_rows(self)
            return Outcome.PASS, ""
        if found.lower >= -self.margin:
            return Outcome.PASS, ""
        if self.lost and found.lower_of_complete >= -self.margin:
            return Outcome.INCONCLUSIVE, wording.hangs_on_lost_rows(self)
        return Outcome.INCONCLUSIVE, wording.undecided(self)

    def _statistics(self, outcome: Outcome, adjusted_p_value: float | None, share: float, tests: int) -> dict[str, Any]:
        """The figures of the difference."""
        found, alpha = self.tested, 1 - self.check.confidence
        figures: dict[str, Any] = {
            "mode": str(self.check.mode),
            "margin": self.allowed,
            "confidence": self.check.confidence,
            "method": found.method,
            "standard_error": found.standard_error,
            "n": found.n,
            "clusters": found.clusters,
            "p_value": found.proof() if self.check.must_prove else found.p_value,
            "mcnemar_p": found.mcnemar_p,
            "largest_drop_not_excluded": self.largest_drop,
            "smallest_drop_not_excluded": self.smallest_drop,
            "detectable_drop": self.allowed - self.margin + found.detectable(alpha * share),
            "is_share": self.is_binary,
        }
        if adjusted_p_value is not None:
            figures |= {"p_value_adjusted": adjusted_p_value, "comparisons": tests}
        else:
            figures |= {
                "rare_losses_decide": found.rare_losses_decide,
                "equal_passes": found.chance_of_equal(self.allowed),
            }
        if outcome is Outcome.INCONCLUSIVE:
            figures["rows_to_decide"] = wording.rows_to_decide_of(self)
        return figures
