"""Where the scores of a gate come from; and the source that reads them from folders."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from airflow_provider_benchmarks.benchmarks.recorded import content_of
from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, ResultsChanged
from airflow_provider_benchmarks.extras import missing, require
from airflow_provider_benchmarks.gates.check import Check
from airflow_provider_benchmarks.gates.evidence import JobsSincePin, NoBaseline
from airflow_provider_benchmarks.gates.rows_of_aggregate import require_rows_of
from airflow_provider_benchmarks.gates.stored_rows import must_have_rows, read_rows, should_read_rows, without_rows
from airflow_provider_benchmarks.jobs import RowCounts
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.json_values import parse_json
from airflow_provider_benchmarks.scores.known_files import KnownFile
from airflow_provider_benchmarks.scores.listed_files import ListedFile, files_of_job
from airflow_provider_benchmarks.scores.manifests import AGGREGATE_FILE, JOB_FILE, read_manifest, text_in
from airflow_provider_benchmarks.scores.seen_files import SeenFile
from airflow_provider_benchmarks.scores.stored_files import filesystem_of, is_there, named_if_unreadable, storage_errors

#: Names of baselines that a score store resolves to a job; other names are a job's, or the path of a folder.
PINNED, LAST_PASSED, PREVIOUS = "pinned", "last_passed", "previous"
STORED_BASELINES = (PINNED, LAST_PASSED, PREVIOUS)
MANIFEST_FILE = "manifest.json"
ROWS_FILES = ("row-scores.parquet", "row-scores.jsonl", "row-scores.jsonl.gz", "row-scores.jsonl.zst")
#: Also for a name that no file of the disk can have.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
#: The suffixes of files that pyarrow reads.
_BY_PYARROW = (".parquet", ".zst")


@dataclass(frozen=True, slots=True)
class LoadedScores:
    """The scores of a job.

    :param scores: with the rows that checks need
    :param rows_file: the Parquet file that the rows are from, known or a local path; None where there are no rows, or
        they are from another kind of file
    :param other_file: that other file
    """

    scores: JobScores
    rows_file: Any = None
    other_file: Any = None

    @property
    def any_file(self) -> Any:
        """The file of the rows, whatever its kind."""
        return self.rows_file or self.other_file


class Source(Protocol):
    """Finds and loads the scores of one gate."""

    def candidate(self) -> LoadedScores: ...

    def baselines(self, names: Iterable[str]) -> dict[str, LoadedScores | NoBaseline]:
        """The baselines by name; others than those that are asked for may be among them.

        :param names: as in checks; "" for the gate's own
        """

    def other_runs(self, name: str, runs: int) -> Iterator[LoadedScores]:
        """Load further runs of a baseline's model, one after the other, each from a Parquet file.

        :param name: of the baseline, as in checks
        :param runs: number of them
        """

    def history(self, jobs: int) -> Sequence[JobScores]:
        """Earlier jobs that passed, newest first.

        :param jobs: number of jobs that the checks need
        """

    def since_pin(self, jobs: int) -> JobsSincePin | None:
        """The pinned job and those after it that passed; None where only the history tells.

        :param jobs: number of the first ones that the checks need; 0 for none
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """Scores that were downloaded, or are in a score store.

    A path names a folder with ``aggregate-scores.json`` and, where there are row scores, ``row-scores.parquet`` or
    ``row-scores.jsonl`` (also ``.gz``, ``.zst``); or a file of aggregate scores. It is local, a URL that fsspec opens,
    or one that names an Airflow connection (``s3://connection@bucket/folder``, where Airflow is installed).

    :param checks: rows are read as they need them
    :param candidate_path: of the scores to judge
    :param baseline_paths: by the name of the baseline in checks, "" for the gate's own
    :param history_paths: of earlier jobs that passed, newest first
    """

    checks: Sequence[Check]
    candidate_path: str
    baseline_paths: Mapping[str, str] = field(default_factory=dict)
    history_paths: Sequence[str] = ()

    def candidate(self) -> LoadedScores:
        return load_scores(self.candidate_path, self.checks)

    def baselines(self, names: Iterable[str]) -> dict[str, LoadedScores | NoBaseline]:
        loaded = {path: load_scores(path, self.checks) for path in dict.fromkeys(self.baseline_paths.values())}
        known = {name: loaded[path] for name, path in self.baseline_paths.items()}
        return {name: NoBaseline.of(name) for name in names} | known

    def other_runs(self, name: str, runs: int) -> Iterator[LoadedScores]:
        return iter(())

    def history(self, jobs: int) -> Sequence[JobScores]:
        return [load_scores(path, ()).scores for path in self.history_paths]

    def since_pin(self, jobs: int) -> JobsSincePin | None:
        return None


