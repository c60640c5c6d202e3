"""How the rows' scores changed, and how a score went over earlier jobs: the charts of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.gates.past_scores import value_of
from airflow_provider_benchmarks.gates.report_context import PastJob
from airflow_provider_benchmarks.gates.result import CheckResult
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.views import charts
from airflow_provider_benchmarks.views.bounded import line
from airflow_provider_benchmarks.views.verdict import ORDER, CheckView

#: Number of charts of each kind, and of jobs in one.
_MOST_CHARTS = 6
_MOST_JOBS = 30
#: Bytes of a title.
_MOST = 400
#: Numbers beyond are not drawn: charts compute with their powers.
_LARGEST = 1e60


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferencesView:
    """The changes of one score.

    :param svg: of the rows that changed; empty where none did
    :param words: the number of rows that changed, and did not
    """

    title: str
    words: str
    svg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """A score over jobs.

    :param words: how many, and between what their scores are
    """

    title: str
    words: str
    svg: str


def differences(verdict: Verdict) -> tuple[DifferencesView, ...]:
    """The changes of each comparison of all its rows, or of the slices that did not pass."""
    found: list[DifferencesView] = []
    seen = set()
    for result in _by_outcome(verdict):
        changes = result.changes
        if changes is None or not 0 <= changes.largest < _LARGEST or (result.group and result.passed):
            continue
        place = (result.metric, result.score, result.group, result.baseline)
        if place in seen or len(found) == _MOST_CHARTS:
            continue
        seen.add(place)
        higher = bool(getattr(result.check, "higher_is_better", True))
        counts = changes.counts
        words = f"Rows: {changes.worse:,} worse, {changes.same:,} the same, {changes.better:,} better"
        svg = charts.histogram(counts, largest=changes.largest, higher_is_better=higher) if counts else ""
        what = CheckView.of(result, workspace=verdict.workspace).what
        title = line(f"{what} against {result.baseline or verdict.baseline or 'the baseline'}", _MOST)
        found.append(DifferencesView(title=title, words=words, svg=svg))
    return tuple(found)


def histories(verdict: Verdict, past: Sequence[PastJob]) -> tuple[HistoryView, ...]:
    """The score of each check over earlier jobs and this one."""
    found: list[HistoryView] = []
    seen = set()
    jobs = list(reversed([job for job in past if job.scores.job != verdict.job][:_MOST_JOBS]))
    for result in _by_outcome(verdict):
        now = _value(result)
        place = (result.metric, result.score, result.check.statistic)
        if result.group or now is None or place in seen or len(found) == _MOST_CHARTS:
            continue
        seen.add(place)
        known = [(value, job.outcome) for job in jobs if (value := _past_value(result, job)) is not None]
        if len(known) < 2:
            continue
        values, outcomes = [*(value for value, _ in known), now], [*(outcome for _, outcome in known), result.outcome]
        bars = [getattr(result.check, name, None) for name in ("at_least", "at_most")]
        drawn = [bar for bar in bars if is_number(bar) and abs(bar) < _LARGEST]
        svg = charts.history(values, [str(outcome) for outcome in outcomes], drawn)
        name = CheckView.of(result, workspace=verdict.workspace).what.removesuffix(result.check.observed_statistic)
        words = f"{len(known)} earlier jobs, {min(values[:-1]):.4g} to {max(values[:-1]):.4g}; this job {now:.4g}"
        found.append(HistoryView(title=line(f"{name}{result.check.statistic}", _MOST), words=words, svg=svg))
    return tuple(found)


def _by_outcome(verdict: Verdict) -> list[CheckResult]:
    return sorted(verdict.results, key=lambda result: ORDER.index(result.outcome))


def _value(result: CheckResult) -> float | None:
    """The score itself, of a comparison too."""
    value = result.details.get("candidate_mean") if "mode" in result.details else result.observed
    return value if is_number(value) and math.isfinite(value) and abs(value) < _LARGEST else None


def _past_value(result: CheckResult, job: PastJob) -> float | None:
    try:
        named = Threshold(result.metric, score=result.score, statistic=result.check.statistic, at_least=0.0)
    except BenchmarkError:  # a statistic of repeats, which aggregate scores do not have
        return None
    value = value_of(named, job.scores)
    return value if value is not None and abs(value) < _LARGEST else None
