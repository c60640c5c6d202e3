"""The scores that a gate looks at: those of the candidate, of its baseline, and of its history."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_benchmarks.exceptions import BenchmarkError, NotFound
from airflow_provider_benchmarks.extras import PARQUET, missing
from airflow_provider_benchmarks.gates import Check, NoRegression, Outcome, Verdict, WithinHistory, evaluate
from airflow_provider_benchmarks.gates.loading import (
    LAST_PASSED,
    PINNED,
    STORED_BASELINES,
    judged_without_rows,
    need_rows,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, ResultName, require_completed
from airflow_provider_benchmarks.operators._gate_needs import require_store
from airflow_provider_benchmarks.scores import AggregateScores, JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

_ITSELF = "the baseline is this very job: comparing it with itself proves nothing"

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class GateScores:
    """Find and load the scores of one gate run; a context manager that cleans up what it downloaded.

    :param gate: the gate's task id, for messages
    :param baseline: the gate's own baseline: ``pinned``, ``last_passed``, ``previous``, the name of a job, or a folder
    """

    gate: str
    hook: BenchmarkHook
    store: ScoreStore | None
    checks: Sequence[Check]
    job_name: str
    baseline: str | None
    #: The candidate's; None before it is judged.
    aggregate: AggregateScores | None = field(default=None, init=False)
    _stack: ExitStack = field(default_factory=ExitStack)
    #: Scores with rows, and the files that these are from; the candidate's come first.
    _with_rows: list[tuple[JobScores, Any]] = field(default_factory=list)
    _jobs: dict[str, BenchmarkJob | StoredJob] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def judge(self, *, if_inconclusive: str | None, if_no_baseline: str) -> Verdict:
        """Judge the candidate, and add the items of the rows that got worse most.

        :raises ConfigurationError: a check needs a score store, and there is none
        :raises JobError: the candidate, or a baseline that is named by its job, has not completed
        """
        from airflow_provider_benchmarks.gates.loading import add_items, with_items

        if self.store is None:
            require_store(self.checks, gate=self.gate, baseline=self.baseline)
        candidate = self._scores(self._job(self.job_name))
        self.aggregate = candidate.aggregate
        names = {c.baseline or "": self._baseline_name(c) for c in self.checks if isinstance(c, NoRegression)}
        found = {place: self._baseline(name) for place, name in names.items()}
        add_items(self.checks, self._with_rows)
        verdict = evaluate(
            self.checks,
            candidate,
            {place: scores for place, scores in found.items() if isinstance(scores, JobScores)},
            history=self._history(),
            if_inconclusive=if_inconclusive,
            if_no_baseline=if_no_baseline,
            no_baseline={place: reason for place, reason in found.items() if isinstance(reason, str)},
        )
        files = [path for scores, path in self._with_rows if scores.job == self.job_name]
        verdict = with_items(verdict, files[0]) if files else verdict
        # Whatever is to happen where there is no baseline: this one is there, and was accepted.
        results = (replace(r, outcome=Outcome.WARN) if r.reason == _ITSELF else r for r in verdict.results)
        return replace(verdict, results=tuple(results), workspace=self.hook.workspace)

    def store_verdict(self, gate: str, verdict: dict[str, Any]) -> None:
        """Keep the verdict beside the candidate in the score store, where there is one."""
        if self.store is not None:
            self.store.add_verdict(self.hook.store_job(self.store, self.job_name), gate, verdict)

    def _baseline_name(self, check: NoRegression) -> str:
        return check.baseline or self.baseline or PINNED

    def _history(self) -> list[JobScores]:
        """Earlier jobs that passed, newest first, as many as a check asks for."""
        windows = [check.window for check in self.checks if isinstance(check, WithinHistory)]
        if not windows or self.store is None:
            return []
        jobs = self.store.history(**self._place, before=self._created_at, limit=5 * max(windows))
        return [JobScores(job.aggregate, job=job.job) for job in jobs if job.passed and job.job != self.job_name]

    def _baseline(self, name: str) -> JobScores | str:
        """The scores of a baseline, or why there is none, in a sentence."""
        job: BenchmarkJob | StoredJob | None
        if "/" in name:
            from airflow_provider_benchmarks.store import read_stored_job

            job = read_stored_job(name)
        elif name in STORED_BASELINES:
            assert self.store is not None  # or it would have been asked for
            job = self._stored(self.store, name)
            if job is None:
                return f"there is no baseline yet: {self._missing(self.store, name)}"
        else:
            job = self._job(name)
        if _identity(job) == _identity(self._job(self.job_name)):
            logger.warning('Benchmark job "%s", baseline "%s": %s', self.job_name, name, _ITSELF)
            return _ITSELF
        return self._scores(job)

    def _stored(self, store: ScoreStore, name: str) -> StoredJob | None:
        if name == PINNED:
            return store.pinned(**self._place)
        # The gate of an older job, run again, must not compare it with newer ones.
        if name == LAST_PASSED:
            return store.last_passed(**self._place, before=self._created_at, but=[self.job_name])
        jobs = store.history(**self._place, before=self._created_at, limit=2)
        return next((job for job in jobs if job.job != self.job_name), None)

    def _missing(self, store: ScoreStore, name: str) -> str:
        """What the score store does not have."""
        benchmark = self._job(self.job_name).benchmark
        if name == PINNED:
            return f"no job of benchmark {benchmark} is pinned in score store {store.root}; pin one with PinBaselineOperator"
        passed = " and has passed its gates" if name == LAST_PASSED else ""
        return f"no job of benchmark {benchmark} in score store {store.root} is older than this one{passed}"

    @property
    def _place(self) -> dict[str, str]:
        """Where the candidate's benchmark is in the score store."""
        return {"workspace": self.hook.workspace, "benchmark": self._job(self.job_name).benchmark}

    @property
    def _created_at(self) -> datetime | None:
        return self._job(self.job_name).created_at

    def _job(self, name: str) -> BenchmarkJob | StoredJob:
        """What is known of a job: from the service, or from the score store, which keeps jobs for longer.

        :raises JobError: it has not completed
        """
        if name not in self._jobs:
            try:
                job = self.hook.get_job(name)
            except NotFound:
                if self.store is None:
                    raise
                self._jobs[name] = self.hook.store_job(self.store, name)
            else:
                require_completed(job, takes=f'gate "{self.gate}"')
                self._jobs[name] = job
        return self._jobs[name]

    def _scores(self, job: BenchmarkJob | StoredJob) -> JobScores:
        """The scores of a job; its rows where they are needed, from the score store where they are there."""
        if not isinstance(job, BenchmarkJob):
            scores = JobScores(job.aggregate, job=job.job, benchmark=job.benchmark, dataset=job.dataset)
            if job.rows is None or not need_rows(self.checks, job.aggregate):
                return scores
            return judged_without_rows(scores) if missing(*PARQUET) else self._with_rows_of(scores, job.rows.path)
        aggregate = self.hook.get_aggregate_scores(job.name)
        rows_needed = need_rows(self.checks, aggregate)
        if rows_needed and missing(*PARQUET):  # no check must have them: the gate has refused such checks by now
            scores = JobScores(aggregate, job=job.name, benchmark=job.benchmark)
            return judged_without_rows(scores) if self._has_rows(job.name) else scores
        if rows_needed and self.store is not None:
            try:
                return self._scores(self.hook.store_job(self.store, job.name))
            except BenchmarkError:
                raise
            except Exception as error:  # noqa: BLE001  of any storage; what is judged needs it no more
                logger.warning("The row scores are read from the service, as the score store fails: %s", error)
        compared = any(isinstance(check, NoRegression) for check in self.checks)
        dataset = self.hook.get_dataset(job) if compared else ""
        scores = JobScores(aggregate, job=job.name, benchmark=job.benchmark, dataset=dataset)
        return self._with_rows_of(scores, self._download(job.name)) if rows_needed else scores

    def _has_rows(self, name: str) -> bool:
        return any(result.name == ResultName.ROW_SCORES for result in self.hook.list_results(name))

    def _download(self, name: str) -> str | None:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gate-"))
        path = str(Path(folder) / "row-scores.parquet")
        try:
            self.hook.download_row_scores(name, path, format="parquet")
        except NotFound:
            return None
        return path

    def _with_rows_of(self, scores: JobScores, path: str | None) -> JobScores:
        if path is None:
            return scores
        from airflow_provider_benchmarks.gates.loading import read_rows
        from airflow_provider_benchmarks.store import Place

        place = Place(path)
        scores = replace(scores, rows=read_rows(self.checks, scores.aggregate, place))
        self._with_rows.append((scores, place))
        return scores


def _identity(job: BenchmarkJob | StoredJob) -> tuple[Any, ...]:
    name = job.name if isinstance(job, BenchmarkJob) else job.job
    return name, job.workspace, job.benchmark, job.created_at
