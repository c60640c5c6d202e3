"""What a task tells OpenLineage: which scores it has read, and what it has written.

A task notes it as it goes, with what it has at hand: lineage makes no request, to the service or to a storage. What is
noted by the time that the task ends, well or not, is what is told, so that a download that breaks off has no output,
and a gate that is missed has all it found. A note can't fail a task: names and facets are made of the notes when
OpenLineage asks, which is never where its provider is not installed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_benchmarks.gates import Verdict
    from airflow_provider_benchmarks.scores import AggregateScores
    from airflow_provider_benchmarks.store import ScoreStore, StoredFile, StoredJob

logger = logging.getLogger(__name__)


class Kind(Enum):
    """What a dataset is; says how it is named."""

    BENCHMARK = "a benchmark on the service"
    SCORES = "the scores of a job on the service"
    STORED = "a file or folder in a storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset that a task has read or written; None is what the task does not know.

    :param name: of the benchmark or the job; the path or URL of what is stored
    :param workspace: the job's; empty for that of the task
    :param rows: number of rows that were read or written
    :param bytes: their size
    :param files: number of files
    :param scores: the job's
    :param verdict: a gate's, on these scores
    """

    kind: Kind
    name: str
    workspace: str = ""
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    scores: AggregateScores | None = None
    verdict: Verdict | None = None


@dataclass(slots=True)
class Lineage:
    """What a task has noted so far.

    :param inputs: what it has read, by kind and name: a later note replaces an earlier one
    :param outputs: what it has written
    :param job: name of the job on the service that the task is about; empty for none
    :param workspace: the job's; empty for that of the task
    """

    inputs: dict[tuple[Kind, str], Dataset] = field(default_factory=dict)
    outputs: dict[tuple[Kind, str], Dataset] = field(default_factory=dict)
    job: str = ""
    workspace: str = ""

    def reads(self, kind: Kind, name: str, **known: Any) -> None:
        """Note what the task reads.

        :param known: further fields of :class:`Dataset`
        """
        if name:
            self.inputs[kind, name] = Dataset(kind=kind, name=name, **known)

    def writes(self, kind: Kind, name: str, **known: Any) -> None:
        """Note what the task has written; once it is there.

        :param known: further fields of :class:`Dataset`
        """
        if name:
            self.outputs[kind, name] = Dataset(kind=kind, name=name, **known)

    def reads_scores(self, job: str, *, workspace: str = "", **known: Any) -> None:
        """Note the scores of the job that the task is about.

        :param job: its name; or the folder of a stored one, which is on no service
        """
        if "/" in job:
            self.reads(Kind.STORED, job, **known)
            return
        self.job, self.workspace = job, workspace
        self.reads(Kind.SCORES, job, workspace=workspace, **known)

    def reads_job(self, store: ScoreStore, stored: StoredJob, **known: Any) -> None:
        """Note the scores of a job that is in the score store: they are from there where the service has lost it.

        :param known: further fields of :class:`Dataset`
        """
        if not stored.is_purged:
            self.reads_scores(stored.job, workspace=stored.workspace, **known)
            return
        self.inputs.pop((Kind.SCORES, stored.job), None)
        self.reads(Kind.STORED, store.job_folder(stored), **known)

    def writes_file(self, file: StoredFile, *, files: int | None = 1) -> None:
        """Note a file that is there.

        :param files: number of files at its path; None where that is not known
        """
        self.writes(Kind.STORED, file.path, rows=file.rows, bytes=file.bytes, files=files)

    def writes_job(self, store: ScoreStore, stored: StoredJob) -> None:
        """Note a job that is in the score store."""
        rows = None if stored.rows is None else stored.rows.rows
        known = {"rows": rows, "bytes": stored.bytes, "files": stored.files, "scores": stored.aggregate}
        self.writes(Kind.STORED, store.job_folder(stored), **known)


class ReportsLineage:
    """A task that tells OpenLineage what it has read and written."""

    _lineage: Lineage | None = None

    def begin_lineage(self) -> Lineage:
        """Begin to note, with each try: a copy of the task may have noted an earlier one."""
        self._lineage = Lineage()
        return self._lineage

    @property
    def lineage(self) -> Lineage:
        """What was noted so far."""
        return self.begin_lineage() if self._lineage is None else self._lineage

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Tell OpenLineage what the task has read and written, also where it was skipped in the end."""
        # A skip comes as a completion; Airflow has no events of its outlets then.
        return self._told(has_outlets=getattr(task_instance, "state", None) != "skipped")

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Tell OpenLineage what the task had read and written before it failed: of a missed gate, what it found."""
        return self._told(has_outlets=False)

    def _told(self, *, has_outlets: bool) -> OperatorLineage[Any, Any]:
        from airflow_provider_benchmarks.operators._openlineage import operator_lineage

        return operator_lineage(self, self.lineage, has_outlets=has_outlets)
