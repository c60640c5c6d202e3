"""The score store: a folder in object storage with the scores of every job, for baselines, history and pages.

::

    <root>/<workspace>/<benchmark>/<job>/job.json
                                         aggregate-scores.json
                                         row-scores.parquet        (where the job has row scores)
                                         manifest.json             written last: the job is there from now on
                                         verdict-<gate>.json       of each gate that judged it
    <root>/<workspace>/<benchmark>/_index/<time>,<job>             empty; so that listing reads names only
                                   _verdicts/<time>,<job>,<gate>,<outcome>
                                   _pinned.json                    the baseline, moved only by an explicit promotion

A gate is named by its task, ``dag_id.task_id``. A name that is too long for a file's is cut, and ends in a hash of the
whole, which the verdict itself has. A job's folder is written once. One without a manifest is of an interrupted task:
the next task that stores the job writes it again. A benchmark of another workspace than the job's is written
``workspace%2Fname``.
"""

from __future__ import annotations

import logging
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, IncompleteResults, NotStored
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.local_paths import require_possible
from airflow_provider_benchmarks.scores.rerun import scores_differ
from airflow_provider_benchmarks.store.atomic import require_fitting_name
from airflow_provider_benchmarks.store.folder_names import benchmark_folder, folder_name, gate_name
from airflow_provider_benchmarks.store.job_names import (
    INDEX,
    TIME,
    VERDICTS,
    names_in,
    names_of_jobs,
    outcomes_of_gates,
    time_of_verdict,
)
from airflow_provider_benchmarks.store.job_writer import JobWriter, StoredMeanwhile
from airflow_provider_benchmarks.store.pins import PINNED, PinnedJobGone, pin_of, read_pin
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.readable_jobs import ReadableJobs
from airflow_provider_benchmarks.store.stored_file import StoredFile, read_if_there, store_bytes, store_json
from airflow_provider_benchmarks.store.stored_job import (
    MANIFEST,
    StoredJob,
    counts_differ,
    job_of,
    manifest_of,
    moment_of,
    parse_manifest,
)

logger = logging.getLogger(__name__)

_RUN_AGAIN = (
    "Somebody has run it again under its name, and what is stored is not changed: give each run a name of its own."
)
#: Paths of the store's own files, below its root.
_OWN_FILE = re.compile(
    r"[^/]+/[^/]+/(_.*|[^/]+/(job\.json|aggregate-scores\.json|row-scores\.parquet|manifest\.json|verdict-[^/]*\.json))"
)


