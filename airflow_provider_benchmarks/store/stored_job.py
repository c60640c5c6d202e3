"""A job in the score store, and the manifest that describes it there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_benchmarks.benchmarks.benchmark import hash_of
from airflow_provider_benchmarks.benchmarks.recorded import CONTENT, CONTENT_HASH, RecordedBenchmark, content_of
from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, NotStored
from airflow_provider_benchmarks.jobs import BenchmarkJob, RowCounts
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.listed_files import ListedFile
from airflow_provider_benchmarks.scores.manifests import AGGREGATE_FILE, VERSION, read_manifest, text_in
from airflow_provider_benchmarks.scores.metric_names import checked_references
from airflow_provider_benchmarks.store.folder_names import benchmark_folder
from airflow_provider_benchmarks.store.stored_file import StoredFile, read_if_there

MANIFEST = "manifest.json"
ROWS_FILE = "row-scores.parquet"
#: Fields of a spec that say which model made the outputs, and how. Of params, those that change how fast it is do not.
_RUN_WITH = ("model", "target", "agent", "prompt_template", "params", "benchmark_params")
_OF_SPEED = ("parallelism",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job in the store.

    :param benchmark: reference ``workspace/name``
    :param created_at: when the job was submitted, UTC
    :param aggregate: its aggregate scores, with histograms and all
    :param rows: its row scores, a Parquet file; None where the job has none
    :param outcomes: of the gates that judged it, by their names (long ones as of ``gate_name``); empty where none
        has, or where they were not read
    :param dataset: what it ran on; empty where that is not known
    :param content: the benchmark's, where it ran one as code or was another evaluator's; None for other jobs
    :param reported_rows: what the service reports about the rows of the job; None where it does not
    :param run_with: a hash of the model and of what it was run with, as far as the job's spec says so: equal for runs
        of the same model; empty where it is not known, as of jobs that earlier releases have stored
    :param row_names: the name of a metric in the aggregate scores, by that in the rows' file, where it is another
    :param id: the service's own, which no other job ever has; empty where it is not known
    :param files: number of the files that its manifest lists; None where that is not known
    :param bytes: their size together
    :param is_purged: it was taken from here as the service does not have it any more
    """

    job: str
    workspace: str
    benchmark: str
    created_at: datetime
    aggregate: AggregateScores
    rows: StoredFile | None
    outcomes: dict[str, str] = field(default_factory=dict)
    dataset: str = ""
    content: Mapping[str, Any] | None = field(default=None, hash=False)
    reported_rows: RowCounts | None = None
    id: str = ""
    run_with: str = ""
    row_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    files: int | None = None
    bytes: int | None = None
    is_purged: bool = field(default=False, compare=False)

    def with_aliases(self, aliases: Mapping[str, str]) -> StoredJob:
        """The same job with a reader's own names of metrics, whatever aliases it was stored with.

        :raises ConfigurationError: two metrics would have the same name
        """
        in_file = {name: file_name for file_name, name in self.row_names.items()}
        aggregate = self.aggregate.with_aliases(aliases)
        changed = aggregate.names_after(self.aggregate)
        names = {in_file.get(s.metric, s.metric): changed.get(s.metric, s.metric) for s in self.aggregate.scores}
        row_names = {file_name: name for file_name, name in names.items() if file_name != name}
        return replace(self, aggregate=aggregate, row_names=row_names)

    @property
    def rows_file(self) -> ListedFile | None:
        """The file of the row scores, to be read: it is checked to be the one that was stored."""
        return None if self.rows is None else self.rows.listed_in(f"{self.rows.path.rpartition('/')[0]}/{MANIFEST}")

    @property
    def passed(self) -> bool:
        """Whether gates judged the job, and every one's last verdict is a pass."""
        return bool(self.outcomes) and set(self.outcomes.values()) == {"pass"}


def manifest_of(
    job: BenchmarkJob, aggregate: AggregateScores, files: Sequence[StoredFile], *, created_at: datetime, dataset: str
) -> dict[str, Any]:
    """Describe a job that is being stored, as JSON.

    :param files: of its folder
    :param dataset: what it ran on, where its spec does not say so
    """
    return {
        "version": VERSION,
        "job": job.name,
        "id": job.id,
        "workspace": job.workspace,
        "benchmark": job.benchmark,
        "dataset": job.dataset or dataset,
        **_content_of(job),
        "run_with": _run_with(job),
        "row_counts": None if job.row_counts is None else job.row_counts.to_json(),
        "created_at": created_at.isoformat(),
        "stored_at": datetime.now(UTC).isoformat(),
        "scores": aggregate.to_json(),
        "without_aliases": dict(aggregate.without_aliases),
        "files": [file.to_listing() for file in files],
    }


def read_stored_job(folder: str) -> StoredJob:
    """Read a job from its own folder in a score store.

    :raises NotStored: there is no complete job
    """
    folder = folder.rstrip("/")
    content = read_if_there(f"{folder}/{MANIFEST}")
    if content is None:
        raise NotStored(f"{folder} is no folder of a job in a score store: it has no {MANIFEST}")
    return parse_manifest(folder, content)


def parse_manifest(
    folder: str, manifest: bytes, outcomes: dict[str, str] | None = None, *, is_of_folder: bool = False
) -> StoredJob:
    """Read the manifest of a job's folder.

    :param outcomes: of the gates that judged the job
    :param is_of_folder: the folder has the job's name, as in a store; one that someone has copied may have another
    :raises IncompleteResults: it is none that can be read; names it
    """
    path = f"{folder}/{MANIFEST}"
    try:
        found = read_manifest(path, manifest)
    except ValueError as error:
        raise _unreadable(path, error) from error
    try:
        job = job_of(folder, found, outcomes)
        _require_listed_scores(found, manifest)
        if is_of_folder:
            _require_of_folder(job, folder)
        return job
    except (IncompleteResults, ValueError, TypeError, LookupError, AttributeError) as error:
        raise _unreadable(path, error) from error


