"""The scores that a gate looks at: those of the candidate, of its baseline, and of its history."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_benchmarks.exceptions import ConfigurationError, NotFound
from airflow_provider_benchmarks.gates import Check, NoRegression, Verdict, WithinHistory
from airflow_provider_benchmarks.scores import JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.jobs import BenchmarkJob
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

#: Baselines that the score store finds; any other word is the name of a job, or with a slash a folder of one.
PINNED, LAST_PASSED, PREVIOUS = "pinned", "last_passed", "previous"
STORED_BASELINES = (PINNED, LAST_PASSED, PREVIOUS)


@dataclass(slots=True)
class GateScores:
    """Find and load the scores of one gate run; a context manager that cleans up what it downloaded.

    :param baseline: the gate's own baseline: ``pinned``, ``last_passed``, ``previous``, the name of a job, or a folder
    """

    hook: BenchmarkHook
    store: ScoreStore | None
    checks: Sequence[Check]
    job_name: str
    baseline: str | None
    _stack: ExitStack = field(default_factory=ExitStack)
    #: Scores with rows, and the files that these are from; the candidate's come first.
    _with_rows: list[tuple[JobScores, Any]] = field(default_factory=list)
    _jobs: dict[str, BenchmarkJob] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def load(self) -> tuple[JobScores, dict[str, JobScores]]:
        """The candidate, and each baseline that a check asks for, by the name in the check.

        Baselines that are not there yet are left out.
        """
        from airflow_provider_benchmarks.gates.loading import add_items

        candidate = self._of_service(self.job_name)
        names = {check.baseline or "" for check in self.checks if isinstance(check, NoRegression)}
        found = {name: self._baseline(name or self.baseline or PINNED) for name in names}
        add_items(self.checks, self._with_rows)
        return candidate, {name: scores for name, scores in found.items() if scores is not None}

    def stored_candidate(self) -> StoredJob | None:
        return None if self.store is None else self.hook.store_job(self.store, self.job_name)

    def history(self) -> list[JobScores]:
        """Earlier jobs that passed, newest first, as many as a check asks for."""
        windows = [check.window for check in self.checks if isinstance(check, WithinHistory)]
        if not windows or self.store is None:
            return []
        benchmark = self._job(self.job_name).benchmark
        jobs = self.store.history(workspace=self.hook.workspace, benchmark=benchmark, limit=5 * max(windows))
        return [JobScores(job.aggregate, job=job.job) for job in jobs if job.passed and job.job != self.job_name]

    def with_items(self, verdict: Verdict) -> Verdict:
        """Add the items of the rows that got worse most."""
        from airflow_provider_benchmarks.gates.loading import with_items

        found = [path for scores, path in self._with_rows if scores.job == self.job_name]
        return with_items(verdict, found[0]) if found else verdict

    def _baseline(self, name: str) -> JobScores | None:
        if "/" in name:
            return self._of_folder(name)
        if name not in STORED_BASELINES:
            return self._of_service(name)
        if self.store is None:
            if self.baseline is None:
                return None  # nobody asked for it by name
            raise ConfigurationError(
                f'baseline "{name}" comes from a score store: set store=, or [benchmarks] score_store, or name a job'
            )
        found = self._stored(self.store, name)
        return None if found is None else self._of_stored(found)

    def _stored(self, store: ScoreStore, name: str) -> StoredJob | None:
        where: Any = {"workspace": self.hook.workspace, "benchmark": self._job(self.job_name).benchmark}
        if name == PINNED:
            return store.pinned(**where)
        if name == LAST_PASSED:
            return store.last_passed(**where, but=[self.job_name])
        return next((job for job in store.history(**where, limit=2) if job.job != self.job_name), None)

    def _of_stored(self, job: StoredJob) -> JobScores:
        scores = JobScores(job.aggregate, job=job.job, benchmark=job.benchmark, dataset=job.dataset)
        return self._with_rows_of(scores, job.rows.path if job.rows else None)

    def _of_service(self, name: str) -> JobScores:
        """The scores of a job on the service; its rows from the score store where they are there."""
        from airflow_provider_benchmarks.gates.loading import need_rows

        job = self._job(name)
        scores = JobScores(self.hook.get_aggregate_scores(name), job=name, benchmark=job.benchmark, dataset=job.dataset)
        if not need_rows(self.checks, scores.aggregate):
            return scores
        if self.store is not None:
            return self._of_stored(self.hook.store_job(self.store, name))
        return self._with_rows_of(scores, self._download(name))

    def _job(self, name: str) -> BenchmarkJob:
        if name not in self._jobs:
            self._jobs[name] = self.hook.get_job(name)
        return self._jobs[name]

    def _download(self, name: str) -> str | None:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gate-"))
        path = str(Path(folder) / "row-scores.parquet")
        try:
            self.hook.download_row_scores(name, path, format="parquet")
        except NotFound:
            return None
        return path

    def _of_folder(self, folder: str) -> JobScores:
        """The scores in a folder as the score store writes it."""
        from airflow_provider_benchmarks.store import read_stored_job

        return self._of_stored(read_stored_job(folder))

    def _with_rows_of(self, scores: JobScores, path: str | None) -> JobScores:
        if path is None:
            return scores
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from airflow_provider_benchmarks.gates.loading import read_rows

        place: Any = ObjectStoragePath(path)
        scores = replace(scores, rows=read_rows(self.checks, scores.aggregate, place))
        self._with_rows.append((scores, place))
        return scores
