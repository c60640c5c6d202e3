"""Run a gate: load what its checks need from a source, and judge it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from airflow_provider_benchmarks.gates.averaged_baseline import OtherRun
from airflow_provider_benchmarks.gates.check import Check
from airflow_provider_benchmarks.gates.evaluate import evaluate
from airflow_provider_benchmarks.gates.evidence import NoBaseline
from airflow_provider_benchmarks.gates.sources import LoadedScores, Source
from airflow_provider_benchmarks.gates.stored_rows import add_item_hashes, numbered_rows, with_items, with_records
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.scores.known_files import named_if_gone


def run_gate(
    checks: Sequence[Check],
    source: Source,
    *,
    if_inconclusive: str | None = None,
    if_no_baseline: str = "warn",
    in_full: bool = False,
) -> Verdict:
    """Judge a job's scores, and add the items of the rows that got worse most.

    :param if_inconclusive: as for :func:`~airflow_provider_benchmarks.gates.evaluate`
    :param if_no_baseline: as for :func:`~airflow_provider_benchmarks.gates.evaluate`
    :param in_full: add what both jobs have of these rows, for an HTML report
    """
    needs = [check.needs() for check in checks]
    names = dict.fromkeys(need.baseline for need in needs if need.baseline is not None)
    candidate = source.candidate()
    found = source.baselines(names)
    pairing = any(need.pairing for need in needs)
    if pairing:
        has_repeats = any(need.pairing and need.repeat_by is not None for need in needs)
        candidate, found = _with_comparable_items(candidate, found, has_repeats=has_repeats)
    verdict = evaluate(
        checks,
        candidate.scores,
        {name: each if isinstance(each, NoBaseline) else each.scores for name, each in found.items()},
        other_runs={
            name: _OtherRuns(source=source, name=name, baseline=each, runs=runs - 1, pairing=pairing)
            for name, each in found.items()
            if isinstance(each, LoadedScores) and (runs := _runs(checks, name)) > 1
        },
        history=source.history(max((need.history for need in needs), default=0)),
        since_pin=source.since_pin(max((need.since_pin for need in needs), default=0)),
        if_inconclusive=if_inconclusive,
        if_no_baseline=if_no_baseline,
    )
    if candidate.rows_file is not None:
        verdict = with_items(verdict, candidate.rows_file)
    if not in_full or candidate.any_file is None:
        return verdict
    files = {name: each.any_file for name, each in found.items() if isinstance(each, LoadedScores) and each.any_file}
    return with_records(verdict, candidate.any_file, files)


def modules_of(checks: Sequence[Check]) -> tuple[str, ...]:
    """The Python modules that judging imports, besides those that read row scores."""
    return tuple(dict.fromkeys(module for check in checks for module in check.needs().modules))


def _runs(checks: Sequence[Check], name: str) -> int:
    """The most runs of a baseline's model that a check needs."""
    return max((need.baseline_runs for check in checks if (need := check.needs()).baseline == name), default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OtherRuns:
    """Further runs of a baseline's model, loaded one after the other each time that they are asked for.

    :param runs: number of them
    :param pairing: whether the items of two rows are equal is asked for
    """

    source: Source
    name: str
    baseline: LoadedScores
    runs: int
    pairing: bool

    def __iter__(self) -> Iterator[OtherRun]:
        file = self.baseline.rows_file
        if file is None:
            return
        for run in self.source.other_runs(self.name, self.runs):
            if run.rows_file is None or not self.pairing:
                yield OtherRun(scores=run.scores)
                continue
            rows = numbered_rows([(self.baseline.scores, file), (run.scores, run.rows_file)])
            yield OtherRun(scores=replace(run.scores, rows=rows[1]), baseline_rows=rows[0])


def _with_comparable_items(
    candidate: LoadedScores, baselines: dict[str, LoadedScores | NoBaseline], *, has_repeats: bool
) -> tuple[LoadedScores, dict[str, LoadedScores | NoBaseline]]:
    """Make the items of all jobs comparable: by a hash where all rows are Parquet, else by all their fields."""
    jobs = [candidate, *(each for each in baselines.values() if isinstance(each, LoadedScores))]
    with_rows = list({id(job): job for job in jobs if job.scores.rows is not None}.values())
    if all(job.rows_file is not None for job in with_rows):
        if with_rows and (len(with_rows) > 1 or has_repeats):
            add_item_hashes([(job.scores, job.rows_file) for job in with_rows], by_field=has_repeats)
        return candidate, baselines
    whole = {id(job): _with_all_columns(job) for job in jobs}
    return whole[id(candidate)], {
        name: each if isinstance(each, NoBaseline) else whole[id(each)] for name, each in baselines.items()
    }


def _with_all_columns(job: LoadedScores) -> LoadedScores:
    from airflow_provider_benchmarks.scores import read_row_scores

    if job.rows_file is None:
        return job
    with named_if_gone(job.rows_file):
        return replace(job, scores=replace(job.scores, rows=read_row_scores(job.rows_file)))
