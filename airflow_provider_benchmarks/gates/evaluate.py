"""Judge scores by checks. A check passes only on evidence: what is missing or can't be judged does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates._fields import Severity, require_choice
from airflow_provider_benchmarks.gates._results import result_of
from airflow_provider_benchmarks.gates.checks import Check
from airflow_provider_benchmarks.gates.judge_history import judge_history
from airflow_provider_benchmarks.gates.judge_regression import Comparison, compare, settled
from airflow_provider_benchmarks.gates.judge_threshold import judge_threshold
from airflow_provider_benchmarks.gates.no_regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.pairing import PairedRows, pair_rows
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome, Verdict
from airflow_provider_benchmarks.scores import JobScores

POLICIES = ("fail", "warn", "pass")


def evaluate(
    checks: Sequence[Check],
    candidate: JobScores,
    baseline: JobScores | Mapping[str, JobScores] | None = None,
    *,
    history: Sequence[JobScores] = (),
    if_inconclusive: str | None = None,
    if_no_baseline: str = "warn",
    no_baseline: Mapping[str, str] | None = None,
) -> Verdict:
    """Judge a job's scores.

    All ``detect`` comparisons that may fail the gate share one error budget (Holm), so that a gate with twenty of them
    does not block twenty times as many equal models; so do those that may only warn. ``prove`` comparisons each keep
    their own level, as all of them must hold (an intersection-union test; Berger 1982).

    :param checks: at least one; their order is kept in the verdict
    :param candidate: the scores; with rows where a check looks at rows
    :param baseline: what they are compared with, or several by the name that checks give to ``baseline=``, with
        ``""`` for those that name none
    :param history: earlier jobs that passed, newest first
    :param if_inconclusive: ``fail`` lets an inconclusive check block, ``warn`` reports it, ``pass`` takes it for a pass;
        None: ``fail`` for ``prove``, ``warn`` for ``detect`` and a history that is too short
    :param if_no_baseline: the same for comparisons while there is no baseline
    :param no_baseline: why there is none, in a sentence, by the same names as baselines
    :raises ConfigurationError: there is no check: a gate that asks nothing must not let anything through
    """
    if not checks:
        raise ConfigurationError("a gate needs at least one check")
    require_choice(if_inconclusive or "fail", POLICIES, "if_inconclusive", "gate")
    require_choice(if_no_baseline, POLICIES, "if_no_baseline", "gate")
    by_name = {"": baseline} if isinstance(baseline, JobScores) else dict(baseline or {})
    findings = _Findings(candidate, by_name, history, if_no_baseline, no_baseline or {})
    comparisons = [comparison for check in checks for comparison in findings.of(check)]
    adjusted = _share_budget(comparisons)
    results = [
        _settle_inconclusive(comparison.judge(p_value, sharing), if_inconclusive)
        for comparison, (p_value, sharing) in zip(comparisons, adjusted, strict=True)
    ]
    main = by_name.get("")
    return Verdict(
        results=tuple(results), job=candidate.job, benchmark=candidate.benchmark, baseline=main.job if main else ""
    )


class _Findings:
    """What each check finds; rows of the same two jobs are paired once."""

    def __init__(
        self,
        candidate: JobScores,
        baselines: dict[str, Any],
        history: Sequence[JobScores],
        if_no_baseline: str,
        no_baseline: Mapping[str, str],
    ) -> None:
        self._candidate = candidate
        self._baselines = baselines
        self._history = history
        self._if_no_baseline = if_no_baseline
        self._no_baseline = no_baseline
        self._pair = cache(self._pair_rows)

    def of(self, check: Check) -> list[Comparison]:
        if isinstance(check, NoRegression):
            return self._compare(check)
        if isinstance(check, Threshold):
            return [settled(result, check) for result in judge_threshold(check, self._candidate)]
        return [settled(judge_history(check, self._candidate, self._history), check)]

    def _compare(self, check: NoRegression) -> list[Comparison]:
        name = check.baseline or ""
        baseline = self._baselines.get(name)
        if baseline is None:
            outcome = Outcome(self._if_no_baseline)
            reason = f"there is no baseline{f' {name}' if name else ''} yet to compare with"
            reason = self._no_baseline.get(name, reason)
            return [settled(result_of(check, outcome, reason=reason), check)]
        return compare(check, self._candidate, baseline, lambda keys: self._pair(name, keys))

    def _pair_rows(self, baseline: str, keys: tuple[str, ...]) -> PairedRows:
        mine, theirs = self._candidate.rows, self._baselines[baseline].rows
        assert mine is not None  # asked only where both have rows
        return pair_rows(mine, theirs, keys)


def _share_budget(comparisons: Sequence[Comparison]) -> list[tuple[float | None, int]]:
    """P-values that compare with each check's own level, and how many comparisons share the error budget of each."""
    adjusted: list[tuple[float | None, int]] = [(comparison.p_value, 1) for comparison in comparisons]
    for severity in {comparison.check.severity for comparison in comparisons}:
        sharing = [i for i, c in enumerate(comparisons) if c.p_value is not None and c.check.severity == severity]
        if sharing:
            from airflow_provider_benchmarks.gates.statistics import holm

            # The level is each check's own; what Holm's method adjusts does not depend on it.
            shared = holm([adjusted[i][0] or 0.0 for i in sharing], alpha=0.05).adjusted
            for place, p_value in zip(sharing, shared, strict=True):
                adjusted[place] = p_value, len(sharing)
    return adjusted


def _settle_inconclusive(result: CheckResult, policy: str | None) -> CheckResult:
    if result.outcome is not Outcome.INCONCLUSIVE:
        return result
    if policy is None:
        must_prove = isinstance(result.check, NoRegression) and result.check.mode == Mode.PROVE
        policy = "fail" if must_prove else "warn"
    if policy == "fail" and result.check.severity == Severity.WARN:
        policy = "warn"
    if policy == "fail":
        return result
    return replace(result, outcome=Outcome(policy), reason=f"inconclusive: {result.reason}", judged=False)
