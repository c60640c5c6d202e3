"""The scores of a gate from the evaluation service and the score store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_benchmarks.benchmarks import RecordedBenchmark
from airflow_provider_benchmarks.exceptions import BenchmarkError, NotFound, NotStored, Unwritable
from airflow_provider_benchmarks.extras import PARQUET, missing
from airflow_provider_benchmarks.gates import Check
from airflow_provider_benchmarks.gates.evidence import JobsSincePin, NoBaseline
from airflow_provider_benchmarks.gates.sources import LAST_PASSED, PINNED, PREVIOUS, STORED_BASELINES, LoadedScores
from airflow_provider_benchmarks.gates.stored_rows import read_rows, should_read_rows, without_rows
from airflow_provider_benchmarks.jobs import BenchmarkJob, ResultName, require_completed
from airflow_provider_benchmarks.operators._same_jobs import baseline_meant, identity_of_job, is_same_job, job_name_of
from airflow_provider_benchmarks.scores import AggregateScores, JobScores

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.hooks.row_sources import ServiceRows
    from airflow_provider_benchmarks.scores.listed_files import ListedFile
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

#: Jobs of a benchmark that are read for each earlier job that passed.
_JOBS_PER_PASSED = 5
#: Jobs that are read for each further run of a baseline's model: some may be of another model, or have no rows.
_JOBS_PER_RUN = 3
#: Jobs since the pinned one that are read for each of a reference: some may lack the score.
_JOBS_PER_REFERENCE = 2
#: Latest jobs since the pinned one that are read: more than three months of nights.
_LATEST_SINCE_PIN = 100

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ServiceSource:
    """Fetch the scores of one gate run, each job once; a context manager that deletes what it downloaded.

    :param gate: the gate's task id, for messages
    :param store: score store; None for none
    :param checks: rows are fetched as they need them
    :param job_name: of the candidate; or the folder of a stored one, for which no service is asked
    :param own_baseline: the gate's: ``pinned``, ``last_passed``, ``previous``, the name of a job, or a folder; None for
        the pinned one
    :param in_full: rows that are downloaded have the model's outputs
    """

    gate: str
    hook: BenchmarkHook
    store: ScoreStore | None
    checks: Sequence[Check]
    job_name: str
    own_baseline: str | None
    in_full: bool = False
    #: The candidate's aggregate scores; None before they are fetched.
    aggregate: AggregateScores | None = field(default=None, init=False)
    #: Number of the candidate's rows that were read; None before that, and where none are.
    rows_read: int | None = field(default=None, init=False)
    #: The aggregate scores of its baselines, by the folder of a stored job, which has a slash, else by the job's name.
    compared_with: dict[str, AggregateScores] = field(default_factory=dict, init=False)
    _jobs: dict[str, BenchmarkJob | StoredJob] = field(default_factory=dict, init=False)
    _rows: dict[str, ServiceRows] = field(default_factory=dict, init=False)
    _stored: dict[str, StoredJob] = field(default_factory=dict, init=False)
    _loaded: dict[tuple[Any, ...], LoadedScores] = field(default_factory=dict, init=False)
    _stack: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def candidate(self) -> LoadedScores:
        """Fetch the scores to judge.

        :raises JobError: the job has not completed
        """
        loaded = self._load(self._job(self.job_name))
        self.aggregate, rows = loaded.scores.aggregate, loaded.scores.rows
        self.rows_read = None if rows is None else len(rows)
        return loaded

    def baselines(self, names: Iterable[str]) -> dict[str, LoadedScores | NoBaseline]:
        """Fetch the scores of each baseline that checks name; "" is the gate's own.

        :raises JobError: a baseline that is named by its job has not completed
        """
        return {name: self._baseline(name or self.own_baseline or PINNED) for name in names}

    def other_runs(self, name: str, runs: int) -> Iterator[LoadedScores]:
        """Load further runs of a baseline's model from the score store, one after the other.

        Of a baseline that stays, those after it: the endpoint of a job before it may have had another model. Those are
        the same ones every night, as soon as there are enough. Of one that moves, those before it.
        """
        found = [] if self.store is None else self._other_runs(self.store, name or self.own_baseline or PINNED, runs)
        for job in found[:runs]:
            try:
                yield self._load_stored(job)
            except NotStored as error:
                logger.warning("Left out a further run of the baseline's model: %s", error)

    def history(self, jobs: int) -> Sequence[JobScores]:
        if not jobs or self.store is None:
            return []
        found = self.store.history(**self._benchmark, before=self._created_at, limit=_JOBS_PER_PASSED * jobs)
        passed = [job for job in found if job.passed and job.job != self._candidate]
        return list(map(self._aggregate_scores, passed))

    def since_pin(self, jobs: int) -> JobsSincePin | None:
        """The pinned job, or the fixed one that is the gate's own baseline, and the later ones that passed."""
        if not jobs or self.store is None:
            return None
        moves = self.own_baseline in (None, *STORED_BASELINES)
        pin = self.store.pinned(**self._benchmark) if moves else self._job(str(self.own_baseline))
        if pin is not None and (is_same_job(pin, self._job(self.job_name)) or self._is_newer(pin)):
            return JobsSincePin(jobs=())
        own = [] if pin is None else [self._aggregate_scores(pin)]
        oldest, latest = self.store.passed_since(
            **self._benchmark,
            first=_JOBS_PER_REFERENCE * jobs,
            latest=_LATEST_SINCE_PIN,
            but=[self._candidate, *(job.job for job in own)],
            since=None if pin is None else pin.created_at,
            before=self._created_at,
        )
        first = [*own, *map(self._aggregate_scores, oldest)]
        return JobsSincePin(
            jobs=[*first, *map(self._aggregate_scores, latest or ())],
            pin=own[0].job if own else "",
            unbroken=None if latest is None else len(first),
        )

    def store_verdict(self, store: ScoreStore, gate: str, verdict: dict[str, Any]) -> StoredJob:
        """Put the verdict beside the candidate in the score store.

        :param gate: name of the gate in the store
        :return: the candidate there
        """
        stored = self._in_store(store, self._job(self.job_name))
        store.add_verdict(stored, gate, verdict)
        return stored

    def _aggregate_scores(self, job: BenchmarkJob | StoredJob) -> JobScores:
        """The scores of an earlier job, without rows."""
        if isinstance(job, BenchmarkJob):
            return self._load(job).scores
        return JobScores(job.aggregate.with_aliases(self.hook.aliases), job=job.job, content=job.content)

    def _is_newer(self, job: BenchmarkJob | StoredJob) -> bool:
        """True if a job was submitted after the candidate."""
        return bool(job.created_at and self._created_at and job.created_at > self._created_at)

    def _baseline(self, name: str) -> LoadedScores | NoBaseline:
        job: BenchmarkJob | StoredJob | None
        if name in STORED_BASELINES:
            assert self.store is not None  # the operator has refused such a baseline without one
            job = self._find_baseline(self.store, name)
            if job is None:
                return NoBaseline(reason=f"there is no baseline yet: {self._missing(self.store, name)}")
        else:
            with baseline_meant(name):
                job = self._job(name)
        if is_same_job(job, self._job(self.job_name)):
            reason = "the baseline is this very job: comparing it with itself proves nothing"
            logger.warning('Benchmark job "%s", baseline "%s": %s', self.job_name, name, reason)
            return NoBaseline(reason=reason, is_candidate=True)
        loaded = self._load(job)
        self.compared_with[self._place_of(job, name)] = loaded.scores.aggregate
        return loaded

    def _place_of(self, job: BenchmarkJob | StoredJob, name: str) -> str:
        if isinstance(job, BenchmarkJob):
            return job.name
        return name if "/" in name or self.store is None else self.store.job_folder(job)

    def _other_runs(self, store: ScoreStore, name: str, runs: int) -> list[StoredJob]:
        """Jobs of the baseline's model that passed, nearest to it first."""
        job = self._find_baseline(store, name) if name in STORED_BASELINES else self._job(name)
        baseline = self._find_stored(job) if isinstance(job, BenchmarkJob) else job
        if baseline is None:
            return []
        limit = _JOBS_PER_RUN * runs
        if name in (LAST_PASSED, PREVIOUS):
            past = store.history(**self._benchmark, before=baseline.created_at, limit=limit)
            found = [job for job in past if job.passed]
        else:
            found, _ = store.passed_since(
                **self._benchmark,
                first=limit,
                latest=0,
                but=[self._candidate, baseline.job],
                since=baseline.created_at,
                before=self._created_at,
            )
        return [job for job in found if job.run_with and job.run_with == baseline.run_with and job.rows is not None]

    def _find_baseline(self, store: ScoreStore, name: str) -> StoredJob | None:
        if name == PINNED:
            return store.pinned(**self._benchmark)
        # The gate of an older job, when it is run again, must not compare it with newer ones.
        if name == LAST_PASSED:
            return store.last_passed(**self._benchmark, before=self._created_at, but=[self._candidate])
        jobs = store.history(**self._benchmark, before=self._created_at, limit=2)
        return next((job for job in jobs if job.job != self._candidate), None)

    def _missing(self, store: ScoreStore, name: str) -> str:
        """What the score store does not have, in a sentence."""
        benchmark = self._job(self.job_name).benchmark
        if name == PINNED:
            pinned = f"no job of benchmark {benchmark} is pinned in score store {store.root}"
            return f"{pinned}; pin one with PinBaselineOperator"
        passed = " and has passed its gates" if name == LAST_PASSED else ""
        return f"no job of benchmark {benchmark} in score store {store.root} is older than this one{passed}"

    @property
    def _benchmark(self) -> dict[str, str]:
        """The candidate's benchmark in the score store."""
        return {"workspace": self.workspace, "benchmark": self._job(self.job_name).benchmark}

    @property
    def job(self) -> BenchmarkJob | StoredJob:
        """The candidate."""
        return self._job(self.job_name)

    @property
    def workspace(self) -> str:
        """The candidate's workspace."""
        return self._job(self.job_name).workspace

    @property
    def _candidate(self) -> str:
        """The candidate's own name."""
        return job_name_of(self._job(self.job_name))

    @property
    def _created_at(self) -> datetime | None:
        return self._job(self.job_name).created_at

    def _job(self, name: str) -> BenchmarkJob | StoredJob:
        """Find a job on the service, or in the score store, which keeps jobs for longer; or read it from its folder.

        :param name: the job's, or the folder of a stored one
        :raises JobError: it has not completed
        """
        if name not in self._jobs and "/" in name:
            from airflow_provider_benchmarks.store import read_stored_job

            self._jobs[name] = read_stored_job(name)
        if name not in self._jobs:
            try:
                job = self.hook.get_job(name)
            except NotFound:
                from airflow_provider_benchmarks.hooks.downloads import find_purged_job

                found = None if self.store is None else find_purged_job(self.store, name, self.hook.workspace)
                if found is None:
                    raise
                self._jobs[name] = found
            else:
                require_completed(job, takes=f'gate "{self.gate}"')
                self._jobs[name] = job
        return self._jobs[name]

    def _rows_of(self, job: BenchmarkJob) -> ServiceRows:
        """The job's rows and aggregate scores on the service; it fetches the latter once."""
        if job.name not in self._rows:
            from airflow_provider_benchmarks.hooks.row_sources import ServiceRows

            self._rows[job.name] = ServiceRows(self.hook.client, job.name)
        return self._rows[job.name]

    def _in_store(self, store: ScoreStore, job: BenchmarkJob | StoredJob) -> StoredJob:
        """Put a job into the score store, unless it is there already."""
        if not isinstance(job, BenchmarkJob):
            # A folder may be of another store, to which the verdict on its job does not belong.
            return store.get(job.job, workspace=job.workspace, benchmark=job.benchmark) if "/" in self.job_name else job
        if job.name not in self._stored:
            from airflow_provider_benchmarks.hooks.downloads import add_to_store

            self._stored[job.name] = add_to_store(self._rows_of(job), store, job)
        return self._stored[job.name]

    def _find_stored(self, job: BenchmarkJob) -> StoredJob | None:
        """The job in the score store, which keeps results that the service may have lost; None if it is not there."""
        if self.store is None:
            return None
        try:
            return self.store.find_same(job)
        except Exception as error:  # noqa: BLE001  of any storage; the service has the scores, too
            logger.warning("The scores are read from the service, as the score store fails: %s", error)
            return None

    def _load(self, job: BenchmarkJob | StoredJob) -> LoadedScores:
        """The scores of a job; its rows where checks need them, from the score store where there is one."""
        identity = identity_of_job(job)
        if identity not in self._loaded:
            if isinstance(job, BenchmarkJob):
                self._loaded[identity] = self._load_from_service(job)
            else:
                self._loaded[identity] = self._load_stored(job)
        return self._loaded[identity]

    def _load_from_service(self, job: BenchmarkJob) -> LoadedScores:
        from airflow_provider_benchmarks.hooks.downloads import aggregate_of

        aggregate = aggregate_of(self._rows_of(job), self._find_stored(job))
        rows_needed = should_read_rows(self.checks, aggregate)
        can_read = not missing(*PARQUET)
        if rows_needed and can_read and self.store is not None:
            try:
                stored = self._in_store(self.store, job)
                return self._load_stored(replace(stored, reported_rows=job.row_counts or stored.reported_rows))
            except NotStored as error:
                logger.warning("%s They are read from the service.", error)
            except Exception as error:  # of any storage; the service has the same rows
                if isinstance(error, BenchmarkError) and not isinstance(error, Unwritable):
                    raise
                logger.warning("The row scores are read from the service, as the score store fails: %s", error)
        compares = any(check.needs().baseline is not None for check in self.checks)
        dataset = self.hook.get_dataset(job) if compares else ""
        recorded = RecordedBenchmark.from_custom_fields(job.custom_fields)
        scores = JobScores(
            aggregate,
            job=job.name,
            benchmark=job.benchmark,
            dataset=dataset,
            content=None if recorded is None else recorded.content,
            reported_rows=job.row_counts,
        )
        if rows_needed and not can_read:  # no check needs them: the operator has refused such checks by now
            return LoadedScores(without_rows(scores) if self._has_rows(job.name) else scores)
        return self._with_rows(scores, self._download_rows(job)) if rows_needed else LoadedScores(scores)

    def _load_stored(self, job: StoredJob) -> LoadedScores:
        job = job.with_aliases(self.hook.aliases)
        scores = JobScores(
            job.aggregate,
            job=job.job,
            benchmark=job.benchmark,
            dataset=job.dataset,
            content=job.content,
            reported_rows=job.reported_rows,
        )
        if (file := job.rows_file) is None or not should_read_rows(self.checks, job.aggregate):
            return LoadedScores(scores)
        if missing(*PARQUET):
            return LoadedScores(without_rows(scores))
        return self._with_rows(scores, file, job.row_names)

    def _has_rows(self, name: str) -> bool:
        return any(result.name == ResultName.ROW_SCORES for result in self.hook.list_results(name))

    def _download_rows(self, job: BenchmarkJob) -> str | None:
        """Download the rows to a local file.

        :return: its path; None where the job has no row scores
        """
        from airflow_provider_benchmarks.formats.spool import named_if_full, spool_folder
        from airflow_provider_benchmarks.hooks.downloads import fetch_file
        from airflow_provider_benchmarks.store import Place, RowFormat, RowTarget

        folder = self._stack.enter_context(spool_folder("benchmark-gate-"))
        path = str(folder / "row-scores.parquet")
        try:
            with named_if_full(folder):
                row_format = RowFormat(name="parquet", with_sample=self.in_full)
                fetch_file(self._rows_of(job), RowTarget(place=Place(path), row_format=row_format))
        except NotFound:
            return None
        return path

    def _with_rows(
        self, scores: JobScores, file: str | ListedFile | None, renamed: Mapping[str, str] | None = None
    ) -> LoadedScores:
        """Add the rows.

        :param file: of the rows, a local path or one of the score store; None where there is none
        :param renamed: the names of metrics in the scores, by those in the file, where they are others
        """
        if file is None:
            return LoadedScores(scores)
        try:
            rows = read_rows(self.checks, scores.aggregate, file, renamed=renamed)
        except FileNotFoundError as error:
            raise NotStored(
                f'benchmark job "{scores.job}": its row scores are not in the score store any more, {file} is not '
                f"there. Restore the file from a backup, or leave out the checks that need rows."
            ) from error
        return LoadedScores(replace(scores, rows=rows), file)
