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

import json
import logging
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_benchmarks.exceptions import ConfigurationError, DestinationExists, IncompleteResults, NotStored
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.json_values import json_safe
from airflow_provider_benchmarks.scores.manifests import JOB_FILE
from airflow_provider_benchmarks.scores.rerun import scores_differ
from airflow_provider_benchmarks.store.folder_names import benchmark_folder, folder_name, gate_name
from airflow_provider_benchmarks.store.job_names import (
    INDEX,
    TIME,
    VERDICTS,
    complete_jobs,
    names_in,
    names_of_jobs,
    outcomes_of_gates,
)
from airflow_provider_benchmarks.store.pins import PINNED, pin_of, read_pin
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.readable_jobs import ReadableJobs
from airflow_provider_benchmarks.store.stored_file import StoredFile, read_if_there, store_bytes
from airflow_provider_benchmarks.store.stored_job import (
    MANIFEST,
    ROWS_FILE,
    StoredJob,
    counts_differ,
    job_of,
    manifest_of,
    parse_manifest,
)

logger = logging.getLogger(__name__)

#: Number of jobs without a manifest after which a listing finds those that have one.
_MAX_MISSING_MANIFESTS = 10
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
    :raises ConfigurationError: there is no root
    """

    def __init__(self, root: str) -> None:
        if not root:
            raise ConfigurationError("the score store needs a folder: set store=, or [benchmarks] score_store")
        self.root = str(root).rstrip("/")

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
        """Store a job, unless it is there already.

        :param store_rows: writes the row scores as Parquet to a place; None where the job has none
        :param dataset: what it ran on, where its spec does not say so
        :raises DestinationExists: another job of this name is there, or this one as it was before it ran again
        :raises IncompleteResults: the aggregate scores are none that can be read again; nothing is stored then
        """
        if (found := self.find_same(job)) is not None:
            self.require_same_scores(job, aggregate, found)
            return found
        AggregateScores.from_json(aggregate.to_json())  # or all that reads the benchmark would fail from now on
        folder = self._folder_of(job)
        created_at = job.created_at or datetime.now(UTC)
        files = [
            _store_json(f"{folder}/{JOB_FILE}", _describe(job)),
            _store_json(f"{folder}/aggregate-scores.json", aggregate.to_json()),
        ]
        if store_rows is not None:
            files.append(store_rows(Place(f"{folder}/{ROWS_FILE}")))
        marker = f"{created_at.astimezone(UTC).strftime(TIME)},{quote(job.name, safe='')}"
        _store(f"{self.folder(job.workspace, job.benchmark)}/{INDEX}/{marker}", b"\n")
        manifest = manifest_of(job, aggregate, files, created_at=created_at, dataset=dataset)
        _store_json(f"{folder}/{MANIFEST}", manifest)
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
        outcomes = outcomes_of_gates(folder)
        readable, jobs = ReadableJobs(self._read_job), list[StoredJob]()
        missing, complete = 0, None
        for name in names_of_jobs(folder, before):
            if len(jobs) == limit:
                break
            # A marker without a manifest is of an interrupted task, or of a folder that someone has deleted.
            if complete is not None and name not in complete:
                continue
            if (found := readable.read(f"{folder}/{quote(name, safe='')}", outcomes.get(name))) is not None:
                jobs.append(found)
                continue
            missing += 1
            if missing == _MAX_MISSING_MANIFESTS:
                complete = complete_jobs(folder)
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
        names = [
            name
            for name in reversed(names_of_jobs(folder, before, since=since))
            if name not in but and set(outcomes.get(name, {}).values()) == {"pass"}
        ]

        readable = ReadableJobs(self._read_job)

        def read(names: Sequence[str]) -> list[StoredJob]:
            found = [readable.read(f"{folder}/{quote(name, safe='')}", outcomes[name]) for name in names]
            readable.require_access()
            return [job for job in found if job is not None]

        if len(names) <= first + latest:
            return read(names), None
        return read(names[:first]), read(names[len(names) - latest :])

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
        outcomes, readable = outcomes_of_gates(folder), ReadableJobs(self._read_job)
        for name in names_of_jobs(folder, before):
            if name in but or set(outcomes.get(name, {}).values()) != {"pass"}:
                continue
            if (found := readable.read(f"{folder}/{quote(name, safe='')}", outcomes[name])) is not None:
                return found
        readable.require_access()
        return None

    def outcomes(self, stored: StoredJob) -> dict[str, str]:
        """The last outcome of each gate that judged a job, by the gates' names; one listing."""
        return outcomes_of_gates(self.folder(stored.workspace, stored.benchmark)).get(stored.job, {})

    def add_verdict(self, stored: StoredJob, gate: str, verdict: dict[str, Any]) -> None:
        """Keep a gate's verdict with the job; a later one of the same gate replaces it.

        :param gate: name of the gate, ``dag_id.task_id``, with ``[map_index]`` where it is mapped
        :param verdict: as of :meth:`~airflow_provider_benchmarks.gates.Verdict.to_dict`
        """
        folder = self.folder(stored.workspace, stored.benchmark)
        name, judge = quote(stored.job, safe=""), quote(gate_name(gate), safe="")
        _store_json(f"{folder}/{name}/verdict-{judge}.json", {**verdict, "gate": gate})
        now = datetime.now(UTC).strftime(TIME)
        _store(f"{folder}/{VERDICTS}/{now},{name},{judge},{verdict['outcome']}", b"\n")

    def pin(self, stored: StoredJob, *, by: str = "") -> StoredFile:
        """Make a job the baseline of its benchmark.

        :param by: who or what promotes it, for people
        :return: the file that says so
        """
        return _store_json(f"{self.folder(stored.workspace, stored.benchmark)}/{PINNED}", pin_of(stored.job, by))

    def pinned(self, *, workspace: str, benchmark: str) -> StoredJob | None:
        """The benchmark's pinned baseline, or None.

        :raises NotStored: it is pinned, but not in the store any more
        :raises IncompleteResults: the pin, or the job's manifest, can't be read; names it
        """
        job = read_pin(f"{self._there(workspace, benchmark)}/{PINNED}")
        return None if job is None else self.get(job, workspace=workspace, benchmark=benchmark)

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

    def _read_job(self, folder: str, outcomes: dict[str, str] | None = None) -> StoredJob | None:
        content = read_if_there(f"{folder}/{MANIFEST}")
        return None if content is None else parse_manifest(folder, content, outcomes, is_of_folder=True)


def _describe(job: BenchmarkJob) -> dict[str, Any]:
    return {
        "name": job.name,
        "workspace": job.workspace,
        "benchmark": job.benchmark,
        "status": job.status,
        "created_at": None if job.created_at is None else job.created_at.isoformat(),
        "spec": json_safe(job.spec),
        "custom_fields": json_safe(job.custom_fields),
    }


def _store_json(path: str, data: Any) -> StoredFile:
    return _store(path, json.dumps(data, allow_nan=False).encode())


def _store(path: str, content: bytes) -> StoredFile:
    return store_bytes([content], Place(path), format="json")
