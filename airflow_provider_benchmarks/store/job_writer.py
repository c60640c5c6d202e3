"""Write the files of a job to its folder in a score store, which other tasks may be writing at the same time.

Object storages have no locks, and a download of rows takes minutes, so that a look at the beginning says little. The
small files that are written first are a claim to the folder. Right before the rows appear, and again before the
manifest, the task looks whether another job is there or has claimed the folder since, and gives way to it: whoever
claims last goes on. Two that claim in the same moment, each over one of the other's files, both give way: nothing is
stored then, and one of them is to be run again. In the end the manifest is read back, and the rows that it lists are
looked at.

What remains: a single request, the one that makes the rows or the manifest appear, would have to take longer than all
that another task does from its claim to its own manifest. Then the last one to write has its rows in the folder, which
the sums in the manifest tell from those of the other: they are never read as its rows. Two tasks that store the same
job write the same bytes, unless their workers have other settings or releases; those that find other bytes fail, to be
retried.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import DestinationExists, IncompleteResults
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.json_values import json_safe, parse_json
from airflow_provider_benchmarks.scores.manifests import AGGREGATE_FILE, JOB_FILE
from airflow_provider_benchmarks.scores.rerun import scores_differ
from airflow_provider_benchmarks.store.place import Place
from airflow_provider_benchmarks.store.stored_file import StoredFile, read_if_there, store_json
from airflow_provider_benchmarks.store.stored_job import MANIFEST, ROWS_FILE, StoredJob

logger = logging.getLogger(__name__)


class StoredMeanwhile(Exception):
    """Another task has stored the job, so that nothing more is to be written.

    :param found: as it is there
    """

    def __init__(self, found: StoredJob) -> None:
        super().__init__(f'benchmark job "{found.job}" is stored')
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckedPlace(Place):
    """A place that is looked at again before a file appears there.

    :param look: raises where none may
    """

    look: Callable[[], None] = field(compare=False, repr=False)

    def before_commit(self) -> None:
        self.look()


class JobWriter:
    """Writes one job.

    :param folder: of the job
    :param find: finds the job in the store; raises :class:`DestinationExists` where another one is there
    :raises IncompleteResults: the job's spec, or its custom fields, could not be read again
    """

    def __init__(
        self, folder: str, job: BenchmarkJob, aggregate: AggregateScores, *, find: Callable[[], StoredJob | None]
    ) -> None:
        self._folder, self._job, self._aggregate, self._find = folder, job, aggregate, find
        self._described = _describe(job)
        self._files: list[StoredFile] = []

    def write_files(self, store_rows: Callable[[Place], StoredFile] | None) -> Sequence[StoredFile]:
        """Write all but the manifest.

        :param store_rows: writes the row scores to a place; None where the job has none
        :raises StoredMeanwhile: another task has stored the job
        :raises DestinationExists: another task has stored another job of this name, or is storing one
        """
        self._files = [
            self._claim(),
            store_json(f"{self._folder}/{AGGREGATE_FILE}", self._aggregate.to_json()),
        ]
        if store_rows is not None:
            place = _CheckedPlace(url=f"{self._folder}/{ROWS_FILE}", look=self._look)
            self._files.append(store_rows(place))
        return self._files

    def commit(self, manifest: dict[str, Any]) -> None:
        """Write the manifest: the job is there from now on.

        :raises StoredMeanwhile: another task has stored the job
        :raises DestinationExists: another task has stored another job of this name, or is storing one
        :raises IncompleteResults: another task has written its own files over those of this one
        """
        self._look(is_written=True)
        if all(file.rows is None for file in self._files):
            self._remove_rows()
        self._require_own_files()
        content = json.dumps(manifest, allow_nan=False).encode()
        store_json(f"{self._folder}/{MANIFEST}", manifest)
        if read_if_there(f"{self._folder}/{MANIFEST}") != content:
            if (found := self._find()) is None:
                raise IncompleteResults(f"{self._folder}/{MANIFEST} was removed as soon as it was written. Try again.")
            raise StoredMeanwhile(found)
        self._require_own_files()
        if self._is_claimed_by_another():  # who has begun before the manifest was there, and will find it
            self._claim()

    def _remove_rows(self) -> None:
        """Remove the rows that an interrupted task has left, of a job that has none: no manifest would list them."""
        place = Place(f"{self._folder}/{ROWS_FILE}")
        if not place.is_file():
            return
        path = place.object_path
        try:
            path.fs.rm_file(path.path)
        except Exception as error:  # noqa: BLE001  of any storage; one that lets nobody delete keeps them
            logger.warning(
                "%s is left from an interrupted task, and could not be removed: %s. Remove it, as gates on the folder "
                "refuse rows that its manifest does not list.",
                place,
                safe_text(shortened(error)),
            )

    def _claim(self) -> StoredFile:
        return store_json(f"{self._folder}/{JOB_FILE}", self._described)

    def _look(self, *, is_written: bool = False) -> None:
        """Look whether the folder is still this job's to write.

        :param is_written: the rows are there
        """
        found = self._find()
        if found is not None:
            differing = scores_differ(self._aggregate, found.aggregate)
            rows = next((file for file in self._files if file.rows is not None), None)
            # The rows of a worker with other settings have replaced those that the manifest lists: it is written anew.
            if differing or not is_written or not (rows and found.rows) or found.rows.sha256 == rows.sha256:
                raise StoredMeanwhile(found)
        if self._is_claimed_by_another():
            raise DestinationExists(
                f"another task is storing another {self._job} in {self._folder} at the same time, and this one gives "
                f"way. Give each run a name of its own; if the other task has failed, run this one again."
            )

    def _is_claimed_by_another(self) -> bool:
        claim, scores = (read_if_there(f"{self._folder}/{name}") for name in (JOB_FILE, AGGREGATE_FILE))
        try:
            claimed = {} if claim is None else parse_json(claim)
            mine = self._described
            if any(claimed.get(key) and mine[key] and claimed[key] != mine[key] for key in ("id", "created_at")):
                return True
            theirs = self._aggregate if scores is None else AggregateScores.from_json(parse_json(scores))
        except (ValueError, AttributeError, IncompleteResults):  # nothing that a task of this package has written
            return True
        return bool(scores_differ(self._aggregate, theirs))

    def _require_own_files(self) -> None:
        """Refuse files of another task, which has stored the same job with other settings, or another one just now.

        :raises IncompleteResults: names the file
        """
        for file in self._files[1:]:
            listed = file.listed_in(f"{self._folder}/{MANIFEST}")
            try:
                with listed.named_if_missing(), listed.open():
                    pass
            except IncompleteResults as error:
                raise IncompleteResults(
                    f"another task has written {file.path} while this one was storing {self._job}. Run this one again."
                ) from error


def _describe(job: BenchmarkJob) -> dict[str, Any]:
    try:
        described = _plain(job)
        parse_json(json.dumps(described).encode())
    except (RecursionError, ValueError) as error:
        raise IncompleteResults(
            f"{job} can't be stored, as its spec or its custom fields could not be read again: {shortened(error)}. "
            f"Make them flatter, and their numbers smaller."
        ) from error
    return described


def _plain(job: BenchmarkJob) -> dict[str, Any]:
    return {
        "name": job.name,
        "id": job.id,
        "workspace": job.workspace,
        "benchmark": job.benchmark,
        "status": job.status,
        "created_at": None if job.created_at is None else job.created_at.isoformat(),
        "spec": json_safe(job.spec),
        "custom_fields": json_safe(job.custom_fields),
    }