def load_scores(path: str, checks: Sequence[Check]) -> LoadedScores:
    """Load the scores of a job from a folder or a file.

    :param path: as :class:`FolderSource` takes it
    :raises ConfigurationError: nothing opens such a URL, or there is nothing at it
    :raises IncompleteResults: the folder has no aggregate scores, they can't be read, its manifest lists other files,
        or its rows are not those of the aggregate scores
    :raises OSError: the storage fails
    """
    filesystem, place = filesystem_of(path)
    with storage_errors(path):
        is_folder = filesystem.isdir(place)
    folder = _Folder.read(filesystem, place.rstrip("/"), path.rstrip("/")) if is_folder else None
    aggregate = _aggregate(filesystem, place, path) if folder is None else folder.aggregate()
    described = {} if folder is None else folder.described
    scores = JobScores(aggregate, **{"job": place.rstrip("/").rpartition("/")[2], **described})
    if folder is None or not should_read_rows(checks, aggregate) or (rows := folder.rows_file()) is None:
        return LoadedScores(scores)
    if rows.endswith(_BY_PYARROW) and missing("pyarrow"):
        if must_have_rows(checks):
            require(f"{path}: the checks look at rows, and to read {rows} they need", "pyarrow")
        return LoadedScores(without_rows(scores))
    from airflow_provider_benchmarks.scores import read_row_scores

    rows_path = folder.known(rows)
    with rows_path.named_if_missing():
        is_parquet = rows.endswith(".parquet")
        frame = read_rows(checks, aggregate, rows_path) if is_parquet else read_row_scores(rows_path)
    if not folder.files:
        require_rows_of(aggregate, frame, file=rows_path, aggregate_file=f"{folder.path}/{AGGREGATE_FILE}")
    scores = replace(scores, rows=frame)
    return LoadedScores(scores, rows_path) if is_parquet else LoadedScores(scores, other_file=rows_path)