def _require_listed_scores(found: dict[str, Any], manifest: bytes) -> None:
    """Refuse scores that are not those of the file that the manifest lists: the same JSON is in both.

    :raises ValueError: they are others
    """
    listed = [file["sha256"] for file in found["files"] if file["path"] == AGGREGATE_FILE]
    if not listed or _sum_of(found["scores"]) in listed:
        return
    # The quick decoder makes floats of numbers past 64 bits.
    if _sum_of(json.loads(manifest)["scores"]) not in listed:
        raise ValueError(f"its scores are not those of {AGGREGATE_FILE} as it lists it")


def _sum_of(scores: Any) -> str:
    return hashlib.sha256(json.dumps(scores).encode()).hexdigest()


def _require_of_folder(job: StoredJob, folder: str) -> None:
    """Refuse the manifest of another job, which somebody has put here.

    :raises ValueError: says whose it is
    """
    *_, workspace, benchmark, name = folder.split("/")
    if quote(job.job, safe="") != name:
        raise ValueError(f'it is of another job, "{job.job}"')
    if benchmark_folder(job.workspace, job.benchmark) != f"{workspace}/{benchmark}":
        raise ValueError(f'it is of a job of another benchmark, "{job.benchmark}" in workspace "{job.workspace}"')


def _unreadable(path: str, error: Exception) -> IncompleteResults:
    return IncompleteResults(
        f"{path} can't be read ({type(error).__name__}: {shortened(error)}). Delete the folder, and store the job "
        f"again."
    )


def job_of(folder: str, manifest: dict[str, Any], outcomes: dict[str, str] | None = None) -> StoredJob:
    """The job that a manifest describes."""
    files = _files_in(manifest["files"])
    rows = _rows_in(files)
    return StoredJob(
        job=text_in(manifest, "job"),
        workspace=text_in(manifest, "workspace"),
        benchmark=text_in(manifest, "benchmark"),
        dataset=text_in(manifest, "dataset", is_optional=True),
        content=content_of(manifest),
        created_at=_moment(manifest["created_at"]),
        aggregate=replace(
            AggregateScores.from_json(manifest["scores"]),
            without_aliases=checked_references(manifest.get("without_aliases", {})),
        ),
        rows=None if rows is None else replace(rows, path=f"{folder}/{ROWS_FILE}"),
        outcomes=outcomes or {},
        reported_rows=RowCounts.from_json(manifest.get("row_counts")),
        id=text_in(manifest, "id", is_optional=True),
        run_with=text_in(manifest, "run_with", is_optional=True),
        files=len(files),
        bytes=sum(file.bytes for file in files),
    )


def _files_in(files: Any) -> list[StoredFile]:
    """The files that a manifest lists.

    :raises ValueError: it lists none
    :raises LookupError: the description of a file lacks a field
    """
    if not isinstance(files, list) or not files:
        raise ValueError(f'expected a list of files as "files", found {brief(files)}')
    return [StoredFile.of(file) for file in files]


def _rows_in(files: Sequence[StoredFile]) -> StoredFile | None:
    """The row scores among the files that a manifest lists; None where the job has none.

    :raises ValueError: rows are in another file alone
    """
    rows = [file for file in files if file.path == ROWS_FILE]
    if others := [file.path for file in files if file.rows is not None and not rows]:
        raise ValueError(f'expected rows in {ROWS_FILE}, found them in "{shortened(others[0])}"')
    if len(rows) > 1 or any(file.rows is None for file in rows):
        raise ValueError(f"expected {ROWS_FILE} once among the files, with its number of rows")
    return rows[0] if rows else None


def moment_of(job: BenchmarkJob) -> datetime | None:
    """When a job was submitted, in UTC; None where that is not known.

    :raises ConfigurationError: it is no time that can be compared with others
    """
    try:
        return None if job.created_at is None else _moment(job.created_at.isoformat())
    except ValueError as error:
        raise ConfigurationError(
            f"{job} can't be stored with its created_at: {error}. Give it a time in UTC."
        ) from error


def _moment(text: str) -> datetime:
    """A time with its zone, in UTC, so that any two can be compared.

    :raises ValueError: it is none
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} has no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"the time {text} is out of range") from error


def counts_differ(counts: RowCounts | None, stored: RowCounts | None) -> str:
    """What the service reports otherwise about the rows of a job than when it was stored; empty for nothing.

    What one side does not know is not compared.
    """
    if counts is None or stored is None:
        return ""
    for name in ("total", "scored", "errored"):
        now, earlier = getattr(counts, name), getattr(stored, name)
        if None not in (now, earlier) and now != earlier:
            return f"the service reports {now} rows as {name}, and reported {earlier}"
    return ""


def _content_of(job: BenchmarkJob) -> dict[str, Any]:
    """What the manifest has of a benchmark as code."""
    recorded = RecordedBenchmark.from_custom_fields(job.custom_fields)
    return {} if recorded is None else {CONTENT: dict(recorded.content), CONTENT_HASH: recorded.content_hash}


def _run_with(job: BenchmarkJob) -> str:
    """A hash of the model and of what it was run with."""
    known = {name: job.spec[name] for name in _RUN_WITH if job.spec.get(name) is not None}
    if isinstance(known.get("params"), Mapping):
        known["params"] = {name: value for name, value in known["params"].items() if name not in _OF_SPEED}
    return hash_of(known)