class ScoreStore:
    """A score store.

    :param root: folder for Airflow's ObjectStoragePath; ``s3://connection@bucket/folder`` names an Airflow connection
    :raises ConfigurationError: there is no root, there can be none like it, or a folder of its path has no name
    """

    def __init__(self, root: str) -> None:
        if not root:
            raise ConfigurationError("the score store needs a folder: set store=, or [benchmarks] score_store")
        require_possible(root)
        self.root = str(root).rstrip("/")
        Place(self.root).require_named_folders()

    def folder(self, workspace: str, benchmark: str) -> str:
        """The folder of a benchmark's jobs in a workspace.

        :raises ConfigurationError: there can be none for such names
        """
        return f"{self.root}/{benchmark_folder(workspace, benchmark)}"

    def job_folder(self, stored: StoredJob) -> str:
        """The folder of a job that is in the store."""
        return f"{self.folder(stored.workspace, stored.benchmark)}/{folder_name(stored.job, 'benchmark job')}"

    def add(
        self,
        job: BenchmarkJob,
        aggregate: AggregateScores,
        *,
        store_rows: Callable[[Place], StoredFile] | None,
        dataset: str = "",
    ) -> StoredJob:
        """Store a job, unless it is there already: also without its rows, which is logged.

        :param store_rows: writes the row scores as Parquet to a place; None where the job has none
        :param dataset: what it ran on, where its spec does not say so
        :raises DestinationExists: another job of this name is there, or this one as it was before it ran again
        :raises IncompleteResults: the aggregate scores are none that can be read again, and nothing is stored; or
            another task has written other files of the job at the same time
        :raises ConfigurationError: it was created at no time that can be compared, or names are too long for the disk
        """
        job = replace(job, created_at=moment_of(job))
        if (found := self.find_same(job)) is not None:
            self.require_same_scores(job, aggregate, found)
            if store_rows is not None and found.rows is None:
                self._warn_without_rows(found)
            return found
        AggregateScores.from_json(aggregate.to_json())  # or all that reads the benchmark would fail from now on
        folder, created_at = self._folder_of(job), job.created_at or datetime.now(UTC)
        marker = f"{created_at.strftime(TIME)},{quote(job.name, safe='')}"
        index = Place(f"{self.folder(job.workspace, job.benchmark)}/{INDEX}/{marker}")
        require_fitting_name(index, of=str(job))
        writer = JobWriter(folder, job, aggregate, find=lambda: self.find_same(job))
        try:
            files = writer.write_files(store_rows)
            store_bytes([b"\n"], index, format="json")
            manifest = manifest_of(job, aggregate, files, created_at=created_at, dataset=dataset)
            writer.commit(manifest)
        except StoredMeanwhile as meanwhile:
            self.require_same_scores(job, aggregate, meanwhile.found)
            return meanwhile.found
        return job_of(folder, manifest)

    def find_same(self, job: BenchmarkJob) -> StoredJob | None:
        """Find a job that the service has; reads one small file.

        What either does not know is not compared: a manifest of an earlier release has no id.

        :raises DestinationExists: another job of this name is there
        """
        found = self._read_job(self._folder_of(job))
        if found is not None and job.created_at is not None and found.created_at != job.created_at:
            raise DestinationExists(
                f"the score store {self.root} holds another {job}, submitted at {found.created_at} and not at "
                f"{job.created_at}: two services with one store? Give each a store of its own."
            )
        if found is not None and job.id and found.id and job.id != found.id:
            another = f"another {job}, with the id {found.id} and not {job.id}"
            raise DestinationExists(f"the score store {self.root} holds {another}. {_RUN_AGAIN}")
        return found

    def require_same_scores(self, job: BenchmarkJob, aggregate: AggregateScores, found: StoredJob) -> None:
        """Refuse a job that has other scores than when it was stored: they must not be judged by the stored rows.

        :raises DestinationExists: says what differs
        """
        counts = counts_differ(job.row_counts, found.reported_rows)
        if differing := scores_differ(aggregate, found.aggregate) or counts:
            raise DestinationExists(
                f"the score store {self.root} holds {job} with other scores: {differing}. {_RUN_AGAIN}"
            )

    def refuse_own_file(self, place: Place) -> None:
        """Refuse to put something else where the store has a file of its own, or may have one.

        :raises ConfigurationError: names the place
        """
        start = (Place(self.root) / MANIFEST).location.removesuffix(MANIFEST)
        if not place.location.startswith(start):
            return
        if _OWN_FILE.fullmatch(place.location.removeprefix(start)):
            raise ConfigurationError(
                f"{place} is a file of the score store {self.root} itself, which would be damaged. "
                "Choose another destination."
            )

    def get(self, job: str, *, workspace: str, benchmark: str) -> StoredJob:
        """Find a job.

        :raises NotStored: it is not in the store
        """
        folder = self._there(workspace, benchmark)
        found = self._read_job(f"{folder}/{folder_name(job, 'benchmark job')}")
        if found is None:
            raise NotStored(
                f'benchmark job "{job}" of benchmark "{benchmark}" in workspace "{workspace}" is not in the score '
                f"store {self.root}. Store it with store= on a download or gate task."
            )
        return found

    def find(self, job: str, *, workspace: str) -> StoredJob | None:
        """Find a job of whatever benchmark; reads one small file for each benchmark of the workspace.

        :raises IncompleteResults: the only job of this name can't be read; names its manifest
        :raises ConfigurationError: there are several: a name can be used again, for another benchmark, too
        """
        self._require_folder()
        folder, place = f"{self.root}/{folder_name(workspace, 'workspace')}", folder_name(job, "benchmark job")
        folders = [f"{folder}/{name}/{place}" for name in sorted(names_in(folder))]
        found, damaged = {}, None
        for path in folders:
            try:
                if (stored := self._read_job(path)) is not None:
                    found[path] = stored
            except IncompleteResults as error:
                damaged = error
                logger.warning("Left out a job of the score store: %s", error)
        if damaged is not None and not found:
            raise damaged
        if len(found) > 1:
            raise ConfigurationError(
                f'the score store {self.root} has {len(found)} benchmark jobs "{job}" in workspace "{workspace}", of '
                f"other benchmarks: {', '.join(found)}. Name the folder of one in place of the job."
            )
        return next(iter(found.values()), None)

    def history(
        self, *, workspace: str, benchmark: str, limit: int = 20, before: datetime | None = None
    ) -> list[StoredJob]:
        """The benchmark's latest jobs, newest first, with their scores and verdicts; row scores are not opened.

        Takes two listings of names, whatever the number of jobs, and reads one small file for each job returned. A job
        whose manifest can't be read is left out, with a warning.

        :param before: only jobs that were created before this
        """
        folder = self._there(workspace, benchmark)
        readable = ReadableJobs(folder, outcomes_of_gates(folder), self._read_job)
        jobs = list(islice(readable.jobs(names_of_jobs(folder, before)), limit))
        readable.require_access()
        return jobs

    def passed_since(
        self,
        *,
        workspace: str,
        benchmark: str,
        first: int,
        latest: int,
        but: Sequence[str] = (),
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> tuple[list[StoredJob], list[StoredJob] | None]:
        """The jobs that passed every gate that judged them, oldest first.

        Takes two listings of names, and reads one small file for each job returned.

        :param first: number of the oldest ones to read
        :param latest: number of the newest ones to read
        :param but: names of jobs to leave out, such as the candidate itself
        :param since: only jobs that were created then or after it
        :param before: only jobs that were created before this
        :return: the oldest, and the newest; None in place of these where the former are all
        """
        folder = self._there(workspace, benchmark)
        outcomes = outcomes_of_gates(folder)
        names = deque(
            name
            for name in reversed(names_of_jobs(folder, before, since=since))
            if name not in but and set(outcomes.get(name, {}).values()) == {"pass"}
        )
        readable = ReadableJobs(folder, outcomes, self._read_job)

        def taken(take: Callable[[], str]) -> Iterator[str]:
            while names:
                yield take()

        oldest = list(islice(readable.jobs(taken(names.popleft)), first))
        newest = list(islice(readable.jobs(taken(names.pop)), latest))[::-1]
        readable.require_access()
        return (oldest, newest) if names else (oldest + newest, None)

    def job_names(self, *, workspace: str, benchmark: str) -> list[str]:
        """Names of all the benchmark's jobs, newest first; one listing."""
        return names_of_jobs(self._there(workspace, benchmark))

    def last_passed(
        self, *, workspace: str, benchmark: str, but: Sequence[str] = (), before: datetime | None = None
    ) -> StoredJob | None:
        """The newest job that passed every gate that judged it.

        :param but: names of jobs to leave out, such as the candidate itself
        :param before: only jobs that were created before this
        """
        folder = self._there(workspace, benchmark)
        outcomes = outcomes_of_gates(folder)
        passed = (
            name
            for name in names_of_jobs(folder, before)
            if name not in but and set(outcomes.get(name, {}).values()) == {"pass"}
        )
        readable = ReadableJobs(folder, outcomes, self._read_job)
        found = next(readable.jobs(passed), None)
        readable.require_access()
        return found

    def outcomes(self, stored: StoredJob) -> dict[str, str]:
        """The last outcome of each gate that judged a job, by the gates' names; one listing."""
        return outcomes_of_gates(self.folder(stored.workspace, stored.benchmark)).get(stored.job, {})

    def add_verdict(self, stored: StoredJob, gate: str, verdict: dict[str, Any]) -> None:
        """Keep a gate's verdict with the job; a later one of the same gate replaces it.

        :param gate: name of the gate, ``dag_id.task_id``, with ``[map_index]`` where it is mapped
        :param verdict: as of :meth:`~airflow_provider_benchmarks.gates.Verdict.to_dict`
        :raises ConfigurationError: there can be no gate of this name, or it is too long for the disk
        """
        folder = self.folder(stored.workspace, stored.benchmark)
        name, judge = quote(stored.job, safe=""), quote(gate_name(gate), safe="")
        time = time_of_verdict(folder, stored.job, gate_name(gate))
        marker = Place(f"{folder}/{VERDICTS}/{time},{name},{judge},{verdict['outcome']}")
        require_fitting_name(marker, of=f'the verdict of gate "{gate}" on benchmark job "{stored.job}"')
        store_json(f"{folder}/{name}/verdict-{judge}.json", {**verdict, "gate": gate})
        store_bytes([b"\n"], marker, format="json")

    def pin(self, stored: StoredJob, *, by: str = "") -> StoredFile:
        """Make a job the baseline of its benchmark.

        :param by: who or what promotes it, for people
        :return: the file that says so
        """
        return store_json(f"{self.folder(stored.workspace, stored.benchmark)}/{PINNED}", pin_of(stored.job, by))

    def pinned(self, *, workspace: str, benchmark: str) -> StoredJob | None:
        """The benchmark's pinned baseline, or None.

        :raises PinnedJobGone: it is pinned, but not in the store any more
        :raises IncompleteResults: the pin, or the job's manifest, can't be read; names it
        """
        folder = self._there(workspace, benchmark)
        if (job := read_pin(f"{folder}/{PINNED}")) is None:
            return None
        if (found := self._read_job(f"{folder}/{folder_name(job, 'benchmark job')}")) is None:
            raise PinnedJobGone(
                f'benchmark job "{job}" is pinned as the baseline of benchmark "{benchmark}" in workspace '
                f'"{workspace}", and is not in the score store {self.root} any more. Restore its folder from a backup, '
                f"or pin another job (benchmarks pin {benchmark} --job NAME, or PinBaselineOperator).",
                job=job,
            )
        return found

    def scores(self, stored: StoredJob, *, columns: Sequence[str] | None = None) -> JobScores:
        """Load a job's scores.

        :param columns: these columns of the row scores; an empty list leaves the rows out, None takes all
        :raises IncompleteResults: the row scores are not there, are not those that were stored, or can't be read
        """
        from airflow_provider_benchmarks.scores import read_row_scores

        rows = None
        if (file := stored.rows_file) is not None and (columns is None or columns):
            with file.named_if_missing():
                rows = read_row_scores(file, columns=columns)
        return JobScores(
            stored.aggregate,
            rows,
            job=stored.job,
            benchmark=stored.benchmark,
            dataset=stored.dataset,
            content=stored.content,
            reported_rows=stored.reported_rows,
        )

    def _there(self, workspace: str, benchmark: str) -> str:
        """The folder of a benchmark's jobs, to be read.

        :raises ConfigurationError: as of :meth:`folder`, or the store's root is a file
        """
        self._require_folder()
        return self.folder(workspace, benchmark)

    def _require_folder(self) -> None:
        place = Place(self.root)
        if place.is_local and os.path.isfile(place.path):
            raise ConfigurationError(f"the score store {self.root} is a file. Name a folder, which need not be there.")

    def _folder_of(self, job: BenchmarkJob) -> str:
        return f"{self.folder(job.workspace, job.benchmark)}/{folder_name(job.name, 'benchmark job')}"

    def _warn_without_rows(self, found: StoredJob) -> None:
        """Log that a job is there without rows, where it has some by now."""
        logger.warning(
            'Benchmark job "%s" was stored without row scores, and stays so, though it has some now: gates find none. '
            "To have them, delete %s, with the verdicts in it, and store the job again.",
            found.job,
            self.job_folder(found),
        )

    def _read_job(self, folder: str, outcomes: dict[str, str] | None = None) -> StoredJob | None:
        content = read_if_there(f"{folder}/{MANIFEST}")
        return None if content is None else parse_manifest(folder, content, outcomes, is_of_folder=True)