def _aggregate(filesystem: Any, place: str, path: str, listed: ListedFile | None = None) -> AggregateScores:
    """Read a file of aggregate scores.

    :param place: in the filesystem
    :param path: as it was named
    :param listed: the file as a manifest lists it; None where none does
    :raises ConfigurationError: it is not there, and nothing lists it
    :raises IncompleteResults: it can't be read or is not the one that is listed; names it
    """
    try:
        with (
            storage_errors(path),
            named_if_unreadable(path),
            nullcontext() if listed is None else listed.named_if_missing(),
        ):
            content = filesystem.cat_file(place)
    except OSError as error:
        if error.errno not in _NOT_THERE and not isinstance(error, FileNotFoundError):
            raise
        raise ConfigurationError(
            f"there are no scores at {path} ({error.strerror or 'no such file or folder'}). Correct the path: it is "
            f"that of a folder with {AGGREGATE_FILE}, or of such a file."
        ) from error
    if listed is not None:
        listed.require_content(content)
    try:
        return AggregateScores.from_json(parse_json(content))
    except (ValueError, IncompleteResults) as error:
        raise IncompleteResults(f"{path} holds no aggregate scores: {shortened(error)}") from error


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of scores.

    :param place: in the filesystem
    :param path: as it was named
    :param described: what its manifest says of the job, its benchmark and its dataset
    :param files: that its manifest lists; nothing where there is no manifest
    """

    filesystem: Any
    place: str
    path: str
    described: Mapping[str, Any]
    files: Mapping[str, ListedFile]

    @classmethod
    def read(cls, filesystem: Any, place: str, path: str) -> Self:
        """Read the manifest that a score store has.

        :raises IncompleteResults: it can't be read, or a store has written the other files and not yet this one
        """
        file = f"{path}/{MANIFEST_FILE}"
        if not is_there(filesystem, f"{place}/{MANIFEST_FILE}", name=file):
            _refuse_interrupted(filesystem, place, path)
            return cls(filesystem, place, path, {}, {})
        try:
            with storage_errors(file), named_if_unreadable(file):
                content = filesystem.cat_file(f"{place}/{MANIFEST_FILE}")
        except FileNotFoundError as error:
            raise _removed(file) from error
        try:
            manifest = read_manifest(file, content)
            files = files_of_job(manifest, folder=path, path=file)
            names = {key: text_in(manifest, key, is_optional=True) for key in ("job", "benchmark", "dataset")}
        except (ValueError, LookupError) as error:
            raise IncompleteResults(f"{file} is not a manifest of a job: {shortened(error)}") from error
        described = {key: name for key, name in names.items() if name}
        more = {"content": content_of(manifest), "reported_rows": RowCounts.from_json(manifest.get("row_counts"))}
        return cls(filesystem, place, path, described | more, files)

    def rows_file(self) -> str | None:
        """The name of the file of row scores; None where there is none."""
        there = (
            name for name in ROWS_FILES if is_there(self.filesystem, f"{self.place}/{name}", name=f"{self.path}/{name}")
        )
        return next((name for name in ROWS_FILES if name in self.files), None) or next(there, None)

    def aggregate(self) -> AggregateScores:
        """Read the aggregate scores.

        :raises IncompleteResults: they are not there, can't be read or are others; names the file
        """
        place, path = f"{self.place}/{AGGREGATE_FILE}", f"{self.path}/{AGGREGATE_FILE}"
        if (listed := self.listed(AGGREGATE_FILE)) is None and not is_there(self.filesystem, place, name=path):
            raise IncompleteResults(
                f"{self.path} has no {AGGREGATE_FILE}: it is no folder of a job's scores, or what stored them there "
                f"was interrupted. Correct the path, or store the job again."
            )
        return _aggregate(self.filesystem, place, path, listed)

    def known(self, name: str) -> KnownFile:
        """A file as the manifest lists it, or as it is now.

        :raises IncompleteResults: the manifest lists others, or the file has gone
        """
        path = f"{self.path}/{name}"
        if (listed := self.listed(name)) is not None:
            return listed
        try:
            return SeenFile.at(path)
        except FileNotFoundError as error:
            raise _removed(path) from error

    def listed(self, name: str) -> ListedFile | None:
        """A file as the manifest lists it; None where there is no manifest, or one that lists no files.

        :raises IncompleteResults: the manifest lists others
        """
        if self.files and name not in self.files:
            raise IncompleteResults(
                f"{self.path}/{name} is not among the files that {self.path}/{MANIFEST_FILE} lists. Remove it, or "
                f"delete the folder, and store the job again."
            )
        return self.files.get(name)


def _removed(path: str) -> ResultsChanged:
    return ResultsChanged(f"{path} was removed while it was read. Run the gate again.")


def _refuse_interrupted(filesystem: Any, place: str, path: str) -> None:
    """Refuse what a score store writes before the manifest: nothing says that its files are whole, and of one job.

    :raises IncompleteResults: names the folder
    """
    if is_there(filesystem, f"{place}/{JOB_FILE}", name=f"{path}/{JOB_FILE}"):
        raise IncompleteResults(
            f"{path} has no {MANIFEST_FILE}, which a score store writes last: a task that stored the job there was "
            f"interrupted, or the file was removed. Store the job again."
        )
