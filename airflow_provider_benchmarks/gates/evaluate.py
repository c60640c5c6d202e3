"""Judge scores by checks. A check passes only on evidence: what is missing or can't be judged does not pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates.averaged_baseline import OtherRun
from airflow_provider_benchmarks.gates.check import KINDS, Check
from airflow_provider_benchmarks.gates.evidence import Evidence, JobsSincePin, NoBaseline
from airflow_provider_benchmarks.gates.field_rules import Severity, require_choice
from airflow_provider_benchmarks.gates.known_columns import with_known_columns
from airflow_provider_benchmarks.gates.repeat_hints import RepeatHints
from airflow_provider_benchmarks.gates.result import CheckResult, Finding, Outcome, PendingTest
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.scores import JobScores

POLICIES = ("fail", "warn", "pass")


def evaluate(
    checks: Sequence[Check],
    candidate: JobScores,
    baseline: JobScores | Sequence[JobScores] | Mapping[str, JobScores | NoBaseline] | None = None,
    *,
    other_runs: Mapping[str, Iterable[OtherRun]] | None = None,
    history: Iterable[JobScores] = (),
    since_pin: JobsSincePin | None = None,
    if_inconclusive: str | None = None,
    if_no_baseline: str = "warn",
    no_baseline: Mapping[str, str] | None = None,
) -> Verdict:
    """Judge a job's scores.

    All ``detect`` comparisons that may fail the gate share one error budget (Holm), so that a gate with twenty of them
    does not block twenty times as many equal models; so do those that may only warn. ``prove`` comparisons each keep
    their own level, as all of them must hold (an intersection-union test; Berger 1982).

    :param checks: at least one; the verdict has their order
    :param candidate: the scores; with rows where a check needs rows
    :param baseline: the scores to compare with, or several by the name in the checks' ``baseline=``, with ``""``
        for those that name none; or several runs of one model, the first of which is the baseline, and all of which
        count for checks with ``baseline_runs=``
    :param other_runs: further runs of the models of several baselines, by the same names
    :param history: earlier jobs that passed, newest first
    :param since_pin: those since the baseline was pinned, where more is known than the history tells; None: those from
        the baseline on, which is older than all where it is not among them, and all where there is no baseline
    :param if_inconclusive: an inconclusive check blocks (``fail``), is reported (``warn``), or counts as a pass
        (``pass``); None: ``fail`` for ``prove`` and for what a baseline lacks or has lost, ``warn`` for too few rows in
        ``detect`` and a history that is too short
    :param if_no_baseline: the same for comparisons while there is no baseline
    :param no_baseline: why there is none, in a sentence, by the same names as baselines
    :raises ConfigurationError: there is no check: a gate that checks nothing must not let anything through; or two
        columns of rows have one name
    """
    if not checks:
        raise ConfigurationError("a gate needs at least one check")
    for check in checks:
        if not isinstance(check, Check):
            raise ConfigurationError(f"expected a check ({', '.join(KINDS)}), found {brief(check)}")
    require_choice(if_inconclusive or "fail", POLICIES, "if_inconclusive", "gate")
    require_choice(if_no_baseline, POLICIES, "if_no_baseline", "gate")
    baselines: dict[str, JobScores | NoBaseline] = {
        name: NoBaseline(reason=reason) for name, reason in (no_baseline or {}).items()
    }
    if isinstance(baseline, Sequence):
        other_runs = {"": [OtherRun(scores=with_known_columns(run)) for run in baseline[1:]], **(other_runs or {})}
        baseline = baseline[0] if baseline else None
    baselines |= {"": baseline} if isinstance(baseline, JobScores) else dict(baseline or {})
    candidate = with_known_columns(candidate)
    baselines = {
        name: with_known_columns(each) if isinstance(each, JobScores) else each for name, each in baselines.items()
    }
    evidence = Evidence(
        candidate=candidate,
        baselines=baselines,
        other_runs=other_runs or {},
        history=list(history),
        since_pin=since_pin,
        if_no_baseline=if_no_baseline,
    )
    hints = RepeatHints([candidate, *(each for each in baselines.values() if isinstance(each, JobScores))])
    findings = [finding for check in checks for finding in hints.on(check, check.judge(evidence))]
    results = [_settle_inconclusive(result, if_inconclusive) for result in _share_error_budgets(findings)]
    main = baselines.get("")
    return Verdict(
        results=tuple(results),
        job=candidate.job,
        benchmark=candidate.benchmark,
        baseline=main.job if isinstance(main, JobScores) else "",
    )


def _share_error_budgets(findings: Sequence[Finding]) -> list[CheckResult]:
    """Finish the tests of each severity, with p-values that share one error budget."""
    results = {place: found for place, found in enumerate(findings) if isinstance(found, CheckResult)}
    tests: dict[str, dict[int, PendingTest]] = {}
    for place, found in enumerate(findings):
        if isinstance(found, PendingTest):
            tests.setdefault(found.severity, {})[place] = found
    for sharing in tests.values():
        from airflow_provider_benchmarks.gates.statistics import holm

        weights = _weights([test.is_group for test in sharing.values()])
        # The level is each check's own; the p-values that Holm's method adjusts do not depend on it.
        adjusted = holm([test.p_value for test in sharing.values()], alpha=0.05, weights=weights).adjusted
        for (place, test), p_value, weight in zip(sharing.items(), adjusted, weights, strict=True):
            results[place] = test.finish(p_value, weight, len(sharing))
    return [results[place] for place in range(len(findings))]


def _weights(is_group: Sequence[bool]) -> list[float]:
    """The share of the error budget of each test: half for all groups together, half for the other tests.

    Without that, a check of 57 groups would take from the check over all rows the better part of its power.
    """
    groups = sum(is_group)
    others = len(is_group) - groups
    if not groups or not others:
        return [1 / len(is_group)] * len(is_group)
    return [0.5 / (groups if of_group else others) for of_group in is_group]


def _settle_inconclusive(result: CheckResult, if_inconclusive: str | None) -> CheckResult:
    """Replace an inconclusive outcome by the policy's, unless that is to block."""
    if result.outcome is not Outcome.INCONCLUSIVE:
        return result
    outcome = if_inconclusive or result.if_inconclusive or result.check.if_inconclusive
    if outcome == "fail" and result.check.severity == Severity.WARN:
        outcome = "warn"
    if outcome == "fail":
        return result
    return replace(result, outcome=Outcome(outcome), reason=f"inconclusive: {result.reason}", judged=False)
